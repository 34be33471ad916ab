"""Insights: each appears where its figures say so, and not where they nearly do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from metrics_assets.analysis.insights.deployments import deployment_windows, weekday_failures, without_retries
from metrics_assets.analysis.insights.reviews import (
    Queue,
    ReviewLoad,
    Waiting,
    review_concentration,
    unequal_queues,
    unreviewed_queue,
)
from metrics_assets.analysis.insights.risks import (
    Coverage,
    Dependence,
    Uncollected,
    lead_time_gaps,
    missing_days,
    single_contributors,
)
from metrics_assets.analysis.insights.statistics import signed_rank, trend
from metrics_assets.analysis.insights.tiers import Key, TierBand, tier_dates, tier_of
from metrics_assets.analysis.insights.trends import Churn, Sampled, Shape, churn_risks, trends
from metrics_assets.analysis.insights.wording import AboutMetric, Insight, amount, share, weight

DAY = date(2025, 12, 28)
START = date(2025, 7, 2)
HOURS = AboutMetric("Lead time", "hours", "lower")
STARS = AboutMetric("New stars", "count", "higher")


def weeks(count: int, step: int = 7) -> tuple[date, ...]:
    return tuple(DAY - timedelta(days=step * back) for back in reversed(range(count)))


# Trends.


def test_a_trend_by_hand() -> None:
    line = trend([1.0, 3, 5, 7, 9, 11])
    assert (line.slope, line.low, line.high, line.first, line.last, line.n) == (2, 2, 2, 1, 11, 6)
    # One of 6! orders, either way, is z = 2.99; with an autocorrelation of 0.2 the variance is 1.5 times as large.
    assert line.p == pytest.approx(2 * NormalDist().cdf(NormalDist().inv_cdf(1 / 720) / 1.5**0.5))


def test_a_trend_leaves_out_what_is_not_known_and_outliers_do_not_make_it() -> None:
    line = trend([1.0, np.nan, 5, 7, 900, 11, 13, 15])
    assert line.n == 7
    assert line.slope == pytest.approx(2, abs=0.5)


def test_the_same_value_again_and_again_is_no_trend() -> None:
    assert (trend([4.0] * 8).p, trend([4.0] * 8).slope) == (1.0, 0.0)


def test_three_values_have_no_trend() -> None:
    with pytest.raises(ValueError, match="a trend needs 4 values, there are 3"):
        trend([1.0, 2, np.nan, 3])


@pytest.mark.parametrize("stays", [0.0, 0.4])
def test_where_there_is_no_trend_hardly_any_is_seen(stays: float) -> None:
    random = np.random.default_rng(1)
    p = []
    for _ in range(400):
        values = random.normal(size=60)
        for week in range(1, 60):
            values[week] += stays * values[week - 1]
        p.append(trend(values[-12:]).p)
    assert np.mean(np.array(p) < 0.05) <= 0.1
    assert np.mean(np.array(p) < 0.001) <= 0.01


def test_signed_ranks_by_hand_and_with_ties() -> None:
    assert signed_rank([0.0, 0, 0]) == 1.0
    # All six are positive: one of 2^6 signs, either way. Of ranks 1 to 6, only the first against the others: two.
    assert signed_rank([1.0, 2, 3, 4, 5, 6, 0]) == pytest.approx(2 / 64)
    assert signed_rank([-1.0, 2, 3, 4, 5, 6]) == pytest.approx(4 / 64)
    # Ties share their ranks: sums up to 1.5 are those of no negative one, and of either of two.
    assert signed_rank([-1.0, 1, 3, 4, 5, 6]) == pytest.approx(6 / 64)


def sampled(values: Sequence[Sequence[float]], shape: Shape = "window", about: AboutMetric = HOURS) -> Sampled:
    rows = np.array(values, dtype=float)
    subjects = [("repository", f"acme/r{number}") for number in range(len(rows))]
    return Sampled("lead_time_hours_week" if about is HOURS else "stars_new", about, shape, subjects,
                   weeks(rows.shape[1]), rows)  # fmt: skip


RISING = [20.0, 22, 25, 24, 28, 31, 33, 36, 35, 40, 43, 46]
UNCLEAR = [20.0, 31, 25, 40, 22, 33, 46, 24, 36, 28, 35, 43]


def test_a_figure_that_gets_worse_is_told_with_what_to_do() -> None:
    (found,) = trends([sampled([RISING, UNCLEAR])])
    assert (found.insight, found.topic, found.subject, found.n) == (
        "trend_lead_time_hours_week", "trend", "acme/r0", 12,
    )  # fmt: skip
    assert found.sentence == (
        "Lead time rose from about 19.5 h to 1.9 d within 77 days, which is worse (n = 12 windows of 7 days, "
        "p < 0.001)."
    )
    assert found.action
    assert found.evidence["values"] == RISING
    assert found.evidence["dates"][-1] == "2025-12-28"


@pytest.mark.parametrize(
    "values",
    [
        [*RISING[:-1], np.nan],  # the newest week is not known
        [np.nan if place % 3 == 1 else value for place, value in enumerate(RISING)],
        [100 + place * 0.3 for place in range(12)],  # sure, and nothing to speak of
    ],
)
def test_a_trend_that_is_not_known_well_or_too_small(values: list[float]) -> None:
    assert trends([sampled([values])]) == []


def test_growth_that_slows_is_a_risk_and_a_figure_without_direction_is_nothing() -> None:
    (found,) = trends([sampled([RISING[::-1]], "flow", STARS)])
    assert found.topic == "growth risk"
    assert "a week within 77 days, which is worse (n = 12 weeks" in found.sentence
    assert trends([sampled([RISING[::-1]], "flow", AboutMetric("New stars", "count", "neutral"))]) == []


def test_a_level_is_judged_by_its_changes() -> None:
    # A walk that went up by chance: half of its weeks went down.
    walk = np.cumsum([50.0, 9, -2, 8, -3, 7, -2, 9, -4, -1, 8, -2, 6])
    grows = np.cumsum([50.0, 3, 2, 4, 3, -1, 2, 5, 4, 3, 1, 2, 6])
    (found,) = trends([sampled([walk, grows], "level", AboutMetric("Open issues", "count", "lower"))])
    assert found.subject == "acme/r1"
    assert found.sentence.startswith("Open issues rose from 50 to 84 within 84 days, which is worse (n = 12 weekly")


def test_among_many_series_without_a_trend_none_is_told() -> None:
    random = np.random.default_rng(2)
    found = trends([sampled(random.lognormal(3, 0.4, (300, 12)).tolist())])
    assert len(found) <= 1


def churn(lost: int, of: int, lost_before: int, of_before: int) -> Churn:
    return Churn("repository", "acme/api", lost, of, lost_before, of_before, DAY, START)


@pytest.mark.parametrize(
    ("counts", "told"),
    [((24, 40, 5, 40), True), ((8, 40, 5, 40), False), ((5, 40, 24, 40), False), ((5, 8, 0, 9), False)],
)
def test_churn_that_rose(counts: tuple[int, int, int, int], told: bool) -> None:
    assert bool(churn_risks([churn(*counts)])) == told


# Tiers.

BANDS = [
    TierBand("elite", None, 24),
    TierBand("high", None, 168),
    TierBand("medium", None, 720),
    TierBand("low", None, None),
]
FREQUENCY = [TierBand("elite", 1.0000001, None), TierBand("high", 0.142857, None), TierBand("low", None, None)]


def key(lately: Sequence[float], value: float, metric: str = "lead_time_hours", step: int = 7, day: date = DAY) -> Key:
    about, bands = (HOURS, BANDS) if metric == "lead_time_hours" else (STARS, FREQUENCY)
    return Key(
        metric,
        about,
        "repository",
        "acme/api",
        value,
        day,
        np.array(lately),
        weeks(len(lately), step),
        1.5,
        bands,
        "standard",
    )


@pytest.mark.parametrize(("value", "tier"), [(23.9, "elite"), (24, "high"), (168, "medium"), (5000, "low")])
def test_the_tier_of_a_value(value: float, tier: str) -> None:
    assert tier_of(BANDS, value) == tier


FALLING = [330.0, 322, 309, 300, 294, 279, 271, 258, 251, 240, 228, 221]


def test_when_a_falling_lead_time_reaches_the_next_tier() -> None:
    (found,) = tier_dates([key(FALLING, 235.0)])
    # (221 - 168) / 10 weeks, and a week and a half until the figure over four weeks follows.
    expected = DAY + timedelta(days=7 * ((221 - 168) / 10 + 1.5))
    assert abs(date.fromisoformat(found.evidence["expected_on"]) - expected) <= timedelta(days=3)
    assert (found.evidence["tier"], found.evidence["next_tier"], found.evidence["boundary"]) == ("medium", "high", 168)
    assert found.action is None


def test_a_rising_lead_time_leaves_its_tier_and_says_what_to_do() -> None:
    (found,) = tier_dates([key([300 + value for value in FALLING[::-1]], 615.0)])
    assert found.evidence["next_tier"] == "low"
    assert found.action
    assert found.topic == "tier"


def test_a_frequency_meets_the_boundary_from_below() -> None:
    (found,) = tier_dates([key([0.3 + 0.05 * week for week in range(12)], 0.78, "deployment_frequency")])
    assert (found.evidence["tier"], found.evidence["next_tier"]) == ("high", "elite")


@pytest.mark.parametrize(
    ("lately", "value"),
    [
        (UNCLEAR, 30.0),  # no trend
        ([*FALLING[:-1], np.nan], 235.0),  # the newest week is not known
        ([700.0 - place * 0.5 for place in range(12)], 695.0),  # a trend, but years away
        ([23.0 - place for place in range(12)], 13.0),  # already in the best tier
        ([170.0 - 9 * place for place in range(12)], 200.0),  # the weeks are there already, the figure follows
    ],
)
def test_no_date_where_none_can_be_said(lately: list[float], value: float) -> None:
    assert tier_dates([key(lately, value)]) == []


def test_no_tier_date_that_is_past() -> None:
    # Reached about 11 days after the newest week, of which 7 or 14 have passed.
    lately = [week - 53.0 for week in FALLING]
    (found,) = tier_dates([key(lately, 169.0, day=DAY + timedelta(days=7))])
    first, last = (date.fromisoformat(day) for day in found.evidence["between"])
    assert DAY + timedelta(days=7) < first <= date.fromisoformat(found.evidence["expected_on"]) <= last
    assert tier_dates([key(lately, 169.0, day=DAY + timedelta(days=14))]) == []


# Deployments.


def deployments(rows: Sequence[tuple[str, bool]], subject: str = "acme/api", chain: str = "1:") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject_kind": "repository",
            "subject": subject,
            "chain": chain,
            "at": pd.to_datetime([when for when, _ in rows]).astype("datetime64[ns]"),
            "failed": [failed for _, failed in rows],
        }
    )


def test_a_failed_deployment_that_is_tried_again_counts_once() -> None:
    rows = [("2025-12-01 10:00", True), ("2025-12-01 10:30", True), ("2025-12-01 11:20", True),
            ("2025-12-01 11:40", False), ("2025-12-01 11:50", True), ("2025-12-02 11:50", True)]  # fmt: skip
    kept = without_retries(deployments(rows))
    assert kept["at"].dt.strftime("%d %H:%M").tolist() == ["01 10:00", "01 11:40", "01 11:50", "02 11:50"]
    other = pd.concat([deployments(rows[:1]), deployments(rows[1:2], chain="2:")])
    assert len(without_retries(other)) == 2


def failing(
    chance: Sequence[float], seed: int = 1, hours: Sequence[int] = (10, 16), subject: str = "acme/api"
) -> pd.DataFrame:
    """Half a year of deployments at some hours, which fail by a chance for each weekday."""
    random = np.random.default_rng(seed)
    days = [START + timedelta(days=number) for number in range(175)]
    return deployments(
        [(f"{day} {hour:02d}:00", bool(random.random() < chance[day.weekday()])) for day in days for hour in hours],
        subject,
    )


def test_fridays_that_fail() -> None:
    (found,) = weekday_failures(failing([0.05, 0.05, 0.05, 0.05, 0.4, 0.05, 0.05]), START, DAY)
    assert "Deployments of a Friday failed" in found.sentence
    assert found.evidence["denominators"] == [50] * 7
    assert sum(found.evidence["numerators"]) - found.evidence["numerators"][4] < found.evidence["numerators"][4] * 2


def test_one_bad_friday_is_no_weekday() -> None:
    rows = [(f"{START + timedelta(days=number)} 10:00", False) for number in range(175)]
    bad = [
        (f"2025-10-{day} {hour:02d}:00", True) for day in (3, 10, 17) for hour in range(11, 23, 2 if day == 3 else 12)
    ]
    assert weekday_failures(deployments(rows + bad[:6]), START, DAY) == []


def test_weekdays_and_windows_of_repositories_that_fail_by_chance() -> None:
    chance = pd.concat([failing([0.12] * 7, seed, subject=f"acme/r{seed}") for seed in range(60)])
    assert len(weekday_failures(chance, START, DAY)) <= 1
    assert len(deployment_windows(chance, START, DAY)) <= 1


def with_bad_days(seed: int) -> pd.DataFrame:
    """Half a year in which one deployment of 33 fails by chance, and on one or two days most of ten do."""
    random = np.random.default_rng(seed)
    bad = set(random.choice(175, 1 + seed % 2, replace=False).tolist())
    rows = []
    for number in range(175):
        day = START + timedelta(days=number)
        hours = random.integers(8, 20, 10 if number in bad else int(random.integers(1, 5)))
        rows += [(f"{day} {hour:02d}:00", bool(random.random() < (0.8 if number in bad else 0.03))) for hour in hours]
    return deployments(rows, f"acme/r{seed}")


def with_days_that_differ(seed: int) -> pd.DataFrame:
    """Half a year of days that each have a chance of failures of their own, 12 of 100 on the whole."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(175):
        day, chance = START + timedelta(days=number), random.beta(0.3, 2.2)
        rows += [
            (f"{day} {hour:02d}:00", bool(random.random() < chance))
            for hour in random.integers(8, 20, int(random.integers(2, 7)))
        ]
    return deployments(rows, f"acme/r{seed}")


