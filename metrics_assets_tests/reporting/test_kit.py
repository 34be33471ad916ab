"""Tiles, tables, small graphics and CSV files: whole in words, harmless with hostile texts."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from metrics_assets.reporting import kit
from metrics_assets.reporting.data import Anomaly, Point
from metrics_assets.reporting.frame import template
from metrics_assets.reporting.kit import Cell, Column, Part, Row, Table
from metrics_assets.reporting.kit.tables import link_to

from . import samples

TWO = (Column("Repository"), Column("Lead time", numeric=True))


class Tags(HTMLParser):
    """The tags of a text with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def plain(text: object) -> str:
    return str(text).replace("\u00a0", " ")


def table(*rows: Row, **options: object) -> str:
    return str(kit.table_html(Table("Repositories", TWO, rows, **options), "../"))  # type: ignore[arg-type]


def tile_html(**changes: object) -> str:
    view = kit.tile(samples.full_series(**changes), href="delivery.html#x")  # type: ignore[arg-type]
    return " ".join(plain(template("parts.html.j2").module.tile(view, "../")).split())  # type: ignore[attr-defined]


def test_a_tile_says_value_tier_change_goal_period_n_and_interval() -> None:
    html = tile_html()
    assert '<p class="value">1.6<span> d</span></p>' in html
    assert "High</span>" in html
    assert "17 % lower than</b> 28 days before" in html
    assert ">better<" in html
    assert "Goal at most 23 h by 31 Dec 2026:" in html
    assert "Off track" in html
    assert "28 days to 31 Dec 2025 · n = 42 · provisional · 95 %: 1.2 to 2 d" in html
    assert 'href="../delivery.html#x"' in html
    assert 'aria-label="Lead time for changes, 53 weeks: from' in html


def test_a_tile_of_what_is_not_known_says_why_and_no_number_and_no_tier() -> None:
    view = kit.tile(samples.series(values=[10.0, None], tier="high"))
    assert (view.number, view.unit, view.tier) == ("Not known", "", None)
    assert view.reason == "No change was shipped in the window."
    last = Point(samples.DAY, None, 2, "too_few")
    view = kit.tile(samples.series().__class__(samples.metric(), "repository", "a/b", (last,)))
    assert (view.number, view.reason) == ("Too few", "Only 2 in 28 days; it needs at least 3.")


def test_a_tile_compares_with_28_days_before_and_with_no_other_day() -> None:
    assert kit.tile(samples.series(values=[20.0, 1, 1, 1, 10.0])).compared == "28 days before"
    change = kit.tile(samples.series(values=[20.0, 1, 1, 1, 10.0])).change
    assert change is not None
    assert plain(change.text) == "50 % lower than"
    for values in ([None, 1, 1, 1, 10.0], [20.0, 10.0]):
        view = kit.tile(samples.series(values=values))
        assert view.change is None
        assert view.compared == "not known 28 days before"


def test_a_series_without_a_point_is_said_too() -> None:
    empty = dataclasses.replace(samples.series(), points=())
    assert kit.tile(empty).number == "Not known"
    assert kit.chart(empty, csv="x.csv").plot is None


def test_a_table_shows_links_tiers_states_and_small_print() -> None:
    html = table(
        Row((Cell("a/b", href="repo/a.b.html"), Cell("1.6 d", "37.8", tier="high", under="n 42")), anchor="r-1"),
        Row((Cell("a/c", role="bad", glyph="✕"), Cell("not known", "", role="dim"))),
        Row((Cell("High", tier="high"), Cell("1,234", mark=Markup("<svg></svg>")))),
        csv="data/x.csv",
        note="2 of 9 shown",
    )
    assert '<tr id="r-1"><th scope="row"><a href="../repo/a.b.html">a/b</a></th>' in html
    assert 'data-sort="37.8"' in html
    assert '<span class="hidden">High: </span>1.6 d<small>n 42</small>' in html
    assert '<span class="s-bad"><span aria-hidden="true">✕</span>&#160;a/c</span>' in html
    assert 'class="num dim" data-sort=""' in html
    assert 'class="chip t-high"' in html
    assert 'data-sort="1234.0"' in html
    assert 'href="../data/x.csv" download' in html
    assert "2 of 9 shown" in html
    assert 'tabindex="0"' in html
    assert "data-filters" not in html
    assert f'data-filters="{re.search("table-Repositories-[0-9a-f]+", html)[0]}"' in table(  # type: ignore[index]
        Row((Cell("a"), Cell("1"))), filterable=True
    )


