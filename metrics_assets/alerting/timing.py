"""When a message may be told: quiet hours, quiet days, and the hours and weekdays that a rule asks for.

Times are those of people: they stand in a time zone, and the day on which its clocks change is 23 or 25 hours long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from metrics_assets.catalogue.alerts import Rule
from metrics_assets.settings import WEEKDAYS, Channel, QuietHours, Settings, Severity, Weekday

_MINUTES_A_DAY = 24 * 60
# So many days are looked ahead: a week and what its ends cut off.
_DAYS_AHEAD = 9


class Hold(NamedTuple):
    """From when on something may be told; `why` says what it waits for, or is None where it need not wait."""

    until: datetime
    why: str | None


def hold(rule: Rule | None, channel: Channel, severity: Severity, settings: Settings, now: datetime) -> Hold:
    """When a message may be told on a channel.

    What is critical does not wait for the end of the quiet hours, unless its rule says so (`quiet: true`); `quiet:
    false` of a rule and `quiet_hours: false` of a channel let everything through. A rule's own time of the day
    (`tell_at`) and days of the week (`tell_on`) hold back whatever it is about.

    Args:
        rule: None for what is no alert, and for alerts whose rule is gone.
        now: aware; the answer is in UTC.
    """
    until, why = now.astimezone(UTC), None
    quiet = _quiet_hours(rule, channel, severity, settings)
    business = ZoneInfo(settings.business_hours.timezone)
    for _ in range(4 * _DAYS_AHEAD):
        before = until
        if rule is not None and (later := _asked_for(until, rule.tell_at, rule.tell_on, business)) > until:
            until, why = later, "the hours of its rule"
        if quiet is not None:
            hours, zone = quiet
            if (later := _after_quiet(until, hours, zone)) > until:
                until, why = later, "quiet hours"
        if until == before:
            return Hold(until, why)
    # The rule asks for hours that are always quiet. Late is better than never.
    return Hold(now.astimezone(UTC), None)


def _quiet_hours(
    rule: Rule | None, channel: Channel, severity: Severity, settings: Settings
) -> tuple[QuietHours, ZoneInfo] | None:
    hours = settings.alerts.quiet_hours
    wanted = rule.quiet if rule is not None and rule.quiet is not None else severity != "critical"
    if hours is None or not channel.quiet_hours or not wanted:
        return None
    return hours, ZoneInfo(hours.timezone or settings.business_hours.timezone)


def is_quiet(at: datetime, hours: QuietHours, zone: ZoneInfo) -> bool:
    """Whether a moment is in the quiet hours, or on a quiet day. Hours that end when they begin are none."""
    local = at.astimezone(zone)
    if WEEKDAYS[local.weekday()] in hours.days:
        return True
    minute, opens, closes = local.hour * 60 + local.minute, _minutes(hours.opens), _minutes(hours.closes)
    if opens < closes:
        return opens <= minute < closes
    return opens > closes and (minute >= opens or minute < closes)


def _after_quiet(at: datetime, hours: QuietHours, zone: ZoneInfo) -> datetime:
    """`at` if it is not quiet then, else when it ends; `at` also where it never ends."""
    if not is_quiet(at, hours, zone):
        return at
    ends = _moments(at, (0, _minutes(hours.closes)), zone)
    return next((end for end in ends if end > at and not is_quiet(end, hours, zone)), at)


def _asked_for(at: datetime, tell_at: str | None, tell_on: Sequence[Weekday], zone: ZoneInfo) -> datetime:
    """`at` if it is on one of the days and not before the time of the day, else the next such moment."""
    earliest = _minutes(tell_at) % _MINUTES_A_DAY if tell_at is not None else 0

    def fits(moment: datetime) -> bool:
        local = moment.astimezone(zone)
        return (not tell_on or WEEKDAYS[local.weekday()] in tell_on) and local.hour * 60 + local.minute >= earliest

    if fits(at):
        return at
    return next((moment for moment in _moments(at, (earliest,), zone) if moment > at and fits(moment)), at)


def _moments(since: datetime, minutes: Sequence[int], zone: ZoneInfo) -> Iterator[datetime]:
    """The times of the day, in minutes after midnight, on the day of `since` and the days after it, in order."""
    first = since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for day in range(_DAYS_AHEAD):
        moments = set()
        for minute in minutes:
            # A time that the clocks jump over is taken as the moment of the jump or soon after it; one that they show
            # twice is two moments.
            local = (first + timedelta(days=day, minutes=minute)).replace(tzinfo=zone)
            once, again = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
            moments |= {once, max(once, again)}
        yield from sorted(moments)


def _minutes(clock_time: str) -> int:
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)
