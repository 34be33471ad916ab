"""What time and people make of alerts: escalation, acknowledgement, ending by hand, silences and outcomes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.states import acknowledge, decide, escalate, open_alerts, resolve, silence, unsilence
from metrics_assets.catalogue.alerts import Escalation, Rule, load_rules
from metrics_assets.errors import AlertError
from metrics_assets_tests.alerting.conditions import RULE, at, condition, record, settings

URGENT = RULE.model_copy(
    update={
        "channels": ("oncall",),
        "escalate": (
            Escalation(after_minutes=30, channels=("lead",)),
            Escalation(after_minutes=60, channels=("head",)),
        ),
    }
)
SETTINGS = settings("oncall", "lead", "head")
FIRED = at(1)


def minutes(number: float) -> datetime:
    """So many minutes after the alert fired."""
    return FIRED + timedelta(minutes=number)


def fire(engine: sa.Engine, rule: Rule = URGENT, subject: str = "acme/api") -> None:
    record(engine, condition(1, "breached", subject), rule=rule, channels=("oncall", "lead", "head"))


def escalated(engine: sa.Engine, now: datetime, rule: Rule = URGENT) -> list[int]:
    return escalate(engine, {rule.key: rule}, SETTINGS, now)


def told(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """Event, level and channel of every notification."""
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "select event, level, channel from ops.alert_events left join ops.notifications using (event_id) "
                "order by event_id, channel"
            )
        )
        return [tuple(row) for row in found]


def alert(engine: sa.Engine, *names: str) -> tuple[Any, ...]:
    with engine.connect() as connection:
        return tuple(connection.execute(sa.text(f"select {', '.join(names)} from ops.alerts")).one())


def test_levels_are_told_when_nobody_acknowledges(warehouse: sa.Engine) -> None:
    fire(warehouse)
    assert alert(warehouse, "escalation_level", "escalate_at") == (0, minutes(30))
    assert escalated(warehouse, minutes(29)) == []
    assert escalated(warehouse, minutes(30)) == [1]
    assert escalated(warehouse, minutes(30)) == []
    assert alert(warehouse, "escalation_level", "escalate_at") == (1, minutes(90))
    assert escalated(warehouse, minutes(89)) == []
    assert escalated(warehouse, minutes(91)) == [1]
    assert alert(warehouse, "escalation_level", "escalate_at") == (2, None)
    assert escalated(warehouse, minutes(9999)) == []
    assert told(warehouse) == [("opened", 0, "oncall"), ("escalated", 1, "lead"), ("escalated", 2, "head")]


def test_who_escalates_at_the_same_time_tells_once(warehouse: sa.Engine) -> None:
    fire(warehouse)
    fire(warehouse, subject="acme/web")
    together = Barrier(4)

    def look() -> list[int]:
        together.wait()
        return escalated(warehouse, minutes(30))

    with ThreadPoolExecutor(4) as threads:
        found = [future.result() for future in [threads.submit(look) for _ in range(4)]]
    assert sorted(found) == [[], [], [], [1, 2]]
    assert [row[:2] for row in told(warehouse)].count(("escalated", 1)) == 2


def test_after_an_outage_one_level_is_told_at_a_time(warehouse: sa.Engine) -> None:
    fire(warehouse)
    assert escalated(warehouse, minutes(500)) == [1]
    assert escalated(warehouse, minutes(500)) == []
    assert alert(warehouse, "escalation_level", "escalate_at") == (1, minutes(560))


def test_a_clock_that_was_set_back_delays_no_escalation(warehouse: sa.Engine) -> None:
    fire(warehouse)
    earlier = FIRED - timedelta(days=2)
    assert escalated(warehouse, earlier) == []
    assert alert(warehouse, "escalate_at") == (earlier + timedelta(minutes=30),)
    assert escalated(warehouse, earlier + timedelta(minutes=30)) == [1]
    # And nothing is told a second time when the clock is right again.
    assert escalated(warehouse, minutes(30)) == [1]  # level 2
    assert [row[:2] for row in told(warehouse)] == [("opened", 0), ("escalated", 1), ("escalated", 2)]


def test_the_time_runs_from_when_people_can_have_heard_of_it(warehouse: sa.Engine) -> None:
    nine = URGENT.model_copy(update={"tell_at": "09:00"})
    fire(warehouse, nine)  # at 01:00
    assert alert(warehouse, "escalate_at") == (FIRED.replace(hour=9, minute=30),)
    assert escalated(warehouse, FIRED.replace(hour=9, minute=29), nine) == []
    assert escalated(warehouse, FIRED.replace(hour=9, minute=30), nine) == [1]


def test_what_is_silenced_is_escalated_after_the_silence(warehouse: sa.Engine) -> None:
    fire(warehouse)
    quiet(warehouse, until=minutes(60))
    assert escalated(warehouse, minutes(59)) == []
    assert escalated(warehouse, minutes(61)) == []
    assert escalated(warehouse, minutes(89)) == [1]


def test_more_levels_than_there_were(warehouse: sa.Engine) -> None:
    fire(warehouse, RULE)
    assert alert(warehouse, "escalate_at") == (None,)
    more = URGENT.model_copy(update={"key": RULE.key})
    assert escalated(warehouse, minutes(100), more) == []
    assert alert(warehouse, "escalation_level", "escalate_at") == (0, minutes(130))
    assert escalated(warehouse, minutes(130), more) == [1]
    # One that was told to the last level has no next one, and what somebody looks after is not escalated.
    assert escalated(warehouse, minutes(190), more) == [1]
    assert escalated(warehouse, minutes(9999), more) == []
    assert alert(warehouse, "escalation_level", "escalate_at") == (2, None)
    acknowledge(warehouse, 1, "ann", None, SETTINGS, minutes(10_000))
    again = more.model_copy(update={"escalate": (*more.escalate, Escalation(after_minutes=1))})
    assert escalated(warehouse, minutes(20_000), again) == []
    assert alert(warehouse, "escalate_at") == (None,)


def test_fewer_levels_than_there_were(warehouse: sa.Engine) -> None:
    fire(warehouse)
    assert escalated(warehouse, minutes(31), RULE) == []
    assert alert(warehouse, "escalate_at") == (None,)


@pytest.mark.parametrize("levels", [0, 1])
def test_who_acknowledges_stops_the_escalation(warehouse: sa.Engine, levels: int) -> None:
    fire(warehouse)
    for _ in range(levels):
        escalated(warehouse, minutes(30))
    acknowledge(warehouse, 1, " ann ", "I look at it.", SETTINGS, minutes(40))
    assert alert(warehouse, "state", "acknowledged_by", "acknowledged_at", "acknowledge_note", "escalate_at") == (
        "acknowledged", "ann", minutes(40), "I look at it.", None,
    )  # fmt: skip
    assert escalated(warehouse, minutes(9999)) == []
    before = told(warehouse)
    acknowledge(warehouse, 1, "bob", None, SETTINGS, minutes(50))  # twice is once
    assert alert(warehouse, "acknowledged_by") == ("ann",)
    assert told(warehouse) == before
    assert [row[0] for row in before].count("acknowledged") == 1 + levels  # on every channel that knows of the alert


def test_an_acknowledged_alert_goes_on_and_ends_by_itself(warehouse: sa.Engine) -> None:
    fire(warehouse)
    acknowledge(warehouse, 1, "ann", None, SETTINGS, minutes(5))
    record(warehouse, condition(2, "breached", value=0.0), rule=URGENT)
    assert alert(warehouse, "state", "value", "escalate_at") == ("acknowledged", 0.0, None)
    assert open_alerts(warehouse)[0].acknowledged_by == "ann"
    assert record(warehouse, condition(3, "fine"), rule=URGENT).resolved == [1]
    assert alert(warehouse, "state", "acknowledged_by") == ("resolved", "ann")


def test_an_alert_that_ended_is_not_escalated(warehouse: sa.Engine) -> None:
    fire(warehouse)
    record(warehouse, condition(2, "fine"), rule=URGENT)
    assert alert(warehouse, "escalate_at") == (None,)
    assert escalated(warehouse, minutes(9999)) == []


def test_an_alert_that_comes_back_is_a_new_one(warehouse: sa.Engine) -> None:
    fire(warehouse)
    acknowledge(warehouse, 1, "ann", None, SETTINGS, minutes(5))
    record(warehouse, condition(2, "fine"), rule=URGENT)
    assert record(warehouse, condition(3, "breached"), rule=URGENT).opened == [2]
    (found,) = open_alerts(warehouse)
    assert (found.state, found.acknowledged_by, found.escalation_level) == ("firing", None, 0)
    assert found.escalate_at == at(3) + timedelta(minutes=30)


def test_an_alert_that_is_ended_by_hand_comes_back_on_the_next_day_if_it_still_holds(warehouse: sa.Engine) -> None:
    fire(warehouse)
    resolve(warehouse, 1, "ann", "a false alarm", SETTINGS, minutes(5))
    assert alert(warehouse, "state", "resolved_because", "resolved_at", "escalate_at") == (
        "resolved", "by hand by ann: a false alarm", minutes(5), None,
    )  # fmt: skip
    assert record(warehouse, condition(1, "breached"), rule=URGENT).opened == []
    assert record(warehouse, condition(2, "breached"), rule=URGENT).opened == [2]
    assert ("resolved", 0, "oncall") in told(warehouse)
    with warehouse.connect() as connection:
        said = connection.execute(sa.text("select message->>'text' from ops.alert_events where event = 'resolved'"))
        assert said.scalars().all() == ["Ended by hand."]  # nobody is named


@pytest.mark.parametrize("change", [acknowledge, resolve])
def test_what_cannot_be_changed_is_said(warehouse: sa.Engine, change: Any) -> None:
    with pytest.raises(AlertError, match="There is no alert 7"):
        change(warehouse, 7, "ann", None, SETTINGS, minutes(1))
    record(warehouse, condition(1, "breached", days=1), rule=RULE.model_copy(update={"for_days": 2}))
    with pytest.raises(AlertError, match="Alert 1 is only pending"):
        change(warehouse, 1, "ann", None, SETTINGS, minutes(1))
    record(warehouse, condition(2, "breached", days=2), rule=RULE.model_copy(update={"for_days": 2}))
    with pytest.raises(AlertError, match="give a name"):
        change(warehouse, 1, " ", None, SETTINGS, minutes(1))
    record(warehouse, condition(3, "fine"))
    with pytest.raises(AlertError, match="Alert 1 has ended already"):
        change(warehouse, 1, "ann", None, SETTINGS, minutes(1))


def silences(engine: sa.Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = connection.execute(sa.text("select rule, subject, starts_at, ends_at, reason from ops.silences"))
        return [tuple(row) for row in found]


def quiet(engine: sa.Engine, **changes: Any) -> int:
    given: dict[str, Any] = {
        "rule": None, "subject_kind": "repository", "subject": "acme/api", "until": minutes(60), "reason": "a move",
        "by": "ann", "now": FIRED,
    }  # fmt: skip
    return silence(engine, **(given | changes))


def test_a_silence_is_kept_and_ended(warehouse: sa.Engine) -> None:
    number = quiet(warehouse)
    assert silences(warehouse) == [(None, "acme/api", FIRED, minutes(60), "a move")]
    unsilence(warehouse, number, minutes(10))
    assert silences(warehouse)[0][3] == minutes(10)
    unsilence(warehouse, number, minutes(20))  # it stays as it ended
    assert silences(warehouse)[0][3] == minutes(10)
    unsilence(warehouse, quiet(warehouse), FIRED)
    assert len(silences(warehouse)) == 1


def test_a_silence_that_makes_no_sense_is_refused(warehouse: sa.Engine) -> None:
    with pytest.raises(AlertError, match="2025-12-02 01:00, which has passed"):
        quiet(warehouse, until=FIRED)
    with pytest.raises(AlertError, match="has no reason"):
        quiet(warehouse, reason=" ")
    with pytest.raises(AlertError, match="There is no rule 'nonsense'"):
        quiet(warehouse, rule="nonsense")
    with pytest.raises(AlertError, match="There is no silence 9"):
        unsilence(warehouse, 9, FIRED)
    assert silences(warehouse) == []
    quiet(warehouse, rule=next(iter(load_rules())))


def test_the_newest_word_on_an_alert_counts(warehouse: sa.Engine) -> None:
    fire(warehouse)
    decide(warehouse, 1, "noise", None, "ann", minutes(5))
    decide(warehouse, 1, "useful", "it was an outage", "bob", minutes(9))
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("select outcome, note, decided_by, decided_at from ops.alert_outcomes"))
        assert [tuple(row) for row in rows] == [("useful", "it was an outage", "bob", minutes(9))]
    with pytest.raises(AlertError, match="'maybe' is no outcome"):
        decide(warehouse, 1, "maybe", None, "ann", minutes(5))
    with pytest.raises(AlertError, match="Nobody was told of alert 7"):
        decide(warehouse, 7, "useful", None, "ann", minutes(5))


def test_times_are_kept_as_they_are_whatever_their_zone(warehouse: sa.Engine) -> None:
    fire(warehouse)
    acknowledge(warehouse, 1, "ann", None, SETTINGS, minutes(5).astimezone(ZoneInfo("Asia/Kolkata")))
    assert alert(warehouse, "acknowledged_at")[0].astimezone(UTC) == minutes(5)