@pytest.mark.parametrize("made", [with_bad_days, with_days_that_differ])
@pytest.mark.parametrize("told", [weekday_failures, deployment_windows])
def test_failures_that_come_by_the_day_make_no_weekday_and_no_window(
    made: Callable[[int], pd.DataFrame], told: Callable[[pd.DataFrame, date, date], list[Insight]]
) -> None:
    # Each by itself, as many together take more. Of 60 at 0.05, more than 7 come by chance once in a hundred times.
    assert sum(bool(told(made(seed), START, DAY)) for seed in range(60)) <= 7


def test_too_few_deployments_say_nothing() -> None:
    few = failing([0.05, 0.05, 0.05, 0.05, 0.9, 0.05, 0.05]).iloc[:60]
    assert weekday_failures(few, START, DAY) == []
    assert deployment_windows(few, START, DAY) == []


def test_the_window_in_which_deployments_fail_least() -> None:
    mornings, evenings = failing([0.02] * 7, 1, (10,)), failing([0.3] * 7, 2, (19,))
    (found,) = deployment_windows(pd.concat([mornings, evenings]), START, DAY)
    assert "Deployments failed least 09:00 to 12:00:" in found.sentence
    assert found.action == "Where it can be chosen, deploy 09:00 to 12:00."
    assert found.evidence["denominators"] == [175, 175]
    assert found.p is not None
    assert found.p < 0.01
    # Said again of the same deployments, it is the same.
    assert deployment_windows(pd.concat([mornings, evenings]), START, DAY) == [found]


