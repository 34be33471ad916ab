"""Whether the figures of reports are true: recomputed here by other means, as they were on the last day."""

from __future__ import annotations

import calendar
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.reports.figures import read_figures
from metrics_assets.reporting.document_markdown import document_markdown
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.periods import period_named, period_of, periods_between
from metrics_assets.reporting.reports import DOCUMENTS, Figures, figures_json, figures_of
from metrics_assets.settings import Settings, Weekday

NOVEMBER = date(2025, 11, 30)
SETTINGS = Settings.model_validate(
    {
        "portfolio": "Acme",
        "start": "2024-01-01",
        "repositories": [{"github": "acme/api"}],
        "packs": ["engineering", "community"],
    }
)
ALERT = {
    "rule": "lead_time_over_two_days", "subject_kind": "repository", "subject": "acme/api", "severity": "warning",
    "state": "firing", "opened_on": date(2025, 11, 20), "last_evaluated_on": date(2025, 12, 31),
    "metric": "lead_time_hours",
}  # fmt: skip


def insert(engine: sa.Engine, table: str, *rows: Mapping[str, Any]) -> None:
    with engine.begin() as connection:
        for row in rows:
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"insert into {table} ({names}) values ({values})"), dict(row))


def put(engine: sa.Engine, metric: str, values: Mapping[date, float | None], state: str = "ok", **about: Any) -> None:
    subject = {"subject_kind": "portfolio", "subject": "Acme", "n": 20} | about
    insert(
        engine, "metrics.calculated_daily",
        *(
            {"metric": metric, "date": on, "value": value, "state": "unknown" if value is None else state, **subject}
            for on, value in values.items()
        ),
    )  # fmt: skip


@pytest.fixture
def acme(warehouse: sa.Engine) -> sa.Engine:
    insert(
        warehouse, "ops.portfolio",
        {"portfolio": "Acme", "start": date(2024, 1, 1), "settle_days": 3, "minimum_group": 3, "person_key_check": "x",
         "packs": ["engineering", "community"]},
    )  # fmt: skip
    insert(
        warehouse, "raw.repositories",
        {"repository_id": 1, "repository": "acme/api", "state": "active", "is_fork": False, "is_private": False,
         "has_issues": True, "created_at": "2024-01-01"},
    )  # fmt: skip
    insert(
        warehouse, "ops.repository_settings",
        {"repository_id": 1, "repository": "acme/api", "deployment_source": "auto", "environment": "production",
         "release_tag_pattern": ".*", "incident_labels": ["incident"], "incident_maximum_gap_hours": 24,
         "entities": ["issues"]},
    )  # fmt: skip
    return warehouse


def report(engine: sa.Engine, kind: ReportKind, start: date, end: date, as_of: date | None = None) -> Figures:
    return read_figures(kind, engine, SETTINGS, start, end, as_of or end)


def said(figures: Figures) -> str:
    """The report without its bold letters and glyphs."""
    return document_markdown(DOCUMENTS[figures.report](figures)).replace("**", "")


@pytest.mark.parametrize("first", [date(2024, 2, 1), date(2024, 3, 1), date(2025, 1, 1), date(2025, 3, 1)])
def test_a_month_is_summed_and_compared_day_by_day(acme: sa.Engine, first: date) -> None:
    """Leap days, short months and turns of the year: each day has another value, so that a day too many is seen."""
    day = date(2023, 1, 1)
    values: dict[date, float | None] = {}
    while day < date(2025, 4, 5):
        values[day] = float(day.toordinal() % 97)
        day += timedelta(days=1)
    put(acme, "stars_new", values)
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    measure = report(acme, "monthly_report", first, last).one("stars_new", "sum")
    assert measure is not None

    def total(year: int, month: int) -> float:
        return sum(value or 0 for on, value in values.items() if (on.year, on.month) == (year, month))

    before = (first.year, first.month - 1) if first.month > 1 else (first.year - 1, 12)
    months = first.year * 12 + first.month - 1 - 3
    assert measure.now.value == total(first.year, first.month)
    assert measure.before.value == total(*before)
    assert measure.quarter.value == total(months // 12, months % 12 + 1)
    assert measure.year.value == total(first.year - 1, first.month)
    assert (measure.now.days_known, measure.now.days) == (last.day, last.day)


def test_a_figure_is_never_compared_with_one_that_is_not_known(acme: sa.Engine) -> None:
    put(acme, "stars_total", {date(2025, 10, 31): None, NOVEMBER: 1660})
    put(acme, "issues_open", {date(2025, 10, 31): 50, NOVEMBER: None})
    put(acme, "contributor_churn", {date(2025, 10, 31): 0.9, NOVEMBER: 0.8}, state="too_few", n=2)
    november = {date(2025, 11, number): 2.0 for number in range(1, 31)}
    put(acme, "stars_new", {date(2025, 10, 31): 1000.0, **november})
    put(acme, "forks_new", {**november, date(2025, 11, 30): None})
    figures = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER)
    lines = said(figures).splitlines()

    assert "- Stars: 1,660" in lines  # nothing to compare with
    new = figures.one("stars_new", "sum")
    assert new is not None
    assert new.now.value == 60
    assert not new.before.is_whole
    assert "- New stars: 60" in lines  # one day of October is no October
    assert not [line for line in lines if "80 %" in line or "90 %" in line]  # too few people are no number
    assert not [line for line in lines if line.startswith("- Open issues: 0") or "Issues: 0 open" in line]


