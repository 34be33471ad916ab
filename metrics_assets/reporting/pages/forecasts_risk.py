"""Where growth is at risk: figures that are expected to get worse, and what the figures of the day say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo
from metrics_assets.reporting.kit import Cell, Column, Row, Table
from metrics_assets.reporting.pages.forecasts_records import ForecastRow

MOST_SHOWN = 25
HORIZON = 90
_WEEK = 7
# What stands at a day's end, so that it can be compared with a day to come, though it has no window.
_LEVELS = ("_total", "_open")


@dataclass(frozen=True, slots=True)
class Falling:
    """A figure that is worse than now in at least nine of ten cases, 90 days ahead."""

    metric: str
    subject: str
    now: float
    expected: float
    low: float
    high: float

    @property
    def size(self) -> float:
        """How far the middle lies from now, as a share of now."""
        return abs(self.expected - self.now) / (abs(self.now) or 1.0)


def falling(rows: Sequence[ForecastRow], metrics: Mapping[str, MetricInfo]) -> list[Falling]:
    """The figures that are likely to get worse, the largest change first.

    Only what can be compared: figures over a week at least and levels, whose forecasts beat the naive one. A day's
    count says nothing of another day's.
    """
    found = []
    for row in rows:
        metric, ahead = metrics.get(row.metric), row.ahead.get(HORIZON)
        if metric is None or ahead is None or row.now is None or not row.beats_naive:
            continue
        if (metric.window or 1) < _WEEK and not metric.key.endswith(_LEVELS):
            continue
        is_worse = ahead.p90 < row.now if metric.direction == "higher" else ahead.p10 > row.now
        if is_worse and metric.direction != "neutral":
            found.append(Falling(row.metric, row.subject, row.now, ahead.p50, ahead.p10, ahead.p90))
    return sorted(found, key=lambda one: (-one.size, one.subject, one.metric))


def risk_sentence(worse: Sequence[Falling], metrics: Mapping[str, MetricInfo]) -> str:
    """How many figures are likely to get worse, and which most."""
    if not worse:
        return f"No figure that can be compared is likely to be worse in {HORIZON} days than now."
    first = worse[0]
    return (
        f"{wording.count(len(worse), 'figure')} {'is' if len(worse) == 1 else 'are'} likely to be worse in {HORIZON} "
        f"days than now; the farthest is {metrics[first.metric].title.lower()} of {first.subject}."
    )


def falling_table(worse: Sequence[Falling], metrics: Mapping[str, MetricInfo], actions: Mapping[str, str]) -> Table:
    """The figures that are likely to get worse, with what to do."""
    rows = []
    for one in worse[:MOST_SHOWN]:
        metric = metrics[one.metric]
        moved = wording.change(one.now, one.expected, metric)
        rows.append(
            Row((
                Cell(metric.title, under=one.subject),
                Cell(str(wording.quantity(one.now, metric.unit)), sort=repr(one.now)),
                Cell(str(wording.quantity(one.expected, metric.unit)), sort=repr(one.expected),
                     under=wording.span(one.low, one.high, metric.unit)),
                Cell(f"{moved.text} now", sort=f"{one.size:.4f}", role="watch", glyph=moved.glyph),
                Cell(actions[one.metric]) if one.metric in actions
                else Cell("Look at what changed; no advice is written for it.", role="dim"),
            ))
        )  # fmt: skip
    columns = (
        Column("Figure"), Column("Now", numeric=True), Column(f"In {HORIZON} days", numeric=True),
        Column("Change", numeric=True), Column("What to do"),
    )  # fmt: skip
    note = wording.shown(len(rows), len(worse), rest=", the largest changes first")
    return Table(
        f"Likely to be worse in {HORIZON} days: nine of ten expected values lie on the worse side of today's", columns,
        tuple(rows), empty="No figure that can be compared is likely to get worse.", note=note,
    )  # fmt: skip
