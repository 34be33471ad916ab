"""The overview says what the data says, the same way each time, whatever the data holds."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.data import FOUR_KEYS, REWORK
from metrics_assets.reporting.pages.key_figure_rows import change_cell
from metrics_assets.reporting.pages.key_figures import KeyFigures
from metrics_assets.reporting.pages.overview import SHOWN_REPOSITORIES, OverviewData, overview_files, render_overview
from metrics_assets.reporting.pages.summaries import Summary, Told, by_attention, spread, subject_href

from . import sample
from .page_reader import read_harmless
from .samples import HOSTILE


def words(html: str) -> str:
    return read_harmless(html).text.replace("\u00a0", " ")


def hostile() -> OverviewData:
    summaries = tuple(
        sample.summary(f"{HOSTILE}{n}", ends, ships_by=HOSTILE) for n, ends in enumerate(sample.TYPICAL.values())
    )
    return sample.overview(
        summaries=summaries,
        alerts=(sample.alert(HOSTILE, HOSTILE, HOSTILE, title=HOSTILE, text=HOSTILE),),
        goals=(sample.goal("x", 96.0, "off track", title=HOSTILE, subject_kind="repository", subject=HOSTILE),),
        insights=(Told("portfolio", HOSTILE, sample.LAST, HOSTILE, HOSTILE),),
    )


def test_the_page_answers_the_five_questions_first() -> None:
    text = words(render_overview(sample.site(), sample.overview()))
    head = text.partition("Today:")[0]
    for said in (
        "All four keys are High or better.",
        "Behind in 1 of 2 goals (1 off track); furthest is “Lead time”: 4 d, the goal is under 1 d.",
        "Still, 2 of 5 rated repositories are Medium or Low in at least one key.",
        "Against 28 days before,",
        "6 active repositories (and 1 archived and 1 empty)",
    ):
        assert said in head, said


def test_the_same_data_gives_the_same_bytes_in_any_order_of_rows() -> None:
    data = sample.overview()
    shuffled = replace(data, summaries=tuple(reversed(data.summaries)), alerts=tuple(reversed(data.alerts)),
                       goals=tuple(reversed(data.goals)))  # fmt: skip
    assert render_overview(sample.site(), data) == render_overview(sample.site(), shuffled)


def test_each_key_shows_its_own_value_the_median_repository_and_the_tiers() -> None:
    html = render_overview(sample.site(), sample.overview())
    tile = words(html).partition("Lead time for changes High")[2][:700]
    assert tile.startswith(" 4 d")
    assert "Median of 5 repositories: 2.2 d." in tile
    assert "2 High" in tile
    assert 'aria-label="1 Elite, 2 High, 2 Medium, 1 not rated"' in html
    found = spread(sample.summaries(), sample.metrics()["lead_time_hours"])
    assert (found.median, found.known, found.unknown, found.too_few, found.not_rated) == (52.0, 5, 1, 0, 1)


def test_those_that_need_attention_most_come_first() -> None:
    names = [one.repository for one in by_attention(sample.summaries())]
    assert names == [
        "aurora/billing",  # Low
        "aurora/design-system",  # Medium
        "aurora/notifications", "aurora/search", "aurora/gateway",  # High: the least health first
        "aurora/notebooks",  # nothing is rated
    ]  # fmt: skip
    critical = replace(sample.summaries()[5], critical=1)
    assert by_attention([*sample.summaries()[:5], critical])[0].repository == "aurora/notebooks"


def test_attention_lists_five_critical_ones_first_and_says_how_many_more() -> None:
    text = words(render_overview(sample.site(), sample.overview()))
    assert text.index("Lead time bottleneck") < text.index("Low deployment activity")
    assert "since 17 Nov 2026, acknowledged" in text
    many = tuple(sample.alert(f"rule_{n}", "aurora/billing") for n in range(7))
    assert "2 more: all of them" in words(render_overview(sample.site(), sample.overview(alerts=many)))
    assert "No alert is open." in words(render_overview(sample.site(), sample.overview(alerts=())))


def test_goals_that_many_repositories_have_are_one_row() -> None:
    goals = tuple(
        sample.goal("lead", value, status, title="Lead time in a day", subject_kind="repository", subject=name)
        for name, value, status in (
            ("aurora/a", 900.0, "off track"), ("aurora/b", 30.0, "at risk"), ("aurora/c", 3.0, "met"),
        )
    )  # fmt: skip
    text = words(render_overview(sample.site(), sample.overview(goals=goals)))
    assert "Lead time in a day ✕ Off track in 2 of 3 38 d worst: aurora/a under 1 d 1 of 3" in text


def test_key_figures_change_against_a_month_and_a_quarter() -> None:
    text = words(render_overview(sample.site(), sample.overview()))
    assert "Against 20 Oct 2026 Against 20 Aug 2026" in text
    assert "Stars Community 4,022 n 20 ▲ 12 % higher better; it was 3,579 ▲ 44 % higher better; it was 2,794" in text
    assert "Fast, and chosen for it." in text
    assert "Not known on any of the three days:" in text
    metric = sample.metrics()["bugs_open"]
    from_zero = change_cell(sample.figure("bugs_open", 0.0), sample.figure("bugs_open", 3.0), metric)
    assert (from_zero.text, from_zero.role, from_zero.under) == ("higher", "bad", "worse; it was 0")
    gone = change_cell(sample.figure("bugs_open", 3.0), sample.figure("bugs_open", None), metric)
    assert (gone.text, gone.role) == ("not known now", "dim")


def test_three_insights_are_shown_and_the_day_is_told_without_its_line() -> None:
    text = words(render_overview(sample.site(), sample.overview()))
    assert "Sentence 2." in text
    assert "Sentence 3." not in text
    assert "Today: ! Issues : 2 alerts open (1 critical and 1 warning), the oldest since " in text
    assert ", 0 of 1 release gate passed." in text
    unknown = words(render_overview(sample.site(), sample.overview(status=None)))
    assert "Today: ? Unknown : no status of this day was made." in unknown


def test_fifty_repositories_are_shown_and_all_are_in_the_file() -> None:
    summaries = tuple(sample.summary(f"acme/service-{n:04d}", sample.TYPICAL["aurora/billing"]) for n in range(1000))
    files = dict(overview_files(sample.site(), sample.overview(summaries=summaries)))
    html = files[addresses.OVERVIEW]
    assert isinstance(html, str)
    assert len(re.findall(r'<tr id="repo-', html)) == SHOWN_REPOSITORIES
    assert "50 of 1,000 active repositories shown; all in the CSV." in words(html)
    assert len(html.encode()) < 120_000
    rows = list(csv.DictReader(io.StringIO(str(files["data/overview.csv"]))))
    assert len(rows) == 1000
    assert rows[0]["weakest_tier"] == "low"
    assert rows[0]["lead_time_hours"] == "196.0"


def test_unknown_is_a_word_and_empty_in_the_file() -> None:
    data = sample.overview(summaries=(sample.summary("aurora/notebooks", sample.TYPICAL["aurora/notebooks"]),))
    files = dict(overview_files(sample.site(), data))
    row = words(str(files[addresses.OVERVIEW])).partition("aurora/notebooks")[2]
    assert row.count("not known") >= 4
    (of_file,) = csv.DictReader(io.StringIO(str(files["data/overview.csv"])))
    assert (of_file["lead_time_hours"], of_file["lead_time_hours_state"]) == ("", "unknown")


def test_one_word_of_provisional_is_enough_where_all_is() -> None:
    def provisional(summary: Summary) -> Summary:
        return replace(
            summary,
            figures={
                key: replace(figure, state="provisional") if figure.value is not None else figure
                for key, figure in summary.figures.items()
            },
        )

    data = sample.overview(summaries=tuple(provisional(one) for one in sample.summaries()))
    table = words(render_overview(sample.site(), data)).rpartition("Weakest tier first")[2]
    assert table.count("rovisional") == 1


@pytest.mark.parametrize("data", [sample.overview(), hostile()], ids=["sample", "hostile"])
def test_pages_are_harmless_and_links_lead_to_pages_that_there_are(data: OverviewData) -> None:
    site = sample.site()
    files = dict(overview_files(site, data))
    page = read_harmless(files[addresses.OVERVIEW])
    for href in page.hrefs:
        path = href.partition("#")[0]
        assert not path or path in site.pages or path in files or path.startswith("method"), href


def test_hostile_names_cannot_run_in_a_spreadsheet() -> None:
    data = sample.overview(summaries=(sample.summary("=1+1/x", ()),))
    files = dict(overview_files(sample.site(), data))
    (row,) = csv.DictReader(io.StringIO(str(files["data/overview.csv"])))
    assert row["repository"] == "'=1+1/x"


def test_no_repository_no_goal_no_key_still_makes_a_page() -> None:
    nothing = OverviewData(
        keys=tuple(sample.series(key, None) for key in (*FOUR_KEYS, REWORK)),
        metrics=sample.metrics(),
        summaries=(),
        alerts=(),
        goals=(),
        key_figures=KeyFigures(sample.START, sample.START),
    )
    text = words(render_overview(sample.site(pages=frozenset()), nothing))
    for said in ("There is no repository yet", "No goal is set.", "No alert is open.", "No north star is set",
                 "None of the key figures is known yet.", "No repository is active.", "Nothing stood out"):  # fmt: skip
        assert said in text
    assert re.search(r"\b0 (%|h|d)\b", text) is None
    without_keys = replace(nothing, keys=())
    assert "There is no repository yet" in words(render_overview(sample.site(), without_keys))


def test_links_lead_to_repositories_of_services_and_environments_and_to_no_team() -> None:
    site = sample.site()
    assert subject_href(site, "service", "aurora/gateway#edge") == addresses.repository("aurora/gateway")
    assert subject_href(site, "environment", "aurora/gateway@staging") == addresses.repository("aurora/gateway")
    assert subject_href(site, "team", "aurora/gateway") is None
    assert subject_href(site, "repository", "aurora/unbuilt") is None