def test_a_table_without_rows_says_so() -> None:
    assert table(empty="No goal is set.") == '<p class="muted empty">No goal is set.</p>'


def test_a_wrong_table_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="'Repositories' has 2 columns, but a row with 1 cells"):
        table(Row((Cell("a"),)))
    with pytest.raises(ValueError, match="has the role 'red'\\. Use ok, watch, bad, calm and dim"):
        table(Row((Cell("a"), Cell("b", role="red"))))


def test_hostile_texts_stay_texts_everywhere() -> None:
    bad = samples.HOSTILE
    parts = [Part(bad, 1, bad, href=f"javascript:{bad}"), Part(bad, 0, bad)]
    whole = "".join(
        str(part)
        for part in (
            kit.table_html(
                Table(bad, (Column(bad),), (Row((Cell(bad, bad, bad, "ok", bad, None, bad),), bad),), bad, note=bad), ""
            ),
            kit.table_html(Table(bad, (Column(bad),), (), empty=bad), ""),
            kit.stacked(parts, label=bad),
            kit.bars(parts, label=bad),
            kit.heatmap([bad], [bad], [[1]], label=bad, texts=[[bad]]),
            kit.strip([1, 2], own=1, unit="hours", label=bad),
            kit.progress(0.5, expected=0.7, label=bad),
            kit.progress(None, expected=None, label=bad),
            kit.spark([1, 2], label=bad),
        )
    )
    tags = Tags(whole).found
    assert not [tag for tag, _ in tags if tag == "script"]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert not [v for _, attributes in tags for v in attributes.values() if v and v.startswith("javascript")]
    assert "{{ 7*7 }}" in whole


@pytest.mark.parametrize(
    ("href", "leads_to"),
    [
        ("repo/a.html#x:y", "../repo/a.html#x:y"), ("#here", "#here"), ("https://example.org/a", "https://example.org/a"),
        ("javascript:alert(1)", None), (" javascript:alert(1)", None), ("JAVASCRIPT:x", None),
        ("data:text/html,x", None),
        ("//example.org", None), ("\t//example.org", None), ("/etc", None), ("\\\\host", None), ("", None),
        (None, None),
    ],
)  # fmt: skip
def test_links_lead_into_the_site_or_to_http_and_nowhere_else(href: str | None, leads_to: str | None) -> None:
    assert link_to(href, "../") == leads_to


def test_the_cell_of_a_figure_says_n_and_why_there_is_none() -> None:
    lead = samples.metric()
    known = kit.figure_cell(Point(samples.DAY, 37.8, 42, "provisional"), lead, tier="high")
    assert (plain(known.text), known.sort, known.tier) == ("1.6 d", "37.8", "high")
    assert plain(known.under) == "n 42, provisional"
    few = kit.figure_cell(Point(samples.DAY, None, 2, "too_few"), lead)
    assert (plain(few.text), few.sort, plain(few.under)) == ("too few", "", "n 2 of 3")
    assert plain(kit.figure_cell(None, lead).text) == "not known"


def test_sparks_of_nothing_of_one_value_and_with_a_gap() -> None:
    assert "<path" not in kit.spark([None, None], label="none")
    assert "<path" not in kit.spark([], label="none")
    assert 'class="end"' in kit.spark([None, 5.0], label="one")
    assert str(kit.spark([1, 2, None, 3], label="gap")).count("M") == 2 + 1