# Reviews and queues.


@pytest.mark.parametrize(
    ("reviews", "told"),
    [
        ([30, 5, 5, 5, 5, 5], True),
        ([10, 9, 8, 8, 7, 7], False),
        ([30, 5, 5], False),  # one of three: half of the reviews by a third of the people
        ([9, 2, 2, 2, 2], False),  # too few reviews
        ([50, 1], False),  # and nothing of two people, whatever they do
    ],
)
def test_reviews_that_few_give(reviews: list[int], told: bool) -> None:
    found = review_concentration([ReviewLoad("team", "core", reviews)], DAY - timedelta(days=28), DAY, 3)
    assert bool(found) == told
    if found:
        assert found[0].sentence == "Half of the 55 reviews of the last 4 weeks came from 1 of 6 reviewers."


@pytest.mark.parametrize(
    ("queues", "told"),
    [
        ([Queue("core", 42, 4), Queue("web", 12, 4), Queue("data", 22, 7)], ["core"]),
        ([Queue("core", 14, 4), Queue("web", 12, 4)], []),
        ([Queue("core", 42, 2), Queue("web", 12, 4), Queue("data", 22, 7)], []),  # two people are nobody's business
        ([Queue("core", 42, 4)], []),  # there is nobody to compare with
        ([Queue("core", 8, 4), Queue("web", 0, 4), Queue("data", 0, 4)], []),
    ],
)
def test_queues_of_teams(queues: list[Queue], told: list[str]) -> None:
    found = unequal_queues(queues, DAY, 3)
    assert [one.subject for one in found] == told
    if found:
        assert found[0].sentence.startswith(
            "42 pull requests are open for 4 active reviewers, 10.5 each; the other teams have 3.1 each "
            "(34 for 11; p < "
        )


