"""The daily partition that all assets share, and the range of days that a run covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from metrics_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class Days:
    """The half-open range of UTC days [start, end) that a run covers: one day, or a backfill's thousand."""

    start: date
    end: date

    @property
    def last(self) -> date:
        return self.end - timedelta(days=1)

    @property
    def start_time(self) -> datetime:
        return datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)

    @property
    def end_time(self) -> datetime:
        return datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC)


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition per UTC day from the settings' start to their end, or to yesterday."""
    end = settings.end + timedelta(days=1) if settings.end else None
    return dg.DailyPartitionsDefinition(
        start_date=settings.start.isoformat(), end_date=end.isoformat() if end else None, timezone="UTC"
    )


def days_of(context: dg.AssetExecutionContext) -> Days:
    """The days that a run covers."""
    window = context.partition_time_window
    return Days(window.start.date(), window.end.date())


def made_for(made: Sequence[date], days: Days) -> str:
    """For which days of a run something was made, where that is not all of them.

    A partition is green when a run covered its day; that says nothing of rows. This stands beside it.
    """
    names = [f"{day}" for day in made]
    listed = (
        ", ".join(names)
        if len(names) <= _MOST_DAYS_NAMED
        else f"{names[0]} and {len(names) - 1} others, last {names[-1]}"
    )
    others = (days.end - days.start).days - len(made)
    if not others:
        return listed
    rest = f"the other {others} days" if others > 1 else "the other day"
    return f"{listed}; not for {rest} of the run, of which is kept what was there"


_MOST_DAYS_NAMED = 13
