"""metrics.correlations and metrics.insights out of a warehouse: what is said of a day, and what was not known then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from metrics_assets.assets import correlations, insights
from metrics_assets.assets.correlations import correlate
from metrics_assets.assets.figures import read_known
from metrics_assets.assets.insight_rows import DayRows
from metrics_assets.assets.insights import tell
from metrics_assets.catalogue.correlations import Correlation
from metrics_assets.sources import records
from metrics_assets_tests.warehouse.tables import at, fill, on, pull, record, review, service, table

LAST = on("12-28")  # a Sunday
DAYS = [LAST - timedelta(days=back) for back in reversed(range(400))]


def put(warehouse: sa.Engine, name: str, rows: list[dict[str, Any]]) -> None:
    """Rows with the same columns into a table of schema metrics."""
    names = list(rows[0])
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                f"insert into metrics.{name} ({', '.join(names)}) values ({', '.join(':' + one for one in names)})"
            ),
            rows,
        )


def about(day: date, subject: str = "acme/api", kind: str = "repository") -> dict[str, Any]:
    return {"subject_kind": kind, "subject": subject, "date": day, "days_observed": 28}


def said(warehouse: sa.Engine, insight: str, columns: str = "subject, sentence") -> list[tuple[Any, ...]]:
    return table(warehouse, f"select {columns} from metrics.insights where insight = '{insight}' order by subject")


def deployed(warehouse: sa.Engine, rows: list[tuple[str, bool]], detected_days: int = 0) -> None:
    """Finished deployments of the repository, each ('MM-DD HH:MM', failed)."""
    put(
        warehouse,
        "deployments",
        [
            {
                "repository_id": 1, "chain": "", "repository": "acme/api", "deployment_key": f"d{number}",
                "source": "deployments", "environment": "production", "created_at": at(when), "finished_at": at(when),
                "outcome": "succeeded",
            }
            for number, (when, _) in enumerate(rows)
        ],
    )  # fmt: skip
    failures = [
        {
            "repository_id": 1, "chain": "", "repository": "acme/api", "deployment_key": f"d{number}",
            "signal": "incident", "evidence": "x", "failed_at": at(when),
            "detected_at": at(when) + timedelta(days=detected_days),
        }
        for number, (when, failed) in enumerate(rows)
        if failed
    ]  # fmt: skip
    if failures:
        put(warehouse, "deployment_failures", failures)


def two_a_day(failing_weekdays: set[int]) -> list[tuple[str, bool]]:
    """Deployments of the last 26 weeks at 10:00 and 16:00 UTC; those at 16:00 of some weekdays fail in every second."""
    rows = []
    for back in range(1, 176):
        day = LAST - timedelta(days=back)
        bad = day.weekday() in failing_weekdays and (back // 7) % 2 == 0
        rows += [(f"{day:%m-%d} 10:00", False), (f"{day:%m-%d} 16:00", bad)]
    return rows


def test_a_weekday_on_which_more_deployments_fail(warehouse: sa.Engine) -> None:
    fill(warehouse)
    deployed(warehouse, [*two_a_day({4}), ("08-05 10:00", True), ("09-10 10:00", True)])
    tell(warehouse, [LAST])
    found = said(warehouse, "weekday_failures", "subject, sentence, n, p < 0.01, evidence->'numerators'")
    assert [row[0] for row in found] == ["acme", "acme/api"]
    assert "Deployments of a Friday failed" in found[1][1]
    assert "13 of 50 (26 %) against 2 of 302 (0.7 %)" in found[1][1]
    assert found[1][2:] == (352, True, [0, 1, 1, 0, 13, 0, 0])


def test_a_weekday_is_one_of_the_portfolio_s_time_zone(warehouse: sa.Engine) -> None:
    fill(warehouse)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("""update ops.portfolio set business_hours = business_hours || '{"timezone": "Asia/Tokyo"}'""")
        )
    # 16:00 UTC on Fridays is 01:00 on Saturdays in Tokyo.
    deployed(warehouse, two_a_day({4}))
    tell(warehouse, [LAST])
    assert "Deployments of a Saturday failed" in said(warehouse, "weekday_failures")[1][1]


def test_failures_that_were_detected_later_were_not_known_on_the_day(warehouse: sa.Engine) -> None:
    fill(warehouse)
    deployed(warehouse, two_a_day({4}), detected_days=300)
    tell(warehouse, [LAST])
    assert said(warehouse, "weekday_failures") == []


def test_when_deployments_fail_least(warehouse: sa.Engine) -> None:
    fill(warehouse)
    deployed(warehouse, two_a_day({0, 1, 2, 3, 4, 5, 6}))
    tell(warehouse, [LAST])
    (_, (_, sentence, action)) = said(warehouse, "deployment_window", "subject, sentence, action")
    assert "Deployments failed least 09:00 to 12:00: 0 of 175 failed" in sentence
    assert "at other times 90 of 175" in sentence
    assert action == "Where it can be chosen, deploy 09:00 to 12:00."


def weeks_of_lead_time(values: list[float]) -> list[dict[str, Any]]:
    """dora_daily of the weeks up to LAST with a weekly lead time, and its last value over 28 days."""
    rows = []
    for back, value in enumerate(reversed(values)):
        day = LAST - timedelta(days=7 * back)
        rows.append({**about(day), "lead_time_hours": float(np.mean(values[-4:])), "lead_time_n": 20,
                     "lead_time_hours_week": value, "lead_time_week_n": 9})  # fmt: skip
    return rows


def lead_times(warehouse: sa.Engine, values: list[float]) -> None:
    rows = weeks_of_lead_time(values)
    put(warehouse, "dora_daily", rows)
    put(
        warehouse,
        "durations_daily",
        [
            {
                "subject_kind": row["subject_kind"], "subject": row["subject"], "date": row["date"],
                "lead_time_week_hours": row["lead_time_hours_week"], "lead_time_week_n": 9,
            }
            for row in rows
        ],
    )  # fmt: skip


FALLING = [330, 322, 309, 300, 294, 279, 271, 258, 251, 240, 228, 221]


def test_the_day_on_which_a_tier_changes(warehouse: sa.Engine) -> None:
    fill(warehouse)
    lead_times(warehouse, [float(value) for value in FALLING])
    tell(warehouse, [LAST])
    ((subject, sentence, n, evidence),) = said(warehouse, "tier_date_lead_time_hours", "subject, sentence, n, evidence")
    assert (subject, n) == ("acme/api", 12)
    assert sentence.startswith("Lead time for changes is medium (9.8 d over 28 days) and falls by 10.1 h a week.")
    assert "If that goes on, it is high around 2026-02-" in sentence
    # At 10 hours a week, 53 hours are 5.3 weeks, and the figure over four weeks follows a week and a half later.
    assert date(2026, 2, 9) <= date.fromisoformat(evidence["expected_on"]) <= date(2026, 2, 18)
    assert evidence["between"][0] < evidence["expected_on"] < evidence["between"][1]
    ((trend, action),) = said(warehouse, "trend_lead_time_hours_week", "sentence, action")
    assert "fell from about 13.8 d to 9.2 d within 77 days, which is better" in trend
    assert action is None


def test_no_tier_date_without_a_trend(warehouse: sa.Engine) -> None:
    fill(warehouse)
    lead_times(warehouse, [330.0, 221, 309, 240, 294, 251, 271, 258, 279, 300, 228, 322])
    tell(warehouse, [LAST])
    assert table(warehouse, "select sentence from metrics.insights") == []


def test_weeks_that_are_too_few_or_too_thin_say_nothing(warehouse: sa.Engine) -> None:
    fill(warehouse)
    lead_times(warehouse, [float(value) for value in FALLING[-6:]])
    tell(warehouse, [LAST])
    assert table(warehouse, "select sentence from metrics.insights") == []


def merged_pulls(large: int, slow_hours: float, authors: int = 3) -> list[Any]:
    """30 small pull requests of 20 to 49 hours, and some large ones that took longer by some hours."""
    rows = []
    for number in range(30 + large):
        is_large = number >= 30
        hours = 20 + number % 30 + (slow_hours if is_large else 0)
        merged = at("12-01 00:00") + timedelta(hours=number)
        begun = merged - timedelta(hours=hours)
        rows.append(
            pull(
                number + 1, f"{begun:%m-%d %H:%M}", f"{merged:%m-%d %H:%M}", author=f"person{number % authors}",
                additions=500 if is_large else 50, deletions=1,
            )
        )  # fmt: skip
    return rows


def test_large_pull_requests_take_longer(warehouse: sa.Engine) -> None:
    fill(warehouse, merged_pulls(12, 60))
    tell(warehouse, [LAST])
    found = said(warehouse, "slow_with_many_lines", "subject, sentence, n, p < 0.01")
    assert [row[0] for row in found] == ["acme", "acme/api"]
    assert "Pull requests with more than 400 lines took 2.5 times as long as the others" in found[0][1]
    assert "(n = 12) against 1.4 d (n = 30)" in found[0][1]
    assert found[0][2:] == (42, True)


@pytest.mark.parametrize(("large", "hours", "authors"), [(9, 60, 3), (12, 2, 3), (12, 60, 2)])
def test_too_few_pull_requests_too_little_difference_or_too_few_people(
    warehouse: sa.Engine, large: int, hours: float, authors: int
) -> None:
    fill(warehouse, merged_pulls(large, hours, authors))
    tell(warehouse, [LAST])
    assert said(warehouse, "slow_with_many_lines") == []


def reviewed(by: list[str]) -> list[Any]:
    return [review(number % 30 + 1, who, f"12-{10 + number % 15} 10:{number:02d}") for number, who in enumerate(by)]


def test_reviews_that_one_of_many_gives(warehouse: sa.Engine) -> None:
    others = ["b", "c", "d", "e", "f", "g"]
    fill(warehouse, merged_pulls(0, 0), reviewed(["a"] * 14 + others * 2 + ["robot[bot]"] * 9 + ["person0"] * 3))
    tell(warehouse, [LAST])
    found = said(warehouse, "review_concentration", "subject, sentence, evidence->>'reviewers'")
    # person0 is the author of every third pull request: of three reviews two are of others' work.
    assert "came from 1 of 8 reviewers" in found[0][1]
    text = table(warehouse, "select evidence::text || sentence || coalesce(action, '') from metrics.insights")
    assert not any(name in row[0] for row in text for name in ("person0", "robot"))
    assert {row[0] for row in found} == {"acme", "acme/api"}


def test_reviews_of_two_people_are_nobody_s_business(warehouse: sa.Engine) -> None:
    fill(warehouse, merged_pulls(0, 0), reviewed(["a"] * 25 + ["b"]))
    tell(warehouse, [LAST])
    assert said(warehouse, "review_concentration") == []


def test_pull_requests_that_nobody_looked_at(warehouse: sa.Engine) -> None:
    waiting = [pull(number, "12-01 00:00", author="ann") for number in range(1, 7)]
    bot = [pull(number, "12-01 00:00", author="robot[bot]") for number in range(7, 20)]
    answered = [pull(number, "12-01 00:00", author="ann") for number in range(20, 23)]
    draft = [pull(number, "12-01 00:00", author="ann", is_draft=True) for number in range(23, 30)]
    fill(warehouse, waiting, bot, answered, draft, [review(number, "bob", "12-02 10:00") for number in range(20, 23)])
    tell(warehouse, [LAST, on("12-07")])
    ((day, subject, sentence),) = table(
        warehouse,
        "select date, subject, sentence from metrics.insights "
        "where insight = 'unreviewed_pull_requests' and subject_kind = 'repository'",
    )
    # On 12-07 they had waited for exactly a week, not for more.
    assert (day, subject) == ("12-28", "acme/api")
    assert sentence.startswith("6 of 9 open pull requests (67 %) have waited for more than 7 days")
    assert sentence.endswith("the oldest for 28 days.")


@pytest.mark.parametrize(
    ("is_draft_now", "event", "when", "waits"),
    [
        (True, "convert_to_draft", "12-29 10:00", True),  # was none on the day
        (True, "convert_to_draft", "12-20 10:00", False),
        (False, "ready_for_review", "12-29 10:00", False),  # was one on the day
        (False, "ready_for_review", "12-20 10:00", True),
    ],
)
def test_what_was_a_draft_on_the_day(
    warehouse: sa.Engine, is_draft_now: bool, event: str, when: str, waits: bool
) -> None:
    numbers = range(1, 7)
    fill(
        warehouse,
        [pull(number, "12-01 00:00", author="ann", is_draft=is_draft_now) for number in numbers],
        [
            record(
                records.PullRequestEvent, event_id=f"{number}", number=number, event=event, created_at=when, actor="ann"
            )
            for number in numbers
        ],
    )
    tell(warehouse, [LAST])
    assert bool(said(warehouse, "unreviewed_pull_requests")) == waits


def changes(warehouse: sa.Engine, recent_pickup: float, chains: Sequence[str] = ("",)) -> None:
    rows = []
    for number in range(60):
        recent = number >= 40
        merged = LAST - timedelta(days=1 + number % 20 + (0 if recent else 40))
        pickup = (recent_pickup if recent else 10) + number % 7
        rows += [{"repository_id": 1, "chain": chain, "repository": "acme/api", "change_key": f"pull_request:{number}",
                     "kind": "pull_request", "number": number, "merged_at": merged, "state": "waiting",
                     "author_is_bot": False, "coding_hours": 5.0, "pickup_hours": pickup, "review_hours": 4.0,
                     "merge_hours": 1.0} for chain in chains]  # fmt: skip
    put(warehouse, "changes", rows)


def test_a_stage_that_has_become_the_bottleneck(warehouse: sa.Engine) -> None:
    fill(warehouse)
    changes(warehouse, 30)
    tell(warehouse, [LAST])
    (_, (_, sentence, n)) = said(warehouse, "bottleneck", "subject, sentence, n")
    assert "The bottleneck is pickup (opening to first review): a median of 1.4 d" in sentence
    assert "(n = 20)" in sentence
    assert n == 60


def test_a_pull_request_of_several_services_is_one(warehouse: sa.Engine) -> None:
    fill(warehouse, chains=(service("web"), service("worker")))
    changes(warehouse, 30, ("web", "worker"))
    tell(warehouse, [LAST])
    found = said(warehouse, "bottleneck", "subject_kind, n")
    assert sorted(found) == [("portfolio", 60), ("repository", 60), ("service", 60), ("service", 60)]


@pytest.mark.parametrize(
    ("web", "worker", "hours"), [("12-20", "12-10", 2.0), ("12-29", "12-20", 2.0), ("12-20", "12-29", 1.0)]
)
def test_of_several_services_the_one_that_shipped_first_counts(
    warehouse: sa.Engine, web: str, worker: str, hours: float
) -> None:
    fill(warehouse, chains=(service("web"), service("worker")))
    change = {"repository_id": 1, "repository": "acme/api", "change_key": "pull_request:1", "kind": "pull_request",
              "number": 1, "merged_at": on("12-09"), "state": "shipped", "author_is_bot": False}  # fmt: skip
    shipped = [
        {**change, "chain": "web", "deployed_at": at(f"{web} 10:00"), "merge_to_deploy_hours": 1.0},
        {**change, "chain": "worker", "deployed_at": at(f"{worker} 10:00"), "merge_to_deploy_hours": 2.0},
    ]
    put(warehouse, "changes", shipped)
    with warehouse.connect() as connection:
        recent, _ = DayRows(connection, LAST).stages
    assert recent.loc[recent["subject_kind"] == "repository", "deploy_hours"].tolist() == [hours]


def test_a_stage_that_is_long_and_did_not_grow(warehouse: sa.Engine) -> None:
    fill(warehouse)
    changes(warehouse, 10)
    tell(warehouse, [LAST])
    assert said(warehouse, "bottleneck") == []


def test_what_the_lead_time_leaves_out(warehouse: sa.Engine) -> None:
    fill(warehouse)
    counts = {"changes_merged_in_window": 50, "changes_shipped_of_merged": 20, "changes_waiting_of_merged": 5,
              "changes_in_baseline_of_merged": 0, "changes_untied_of_merged": 25}  # fmt: skip
    waits = {**counts, "changes_waiting_of_merged": 30, "changes_untied_of_merged": 0}
    put(warehouse, "dora_daily", [{**about(LAST), **counts}, {**about(LAST, "acme", "portfolio"), **waits}])
    tell(warehouse, [LAST])
    ((subject, sentence),) = said(warehouse, "lead_time_gap")
    assert subject == "acme/api"
    assert "of 50 changes merged in the last 28 days it stands on 20 (40 %); of 25 (50 %) it is not known" in sentence


def test_days_that_were_not_collected(warehouse: sa.Engine) -> None:
    fill(warehouse)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "update ops.collection_state set days = days - '{[2025-12-10,2025-12-14)}'::datemultirange "
                "where entity = 'commits'"
            )
        )
    tell(warehouse, [LAST])
    ((subject, sentence),) = said(warehouse, "missing_days")
    assert subject == "acme/api"
    assert sentence.startswith("Of the last 28 days some were not collected: commits of 4.")


def test_an_unequal_queue_of_teams(warehouse: sa.Engine) -> None:
    fill(warehouse)
    rows = [{"subject_kind": "team", "subject": team, "date": LAST, "pull_requests_open": count,
             "repositories": 1, "repositories_known": 1}
            for team, count in (("core", 60), ("web", 12))]  # fmt: skip
    put(warehouse, "group_daily", rows)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.repository_settings set team = 'core'"))
    tell(warehouse, [LAST])
    # Nobody reviews: a queue for no reviewers is no queue for each of them.
    assert said(warehouse, "unequal_queue") == []


def test_contributors_who_stop_and_work_that_hangs_on_one(warehouse: sa.Engine) -> None:
    fill(warehouse)
    before = LAST - timedelta(days=180)
    rows = [
        {"subject_kind": "repository", "subject": subject, "date": day, "inactive_contributors": lost,
         "contributors_in_previous_window": 40, "contributors_in_window": 12, "contributor_absence_factor": factor,
         "contributions_in_window": 90, "occasional_contributors": 5}
        for subject, day, lost, factor in (
            ("acme/api", before, 5, 3), ("acme/api", LAST, 24, 1), ("acme/web", before, 5, 3), ("acme/web", LAST, 8, 2),
        )
    ]  # fmt: skip
    put(warehouse, "contributor_daily", rows)
    tell(warehouse, [LAST])
    ((subject, sentence),) = said(warehouse, "churn_risk")
    assert subject == "acme/api"
    assert "24 of the 40 contributors of the 90 days before did nothing in the last 90 days (60 %)" in sentence
    assert "half a year ago it was 5 of 40 (12 %;" in sentence
    ((subject, sentence),) = said(warehouse, "absence_factor_one")
    assert (subject, sentence) == (
        "acme/api",
        "Half of the 90 contributions of the last 90 days came from 1 of 12 contributors.",
    )


def stars(warehouse: sa.Engine, weekly: list[int]) -> None:
    rows = []
    for number, count in enumerate(weekly):
        for weekday in range(7):
            day = LAST - timedelta(days=7 * (len(weekly) - 1 - number) + weekday)
            rows.append({"repository_id": 1, "repository": "acme/api", "date": day, "stars_new": count // 7})
    put(warehouse, "repository_daily", rows)


def test_a_growth_that_slows_down(warehouse: sa.Engine) -> None:
    fill(warehouse)
    stars(warehouse, [210, 203, 196, 182, 175, 161, 154, 140, 133, 119, 112, 98])
    tell(warehouse, [LAST])
    ((topic, sentence, action),) = said(warehouse, "trend_stars_new", "topic, sentence, action")
    assert topic == "growth risk"
    assert "fell from about 214 to 98 a week within 77 days, which is worse (n = 12 weeks" in sentence
    assert action


def test_a_day_is_made_again_the_same_and_what_comes_later_changes_nothing(warehouse: sa.Engine) -> None:
    fill(warehouse, merged_pulls(12, 60))
    deployed(warehouse, two_a_day({4}))
    tell(warehouse, [LAST])
    before = table(warehouse, "select * from metrics.insights order by 1, 2, 3")
    assert before
    fill(
        warehouse,
        [pull(number, "12-29 00:00", "12-30 00:00", author="ann", additions=900) for number in range(90, 140)],
    )
    tell(warehouse, [LAST])
    assert table(warehouse, "select * from metrics.insights order by 1, 2, 3") == before


def test_before_there_is_a_portfolio_nothing_is_said(warehouse: sa.Engine) -> None:
    assert tell(warehouse, [LAST]) == 0
    assert correlate(warehouse, [LAST]) == 0


def test_the_derivations_make_the_ends_of_months_and_the_last_day(warehouse: sa.Engine) -> None:
    fill(warehouse, [pull(number, "11-01 00:00", author="ann") for number in range(1, 7)])
    two_figures(warehouse)
    for derivation in (correlations.derivation(), insights.derivation()):
        derivation.run(warehouse, LAST - timedelta(days=30), LAST + timedelta(days=3))
        days = table(warehouse, f"select distinct date from {derivation.table} order by 1")
        assert days == [("11-30",), ("12-30",)]


# Correlations.

PAIR = Correlation(
    key="pair", x="deployment_frequency", y="lead_time_hours", why="W", max_lag_days=14, days=364, grain="week"
)


def two_figures(warehouse: sa.Engine) -> None:
    """Figures over 28 days of three repositories: lead time that follows frequency, that does not, and that stands."""
    random = np.random.default_rng(5)
    rows = []
    for subject in ("acme/follows", "acme/other", "acme/still"):
        events = random.poisson(3, len(DAYS) + 27).astype(float)
        own = events if subject == "acme/follows" else random.poisson(3, len(events)).astype(float)
        for number, day in enumerate(DAYS):
            frequency = float(events[number : number + 28].mean())
            hours = float(100 - 20 * own[number : number + 28].mean() + random.normal() * 0.5)
            rows.append({**about(day, subject), "deployment_frequency": frequency, "deployments_in_window": 50,
                         "lead_time_hours": 10.0 if subject == "acme/still" else hours, "lead_time_n": 20})  # fmt: skip
    put(warehouse, "dora_daily", rows)


def test_a_pair_that_goes_together_one_that_does_not_and_one_that_stands(warehouse: sa.Engine) -> None:
    fill(warehouse)
    two_figures(warehouse)
    correlate(warehouse, [LAST], [PAIR])
    rows = table(
        warehouse,
        "select subject, state, survives, pearson < -0.9, lag_days, n, n_effective < n, sentence "
        "from metrics.correlations order by subject",
    )
    (follows, other, still) = rows
    assert follows[:7] == ("acme/follows", "ok", True, True, 0, 51, True)
    assert "moved strongly in opposite directions (r = -0.9" in follows[7]
    assert "n = 51 changes between weeks" in follows[7]
    assert "cause" in follows[7]
    assert other[:3] == ("acme/other", "ok", False)
    assert other[7] is None
    assert still == ("acme/still", "unknown", False, None, None, 51, None, None)


def test_a_short_history_is_too_few(warehouse: sa.Engine) -> None:
    fill(warehouse)
    two_figures(warehouse)
    correlate(warehouse, [DAYS[0] + timedelta(days=60)], [PAIR])
    assert table(warehouse, "select distinct state, pearson, p, survives from metrics.correlations order by 1") == [
        ("too_few", None, None, False),
        ("unknown", None, None, False),
    ]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_is_not_known(warehouse: sa.Engine, value: str) -> None:
    fill(warehouse)
    rows = [{**about(day), "lead_time_hours": hours, "lead_time_n": 20}
            for day, hours in ((LAST, 5.0), (LAST - timedelta(days=1), float(value)))]  # fmt: skip
    put(warehouse, "dora_daily", rows)
    known = read_known(warehouse, ["lead_time_hours"], ["repository"], DAYS[-2:])
    assert known.rows[["date", "value"]].to_numpy().tolist() == [[LAST.toordinal(), 5.0]]


def test_a_subject_has_a_row_by_its_own_days_whatever_else_is_looked_at(warehouse: sa.Engine) -> None:
    fill(warehouse)
    two_figures(warehouse)
    short = PAIR.model_copy(update={"days": 84})
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "update metrics.dora_daily set lead_time_hours = null, lead_time_n = 0 "
                "where subject = 'acme/other' and date > :last"
            ),
            {"last": LAST - timedelta(days=84)},
        )
    rows = "select subject from metrics.correlations where date = '2025-12-28' and pair = 'pair' order by 1"
    correlate(warehouse, [LAST], [short])
    alone = table(warehouse, rows)
    assert alone == [("acme/follows",), ("acme/still",)]
    correlate(warehouse, [LAST - timedelta(days=84), LAST], [short])
    assert table(warehouse, rows) == alone
    correlate(warehouse, [LAST], [short, PAIR.model_copy(update={"key": "longer"})])
    assert table(warehouse, rows) == alone


def test_figures_without_records_behind_them_do_not_count(warehouse: sa.Engine) -> None:
    fill(warehouse)
    two_figures(warehouse)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update metrics.dora_daily set lead_time_n = 1"))
    correlate(warehouse, [LAST], [PAIR])
    assert table(warehouse, "select * from metrics.correlations") == []


def test_a_pair_of_a_pack_counts_where_the_pack_is_on(warehouse: sa.Engine) -> None:
    fill(warehouse)
    two_figures(warehouse)
    assert correlate(warehouse, [LAST], [PAIR.model_copy(update={"pack": "release-watch"})]) == 0
    assert correlate(warehouse, [LAST], [PAIR.model_copy(update={"pack": "engineering"})]) == 3


def test_comments_are_known_where_they_were_collected(warehouse: sa.Engine) -> None:
    remarks = [
        record(
            records.PullRequestEvent, event_id=f"{number}.{place}", number=number, event="commented",
            created_at="11-30 20:00", actor="bob",
        )
        for number in range(31, 43)
        for place in range(11)
    ]  # fmt: skip
    fill(warehouse, merged_pulls(12, 60), remarks)
    tell(warehouse, [LAST])
    found = said(warehouse, "slow_with_many_comments")
    assert "Pull requests with more than 10 comments took 2.5 times as long" in found[0][1]