def test_bars_and_stacks_say_their_parts() -> None:
    parts = [Part("Coding", 12, "12 h"), Part("Waiting", 0, "0 h"), Part("Review", 4, "4 h", href="#review")]
    stack = str(kit.stacked(parts, label="Lead time in stages"))
    assert stack.count('style="flex:') == 2
    assert "Waiting <b>0 h</b>" in stack
    assert '<a href="#review">Review</a>' in stack
    lengths = str(kit.bars(parts, label="Stages"))
    assert re.findall(r"width:([\d.]+)%", lengths) == ["100.0", "0.0", "33.3"]


def test_a_heat_map_shades_by_value_and_hatches_what_is_not_known() -> None:
    html = str(
        kit.heatmap(
            ["a", "b"], ["Mo", "Tu"], [[0, 9], [None, 1]], label="Deployments", texts=[["0", "9"], ["not known", "1"]]
        )
    )
    assert re.findall(r"<td class=(\w+)><i>([^<]+)", html) == [
        ("h0", "0"),
        ("h4", "9"),
        ("hn", "not known"),
        ("h1", "1"),
    ]
    with pytest.raises(ValueError, match="give it values and texts of that size"):
        kit.heatmap(["a"], ["Mo"], [[1, 2]], label="x", texts=[["1"]])


def test_a_strip_names_nobody_and_says_own_median_and_ends() -> None:
    html = plain(kit.strip([9.0, 3.0, 5.0], own=4.0, unit="hours", label="Review time"))
    assert 'aria-label="Review time: own 4 h, median of the others 5 h, lowest 3 h, highest 9 h"' in html
    assert html.count('class="peer"') == 3
    assert kit.strip([3.0, 9.0, 5.0], own=4.0, unit="hours", label="x") == kit.strip(
        [9.0, 5.0, 3.0], own=4.0, unit="hours", label="x"
    )  # the order of the peers tells nothing
    assert "Nothing to compare with." in kit.strip([], own=None, unit="hours", label="x")


def test_progress_shows_what_is_done_what_should_be_and_what_is_unknown() -> None:
    assert "width:40%" in kit.progress(0.4, expected=0.6, label="40 %")
    assert "left:60%" in kit.progress(0.4, expected=0.6, label="40 %")
    assert "width:100%" in kit.progress(1.7, expected=None, label="170 %")
    assert 'class="progress unknown"' in kit.progress(None, expected=0.5, label="not known")


def test_the_csv_of_figures_has_every_week_its_anomalies_and_the_forecast() -> None:
    full = samples.full_series()
    rows = list(csv.DictReader(io.StringIO(kit.series_csv([full, samples.series(values=[None, 5.0])]))))
    assert len(rows) == 53 + 26 + 2
    assert rows[52] | {"value": "", "low": "", "high": ""} == {
        "metric": "lead_time_hours", "subject_kind": "repository", "subject": "aurora/gateway", "week_to": "2025-12-31",
        "value": "", "n": "42", "state": "provisional", "low": "", "high": "", "p10": "", "p50": "", "p90": "",
        "anomaly": "",
    }  # fmt: skip
    assert float(rows[52]["value"]) == full.points[-1].value
    assert rows[53]["state"] == "expected"
    assert rows[53]["p50"]
    assert not rows[53]["value"]
    assert sum("far above" in row["anomaly"] for row in rows) == 4
    assert (rows[-2]["value"], rows[-2]["state"]) == ("", "unknown")


def test_csv_cells_that_a_spreadsheet_would_run_are_made_harmless() -> None:
    anomaly = Anomaly(samples.DAY, 1.0, 1.0, "info", "x", "=1+1")
    text = kit.series_csv([samples.series(subject="=cmd()", values=[-5.0], anomalies=(anomaly,))])
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["subject"] == "'=cmd()"
    assert row["value"] == "-5.0"  # a number is a number
    written = kit.rows_csv(["a", "@b"], [["+1", None], [float("nan"), "\ta"]])
    assert list(csv.reader(io.StringIO(written))) == [
        ["a", "'@b"], ["'+1", ""], ["", "'\ta"],
    ]  # fmt: skip


def test_the_same_records_give_the_same_bytes() -> None:
    full = samples.full_series()
    assert kit.chart(full, csv="x") == kit.chart(dataclasses.replace(full), csv="x")
    assert kit.tile(full) == kit.tile(dataclasses.replace(full))