def test_an_alert_is_told_as_it_stood_on_the_last_day(acme: sa.Engine) -> None:
    """Its row says how it stands now: a month that is made anew would tell December's figures in November."""
    lead = {date(2025, 11, 1) + timedelta(days=number): 60.0 for number in range(30)}
    put(acme, "lead_time_hours", lead, subject_kind="repository", subject="acme/api")
    insert(acme, "ops.alerts", {**ALERT, "value": 999.0, "text": "Lead time for changes: 41.6 days."})
    (alert,) = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER).alerts
    assert (alert.opened_on, alert.resolved_on, alert.value) == (date(2025, 11, 20), None, 60.0)
    assert "41.6" not in alert.text
    assert "2.5" in alert.text


def test_an_alert_that_ended_later_is_open_on_the_last_day(acme: sa.Engine) -> None:
    lead = {NOVEMBER: 60.0}
    put(acme, "lead_time_hours", lead, subject_kind="repository", subject="acme/api")
    ended = {**ALERT, "state": "resolved", "resolved_on": date(2025, 12, 5), "text": "It was over."}
    insert(acme, "ops.alerts", ended)
    (alert,) = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER).alerts
    assert alert.resolved_on is None
    assert "It was over" not in alert.text
    (alert,) = report(acme, "monthly_report", date(2025, 12, 1), date(2025, 12, 31)).alerts
    assert alert.resolved_on == date(2025, 12, 5)


def test_alerts_of_teams_are_not_counted(acme: sa.Engine) -> None:
    insert(
        acme, "ops.alerts", {**ALERT, "text": ""},
        {**ALERT, "subject_kind": "team", "subject": "heron", "text": ""},
    )  # fmt: skip
    (review,) = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER).rules
    assert review.fired == 1


def test_what_was_deleted_later_was_there(acme: sa.Engine) -> None:
    release = {"repository_id": 1, "is_draft": False, "is_prerelease": False, "published_at": "2025-11-10 12:00+00"}
    insert(
        acme, "raw.releases",
        {**release, "release_id": "1", "tag": "v1", "deleted_at": None, "created_at": "2025-11-10"},
        {**release, "release_id": "2", "tag": "v2", "deleted_at": "2025-12-03", "created_at": "2025-11-10"},
        {**release, "release_id": "3", "tag": "v3", "deleted_at": "2025-11-29", "created_at": "2025-11-10"},
    )  # fmt: skip
    found = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER).releases
    assert sorted(one.tag for one in found) == ["v1", "v2"]


def test_goals_of_a_pack_that_is_off_are_not_told(acme: sa.Engine) -> None:
    goal = {
        "subject_kind": "portfolio", "subject": "Acme", "date": NOVEMBER, "value": 10.0, "metric_state": "ok",
        "target": 50.0, "comparison": "at_least", "status": "off track", "reason": "behind",
    }  # fmt: skip
    insert(
        acme, "metrics.goals_daily",
        {**goal, "goal": "active_contributors_in_12_months", "metric": "active_contributors_month"},
        {**goal, "goal": "community_satisfaction", "metric": "community_satisfaction"},
    )  # fmt: skip
    goals = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER).goals
    assert [one.goal for one in goals] == ["community_satisfaction"]  # the other is product-metrics'


