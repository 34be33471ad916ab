"""The small charts of the Dagster UI: Markdown with a picture in it, and a sentence that says the same."""

from __future__ import annotations

import base64
import re
from datetime import date, timedelta
from xml.etree import ElementTree

from metrics_assets.reporting.preview_charts import preview_chart

FIRST = date(2025, 12, 1)


def _days(*values: float | None) -> list[tuple[date, float | None]]:
    return [(FIRST + timedelta(days=number), value) for number, value in enumerate(values)]


def _svg(markdown: str) -> ElementTree.Element:
    found = re.search(r"\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)$", markdown)
    assert found, markdown
    return ElementTree.fromstring(base64.b64decode(found.group(1)))


def _line(markdown: str) -> str:
    return [path.get("d", "") for path in _svg(markdown).iter("{http://www.w3.org/2000/svg}path")][1]


def test_it_says_the_last_value_and_draws_every_day() -> None:
    said = preview_chart("Deployments", _days(1, 2, 3), "count")
    assert said.startswith("Deployments: 3 on 3\u00a0Dec\u00a02025\n\n![")
    assert _line(said).count("L") == 2


def test_a_day_that_is_unknown_is_a_gap_and_never_zero() -> None:
    line = _line(preview_chart("Deployments", _days(5, None, 5, 5), "count"))
    assert line.count("M") == 2
    heights = {place.split()[1] for place in re.findall(r"\d+ \d+", line)}
    assert len(heights) == 1


def test_zero_is_on_the_scale() -> None:
    line = _line(preview_chart("Deployments", _days(100, 99), "count"))
    first, second = (int(place.split()[1]) for place in re.findall(r"\d+ \d+", line))
    assert second - first <= 1


def test_without_a_known_day_there_is_a_sentence_and_no_picture() -> None:
    assert preview_chart("Deployments", _days(None, None), "count") == "Deployments: unknown on all of 2 days."


def test_markdown_and_markup_in_a_title_do_nothing() -> None:
    said = preview_chart("![x](http://evil.example) <script> & `b`", _days(1), "count")
    assert "![x]" not in said
    assert "<script>" not in said.replace("\\<script\\>", "")
    title = _svg(said).findtext("{http://www.w3.org/2000/svg}title")
    assert title == "![x](http://evil.example) <script> & `b`: 1 on 1\u00a0Dec\u00a02025"


def test_it_is_small() -> None:
    assert len(preview_chart("Deployments", _days(*[0.123456 * number for number in range(30)]), "per day")) < 3000
