"""The life of alerts in a real database: opened once, ended once, told once, whoever evaluates how often."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting import enqueueing, outbox
from metrics_assets.alerting.conditions import Condition
from metrics_assets.alerting.states import close_orphans, open_alerts
from metrics_assets.alerting.states import record as record_conditions
from metrics_assets.catalogue.alerts import AnomalyRule, Escalation, MilestoneRule, MissingRule, PipelineRule
from metrics_assets_tests.alerting.conditions import RULE, at, condition, record, settings
from metrics_assets_tests.alerting.receiving import deliver, receiving, settings_with

PATIENT = RULE.model_copy(update={"for_days": 3, "clear_days": 2})


def everything(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table: [tuple(row) for row in connection.execute(sa.text(f"select * from ops.{table} order by 1"))]
            for table in ("alerts", "alert_events", "notifications", "evaluations")
        }


def alerts(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """Subject, state, and the days of December on which it opened and ended."""
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select subject, state, extract(day from opened_on)::int, extract(day from resolved_on)::int "
                "from ops.alerts order by alert_id"
            )
        )
        return [tuple(row) for row in found]


def told(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """Event, day of December, channel and state of every notification; no channel where nobody is told."""
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select event, extract(day from date)::int, channel, notifications.state from ops.alert_events "
                "left join ops.notifications using (event_id) order by event_id, channel"
            )
        )
        return [tuple(row) for row in found]


def columns(engine: sa.Engine, *names: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"select {', '.join(names)} from ops.alerts order by alert_id"))
        return [tuple(row) for row in found]


def changed(engine: sa.Engine, *conditions: Condition, **given: Any) -> tuple[int, int, int]:
    """How many alerts are newly pending, opened and ended."""
    changes = record(engine, *conditions, **given)
    return len(changes.pending), len(changes.opened), len(changes.resolved)


NOTHING, OPENED, RESOLVED, PENDING = (0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)


def test_an_alert_opens_stays_and_ends(warehouse: sa.Engine) -> None:
    assert changed(warehouse, condition(1, "breached")) == OPENED
    assert changed(warehouse, condition(2, "breached", value=0.5, text="0.5 against 8.")) == NOTHING
    assert columns(warehouse, "value", "text", "breaches", "fired_at") == [(0.5, "0.5 against 8.", 2, at(1))]
    assert changed(warehouse, condition(3, "fine")) == RESOLVED
    assert changed(warehouse, condition(4, "fine")) == NOTHING
    assert alerts(warehouse) == [("acme/api", "resolved", 1, 3)]
    assert columns(warehouse, "resolved_at", "resolved_because") == [(at(3), "the rule does not hold any more")]
    assert told(warehouse) == [("opened", 1, "oncall", "pending"), ("resolved", 3, "oncall", "pending")]


@pytest.mark.parametrize("verdict", ["unknown", "between"])
def test_what_is_not_clear_neither_opens_nor_ends(warehouse: sa.Engine, verdict: Any) -> None:
    assert changed(warehouse, condition(1, verdict)) == NOTHING
    assert alerts(warehouse) == []
    record(warehouse, condition(2, "breached"))
    assert changed(warehouse, condition(3, verdict)) == NOTHING
    assert alerts(warehouse) == [("acme/api", "firing", 2, None)]
    assert changed(warehouse, condition(4, "fine")) == RESOLVED


@pytest.mark.parametrize("verdict", ["breached", "fine", "unknown", "between"])
def test_the_same_evaluation_twice_writes_nothing(warehouse: sa.Engine, verdict: Any) -> None:
    record(warehouse, condition(1, "breached"), condition(1, "breached", "acme/web"))
    record(warehouse, condition(2, verdict), condition(2, "fine", "acme/web"))
    before = everything(warehouse)
    for _ in range(2):
        assert changed(warehouse, condition(2, verdict), condition(2, "fine", "acme/web")) == NOTHING
    assert everything(warehouse) == before


def test_an_alert_may_come_back_and_is_told_again(warehouse: sa.Engine) -> None:
    for day, verdict in ((1, "breached"), (2, "fine"), (3, "breached"), (4, "fine")):
        assert changed(warehouse, condition(day, verdict)) != NOTHING  # type: ignore[arg-type]
    assert alerts(warehouse) == [("acme/api", "resolved", 1, 2), ("acme/api", "resolved", 3, 4)]
    assert len(told(warehouse)) == 4


def test_an_alert_does_not_come_back_on_the_day_on_which_it_ended(warehouse: sa.Engine) -> None:
    record(warehouse, condition(1, "breached"))
    record(warehouse, condition(2, "fine"))
    assert changed(warehouse, condition(2, "breached")) == NOTHING  # the day was built again, a little different
    assert changed(warehouse, condition(3, "breached")) == OPENED


@pytest.mark.parametrize("verdict", ["breached", "fine"])
def test_a_past_that_is_built_again_changes_nothing(warehouse: sa.Engine, verdict: Any) -> None:
    record(warehouse, condition(10, "breached"))
    before = everything(warehouse)
    # Also for a subject that has no alert: what was so a week ago wakes nobody now.
    assert changed(warehouse, condition(5, verdict), condition(5, "breached", "acme/web")) == NOTHING
    assert everything(warehouse) == before
    record(warehouse, condition(12, "fine"))
    before = everything(warehouse)
    assert changed(warehouse, condition(11, "breached")) == NOTHING
    assert everything(warehouse) == before


def test_a_day_without_conditions_was_evaluated_too(warehouse: sa.Engine) -> None:
    rules = {RULE.key: RULE}
    record_conditions(warehouse, rules, [], settings("oncall"), at(10), date(2025, 12, 10))
    assert changed(warehouse, condition(9, "breached")) == NOTHING
    assert changed(warehouse, condition(10, "breached")) == OPENED
    record_conditions(warehouse, rules, [], settings("oncall"), at(3), date(2025, 12, 3))
    assert everything(warehouse)["evaluations"] == [(True, date(2025, 12, 10))]


def test_evaluations_at_the_same_time_open_one_alert(warehouse: sa.Engine) -> None:
    for day in range(1, 7):
        verdict: Any = "breached" if day % 2 else "fine"
        together = Barrier(4)

        def evaluate(day: int = day, verdict: Any = verdict, together: Barrier = together) -> tuple[int, int, int]:
            together.wait()
            return changed(warehouse, condition(day, verdict), condition(day, verdict, "acme/web"))

        with ThreadPoolExecutor(4) as threads:
            found = [future.result() for future in [threads.submit(evaluate) for _ in range(4)]]
        assert sorted(found)[:3] == [NOTHING] * 3
        assert sum(sum(one) for one in found) == 2
    assert len(alerts(warehouse)) == 6
    assert len(told(warehouse)) == 12


def test_every_channel_is_told_and_none_is_no_mistake(warehouse: sa.Engine) -> None:
    assert changed(warehouse, condition(1, "breached"), channels=("oncall", "chat")) == OPENED
    assert changed(warehouse, condition(1, "breached", "acme/web"), channels=()) == OPENED
    assert told(warehouse) == [
        ("opened", 1, "chat", "pending"), ("opened", 1, "oncall", "pending"), ("opened", 1, None, None),
    ]  # fmt: skip


def test_what_happened_is_kept_with_the_facts_of_the_time(warehouse: sa.Engine) -> None:
    record(warehouse, condition(1, "breached", low=0.2, high=2.0))
    record(warehouse, condition(2, "fine", value=7.0, text="7 against 8."))
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("select message, date, created_at from ops.alert_events order by event_id"))
        opened, resolved = rows.all()
    assert opened.message == {
        "title": "Fewer deployments", "rule": "drop", "severity": "warning", "subject_kind": "repository",
        "subject": "acme/api", "metric": "deployments_succeeded", "date": "2025-12-01", "value": 1.0, "n": 7,
        "low": 0.2, "high": 2.0, "reference": 8.0, "text": "1 against 8.", "event": "opened", "since": "2025-12-01",
    }  # fmt: skip
    assert (opened.date, opened.created_at) == (date(2025, 12, 1), at(1))
    assert (resolved.message["event"], resolved.message["value"]) == ("resolved", 7.0)
    assert (resolved.message["date"], resolved.message["since"]) == ("2025-12-02", "2025-12-01")


def test_an_error_in_the_middle_writes_nothing(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: Any) -> int:
        enqueueing.enqueue_events(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "enqueue_events", killed)
        with pytest.raises(KeyboardInterrupt):
            record(warehouse, condition(1, "breached"), condition(1, "breached", "acme/web"))
    assert everything(warehouse) == {"alerts": [], "alert_events": [], "notifications": [], "evaluations": []}
    record(warehouse, condition(1, "breached"))
    before = everything(warehouse)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "enqueue_events", killed)
        with pytest.raises(KeyboardInterrupt):
            record(warehouse, condition(2, "fine"))
    assert everything(warehouse) == before
    assert changed(warehouse, condition(2, "fine")) == RESOLVED


# Rules that must hold for several days.


def test_pending_then_firing_then_ending_by_the_days_of_the_figures(warehouse: sa.Engine) -> None:
    def on(day: int, verdict: Any, days: int) -> tuple[int, int, int]:
        since = date(2025, 12, day) - timedelta(days=days - 1)
        return changed(warehouse, condition(day, verdict, days=days, since=since), rule=PATIENT)

    assert on(1, "breached", 1) == PENDING
    assert told(warehouse) == []
    assert on(1, "breached", 1) == NOTHING  # a day is counted once however often it is evaluated
    assert on(2, "breached", 2) == NOTHING
    assert alerts(warehouse) == [("acme/api", "pending", 1, None)]
    assert columns(warehouse, "fired_at", "escalate_at") == [(None, None)]
    assert on(3, "breached", 3) == OPENED
    assert alerts(warehouse) == [("acme/api", "firing", 1, None)]
    assert on(4, "fine", 1) == NOTHING
    assert on(5, "breached", 1) == NOTHING  # it goes on firing
    assert columns(warehouse, "state", "recoveries") == [("firing", 0)]
    assert on(6, "fine", 1) == NOTHING
    assert on(7, "fine", 2) == RESOLVED
    assert [row[:2] for row in told(warehouse)] == [("opened", 3), ("resolved", 7)]


def test_a_pending_alert_whose_rule_does_not_hold_is_gone(warehouse: sa.Engine) -> None:
    assert changed(warehouse, condition(1, "breached", days=1), rule=PATIENT) == PENDING
    assert changed(warehouse, condition(2, "unknown"), rule=PATIENT) == NOTHING
    assert len(alerts(warehouse)) == 1
    assert changed(warehouse, condition(3, "fine", days=1), rule=PATIENT) == NOTHING
    assert alerts(warehouse) == []
    assert told(warehouse) == []


def test_after_an_outage_it_fires_at_once_and_says_since_when(warehouse: sa.Engine) -> None:
    held = condition(9, "breached", days=4, since=date(2025, 12, 6))
    assert changed(warehouse, held, rule=PATIENT) == OPENED
    assert alerts(warehouse) == [("acme/api", "firing", 6, None)]
    cleared = condition(15, "fine", days=4, since=date(2025, 12, 12))
    assert changed(warehouse, cleared, rule=PATIENT) == RESOLVED
    again = condition(17, "breached", days=6, since=date(2025, 12, 10))
    assert changed(warehouse, again, rule=PATIENT) == OPENED
    assert alerts(warehouse)[1] == ("acme/api", "firing", 16, None)  # not before the last one ended


def test_days_that_are_not_in_the_figures_are_counted_as_they_come(warehouse: sa.Engine) -> None:
    rule = PipelineRule(
        key="job", title="J", severity="critical", action="A", kind="pipeline", condition="run_failed", for_days=2,
        clear_days=2,
    )  # fmt: skip

    def on(day: int, verdict: Any) -> tuple[int, int, int]:
        about = condition(day, verdict, "daily", rule="job", metric="", subject_kind="pipeline")
        return changed(warehouse, about, rule=rule)

    assert on(1, "breached") == PENDING
    assert on(1, "breached") == NOTHING
    assert on(2, "breached") == OPENED
    assert on(2, "fine") == NOTHING
    assert on(2, "fine") == NOTHING
    assert on(3, "fine") == RESOLVED


def test_a_pipeline_may_fail_twice_a_day(warehouse: sa.Engine) -> None:
    rule = PipelineRule(
        key="job", title="J", severity="critical", action="A", kind="pipeline", condition="run_failed"
    )  # fmt: skip
    conditions = [
        condition(5, verdict, "daily", rule="job", metric="", subject_kind="pipeline")
        for verdict in ("breached", "fine", "breached")
    ]
    assert [changed(warehouse, one, rule=rule) for one in conditions] == [OPENED, RESOLVED, OPENED]
    # And it has nothing to do with the days of the figures.
    assert changed(warehouse, condition(4, "breached")) == OPENED


def test_the_severity_of_an_open_alert_follows_the_anomaly(warehouse: sa.Engine) -> None:
    rule = AnomalyRule(key="odd", title="O", severity="info", action="A", kind="anomaly", clear_days=2)

    def on(day: int, verdict: Any, severity: str) -> None:
        record(warehouse, condition(day, verdict, rule="odd", metric="stars_new", severity=severity), rule=rule)

    on(1, "breached", "warning")
    on(2, "breached", "critical")
    assert columns(warehouse, "severity") == [("critical",)]
    on(3, "fine", "info")
    assert columns(warehouse, "severity") == [("critical",)]
    on(4, "fine", "info")
    with warehouse.connect() as connection:
        said = connection.execute(sa.text("select message->>'severity' from ops.alert_events order by 1")).scalars()
        assert list(said) == ["critical", "warning"]


def test_what_grows_worse_is_told_to_those_who_had_not_to_hear_of_it(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = AnomalyRule(key="odd", title="O", severity="info", action="A", kind="anomaly", channels=("oncall", "pager"))
    channels = {"oncall": {"url_env": "ONCALL_URL"}, "pager": {"url_env": "PAGER_URL", "minimum_severity": "critical"}}
    given = settings()
    given = given.model_copy(update={"channels": settings_with(channels).channels})

    def on(day: int, severity: str) -> list[int]:
        about = condition(day, "breached", rule="odd", metric="stars_new", severity=severity)
        return record_conditions(warehouse, {"odd": rule}, [about], given, at(day)).opened

    assert on(1, "warning") == [1]
    assert told(warehouse) == [("opened", 1, "oncall", "pending")]
    for day, severity in ((2, "critical"), (3, "warning"), (4, "critical")):
        assert on(day, severity) == []
        assert told(warehouse) == [("opened", 1, "oncall", "pending"), ("opened", 1, "pager", "pending")]
    with receiving() as oncall, receiving() as pager:
        monkeypatch.setenv("ONCALL_URL", oncall.url)
        monkeypatch.setenv("PAGER_URL", pager.url)
        assert deliver(warehouse, given, at(4), rules={"odd": rule}).sent == 2
    assert [(body["event"], body["severity"]) for body in pager.bodies] == [("opened", "critical")]


def test_two_metrics_of_an_anomaly_rule_are_two_alerts(warehouse: sa.Engine) -> None:
    rule = AnomalyRule(key="odd", title="O", severity="info", action="A", kind="anomaly")
    both = [condition(1, "breached", rule="odd", metric=metric) for metric in ("stars_new", "forks_new")]
    assert changed(warehouse, *both, rule=rule) == (0, 2, 0)
    assert changed(warehouse, condition(2, "fine", rule="odd", metric="forks_new"), rule=rule) == RESOLVED
    assert [alert.metric for alert in open_alerts(warehouse)] == ["stars_new"]


MILESTONES = MilestoneRule(
    key="stars", title="S", severity="info", action="Thank.", kind="milestone", metric="stars_total",
    milestones=(100, 500), escalate=(Escalation(after_minutes=5),),
)  # fmt: skip


def test_a_milestone_is_told_once_for_ever(warehouse: sa.Engine) -> None:
    def on(day: int, milestone: float, subject: str = "acme/api") -> tuple[int, int, int]:
        reached = condition(day, "breached", subject, rule="stars", metric="stars_total", reference=milestone)
        return changed(warehouse, reached, rule=MILESTONES)

    assert on(1, 100) == OPENED
    assert columns(warehouse, "state", "resolved_because", "reference", "escalate_at") == [
        ("resolved", "told", 100, None),
    ]  # fmt: skip
    assert on(1, 100) == NOTHING
    assert on(9, 100) == NOTHING  # after a dip
    assert on(9, 500) == OPENED
    assert on(10, 100) == NOTHING
    assert on(10, 100, "acme/web") == OPENED
    assert [row[0] for row in told(warehouse)] == ["opened", "opened", "opened"]


# What nothing would ever end.


def named(engine: sa.Engine, *names: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("delete from ops.repository_settings"))
        connection.execute(
            sa.text(
                "insert into ops.repository_settings values "
                "(:number, :name, null, 'auto', 'production', 'v', '{}', 24, '{}')"
            ),
            [{"number": number, "name": name} for number, name in enumerate(names)],
        )


def closed(engine: sa.Engine, rules: Sequence[Any], now: datetime) -> list[int]:
    return close_orphans(engine, {rule.key: rule for rule in rules}, settings("oncall"), now).resolved


def test_alerts_about_what_is_gone_end(warehouse: sa.Engine) -> None:
    record(warehouse, condition(1, "breached"), condition(1, "breached", "acme/web"))
    assert closed(warehouse, [RULE], at(2)) == []  # nothing was collected yet: nobody knows what is gone
    named(warehouse, "acme/api", "acme/web")
    assert closed(warehouse, [RULE], at(2)) == []
    named(warehouse, "acme/api")
    assert closed(warehouse, [RULE], at(2)) == [2]
    assert closed(warehouse, [RULE], at(2)) == []
    assert columns(warehouse, "state", "resolved_because", "resolved_at")[1] == (
        "resolved", "metrics.yaml does not name acme/web any more", at(2),
    )  # fmt: skip
    assert told(warehouse)[-1] == ("resolved", 1, "oncall", "pending")


@pytest.mark.parametrize(
    ("now", "because"),
    [
        ([], "the rule drop is switched off"),
        ([RULE.model_copy(update={"subjects": ("acme/web",)})], "the rule drop does not look at acme/api any more"),
        ([RULE.model_copy(update={"subject_kinds": ("team",)})], "the rule drop does not look at acme/api any more"),
        ([RULE.model_copy(update={"metric": "commits"})], "the rule drop does not look at acme/api any more"),
    ],
)
def test_alerts_of_rules_that_look_elsewhere_end(warehouse: sa.Engine, now: list[Any], because: str) -> None:
    record(warehouse, condition(1, "breached"))
    assert closed(warehouse, now, at(2)) == [1]
    assert columns(warehouse, "resolved_because") == [(because,)]
    with warehouse.connect() as connection:
        text = connection.execute(sa.text("select message->>'text' from ops.alert_events where event = 'resolved'"))
        assert text.scalar_one() == f"{because[0].upper()}{because[1:]}."


def test_alerts_of_which_nothing_is_known_for_weeks_end(warehouse: sa.Engine) -> None:
    gone = MissingRule(key="gone", title="G", severity="info", action="A", kind="missing", metric="downloads", days=3)
    job = PipelineRule(key="job", title="J", severity="info", action="A", kind="pipeline", condition="run_failed")
    rules = {rule.key: rule for rule in (RULE, gone, job)}
    first = [
        condition(1, "breached"),
        condition(1, "breached", rule="gone", metric="downloads"),
        condition(1, "breached", "daily", rule="job", metric="", subject_kind="pipeline"),
    ]

    def on(day: int, *conditions: Condition) -> list[int]:
        record_conditions(warehouse, rules, conditions, settings("oncall"), at(day), date(2025, 12, day))
        return closed(warehouse, list(rules.values()), at(day))

    assert on(1, *first) == []
    assert on(28, condition(28, "unknown")) == []
    # Days that nobody evaluated say nothing.
    assert closed(warehouse, list(rules.values()), at(28) + timedelta(days=9)) == []
    assert on(29, condition(29, "unknown")) == [1]
    assert columns(warehouse, "state", "resolved_because")[0] == (
        "resolved", "nothing has been known of it for 28 days",
    )  # fmt: skip
    assert columns(warehouse, "state")[1:] == [("firing",), ("firing",)]
    assert on(30, condition(30, "breached")) == []  # as soon as it is known again
    assert columns(warehouse, "state")[3] == ("firing",)


def test_pending_orphans_vanish_and_the_pipeline_is_nobodys_subject(warehouse: sa.Engine) -> None:
    record(warehouse, condition(1, "breached", days=1), rule=PATIENT)
    assert closed(warehouse, [], at(2)) == []
    assert alerts(warehouse) == []
    named(warehouse, "acme/api")
    job = PipelineRule(key="job", title="J", severity="info", action="A", kind="pipeline", condition="run_failed")
    record(warehouse, condition(1, "breached", "daily", rule="job", metric="", subject_kind="pipeline"), rule=job)
    record(
        warehouse, condition(1, "breached", "free text", subject_kind="segment", rule="drop"),
        rule=RULE.model_copy(update={"subject_kinds": ("segment",)}),
    )  # fmt: skip
    assert closed(warehouse, [job, RULE.model_copy(update={"subject_kinds": ("segment",)})], at(2)) == []


def test_conditions_of_unknown_rules_are_left_out(warehouse: sa.Engine) -> None:
    assert changed(warehouse, condition(1, "breached", rule="another")) == NOTHING
    assert alerts(warehouse) == []
