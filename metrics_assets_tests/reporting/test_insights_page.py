"""The page of insights, from records made by hand: nothing said, everything said, and hostile texts."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.pages.insights import InsightRow, InsightsData, PairRow, insights_files
from metrics_assets_tests.reporting.page_reader import read_harmless
from metrics_assets_tests.reporting.samples import DAY, HOSTILE, metric, site_info

NOTHING = InsightsData(None, (), (), (), {})
METRICS = {key: metric(key) for key in ("lead_time_hours", "change_failure_rate", "deployment_frequency")}


def insight(**changes: Any) -> InsightRow:
    fields: dict[str, Any] = {
        "insight": "bottleneck", "subject_kind": "repository", "subject": "aurora/api", "topic": "bottleneck",
        "weight": 5.0, "sentence": "The bottleneck is review: a median of 42.1 days.",
        "action": "Make pull requests smaller.", "n": 88, "p": 0.00001,
        "evidence": {"metric": "review_hours", "median_hours": [0.0, 1011.019], "stages": {"review_hours": 1011.0}},
    }  # fmt: skip
    return InsightRow(**fields | changes)


def pair(**changes: Any) -> PairRow:
    fields: dict[str, Any] = {
        "pair": "p", "subject_kind": "repository", "subject": "aurora/api", "x": "lead_time_hours",
        "y": "change_failure_rate", "lag_days": 14, "n": 28, "n_effective": 21.4, "spearman": 0.62, "p_adjusted": 0.004,
        "survives": True, "state": "ok", "sentence": "Where lead time rises, more changes fail.",
        "why": "Changes that wait long grow.",
    }  # fmt: skip
    return PairRow(**fields | changes)


def page_of(data: InsightsData, **site: Any) -> Any:
    return read_harmless(dict(insights_files(site_info(**site), data))[addresses.INSIGHTS])


def test_where_nothing_was_made_it_says_so() -> None:
    text = page_of(NOTHING).text
    assert "No insight has been made yet." in text
    assert "No pair of figures was compared" in text


def test_a_day_without_anything_to_say_is_no_day_without_insights() -> None:
    text = page_of(dataclasses.replace(NOTHING, made_on=DAY)).text
    assert "Nothing in the figures stands out." in text
    assert "0 insights, as of 31 Dec 2025" in text


def test_an_insight_has_its_action_its_n_and_its_evidence() -> None:
    repository = addresses.repository("aurora/api")
    page = page_of(dataclasses.replace(NOTHING, made_on=DAY, insights=(insight(),)), pages=frozenset({repository}))
    assert "What matters most, aurora/api: The bottleneck is review: a median of 42.1 days." in page.text
    assert "What to do: Make pull requests smaller." in page.text
    assert "n = 88 · p < 0.001" in page.text
    assert "Median hours 0, 1,011" in page.text
    assert "Stages review hours 1,011" in page.text
    assert repository in page.hrefs


def test_what_matters_most_stands_first_and_topics_stay_together() -> None:
    data = dataclasses.replace(
        NOTHING,
        made_on=DAY,
        insights=(
            insight(weight=1.0, topic="trend", sentence="Stars rose.", subject="c"),
            insight(weight=4.0, topic="growth risk", sentence="Few contribute.", subject="a"),
            insight(weight=3.0, topic="trend", sentence="Issues rose.", subject="b"),
        ),
    )
    text = page_of(data).text
    order = [
        text.index(word) for word in ("Risks to growth", "Few contribute.", "Trends", "Issues rose.", "Stars rose.")
    ]
    assert order[1:] == sorted(order[1:])


def test_a_series_stands_day_by_day_and_only_its_newest_days() -> None:
    days = [f"2025-{month:02d}-01" for month in range(1, 13)] * 2
    values = [float(number) for number in range(24)]
    row = insight(evidence={"dates": days, "values": values, "metric": "issues_open"})
    text = page_of(dataclasses.replace(NOTHING, made_on=DAY, insights=(row,))).text
    assert "2025-12-01 23" in text
    assert "2025-01-01 0 " not in text


def test_a_correlation_says_n_its_worth_and_its_lag_and_that_it_is_no_cause() -> None:
    others = {"survives": False, "sentence": None}
    pairs = (pair(), pair(subject="b", p_adjusted=0.7, **others), pair(subject="c", state="too_few", **others))
    data = InsightsData(DAY, (), (), pairs, METRICS)
    text = page_of(data).text
    assert "Where lead time rises, more changes fail." in text
    assert "n = 28 changes · worth 21 that do not depend on each other · the first leads by 14 days" in text
    assert "rank correlation +0.62" in text
    assert "p = 0.004 after the correction" in text
    assert "A correlation is no cause. To learn whether it is a cause: change lead time for changes on purpose" in text
    assert "2 pairs of figures and subjects were compared and 1 did not survive the correction" in text
    assert "1 had too few changes" in text
    assert "Of 2 pairs of figures that were compared, 1 goes together." in text


@pytest.mark.parametrize("text", [HOSTILE, "x" * 10_000, "</details><script>alert(1)</script>"])
def test_hostile_texts_are_only_texts(text: str) -> None:
    row = insight(
        subject=text, sentence=text, action=text, topic=text, evidence={text[:50]: text, "deep": [{text: [text]}]}
    )
    data = InsightsData(
        DAY, (row,), ((date(2025, 11, 30), row),), (pair(subject=text, sentence=text, why=text),), METRICS
    )
    assert " ".join(text.split()) in page_of(data).text


def test_of_thousands_the_weightiest_fifty_are_shown() -> None:
    many = tuple(insight(subject=f"organisation/repository-{i}", weight=float(i)) for i in range(2000))
    found = dict(insights_files(site_info(), dataclasses.replace(NOTHING, made_on=DAY, insights=many)))
    page = read_harmless(found[addresses.INSIGHTS])
    assert "50 of 2,000 shown; all in the CSV." in page.text
    assert "organisation/repository-1999" in page.text
    assert "organisation/repository-1000 " not in page.text
    assert str(found["data/insights.csv"]).count("\n") == 2001
