"""Figures week by week, with all that the charts say of them: one query of the values for a batch of subjects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby
from math import isfinite
from typing import Any, cast

from metrics_assets.assets.site.reading import Reading
from metrics_assets.catalogue.tiers import TIER_SET
from metrics_assets.errors import CatalogueError
from metrics_assets.reporting.data import (
    Anomaly,
    Backtest,
    Forecast,
    ForecastPoint,
    Point,
    Series,
    Target,
    Tier,
)

WEEKS = 53
DAYS_FOR_A_TIER = 7  # fewer days of data say nothing of how a subject delivers
_FORECAST_STANDS_DAYS = 8  # an older one is none of today
_WEEK = timedelta(days=7)
Key = tuple[str, str]  # subject, metric


def read_series(
    reading: Reading,
    metrics: Sequence[str],
    kind: str,
    subjects: Sequence[str] | None = None,
    *,
    weeks: int = WEEKS,
) -> dict[Key, Series]:
    """The figures of some subjects of a kind, as of the reading's day.

    Args:
        metrics: keys of the catalogue.
        subjects: None stands for all of the kind that have a row in these weeks. Read some hundred at a time: a
            series is about 10 KB.
        weeks: how many points a series has; the last is the reading's day, the others are whole weeks before it.

    Returns:
        By (subject, metric), in the order of `subjects` (else of their names) and `metrics`: one series for every
        pair. A week without a row is a point of state unknown. A value of state too_few or unknown is None.

    Raises:
        CatalogueError: there is no such metric.
    """
    for metric in metrics:
        if metric not in reading.metrics:
            raise CatalogueError(f"The site asks for the metric '{metric}', which the catalogue does not have.")
    if not metrics or (subjects is not None and not subjects):
        return {}
    days = [reading.day - number * _WEEK for number in reversed(range(weeks))]
    points, tiers = _points(reading, metrics, kind, subjects, days)
    names = sorted({subject for subject, _ in points}) if subjects is None else list(dict.fromkeys(subjects))
    tiers = _of_enough_days(reading, kind, tiers)
    about = {"day": reading.day, "metrics": list(metrics), "kind": kind, "subjects": names}
    anomalies = _anomalies(reading, about, days[0] - _WEEK)
    forecasts, targets = _forecasts(reading, about), _targets(reading, about)
    nothing: dict[date, Point] = {}
    return {
        key: Series(
            metric=reading.metrics[metric],
            subject_kind=kind,
            subject=subject,
            points=tuple(points.get(key, nothing).get(day) or Point(day, None, None, "unknown") for day in days),
            anomalies=anomalies.get(key, ()),
            forecast=forecasts.get(key),
            target=targets.get(key),
            tier=tiers.get(key),
            bands=reading.bands.get(metric, ()),
        )
        for subject in names
        for metric in dict.fromkeys(metrics)
        if (key := (subject, metric))
    }


def read_points(reading: Reading, metrics: Sequence[str], kind: str) -> dict[str, dict[str, Point]]:
    """The figures of the reading's day of all subjects of a kind, by subject and metric: those that have a row."""
    found: dict[str, dict[str, Point]] = {}
    if metrics:
        points, _ = _points(reading, metrics, kind, None, [reading.day])
        for (subject, metric), by_day in points.items():
            found.setdefault(subject, {})[metric] = by_day[reading.day]
    return found


def _points(
    reading: Reading, metrics: Sequence[str], kind: str, subjects: Sequence[str] | None, days: Sequence[date]
) -> tuple[dict[Key, dict[date, Point]], dict[Key, Tier]]:
    """Each week's figure, and the tiers of the last."""
    # psycopg2 writes the list of metrics into the statement's text: the planner then drops every branch of the view
    # that is about something else. A list of days lets it take these weeks' rows alone out of the index.
    of_subjects = "and subject = any(%(subjects)s) " if subjects is not None else ""
    rows = _rows(
        reading,
        "select metric, subject, date, value, n, state, low, high, case when date = %(day)s "
        "and metric = any(%(tiered)s) then metrics.dora_tier(%(tier_set)s, metric, value) end as tier "
        "from metrics.metric_values "
        f"where metric = any(%(metrics)s) and subject_kind = %(kind)s {of_subjects}and date = any(%(days)s::date[])",
        {
            "metrics": sorted(set(metrics)), "tiered": sorted(key for key in metrics if reading.bands.get(key)),
            "kind": kind, "subjects": list(subjects or ()), "days": list(days), "day": reading.day,
            "tier_set": TIER_SET,
        },
    )  # fmt: skip
    points: dict[Key, dict[date, Point]] = defaultdict(dict)
    tiers: dict[Key, Tier] = {}
    for metric, subject, on, value, n, state, low, high, tier in rows:
        if state in ("ok", "provisional") and value is not None and isfinite(value):
            points[subject, metric][on] = Point(on, value, n, state, low, high)
            if tier is not None:
                tiers[subject, metric] = tier
        else:
            points[subject, metric][on] = Point(on, None, n, "too_few" if state == "too_few" else "unknown")
    return points, tiers


