"""The list of repositories and the page of each."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.data import FOUR_KEYS, HEALTH, Series
from metrics_assets.reporting.pages.repositories import PER_PAGE, RepositoriesData, list_sentences, repositories_files
from metrics_assets.reporting.pages.repository import data_path, repository_files
from metrics_assets.reporting.pages.repository_data import (
    STAGES,
    TRENDS,
    Component,
    Facts,
    Health,
    RepositoryData,
    Steps,
)
from metrics_assets.reporting.pages.repository_steps import steps_sentence
from metrics_assets.reporting.pages.stages import by_month, stages_bar
from metrics_assets.reporting.pages.summaries import Figure

from . import sample
from .page_reader import read_harmless
from .samples import HOSTILE

NAME = "aurora/gateway"


def page(data: RepositoryData | None = None, series: dict[str, Series] | None = None) -> str:
    data = data or sample.repository()
    files = dict(repository_files(sample.site(), data, series or sample.repository_series(), sample.metrics()))
    html = files[addresses.repository(data.summary.repository)]
    assert isinstance(html, str)
    return html


def words(html: str) -> str:
    return read_harmless(html).text.replace("\u00a0", " ")


def test_the_list_is_cut_into_pages_of_a_hundred_and_one_file_has_all() -> None:
    summaries = tuple(sample.summary(f"acme/service-{n:04d}", sample.TYPICAL[NAME]) for n in range(250))
    files = dict(repositories_files(sample.site(), RepositoriesData(sample.metrics(), summaries)))
    assert [path for path in files if path.endswith("html")] == [
        "repositories.html", "repositories-2.html", "repositories-3.html",
    ]  # fmt: skip
    first = words(str(files["repositories.html"]))
    assert f"1 to {PER_PAGE} of 250; all are in the CSV file." in first
    assert "acme/service-0100" in words(str(files["repositories-2.html"])).partition("Download")[0]
    assert "201 to 250 of 250" in words(str(files["repositories-3.html"]))
    assert 'href="repositories-2.html" aria-current="page"' in str(files["repositories-2.html"])
    assert len(list(csv.DictReader(io.StringIO(str(files["data/repositories.csv"]))))) == 250
    for path, content in files.items():
        if path.endswith("html"):
            assert len(str(content).encode()) < 300_000


def test_traffic_lights_have_a_word_and_a_glyph() -> None:
    files = dict(repositories_files(sample.site(), RepositoriesData(sample.metrics(), sample.summaries())))
    html = str(files["repositories.html"])
    text = words(html)
    assert "✓ 4,200 green, n 20" in text
    assert "! 700 yellow, n 20" in text
    assert "✕ 12 red, n 20" in text
    assert "✕ 1.2 d red, n 20" in text  # 30 business hours
    assert "Stars: 2 green, 1 yellow and 3 red." in text
    rows = {row["repository"]: row for row in csv.DictReader(io.StringIO(str(files["data/repositories.csv"])))}
    assert rows[NAME]["stars_total_light"] == "green"
    assert rows["aurora/notebooks"]["issue_first_response_business_hours_light"] == ""
    assert rows["aurora/legacy"]["state"] == "archived"


def test_the_list_says_how_many_are_weak() -> None:
    assert list_sentences(sample.summaries())[0] == "2 of 5 rated repositories are Medium or Low in some key."
    assert (
        list_sentences(sample.summaries()[:1])[0] == "One repository is rated: by the weakest of its keys it is High."
    )
    assert list_sentences(sample.summaries()[5:6])[0] == "No repository can be rated yet."


def test_a_page_has_a_chart_for_each_figure_that_was_ever_known() -> None:
    html = page()
    assert html.count('<figure class="panel chart"') == len(TRENDS)
    for key in TRENDS:
        assert f'id="{addresses.chart(key)}"' in html
    unknown = {**sample.repository_series(), HEALTH: sample.series(HEALTH, None)}
    html = page(series=unknown)
    assert html.count('<figure class="panel chart"') == len(TRENDS) - 1
    assert f'id="{addresses.chart(HEALTH)}"' not in html
    few = {**sample.repository_series(), "change_failure_rate": sample.series("change_failure_rate", "2")}
    text = words(page(series=few))
    assert "Change failure rate was not known in any of 53 weeks: too few rows, at most 2, of 3 that it needs." in text
    reason = sample.metrics()[HEALTH].unknown
    assert f"Repository health was not known in any of 53 weeks. {reason}" in words(html)


def test_a_page_is_small_and_its_csv_has_every_week_and_what_is_ahead() -> None:
    html = page()
    assert len(html.encode()) < 160_000
    files = dict(repository_files(sample.site(), sample.repository(), sample.repository_series(), sample.metrics()))
    rows = list(csv.DictReader(io.StringIO(str(files[data_path(NAME)]))))
    assert len(rows) == len(TRENDS) * (53 + 13)
    assert {row["metric"] for row in rows} == set(TRENDS)


def test_the_keys_stand_over_28_and_over_7_days_with_target_and_30_days() -> None:
    text = words(page())
    assert "Key 28 days 7 days Target Last 30 days" in text
    row = text.partition("Key 28 days 7 days Target Last 30 days")[2]
    assert "at most 1.2 d by 31 Dec 2026 ! At risk" in row
    assert "Lead time for changes High: 1.3 d n 20, provisional High: 1.2 d n 20 at most 1.2 d" in row
    assert "not known" in row.partition("Deployment frequency")[2][:120]  # of seven days
    assert "Deployments, day by day 28 0 failed 7 none" in row


def test_seven_days_that_are_too_few_are_not_a_number() -> None:
    data = sample.repository(week={"lead_time_hours": Figure(None, 1, "too_few")})
    assert "too few n 1 of 3" in words(page(data))


def test_health_says_what_each_component_gives_and_what_is_missing() -> None:
    text = words(page())
    assert "82 of 100 by version 1 of the model; 85 % of the weights are known." in text
    assert "Missing, so that the others weigh more: Fork growth." in text
    assert "Contributor growth 110 % n 26 80 15 14.1" in text
    assert "Fork growth not known missing 15 none" in text
    too_little = Health(None, 0.4, 1, (Component("fork_growth", "unknown", None, None, None, 15.0, None),))
    text = words(page(sample.repository(health=too_little)))
    assert "The score is not known: only 40 % of the weights are known." in text
    assert "The health score of this day was not computed." in words(page(sample.repository(health=None)))


def test_each_step_of_the_computation_has_its_count() -> None:
    text = words(page())
    assert "Of 25 changes merged in the last 28 days, 20 have shipped by now, and so have a lead time." in text
    assert "… untied 2 could not be tied to any deployment" in text
    assert "Changes tied to no deployment, since the beginning 7 its commit is in no deployment" in text
    assert (
        text.index("tied by a commit") < text.index("tied by time alone") < text.index("tied to no deployment Badges")
    )
    unknown = words(page(sample.repository(steps=Steps())))
    assert "What was merged in the last 28 days is not known" in unknown
    assert "Changes merged not known" in unknown
    assert steps_sentence(Steps(window={"merged": 0})) == "Nothing was merged in the last 28 days."


def test_a_library_without_deployments_is_told_why_nothing_is_known() -> None:
    unknown = {key: sample.series(key, None) for key in (*TRENDS, *STAGES)}
    data = RepositoryData(sample.summary("aurora/notebooks", sample.TYPICAL["aurora/notebooks"]))
    text = words(page(data, unknown))
    assert "None of the four keys is known: nothing says when it ships" in text
    assert "None of the stages is known for the last 28 days." in text
    assert "No other repository has a figure to compare with." in text
    assert "<figure" not in page(data, unknown)


@pytest.mark.parametrize("state", ["archived", "gone", "blocked", "empty"])
def test_a_repository_that_is_not_active_says_so(state: str) -> None:
    data = sample.repository(summary=replace(sample.repository().summary, state=state))
    text = words(page(data))
    assert "needs attention" not in text
    assert f"State {state}" in text


def test_places_among_peers_and_badges() -> None:
    text = words(page())
    assert "Lead time for changes 2 of 6 80 % 2.2 d" in text
    assert "[![DORA tier of aurora/gateway](https://your-site.example/badges/aurora.gateway/tier.svg)]" in text
    files = dict(
        repository_files(
            sample.site(),
            sample.repository(),
            sample.repository_series(),
            sample.metrics(),
            site_url="https://m.acme.example/x/",
        )
    )
    assert "(https://m.acme.example/x/repo/aurora.gateway.html)" in str(files["repo/aurora.gateway.html"])


def test_the_alerts_of_a_page_do_not_name_its_repository_again() -> None:
    text = words(page()).partition("Open alerts")[2].partition("What the figures say")[0]
    assert "Lead time bottleneck" in text
    assert NAME not in text


def test_hostile_texts_stay_texts() -> None:
    name = f"{HOSTILE}/x"
    data = sample.repository(
        name,
        summary=sample.summary(name, sample.TYPICAL[NAME], ships_by=HOSTILE),
        facts=Facts(HOSTILE, HOSTILE, None, HOSTILE, sample.LAST, sample.LAST, HOSTILE, (HOSTILE,)),
    )
    html = page(data)
    read_harmless(html)
    assert "{{ 7*7 }}" in html


def test_stages_of_which_some_are_unknown_are_named() -> None:
    stages = [sample.series(key, end) for key, end in zip(STAGES, (2.0, None, 6.0, 0.0, None), strict=True)]
    view = stages_bar(stages)
    assert view.takeaway.replace("\u00a0", " ") == (
        "Review takes longest: a median of 6 h, 75 % of the known stages together; pickup and deploy are not known."
    )
    assert view.bar is not None
    assert view.bar.count("<i class=") == 2 + len(STAGES)
    assert stages_bar([sample.series(key, 0.0) for key in STAGES]).takeaway == "Every known stage takes no time at all."
    assert stages_bar([]).bar is None


def test_months_are_those_of_which_a_stage_is_known() -> None:
    known = sample.weeks_of("review_hours", [None] * 6 + [3.0] * 6)
    months = by_month([known])
    assert [(month.on.year, month.on.month) for month in months] == [(2026, 10), (2026, 11)]
    assert months[-1].on == sample.LAST
    assert by_month([]) == []


def test_every_key_has_a_tile_and_links_to_its_chart() -> None:
    reader = read_harmless(page())
    for key in FOUR_KEYS:
        assert f"#{addresses.chart(key)}" in reader.hrefs