@pytest.mark.parametrize(("count", "unreviewed", "told"), [(9, 6, True), (40, 6, False), (4, 4, False)])
def test_pull_requests_that_wait(count: int, unreviewed: int, told: bool) -> None:
    assert bool(unreviewed_queue([Waiting("repository", "acme/api", count, unreviewed, 28.2)], DAY)) == told


def test_a_window_of_28_days_is_four_weeks() -> None:
    (found,) = review_concentration([ReviewLoad("team", "core", [30, 5, 5, 5, 5, 5])], DAY - timedelta(days=27), DAY, 3)
    assert "of the last 4 weeks" in found.sentence


# Dependence and gaps.


@pytest.mark.parametrize(
    ("factor", "contributions", "people", "told"),
    [(1, 90, 12, True), (2, 90, 12, False), (1, 90, 2, False), (1, 20, 12, False)],
)
def test_work_that_hangs_on_one(factor: int, contributions: int, people: int, told: bool) -> None:
    found = single_contributors([Dependence("repository", "acme/api", factor, contributions, people)], DAY, 3)
    assert bool(found) == told


@pytest.mark.parametrize(
    ("merged", "waiting", "baseline", "untied", "told"),
    [(50, 5, 0, 25, True), (50, 25, 0, 5, False), (50, 0, 20, 0, True), (8, 0, 0, 8, False)],
)
def test_changes_of_which_nobody_knows_when_they_shipped(
    merged: int, waiting: int, baseline: int, untied: int, told: bool
) -> None:
    shipped = merged - waiting - baseline - untied
    found = lead_time_gaps([Coverage("repository", "acme/api", merged, shipped, waiting, baseline, untied)], DAY)
    assert bool(found) == told


def test_missing_days_of_a_repository_are_one_insight() -> None:
    gaps = [Uncollected("acme/api", "issues", 4, 28), Uncollected("acme/api", "pull_requests", 9, 28),
            Uncollected("acme/web", "issues", 2, 28)]  # fmt: skip
    (found,) = missing_days(gaps, START, DAY)
    assert "not collected: pull requests of 9, issues of 4." in found.sentence


# Words.


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(5.24, "hours", "5.2 h"), (72, "hours", "3 d"), (0.125, "ratio", "12 %"), (0.004, "ratio", "0.4 %"),
     (1234, "count", "1,234"), (0.0351, "per day", "1.1 per month"), (0.2, "per day", "1.4 per week"),
     (3.0, "score", "3")],
)  # fmt: skip
def test_figures_in_words(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_a_share_and_a_weight() -> None:
    assert share(0) == "0 %"
    assert [weight(3, ratio) for ratio in (1, 2, 0.5, 100, 0)] == [3.0, 3.333, 3.333, 4.0, 4.0]
