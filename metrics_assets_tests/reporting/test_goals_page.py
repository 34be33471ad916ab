"""The page about goals and north stars, of hand-made records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.pages.community_words import Band, cut, light, limits, moved, web_address
from metrics_assets.reporting.pages.goals import (
    MOST_CHARTS,
    CategoryFigure,
    Goal,
    GoalsData,
    NorthStar,
    Outlook,
    charted,
    goals_files,
)
from metrics_assets.reporting.pages.goals_words import forecast_words, odds, reason_words, way, way_words
from metrics_assets_tests.reporting.test_releases_page import HOSTILE, metric, parsed, series

DAY = date(2025, 12, 31)
SITE = SiteInfo(
    portfolio="Aurora",
    data_through=DAY,
    start=date(2025, 6, 1),
    tier_source="standard",
    problems=(),
    pages=frozenset({addresses.GOALS, addresses.METHOD, addresses.FORECASTS, addresses.repository("aurora/api")}),
)
STARS = metric("stars_total", "Stars", "count")
FAILURES = metric("change_failure_rate", "Change failure rate", "ratio", "lower")
SCORE = metric("net_promoter_score", "Net promoter score", "points")
LIGHTS = (Band("green", at_least=1000, means="Known."), Band("yellow", 500, 1000), Band("red", below=500, means="New."))
DUE = Goal(
    goal="stars_2026",
    title="25,000 stars by the end of 2026",
    metric=STARS,
    subject_kind="portfolio",
    subject="Aurora",
    target=25_000,
    comparison="at_least",
    status="off track",
    reason="4,022, behind the line to at least 25,000 by 2026-12-31",
    pack="Community",
    area="marketing",
    value=4022,
    due_on=date(2026, 12, 31),
    base=2000,
    expected=13_500,
    progress=0.088,
    outlook=Outlook("ok", None, None, None, 0.004, date(2026, 12, 31)),
)
ALWAYS = replace(
    DUE,
    goal="failures",
    title="Under 15 % fail",
    metric=FAILURES,
    subject_kind="repository",
    subject="aurora/api",
    target=0.15,
    comparison="below",
    status="at risk",
    reason="16 %, the goal is below 15 %; within 10 % of it",
    area="community",
    value=0.16,
    due_on=None,
    base=None,
    expected=None,
    progress=None,
    outlook=Outlook("ok", date(2026, 1, 10), date(2026, 2, 3), date(2026, 4, 5), 0.62, date(2026, 6, 29)),
)
MET = replace(
    ALWAYS,
    goal="few",
    title="Fewer",
    subject="aurora/web",
    status="met",
    value=0.05,
    reason="5 %, the goal is below 15 %",
)
UNKNOWN = replace(
    DUE,
    goal="promoters",
    title="Score over 50",
    metric=SCORE,
    status="unknown",
    reason="Nothing was fed for the day.",
    value=None,
    expected=None,
    progress=None,
    outlook=None,
    feed="kpi_values.csv: metric net_promoter_score (quarterly)",
)


def pages(data: GoalsData) -> dict[str, str]:
    return {
        path: content if isinstance(content, str) else content.decode() for path, content in goals_files(SITE, data)
    }


def with_series(*goals: Goal, **more: object) -> GoalsData:
    drawn = {
        key: replace(series(goal.metric, *[0.2] * 52, 0.16), subject_kind=key[0], subject=key[1])
        for goal in goals
        for key in [(goal.subject_kind, goal.subject, goal.metric.key)]
        if goal.value is not None
    }
    return GoalsData(goals=goals, series=drawn, **more)  # type: ignore[arg-type]


def test_exceptions_come_first_and_the_rest_is_folded() -> None:
    page = parsed(pages(with_series(MET, DUE, ALWAYS, UNKNOWN))["goals.html"])
    assert "Of 3 goals that can be judged 1 met, 0 on track, 1 at risk and 1 off track. One is not known." in page.text
    assert (
        "Due next, on 31 Dec 2026: “25,000 stars by the end of 2026”, off track; not expected by 31 Dec 2026"
        in page.text
    )
    titles = ("Community · marketing 1 off track", "Community 1 at risk, 1 met", "1 goal on track or met", "Not known")
    places = [page.text.index(title) for title in titles]
    assert places == sorted(places)
    for said in (
        "Feed kpi_values.csv (1 figure)",
        "kpi_values.csv: metric net_promoter_score (quarterly)",
        "net_promoter_score",
        "reached about 3 Feb 2026 (between 10 Jan 2026 and 5 Apr 2026), odds 62 % by then",
        "odds under 1 % by the due day",
        "13,500 expected by now",
        "4,022, behind the line to at least 25,000 by 31 Dec 2026.",
        "1.1 times the limit",
    ):
        assert said in page.text, said


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (replace(DUE, outlook=None), "no forecast: the figure is not forecast"),
        (
            replace(DUE, outlook=Outlook("unknown", reason="7 of the last 182 days have a value; 28 are needed.")),
            "no forecast: 7 of the last 182 days have a value; 28 are needed.",
        ),
        (replace(MET, outlook=Outlook("met", probability=1.0)), "the target is met"),
        (
            replace(DUE, due_on=date(2025, 9, 1), outlook=Outlook("met", probability=0.0)),
            "the target is met, after the due day",
        ),
        (
            replace(ALWAYS, outlook=Outlook("ok", date(2026, 1, 31), date(2026, 5, 21), None, 0.6, date(2026, 6, 29))),
            "reached about 21 May 2026 (31 Jan 2026 at the earliest, perhaps not by 29 Jun 2026), odds 60 % by then",
        ),
        (
            replace(ALWAYS, outlook=Outlook("ok", date(2026, 6, 14), None, None, 0.1, date(2026, 6, 29))),
            "not expected by 29 Jun 2026, 14 Jun 2026 at the earliest, odds 10 % by then",
        ),
        # Its day is over: there are no odds any more.
        (
            replace(DUE, due_on=DAY, outlook=Outlook("ok", probability=0.0, looked_until=date(2026, 6, 29))),
            "not expected by 29 Jun 2026",
        ),
    ],
)
def test_forecasts_in_words(goal: Goal, said: str) -> None:
    assert forecast_words(goal, DAY).replace("\u00a0", " ") == said


def test_far_odds_are_not_said_as_certain() -> None:
    said = [odds(chance).replace("\u00a0", " ") for chance in (0.0, 1.9e-86, 0.0099, 0.01, 0.62, 0.99, 0.9999, 1.0)]
    assert said == ["under 1 %", "under 1 %", "under 1 %", "1 %", "62 %", "99 %", "over 99 %", "over 99 %"]


def test_the_way() -> None:
    done, should = way(DUE)
    assert done == 0.088
    assert should is not None
    assert round(should, 4) == 0.5
    assert way(UNKNOWN) == (None, None)
    assert way(MET) == (1.0, None)
    assert way_words(MET) == "within it"
    assert way_words(replace(DUE, progress=None, value=5000)).replace("\u00a0", " ") == "20 % of it"
    assert way_words(replace(ALWAYS, target=0.0, value=3.0)) == ""
    assert way_words(UNKNOWN) == ""


def test_reasons_are_sentences_with_days_in_words() -> None:
    said = reason_words("missed: 25 % on the due day (2025-09-01), the goal was below 15 %").replace("\u00a0", " ")
    assert said == "Missed: 25 % on the due day (1 Sep 2025), the goal was below 15 %."
    assert wording.written_days("2025-13-45 stays") == "2025-13-45 stays"


def test_north_stars_over_a_month_a_quarter_and_a_year() -> None:
    weekly = [100.0] * 40 + [150.0] * 9 + [160.0] * 3 + [200.0]
    star = NorthStar(series(STARS, *weekly), "People choose what others chose.")
    page = parsed(pages(GoalsData(north_stars=(star,)))["goals.html"])
    for said in (
        "People choose what others chose.",
        "a month before (4 weeks)",
        "▲ 33 %, better",
        "a quarter before (13 weeks)",
        "a year before (52 weeks)",
        "▲ 100 %, better",
    ):
        assert said in page.text.replace("\u00a0", " "), said
    assert "No goal counts here yet." in page.text
    assert "No goal counts. Goals come with the packs" in page.text


def test_lights_and_categories() -> None:
    weeks = [500.0] * 53
    figures = (
        CategoryFigure("Performance", series(metric("requests_per_second", "Requests"), None)),
        CategoryFigure("Community", series(STARS, *weeks[:-1], 400.0)),
    )
    page = parsed(pages(GoalsData(goals=(UNKNOWN,), figures=figures, bands={"stars_total": LIGHTS}))["goals.html"])
    for said in (
        "The one goal cannot be judged: its figure is not known.",
        "Performance 0 of 1 figures known",
        "Community 1 of 1 figures known; in a month 0 better, 1 worse",
        "▼ 20 %",
        "green from 1,000, yellow from 500 to under 1,000, red under 500",
        "New.",
    ):
        assert said in page.text.replace("\u00a0", " "), said
    assert "✕ red" in page.text.replace("\u00a0", " ")


def test_bands() -> None:
    assert [light(value, LIGHTS).word for value in (1000.0, 999.9, 500.0, 499.0)] == [
        "green",
        "yellow",
        "yellow",
        "red",
    ]  # type: ignore[union-attr]
    assert light(None, LIGHTS) is None
    assert light(3.0, ()) is None
    named = (Band("excellent", below=0.05), Band("acceptable", 0.05, 0.1), Band("critical", 0.1))
    assert [light(value, named).role for value in (0.01, 0.07, 0.5)] == ["ok", "watch", "bad"]  # type: ignore[union-attr]
    assert limits(STARS, (Band("any"),)) == "any otherwise"
    assert moved(None, 3.0, STARS) == ("not known", "dim")
    assert moved(100.0, 100.0, STARS) == ("about the same", "calm")


def test_addresses_and_long_texts() -> None:
    kept = "https://example.org/a?b=1"
    assert [
        web_address(url) for url in (kept, None, "javascript:alert(1)", "//x", "http://[", "https:// x", "ftp://x/y")
    ] == [
        kept,
        None,
        None,
        None,
        None,
        None,
        None,
    ]
    assert cut("a\n b\t c") == "a b c"
    assert len(cut("w" * 999)) == 160


def test_hundreds_of_goals_stay_readable() -> None:
    one = [
        replace(DUE, goal="daily", subject_kind="repository", subject=f"acme/s{number:04}") for number in range(1000)
    ]
    many = [
        replace(DUE, goal=f"goal_{number}", title=f"Goal {number}", area=f"area {number % 9}") for number in range(100)
    ]
    unknown = [
        replace(
            UNKNOWN,
            goal=f"u{number}",
            metric=metric(f"key_{number}", f"Figure {number}"),
            feed=f"kpi_values.csv: metric key_{number} (monthly)",
        )
        for number in range(300)
    ]
    files = pages(with_series(*one, *many, *unknown))
    html = files["goals.html"]
    assert len(html.encode()) <= 300_000
    assert files["data/goals.csv"].count("\n") == 1401
    page = parsed(html)
    assert "all in the CSV." in page.text
    assert html.count('<tr id="goal-daily') == 10
    assert html.count('<tr id="goal-') == 110
    assert "of 300 shown; all in the CSV." in page.text


def test_so_many_goals_that_a_branch_has_no_room() -> None:
    every = [replace(DUE, goal=f"g{number}", area="a") for number in range(140)]
    page = parsed(pages(with_series(*every, replace(DUE, goal="last", area="b", status="at risk")))["goals.html"])
    assert "None of these 1 is shown, as there are too many; all are in the CSV." in page.text


def test_charts_make_way_for_the_goals() -> None:
    goals = [
        replace(DUE, goal=f"g{number}", subject_kind="repository", subject=f"acme/s{number}") for number in range(60)
    ]
    assert len(charted(goals)) == MOST_CHARTS
    html = pages(with_series(*goals))["goals.html"]
    drawn = html.count('class="panel chart"')
    assert 0 < drawn <= MOST_CHARTS
    assert f"{drawn} figures are drawn; {60 - drawn} more" in html
    ids = [attributes["id"] for _, attributes in parsed(html).tags if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_the_portfolio_is_drawn_before_repositories_and_the_worst_first() -> None:
    portfolio = replace(MET, subject_kind="portfolio", subject="Aurora")
    assert [kind for kind, *_ in charted([ALWAYS, portfolio, DUE, UNKNOWN])] == ["portfolio", "portfolio", "repository"]
    assert charted([ALWAYS, portfolio, DUE])[0] == ("portfolio", "Aurora", "stars_total")


def test_hostile_texts_are_words() -> None:
    goals = [
        replace(
            one,
            title=HOSTILE,
            reason=HOSTILE,
            subject=HOSTILE,
            area=HOSTILE[:50],
            pack=HOSTILE[:60],
            feed=one.feed and HOSTILE,
        )
        for one in (DUE, ALWAYS, UNKNOWN)
    ]
    data = replace(with_series(*goals), north_stars=(NorthStar(series(STARS, 1.0), HOSTILE),))
    html = pages(data)["goals.html"]
    page = parsed(html)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{"src": "site.js"}]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert len(html.encode()) < 300_000


def test_only_repositories_with_a_page_are_linked() -> None:
    other = replace(ALWAYS, goal="other", subject="aurora/none")
    links = {
        attributes.get("href")
        for tag, attributes in parsed(pages(with_series(ALWAYS, other))["goals.html"]).tags
        if tag == "a"
    }
    assert addresses.repository("aurora/api") in links
    assert addresses.repository("aurora/none") not in links


def test_goals_of_teams_are_pointed_to_without_names() -> None:
    page = parsed(pages(replace(with_series(DUE), of_teams=True))["goals.html"])
    assert "Goals of teams stand on each team's own page." in page.text


def test_the_same_records_give_the_same_bytes() -> None:
    data = with_series(DUE, ALWAYS, MET, UNKNOWN)
    assert pages(data) == pages(data)


def test_a_goal_that_is_due_today_is_not_due_next() -> None:
    today = replace(DUE, due_on=DAY)
    tomorrow = replace(DUE, goal="next", title="Next", due_on=DAY + timedelta(days=1))
    assert "Due next, on 1 Jan 2026: “Next”" in parsed(pages(with_series(today, tomorrow))["goals.html"]).text
    assert "Due next" not in parsed(pages(with_series(today))["goals.html"]).text
