"""What is known around an alert: its figure's last four weeks, what else happened on the same days, related figures.

Nothing here says that one thing caused another. Queries read one metric and subject, or a few days of one subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

import sqlalchemy as sa

from metrics_assets.alerting.words import amount
from metrics_assets.catalogue.metrics import Metric, load_catalogue

TREND_DAYS = 28
_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"
# What happened on the day of the figure, or so many days before.
_DAYS_BEFORE = 2
_MOST_CAUSES, _MOST_RELATED = 5, 3
# A figure has moved if it is beyond so many of the days before; fewer days say nothing.
_FEWEST_DAYS, _USUAL_SHARE = 14, 0.8
# A message is late rather than rich.
_LONGEST_QUERY_MILLISECONDS = 2000


@dataclass(frozen=True, slots=True)
class Trend:
    """The days up to an alert's, the alert's last; None where nothing is known."""

    first: date
    values: tuple[float | None, ...]

    @property
    def chart(self) -> str:
        """A bar a day, from the least to the most: '▁▂▃·▅█'; unknown days are gaps."""
        known = [value for value in self.values if value is not None]
        if not known:
            return _GAP * len(self.values)
        least, span = min(known), max(known) - min(known)

        def bar(value: float | None) -> str:
            if value is None:
                return _GAP
            return _BARS[round((value - least) / span * (len(_BARS) - 1))] if span else _BARS[len(_BARS) // 2]

        return "".join(bar(value) for value in self.values)


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that happened on the same days, in words."""

    kind: str
    date: date
    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Related:
    """A figure beside the alert's, on the same day."""

    metric: str
    text: str
    value: float
    n: int | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around an alert."""

    trend: Trend | None = None
    causes: tuple[Cause, ...] = ()
    related: tuple[Related, ...] = ()


def read_surroundings(engine: sa.Engine, metric: str, kind: str, subject: str, on: date) -> Surroundings:
    """What is known around a figure of a day.

    Args:
        metric: '' of an alert about the pipeline, which has no surroundings.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database does not answer in time.
    """
    metrics = load_catalogue().metrics
    if metric not in metrics:
        return Surroundings()
    about = {"kind": kind, "subject": subject, "on": on}
    with engine.begin() as connection:
        connection.execute(sa.text(f"set local statement_timeout = {_LONGEST_QUERY_MILLISECONDS}"))
        pairs = _correlated(connection, metric, about)
        beside = [key for key in _beside(metrics[metric]) if key not in pairs]
        days = _read_days(connection, [metric, *pairs, *beside], about)
        happened = [*_known_events(connection, about), *_anomalies(connection, metric, about)]
    moved = {key: cause for key, pair in pairs.items() if (cause := _moved(key, pair, days.get(key), on)) is not None}
    causes = [*happened[: _MOST_CAUSES - len(moved)], *moved.values()]
    related = [figure for key in [*pairs, *beside] if key not in moved and (figure := _related(key, days.get(key)))]
    known = days.get(metric)
    return Surroundings(known.trend if known else None, tuple(causes), tuple(related[:_MOST_RELATED]))


@dataclass(frozen=True, slots=True)
class _Days:
    """A metric's last days, and what the value of the last one stands on."""

    trend: Trend
    n: int | None


_DAYS = """
-- A row is a metric and a day on which it is known of the subject. All metrics at once: the planner reads the branches
-- of these alone, and is done with the view in one go.
select metric, date, value, n
from metrics.metric_values
where metric = any (:metrics) and subject_kind = :kind and subject = :subject
    and date > cast(:on as date) - :days and date <= :on
    and state in ('ok', 'provisional') and value is not null
"""


def _read_days(connection: sa.Connection, metrics: Sequence[str], about: Mapping[str, Any]) -> dict[str, _Days]:
    """The days of those metrics that are known of the subject on any of them."""
    values: dict[str, dict[date, float]] = {}
    last: dict[str, int | None] = {}
    for row in connection.execute(sa.text(_DAYS), {"metrics": list(metrics), "days": TREND_DAYS, **about}):
        values.setdefault(row.metric, {})[row.date] = float(row.value)
        if row.date == about["on"]:
            last[row.metric] = row.n
    first = about["on"] - timedelta(days=TREND_DAYS - 1)
    days = [first + timedelta(days=day) for day in range(TREND_DAYS)]
    return {
        metric: _Days(Trend(first, tuple(known.get(day) for day in days)), last.get(metric))
        for metric, known in values.items()
    }