def test_too_few_days_have_no_tier(acme: sa.Engine) -> None:
    row = {"repository_id": 1, "repository": "acme/api", "deployments_in_window": 9, "deployment_frequency": 0.01}
    for kind, subject in (("repository", "acme/api"), ("portfolio", "Acme")):
        about = {"subject_kind": kind, "subject": subject, **row}
        if kind == "portfolio":
            about |= {"repository_id": None, "repository": None}
        insert(
            acme, "metrics.dora_daily",
            {**about, "date": date(2025, 10, 31), "days_observed": 6}, {**about, "date": NOVEMBER, "days_observed": 28},
        )  # fmt: skip
    figures = report(acme, "monthly_report", date(2025, 11, 1), NOVEMBER)
    (repository,) = figures.repositories
    key = next(one for one in repository.keys if one.metric == "deployment_frequency")
    assert (key.value_before, key.tier_before) == (0.01, None)
    assert key.tier is not None
    tiers = {one.on: one.tier for one in figures.tiers if one.metric == "deployment_frequency"}
    assert tiers[date(2025, 10, 31)] is None
    assert tiers[NOVEMBER] == key.tier


def test_urgent_issues_are_counted_as_a_reader_would(acme: sa.Engine) -> None:
    """P0 and P1 of a week: opened in it, closed in it, open at its end; a reopened one is open."""
    monday = datetime(2025, 11, 24, tzinfo=UTC)

    def at(days: float) -> datetime:
        return monday + timedelta(days=days)

    issues = [
        # number, labels, opened, closed, steps of a past that is known
        (1, ["P0"], at(-3), None, []),
        (2, ["priority: p0"], at(1), at(2), []),
        (3, ["critical"], at(6.999), None, []),
        (4, ["P0"], at(7), None, []),  # next week
        (5, ["P0"], at(-9), at(-1), []),  # the week before
        (6, ["P0"], at(-9), at(7.5), []),  # closed later: open at the end
        (7, ["P0"], at(-9), at(8), [("closed", at(1)), ("reopened", at(2)), ("closed", at(8))]),
        (8, ["p1"], at(0), at(6.5), []),
        (9, ["p1", "critical"], at(0), None, []),  # the more urgent counts
    ]
    for number, labels, opened, closed, steps in issues:
        insert(
            acme, "raw.issues",
            {"repository_id": 1, "number": number, "title": f"issue {number}", "labels": labels, "comments": 0,
             "state": "closed" if closed else "open", "created_at": opened, "updated_at": opened, "closed_at": closed},
        )  # fmt: skip
        for step, (event, when) in enumerate(steps):
            insert(
                acme, "raw.issue_events",
                {"repository_id": 1, "event_id": f"{number}-{step}", "number": number, "event": event,
                 "created_at": when},
            )  # fmt: skip
    put(acme, "issues_open", {NOVEMBER: 5})
    text = said(report(acme, "weekly_digest", date(2025, 11, 24), NOVEMBER))
    assert "P0 (labels p0, critical, security): 3 opened, 1 closed, 5 still open" in text
    assert "P1 (labels p1, high): 1 opened, 1 closed, 0 still open" in text


@pytest.mark.parametrize(
    ("name", "ends", "first", "last"),
    [
        ("2025-W01", "sun", date(2024, 12, 30), date(2025, 1, 5)),
        ("2026-W53", "sun", date(2026, 12, 28), date(2027, 1, 3)),
        ("2024-W09", "sun", date(2024, 2, 26), date(2024, 3, 3)),
        ("2025-W01", "thu", date(2024, 12, 27), date(2025, 1, 2)),
        ("2026-W53", "fri", date(2026, 12, 26), date(2027, 1, 1)),
    ],
)
def test_weeks_have_one_name_and_each_day_one_week(name: str, ends: Weekday, first: date, last: date) -> None:
    period = period_named("weekly_digest", name, ends)
    assert (period.start, period.end, period.name) == (first, last, name)
    every = periods_between("weekly_digest", date(2024, 1, 1), date(2027, 12, 31), ends)
    assert len({one.name for one in every}) == len(every)
    for earlier, later in itertools.pairwise(every):
        assert later.start == earlier.end + timedelta(days=1)
    for number in range(7):
        assert period_of("weekly_digest", first + timedelta(days=number), ends) == period


def test_the_stored_figures_say_what_the_document_says(acme: sa.Engine) -> None:
    put(acme, "stars_total", {date(2025, 10, 31): 1400, NOVEMBER: 1660})
    put(acme, "lead_time_hours", {NOVEMBER: 30.0}, state="provisional")
    for kind, start in (("monthly_report", date(2025, 11, 1)), ("executive_summary", date(2025, 11, 1))):
        figures = report(acme, kind, start, NOVEMBER)  # type: ignore[arg-type]
        again = figures_of(json.loads(json.dumps(figures_json(figures))))
        assert again == figures
        assert said(again) == said(figures) == said(report(acme, kind, start, NOVEMBER))  # type: ignore[arg-type]
