"""Badges stand alone, always have their word, can be read on any page, and take any text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.reporting.badges import badge, health_badge, metric_badge, tier_badge
from metrics_assets.reporting.data import TIERS, Target

from . import samples

SVG = "{http://www.w3.org/2000/svg}"
HEALTH = "health_score"


def texts(svg: str) -> list[str]:
    return [(element.text or "").replace("\u00a0", " ") for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def contrast(first: str, second: str) -> float:
    """The contrast of two colours by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_tier_has_its_word_and_its_colour() -> None:
    seen = {tier: tier_badge("DORA", tier) for tier in TIERS}
    assert [texts(svg)[1] for svg in seen.values()] == ["Elite", "High", "Medium", "Low"]
    assert len({re.findall(r'fill="(#\w+)"', svg)[1] for svg in seen.values()}) == 4
    assert texts(tier_badge("DORA", None)) == ["DORA", "not rated"]


@pytest.mark.parametrize("colour", [*TIERS, "ok", "watch", "bad", "calm", "unknown"])
def test_every_colour_can_be_read(colour: str) -> None:
    fills = re.findall(r'fill="(#\w+)"', badge("label", "text", colour))  # type: ignore[arg-type]
    left, right, left_ink, right_ink = fills
    assert contrast(left, left_ink) >= 4.5
    assert contrast(right, right_ink) >= 4.5


def test_a_badge_asks_for_nothing_and_runs_nothing() -> None:
    svg = badge("label", "text", "ok")
    assert 'role="img" aria-label="label: text"' in svg
    assert "<title>label: text</title>" in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|href|style|@import|\son\w+=", svg)


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_makes_a_badge_that_holds_it(label: str, text: str) -> None:
    svg = badge(label, text, "calm")
    root = ElementTree.fromstring(svg)
    assert int(root.attrib["width"]) < 1200
    assert len(texts(svg)[0]) <= 40
    assert len(texts(svg)[1]) <= 32
    assert len(root.attrib["aria-label"]) <= 200


def test_hostile_text_stays_text() -> None:
    svg = badge(samples.HOSTILE, samples.HOSTILE, "bad")
    assert [element.tag for element in ElementTree.fromstring(svg).iter()].count(f"{SVG}script") == 0
    assert texts(svg)[0].startswith("<script>alert(1)")


def test_a_figure_has_its_tier_or_its_goal_or_neither() -> None:
    assert texts(metric_badge(samples.full_series())) == ["Lead time for changes", "1.6 d, High"]
    goal = Target("g", 20, "at_most", "off track")
    assert texts(metric_badge(samples.series(target=goal)))[1] == "1.6 d, off track"
    assert texts(metric_badge(samples.series()))[1] == "1.6 d"


def test_what_is_not_known_is_said() -> None:
    assert texts(metric_badge(samples.series(values=[5.0, None], tier="high")))[1] == "not known"
    assert texts(health_badge(samples.series(HEALTH, [None])))[1] == "not known"


@pytest.mark.parametrize(("value", "ground"), [(82.0, "#17693a"), (60.0, "#f0c660"), (20.0, "#a6321c")])
def test_health_is_said_of_a_hundred(value: float, ground: str) -> None:
    svg = health_badge(samples.series(HEALTH, [value]))
    assert texts(svg) == ["Repository health", f"{value:.0f} of 100"]
    assert ground in svg
