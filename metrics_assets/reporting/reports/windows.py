"""The days that a report compares: its period, the one before, the quarter and the year before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.reports.lines import day


@dataclass(frozen=True, slots=True)
class Window:
    """Days from `start` to `end`, both included; `last` is the day whose figures stand for it."""

    start: date
    end: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=number) for number in range((self.end - self.start).days + 1)]


@dataclass(frozen=True, slots=True)
class Windows:
    now: Window
    before: Window
    quarter: Window
    year: Window


def windows(kind: ReportKind, period_start: date, period_end: date, as_of: date) -> Windows:
    """What a report compares. Of a draft the first days of the periods before are compared: as many as it knows.

    Figures of a day (not sums) are compared with the last day of the period before, and with the days a quarter and a
    year before the last known day.

    Raises:
        ValueError: the period has not begun by `as_of`, or ends before it begins.
    """
    if period_end < period_start:
        raise ValueError(f"The period ends on {day(period_end)}, before its first day {day(period_start)}; swap them.")
    if as_of < period_start:
        raise ValueError(
            f"Nothing was known of the period from {day(period_start)} by {day(as_of)}; "
            "ask for a report as of a day within it or later."
        )
    end = min(period_end, as_of)
    months = {"monthly_report": 1, "executive_summary": 1, "quarterly_review": 3}.get(kind)
    length = (end - period_start).days
    is_draft = end < period_end

    def earlier(first: date, after: date, last: date) -> Window:
        """The period from `first`; `after` is the first day behind it."""
        through = min(first + timedelta(days=length), after - timedelta(days=1)) if is_draft else after - timedelta(1)
        return Window(first, through, last)

    yesterday = period_start - timedelta(days=1)
    if months is None:
        first = period_start - timedelta(days=7)
        before = earlier(first, period_start, yesterday)
        ago = [Window(period_start - lag, end - lag, end - lag) for lag in (timedelta(weeks=13), timedelta(weeks=52))]
        return Windows(Window(period_start, end, end), before, *ago)
    found = [earlier(shifted(period_start, -months), period_start, yesterday)]
    for back in (3, 12):
        first, after = shifted(period_start, -back), shifted(period_start, months - back)
        found.append(earlier(first, after, shifted(end, -back)))
    return Windows(Window(period_start, end, end), *found)


def shifted(on: date, months: int) -> date:
    """The same day some months later (or earlier); the last day of a month stays the last day."""
    is_last = (on + timedelta(days=1)).day == 1
    number = on.year * 12 + on.month - 1 + months
    year, month = divmod(number, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, last if is_last else min(on.day, last))


def month_ends(through: date, count: int) -> list[date]:
    """The last days of the months up to a day, which itself stands for its month; oldest first."""
    first = through.replace(day=1)
    return [*(shifted(first, -back) - timedelta(days=1) for back in range(count - 2, -1, -1)), through]