_ANOMALIES = """
-- A row is an anomaly of another metric of the subject, or of the whole portfolio, on the same days.
select metric, subject_kind, date, kind, value, expected
from metrics.anomalies
where state = 'anomaly' and date between cast(:on as date) - :before and :on
    and metric <> :metric and value is not null and expected is not null
    and ((subject_kind = :kind and subject = :subject) or subject_kind = 'portfolio')
order by subject_kind = 'portfolio', abs(score) desc nulls last, metric, date
limit 3
"""


def _anomalies(connection: sa.Connection, metric: str, about: Mapping[str, Any]) -> list[Cause]:
    metrics = load_catalogue().metrics
    rows = connection.execute(sa.text(_ANOMALIES), {"metric": metric, "before": _DAYS_BEFORE, **about})
    return [
        Cause(
            "anomaly",
            row.date,
            f"{metrics[row.metric].title}{' of the portfolio' if row.subject_kind == 'portfolio' else ''}: "
            f"{amount(row.value, metrics[row.metric].unit)}, unusual "
            f"({amount(row.expected, metrics[row.metric].unit)} expected)",
        )
        for row in rows
        if row.metric in metrics
    ]


_KNOWN_EVENTS = """
-- A row is something that happened to the subject, its repository or the portfolio on the same days.
select date, kind, title, url
from metrics.known_events
where subject_kind = :kind and subject = :subject and date between cast(:on as date) - :before and :on
union
select date, kind, title, url
from metrics.known_events
where subject_kind = 'portfolio' and date between cast(:on as date) - :before and :on
order by date desc, kind, title
limit 3
"""


def _known_events(connection: sa.Connection, about: Mapping[str, Any]) -> list[Cause]:
    kind, subject = about["kind"], about["subject"]
    if kind in ("service", "environment"):
        kind, subject = "repository", subject.split("#")[0].split("@")[0]
    asked = {"kind": kind, "subject": subject, "on": about["on"], "before": _DAYS_BEFORE}
    return [Cause(row.kind, row.date, row.title, row.url) for row in connection.execute(sa.text(_KNOWN_EVENTS), asked)]


_CORRELATED = """
-- A row is a pair of metrics of the subject of which one is ours, as it was seen last; it survived the correction for
-- how many pairs were looked at.
select distinct on (pair) case when x = :metric then y else x end as other, spearman, n
from metrics.correlations
where date > cast(:on as date) - 8 and date <= :on and survives
    and subject_kind = :kind and subject = :subject and :metric in (x, y)
order by pair, date desc
"""


def _correlated(connection: sa.Connection, metric: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that moved together with ours before, the two strongest; each with its rank correlation and n."""
    rows = connection.execute(sa.text(_CORRELATED), {"metric": metric, **about}).all()
    known = [row for row in rows if row.other in load_catalogue().metrics and row.spearman is not None]
    return {row.other: row for row in sorted(known, key=lambda row: -abs(row.spearman))[:2]}


def _moved(key: str, pair: Any, days: _Days | None, on: date) -> Cause | None:
    """What to say of a metric that moved together with ours before, if it has moved now, too. `kind` is its key."""
    if days is None or (usual := _left_the_usual(days.trend)) is None:
        return None
    metric, value = load_catalogue().metrics[key], days.trend.values[-1]
    assert value is not None  # or it would not have moved
    said = f"{metric.title}: {amount(value, metric.unit)}, {amount(usual, metric.unit)} usual; the two have moved "
    return Cause(key, on, f"{said}together before (rank correlation {pair.spearman:.2f}, n = {pair.n})")


def _related(key: str, days: _Days | None) -> Related | None:
    """What to say of a figure of the same day, if it is known."""
    if days is None or (value := days.trend.values[-1]) is None:
        return None
    metric = load_catalogue().metrics[key]
    n = f" (n = {days.n})" if days.n is not None else ""
    return Related(key, f"{metric.title}: {amount(value, metric.unit)}{n}", value, days.n)


def _left_the_usual(trend: Trend) -> float | None:
    """The median of the days before, if the last day is beyond four fifths of them; None otherwise."""
    *before, last = trend.values
    known = sorted(value for value in before if value is not None)
    if last is None or len(known) < _FEWEST_DAYS:
        return None
    cut = int(len(known) * (1 - _USUAL_SHARE) / 2)
    low, high = known[cut], known[-1 - cut]
    return median(known) if last < low or last > high else None


def _beside(metric: Metric) -> list[str]:
    """The metrics beside one: of its table (or file), the most important ones and those of its window first."""
    metrics = load_catalogue().metrics.values()
    neighbours = [
        other
        for other in metrics
        if other.key != metric.key
        and (other.table == metric.table if metric.table is not None else other.file == metric.file)
    ]
    return [
        other.key for other in sorted(neighbours, key=lambda other: (other.priority, other.window != metric.window))
    ][: _MOST_RELATED + 1]