def _of_enough_days(reading: Reading, kind: str, tiers: dict[Key, Tier]) -> dict[Key, Tier]:
    """The tiers of subjects that were observed for a week: of fewer days there is none, as in metrics.dora_tiers."""
    if not tiers:
        return {}
    rows = _rows(
        reading,
        "select subject from metrics.dora_daily where date = %(day)s and subject_kind = %(kind)s "
        "and subject = any(%(subjects)s) and days_observed < %(days)s",
        {
            "day": reading.day, "kind": kind, "subjects": sorted({subject for subject, _ in tiers}),
            "days": DAYS_FOR_A_TIER,
        },
    )  # fmt: skip
    few = {subject for (subject,) in rows}
    return {(subject, metric): tier for (subject, metric), tier in tiers.items() if subject not in few}


def _anomalies(reading: Reading, about: dict[str, Any], after: date) -> dict[Key, tuple[Anomaly, ...]]:
    found: dict[Key, list[Anomaly]] = defaultdict(list)
    sql = (
        "select subject, metric, date, value, expected, severity, kind, explanation, known_event, lower, upper, score "
        "from metrics.anomalies "
        "where state = 'anomaly' and subject_kind = %(kind)s and metric = any(%(metrics)s) "
        "and subject = any(%(subjects)s) and date > %(after)s and date <= %(day)s order by subject, metric, date"
    )
    for subject, metric, on, value, expected, severity, kind, explanation, *rest in _rows(
        reading, sql, {**about, "after": after}
    ):
        found[subject, metric].append(
            Anomaly(on, value, expected, severity or "info", kind or "", explanation or "", *rest)
        )
    return {key: tuple(anomalies) for key, anomalies in found.items()}


def _forecasts(reading: Reading, about: dict[str, Any]) -> dict[Key, Forecast]:
    """The newest forecast of each figure that was made by the day, not long before it."""
    parameters = {**about, "since": reading.day - timedelta(days=_FORECAST_STANDS_DAYS)}
    rows = _rows(
        reading,
        "select subject, metric, date, horizon, target_on, p10, p50, p90, method, n, crps, naive_crps, coverage, "
        "beats_naive, reason "
        "from (select *, max(date) over (partition by metric, subject) as newest from metrics.forecasts "
        "where subject_kind = %(kind)s and metric = any(%(metrics)s) and subject = any(%(subjects)s) "
        "and date <= %(day)s and date >= %(since)s) as forecasts "
        "where date = newest order by subject, metric, horizon",
        parameters,
    )
    paths = {
        (subject, metric, made_on): tuple(
            ForecastPoint(made_on + timedelta(days=ahead), p10[ahead - 1], p50[ahead - 1], p90[ahead - 1])
            for ahead in range(7, len(p50) + 1, 7)
        )
        for subject, metric, made_on, p10, p50, p90 in _rows(
            reading,
            "select subject, metric, date, p10, p50, p90 from metrics.forecast_paths where subject_kind = %(kind)s "
            "and metric = any(%(metrics)s) and subject = any(%(subjects)s) and date <= %(day)s and date >= %(since)s",
            parameters,
        )
    }
    forecasts = {}
    for (subject, metric, made_on), of_key in groupby(rows, key=lambda row: row[:3]):
        backtests = tuple(Backtest(*row[3:]) for row in of_key)
        # Only the newest day's way is kept; of an older day there are the days that were forecast.
        points = paths.get((subject, metric, made_on)) or _known_horizons(backtests)
        forecasts[subject, metric] = Forecast(
            made_on, tuple(point for point in points if point.on > reading.day), backtests
        )
    return forecasts


def _known_horizons(backtests: Iterable[Backtest]) -> tuple[ForecastPoint, ...]:
    return tuple(
        ForecastPoint(test.target_on, test.p10, test.p50, test.p90)
        for test in backtests
        if test.method != "extended" and test.p10 is not None and test.p50 is not None and test.p90 is not None
    )


def _targets(reading: Reading, about: dict[str, Any]) -> dict[Key, Target]:
    """The goal of each figure: of several the next one, else the last."""
    rows = _rows(
        reading,
        "select daily.subject, daily.metric, coalesce(goals.title, daily.goal), daily.target, daily.comparison, "
        "daily.status, daily.due_on "
        "from metrics.goals_daily as daily join metrics.goal_catalogue as goals using (goal) "
        "where daily.date = %(day)s and daily.subject_kind = %(kind)s and daily.metric = any(%(metrics)s) "
        "and daily.subject = any(%(subjects)s) "
        "and (goals.pack is null or goals.pack in (select unnest(packs) from ops.portfolio)) "
        "order by daily.subject, daily.metric, "
        # What is pursued, by its day; what was missed, the latest first; what was met; what nobody can judge.
        "case when daily.status = 'unknown' then 4 when daily.status = 'met' then 3 "
        "when daily.due_on < daily.date then 2 else 1 end, "
        "case when daily.due_on >= daily.date then daily.due_on end nulls last, daily.due_on desc nulls last, "
        "daily.goal",
        about,
    )
    targets: dict[Key, Target] = {}
    for subject, metric, *goal in rows:
        targets.setdefault((subject, metric), Target(*goal))
    return targets


def _rows(reading: Reading, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement; psycopg2 itself, because half a million rows are read."""
    with reading.engine.begin() as connection:  # SQLAlchemy is to know of it: the reading may be of one state
        cursor: Any = connection.connection.cursor()
        try:
            cursor.execute(sql, parameters)
            return cast("list[tuple[Any, ...]]", cursor.fetchall())
        finally:
            cursor.close()
