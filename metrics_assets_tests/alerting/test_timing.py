"""Hours in which people are not told: across midnight, on whole days, and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.alerting.timing import hold, is_quiet
from metrics_assets.settings import WEEKDAYS, Channel, QuietHours
from metrics_assets_tests.alerting.receiving import RULE, settings_with

CHANNEL = Channel(url_env="X")
LOUD = Channel(url_env="X", quiet_hours=False)


def held(
    now: str,
    *,
    rule: dict[str, Any] | None = None,
    channel: Channel = CHANNEL,
    severity: Any = "warning",
    **alerts: Any,
) -> tuple[str, str | None]:
    """From when on, in UTC, and why."""
    business = {"timezone": alerts.pop("zone", "UTC")}
    settings = settings_with({}, business_hours=business, **alerts)
    of = RULE.model_copy(update=rule) if rule is not None else None
    until, why = hold(of, channel, severity, settings, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert until.tzinfo is UTC
    return f"{until:%Y-%m-%d %H:%M}", why


NIGHT = {"quiet_hours": {"from": "20:00", "to": "08:00"}}
NOONS = {"quiet_hours": {"from": "12:00", "to": "13:30"}}


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-07 19:59", "2026-01-07 19:59"),
        ("2026-01-07 20:00", "2026-01-08 08:00"),
        ("2026-01-07 23:59", "2026-01-08 08:00"),
        ("2026-01-08 00:00", "2026-01-08 08:00"),
        ("2026-01-08 07:59", "2026-01-08 08:00"),
        ("2026-01-08 08:00", "2026-01-08 08:00"),
    ],
)
def test_quiet_hours_go_across_midnight(now: str, until: str) -> None:
    assert held(now, **NIGHT) == (until, None if now == until else "quiet hours")


@pytest.mark.parametrize(
    ("now", "until"), [("11:59", "11:59"), ("12:00", "13:30"), ("13:29", "13:30"), ("13:30", "13:30")]
)
def test_quiet_hours_within_a_day(now: str, until: str) -> None:
    assert held(f"2026-01-07 {now}", **NOONS)[0] == f"2026-01-07 {until}"


def test_quiet_hours_until_midnight() -> None:
    hours = {"quiet_hours": {"from": "18:00", "to": "24:00"}}
    assert held("2026-01-07 18:30", **hours)[0] == "2026-01-08 00:00"
    assert held("2026-01-08 00:00", **hours)[0] == "2026-01-08 00:00"


def test_whole_days_are_quiet_and_run_into_the_night_before_and_after() -> None:
    weekend = {"quiet_hours": {"from": "20:00", "to": "08:00", "days": ["sat", "sun"]}}
    assert held("2026-01-09 21:00", **weekend)[0] == "2026-01-12 08:00"  # Friday evening to Monday
    assert held("2026-01-10 12:00", **weekend)[0] == "2026-01-12 08:00"
    days_alone = {"quiet_hours": {"from": "00:00", "to": "00:00", "days": ["sat", "sun"]}}
    assert held("2026-01-10 12:00", **days_alone)[0] == "2026-01-12 00:00"
    assert held("2026-01-09 23:59", **days_alone)[0] == "2026-01-09 23:59"


def test_when_every_hour_is_quiet_people_are_told_all_the_same() -> None:
    always = {"quiet_hours": {"from": "00:00", "to": "24:00"}}
    assert held("2026-01-09 12:00", **always) == ("2026-01-09 12:00", None)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        # Berlin: UTC+1 in winter, UTC+2 in summer; clocks go forward on 29 March and back on 25 October 2026.
        ("2026-01-07 19:30", "2026-01-08 07:00"),
        ("2026-07-07 18:30", "2026-07-08 06:00"),
        ("2026-03-28 21:00", "2026-03-29 06:00"),
        ("2026-10-24 21:00", "2026-10-25 07:00"),
    ],
)
def test_the_hours_are_those_of_the_time_zone(now: str, until: str) -> None:
    assert held(now, zone="Europe/Berlin", **NIGHT)[0] == until
    own = {"quiet_hours": {"from": "20:00", "to": "08:00", "timezone": "Europe/Berlin"}}
    assert held(now, zone="America/New_York", **own)[0] == until


def test_an_end_that_the_clocks_jump_over_is_the_next_moment() -> None:
    hours = {"quiet_hours": {"from": "22:00", "to": "02:30"}}
    until, _ = held("2026-03-29 00:30", zone="Europe/Berlin", **hours)
    assert until == "2026-03-29 01:30"  # 03:30 in Berlin, where there was no 02:30


@pytest.mark.parametrize(
    ("now", "until"),
    [("00:10", "00:30"), ("00:30", "00:30"), ("00:59", "00:59"), ("01:10", "01:30"), ("01:30", "01:30")],
)
def test_an_end_that_the_clocks_show_twice_comes_twice(now: str, until: str) -> None:
    hours = {"quiet_hours": {"from": "22:00", "to": "02:30"}}  # at 01:00 UTC it is 02:00 in Berlin for the second time
    assert held(f"2025-10-26 {now}", zone="Europe/Berlin", **hours)[0] == f"2025-10-26 {until}"


@pytest.mark.parametrize(
    ("rule", "channel", "severity", "waits"),
    [
        ({}, CHANNEL, "info", True),
        ({}, CHANNEL, "warning", True),
        ({}, CHANNEL, "critical", False),
        ({"quiet": True}, CHANNEL, "critical", True),
        ({"quiet": False}, CHANNEL, "info", False),
        ({"quiet": True}, LOUD, "info", False),
        (None, CHANNEL, "info", True),
        (None, CHANNEL, "critical", False),
        (None, LOUD, "info", False),
    ],
)
def test_what_is_critical_does_not_wait_unless_its_rule_says_so(
    rule: dict[str, Any] | None, channel: Channel, severity: str, waits: bool
) -> None:
    until, why = held("2026-01-07 22:00", rule=rule, channel=channel, severity=severity, **NIGHT)
    assert (until, why) == (("2026-01-08 08:00", "quiet hours") if waits else ("2026-01-07 22:00", None))


WORKDAYS = ("mon", "tue", "wed", "thu", "fri")


@pytest.mark.parametrize(
    ("now", "rule", "until"),
    [
        ("2026-01-07 06:00", {"tell_at": "09:00"}, "2026-01-07 08:00"),  # 9 in Berlin
        ("2026-01-07 08:00", {"tell_at": "09:00"}, "2026-01-07 08:00"),
        ("2026-01-07 22:30", {"tell_at": "09:00"}, "2026-01-07 22:30"),
        ("2026-01-07 23:00", {"tell_at": "09:00"}, "2026-01-08 08:00"),  # already the next day in Berlin
        ("2026-01-09 12:00", {"tell_at": "09:00", "tell_on": WORKDAYS}, "2026-01-09 12:00"),
        ("2026-01-10 12:00", {"tell_at": "09:00", "tell_on": WORKDAYS}, "2026-01-12 08:00"),
        ("2026-01-10 12:00", {"tell_on": ("mon",)}, "2026-01-11 23:00"),
        ("2026-01-12 12:00", {"tell_on": ("mon",), "tell_at": "24:00"}, "2026-01-12 12:00"),
    ],
)
def test_a_rule_may_ask_for_hours_and_days_of_its_own(now: str, rule: dict[str, Any], until: str) -> None:
    # Whatever its severity, and also where the channel keeps no quiet hours.
    found = held(now, rule=rule, channel=LOUD, severity="critical", zone="Europe/Berlin")
    assert found == (until, None if until == now else "the hours of its rule")


def test_both_hours_count() -> None:
    weekend = {"quiet_hours": {"from": "20:00", "to": "10:00", "days": ["mon"]}}
    asked = {"tell_at": "09:00", "tell_on": ("mon", "tue")}
    assert held("2026-01-10 12:00", rule=asked, **weekend)[0] == "2026-01-13 10:00"  # Tuesday
    # Asked for on Mondays alone, which are quiet: told at once rather than never.
    assert held("2026-01-10 12:00", rule={"tell_on": ("mon",)}, **weekend) == ("2026-01-10 12:00", None)


clock_times = st.builds(lambda minute: f"{minute // 60:02}:{minute % 60:02}", st.integers(0, 24 * 60 - 1))


@given(
    opens=clock_times,
    closes=clock_times,
    days=st.sets(st.sampled_from(WEEKDAYS), max_size=6),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    minutes=st.integers(0, 366 * 24 * 60),
)
def test_it_is_quiet_until_it_is_told_and_not_then(
    opens: str, closes: str, days: set[Any], zone: str, minutes: int
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    hours = QuietHours.model_validate({"from": opens, "to": closes, "days": sorted(days), "timezone": zone})
    settings = settings_with({}, quiet_hours={"from": opens, "to": closes, "days": sorted(days), "timezone": zone})
    until, why = hold(RULE, CHANNEL, "warning", settings, now)
    place = ZoneInfo(zone)
    assert (why is None) == (until == now) == (not is_quiet(now, hours, place))
    assert not is_quiet(until, hours, place)
    # On the days on which clocks change an end may come up to an hour late.
    step, latest = timedelta(minutes=7), until - timedelta(hours=1)
    while now < latest:
        assert is_quiet(now, hours, place)
        now += step
