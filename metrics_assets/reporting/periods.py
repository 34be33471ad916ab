"""The periods that reports are about: calendar months and quarters, and weeks that end on a day of choice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.settings import WEEKDAYS, Weekday

_FORMS: dict[str, tuple[re.Pattern[str], str]] = {
    "month": (re.compile(r"(\d{4})-(0[1-9]|1[0-2])"), "a month as 2025-12"),
    "week": (re.compile(r"(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])"), "a week as 2025-W52"),
    "quarter": (re.compile(r"(\d{4})-Q([1-4])"), "a quarter as 2025-Q4"),
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
LENGTHS: dict[ReportKind, str] = {
    "monthly_report": "month",
    "weekly_digest": "week",
    "quarterly_review": "quarter",
    "executive_summary": "month",
}


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` to `end`, both included."""

    kind: ReportKind
    start: date
    end: date

    @property
    def name(self) -> str:
        """'2025-12', '2025-W52' (the ISO week in which it ends), '2025-Q4': the name of its notes file, too."""
        match LENGTHS[self.kind]:
            case "week":
                year, week, _ = self.end.isocalendar()
                return f"{year}-W{week:02}"
            case "quarter":
                return f"{self.start.year}-Q{(self.start.month + 2) // 3}"
            case _:
                return f"{self.start:%Y-%m}"


def period_of(kind: ReportKind, day: date, week_ends: Weekday) -> Period:
    """The period of a kind of report that a day is in."""
    match LENGTHS[kind]:
        case "week":
            end = day + timedelta(days=(WEEKDAYS.index(week_ends) - day.weekday()) % 7)
            return Period(kind, end - timedelta(days=6), end)
        case "quarter":
            first = day.month - (day.month - 1) % 3
            return Period(kind, date(day.year, first, 1), _end_of_month(date(day.year, first + 2, 1)))
        case _:
            return Period(kind, day.replace(day=1), _end_of_month(day))


def periods_between(kind: ReportKind, first: date, last: date, week_ends: Weekday) -> list[Period]:
    """The periods that end within the range, oldest first, and the one that its last day is in."""
    found = [period_of(kind, first, week_ends)]
    while found[-1].end < last:
        found.append(period_of(kind, found[-1].end + timedelta(days=1), week_ends))
    return found


def period_named(kind: ReportKind, name: str, week_ends: Weekday) -> Period:
    """The period that a name means: '2025-12' of a month, or any of its days, '2025-12-24'.

    Raises:
        ConfigurationError: it is none of the kind's.
    """
    pattern, form = _FORMS[LENGTHS[kind]]
    try:
        if _DAY.fullmatch(name):
            return period_of(kind, date.fromisoformat(name), week_ends)
        if (found := pattern.fullmatch(name)) is None:
            raise ValueError(name)
        year, number = int(found[1]), int(found[2])
        match LENGTHS[kind]:
            case "week":
                return period_of(kind, date.fromisocalendar(year, number, WEEKDAYS.index(week_ends) + 1), week_ends)
            case "quarter":
                return period_of(kind, date(year, number * 3, 1), week_ends)
            case _:
                return period_of(kind, date(year, number, 1), week_ends)
    except ValueError:
        raise ConfigurationError(f"'{name}' is no period of the {kind}; write {form}, or a day in it.") from None


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
