"""The page of data quality, from records made by hand: nothing, all well, all kinds of trouble, hostile texts."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.pages.data_quality import (
    Cost,
    DataQualityData,
    FedFile,
    Freshness,
    Gap,
    Incomplete,
    MetricProblem,
    RejectedRow,
    StateCounts,
    TableDay,
    data_quality_files,
)
from metrics_assets_tests.reporting.page_reader import read_harmless
from metrics_assets_tests.reporting.samples import DAY, HOSTILE, series, site_info

NOTHING = DataQualityData(0, 0, 0, None, (), (), (), None, (), (), (), (), (), (), ())


def page_of(data: DataQualityData, **site: Any) -> Any:
    return read_harmless(dict(data_quality_files(site_info(**site), data))[addresses.DATA_QUALITY])


def incomplete(**changes: Any) -> Incomplete:
    fields: dict[str, Any] = {
        "source": "github", "subject": "aurora/api", "entity": "pull_requests", "days": 3,
        "reason": "403: the token may not read pull requests.", "error_class": "Forbidden",
    }  # fmt: skip
    return Incomplete(**fields | changes)


def states(**changes: Any) -> StateCounts:
    fields: dict[str, Any] = {
        "metric": "lead_time_hours", "title": "Lead time for changes", "known": 5, "provisional": 0, "too_few": 2,
        "unknown": 1, "why": "No change was shipped in the window.", "minimum_n": 3,
    }  # fmt: skip
    return StateCounts(**fields | changes)


def test_where_nothing_is_known_it_says_so() -> None:
    text = page_of(NOTHING).text
    assert "Nothing was collected about 31 Dec 2025." in text
    assert "Whether the day's checks passed is not known" in text
    assert "Nothing has been collected yet." in text
    assert "No figure of a repository is known of this day." in text
    assert "All" not in text.split("Lists that did not come whole")[0].split("Whether")[0].split("Method")[-1]


def test_what_is_whole_is_held_against_what_is_wanted() -> None:
    all_well = dataclasses.replace(NOTHING, lists=1000, whole=1000, checks=())
    assert "All 1,000 lists that were asked for came whole. All checks of the day passed." in page_of(all_well).text
    some_missing = page_of(dataclasses.replace(NOTHING, lists=1000, whole=996, checks=("calculated",))).text
    assert "4 of 1,000 lists did not come whole" in some_missing
    assert "% of 1,000 lists came whole; over the 99.5 % wanted" in some_missing
    assert "Failed: calculated" in some_missing
    assert "not over the 99.5 % wanted" in page_of(dataclasses.replace(NOTHING, lists=100, whole=99)).text


def test_a_list_that_is_not_whole_has_its_reason_and_its_remedy() -> None:
    repository = addresses.repository("aurora/api")
    data = dataclasses.replace(
        NOTHING, lists=2, whole=0,
        incomplete=(incomplete(), incomplete(entity="commits", error_class="Strange", reason="?", days=1)),
    )  # fmt: skip
    page = page_of(data, pages=frozenset({repository}))
    assert (
        "pull requests github 3 days 403: the token may not read pull requests. Give the token the permission"
        in page.text
    )
    assert "commits github 1 day ? Run the days again" in page.text
    assert repository in page.hrefs


def test_what_is_behind_stands_first_and_names_the_farthest() -> None:
    data = dataclasses.replace(
        NOTHING,
        freshness=(
            Freshness("github", "commits", 8, 8, DAY, DAY, "aurora/api"),
            Freshness("github", "issues", 8, 6, DAY, date(2025, 12, 20), "aurora/web"),
            Freshness("pypi", "downloads", 1, 0, None, None, "pypi:aurora"),
        ),
        table_days=(TableDay("metrics.dora_daily", DAY), TableDay("metrics.fed_daily", DAY - timedelta(days=3))),
    )
    text = page_of(data).text
    assert "Issues github 31 Dec 2025 none 6 of 8 ! 2 behind aurora/web: 20 Dec 2025" in text
    assert "Downloads pypi never not known 0 of 1 ! 1 behind pypi:aurora: never whole" in text
    assert text.index("2 behind") < text.index("up to the day")
    assert "metrics.fed_daily 28 Dec 2025 3 days" in text


def test_figures_that_are_not_known_say_how_many_and_why() -> None:
    data = dataclasses.replace(
        NOTHING, repositories=8,
        states=(states(), states(metric="commits", title="Commits", known=0, provisional=8, too_few=0, unknown=0)),
    )  # fmt: skip
    page = page_of(data)
    assert (
        "Lead time for changes 5 0 2 1 No change was shipped in the window. Too few: under 3 in its window."
        in page.text
    )
    assert "Of 16 figures of repositories (2 each) 1 are not known and 2 stand on too few events." in page.text
    # A provisional figure is known.
    assert "Commits 0 8" not in page.text
    assert addresses.metric("lead_time_hours") in page.hrefs


def test_gaps_tell_what_is_lost_from_what_can_still_be_had() -> None:
    data = dataclasses.replace(
        NOTHING,
        gaps=(Gap("traffic", "aurora/api", 5, 28, 2, 14, DAY), Gap("traffic", "aurora/web", 1, 28, 1, 14, DAY)),
    )
    text = page_of(data).text
    assert "5 of 28 ✕ 2 31 Dec 2025 Run the last 14 days again: 3 days can still be had." in text
    assert "1 of 28 ✕ 1 31 Dec 2025 Nothing: the provider has dropped them." in text


def test_cost_is_a_share_of_the_limit_where_there_is_one() -> None:
    data = dataclasses.replace(
        NOTHING,
        costs=(
            Cost("github", "core", 1200, 0, 900, 3, 90.0, 600, 5000.0),
            Cost("pypi", "api", 10, 0, 0, 0, 0.0, 10, None),
        ),
    )
    text = page_of(data).text
    assert "1,210 requests, 900 of them answered by 'not modified'" in text
    assert "12 % 600 of 5,000 in an hour" in text
    assert "no limit is known" in text


def test_fed_files_rejected_rows_and_own_metrics_are_told() -> None:
    data = dataclasses.replace(
        NOTHING, files=(FedFile("kpi_values.csv", 10, 9, 1, DAY),),
        rejected=(RejectedRow("kpi_values.csv", 7, "no number"),),
        problems=(MetricProblem("own_ratio", "there is no metric 'b'"),),
        complete_share=series("collections_complete_share", [None] * 53, kind="portfolio", subject="Aurora"),
    )  # fmt: skip
    text = page_of(data).text
    assert "kpi_values.csv 10 9 ! 1 31 Dec 2025" in text
    assert "kpi_values.csv 7 no number" in text
    assert "own_ratio there is no metric 'b'" in text
    assert "Complete collections Not known" in text


@pytest.mark.parametrize("text", [HOSTILE, "x" * 10_000])
def test_hostile_texts_are_only_texts(text: str) -> None:
    data = DataQualityData(
        1, 1, 0, None, (Freshness(text, text, 1, 0, None, None, text),), (TableDay(text, DAY),),
        (incomplete(source=text, subject=text, entity=text, reason=text, error_class=text),), (text,), ((text, 1),),
        (states(title=text, why=text),), (FedFile(text, 1, 0, 1, DAY),), (RejectedRow(text, 1, text),),
        (MetricProblem(text, text),), (Cost(text, text, 1, 0, 0, 0, 0.0, 1, None),),
        (Gap(text, text, 1, 1, 1, 14, DAY),),
    )  # fmt: skip
    assert " ".join(text.split()) in page_of(data).text


def test_of_thousands_fifty_are_shown_and_all_are_in_the_csv() -> None:
    data = dataclasses.replace(
        NOTHING, lists=16000, whole=0,
        incomplete=tuple(incomplete(subject=f"organisation/repository-{i}") for i in range(1000)),
        states=tuple(states(metric="commits", title=f"Figure {i}", why="why " * 40) for i in range(400)),
        gaps=tuple(Gap("traffic", f"organisation/repository-{i}", 5, 28, 2, 14, DAY) for i in range(1000)),
        rejected=tuple(RejectedRow("kpi_values.csv", i, "no number " * 20) for i in range(1000)),
    )  # fmt: skip
    found = dict(data_quality_files(site_info(), data))
    text = read_harmless(found[addresses.DATA_QUALITY]).text
    assert text.count("50 of 1,000 shown; all in the CSV.") == 3
    assert "50 of 400 shown; all in the CSV." in text
    assert str(found["data/incomplete-lists.csv"]).count("\n") == 1001
