"""The forecasts: what is ahead of every daily figure, when goals are reached, and what less or more growth would make.

One run makes one origin, the last day of its range, and four tables in one transaction: metrics.forecasts,
metrics.forecast_paths (of the newest origin alone), metrics.forecast_scenarios and metrics.goal_forecasts.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import sqlalchemy as sa

from metrics_assets.alerting.subjects import Subjects
from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.goal_forecasts import GOAL_COLUMNS, goal_rows
from metrics_assets.assets.goals import read_portfolio
from metrics_assets.assets.shared import FORECAST, PREDICTED
from metrics_assets.catalogue.goals import Goal, load_goals
from metrics_assets.catalogue.metrics import Catalogue, Metric, load_catalogue
from metrics_assets.partitions import Days, made_for
from metrics_assets.warehouse.frames import copy_rows, replacing_days
from metrics_assets.warehouse.series import Series, read_series

if TYPE_CHECKING:
    from metrics_assets.analysis.forecasting import Outlook

# Where 30 % more or less of a change says something: numbers of things, not shares, hours or scores.
_COUNTED = ("count", "per day", "per week", "per month", "per second", "dollars")
_KEY = ["metric", "subject_kind", "subject"]
_FIGURES = [
    *_KEY, "date", "horizon", "target_on", "p10", "p50", "p90", "method", "beats_naive", "n", "mase", "crps",
    "coverage", "naive_mase", "naive_crps", "reason",
]  # fmt: skip
_PATHS = [*_KEY, "date", "p10", "p50", "p90"]
_SCENARIOS = [*_KEY, "date", "horizon", "scenario", "p10", "p50", "p90"]


def derivation() -> Derivation:
    """metrics.forecasts, and the three tables that are written with it."""
    catalogue = load_catalogue()
    return Derivation(
        name="forecasts",
        description="What is ahead of every daily figure, 7, 30 and 90 days after the last day of the range, with an "
        "80 % interval, how good such forecasts of it were lately, and whether they beat the last value of the same "
        "weekday; 180 days ahead as the continuation of the path. With it the paths day by day (of the newest origin), "
        "scenarios of 0.7 and 1.3 times the change, and the days on which goals are reached.",
        reads=(*(f"metrics.{table}" for table in catalogue.tables(catalogue.with_forecasts())), "ops.portfolio"),
        kinds=frozenset({"postgres", "scikitlearn"}),
        run=make_forecasts,
        group=FORECAST,
        preview="select metric, subject, horizon, p10, p50, p90, method, beats_naive from metrics.forecasts "
        "where date = :day and subject_kind <> 'team' and method <> 'too_few' "
        "order by naive_crps - crps desc nulls last, metric, subject, horizon limit 10",
    )


def make_forecasts(
    engine: sa.Engine, start: date, end: date, goals: Iterable[Goal] | None = None, catalogue: Catalogue | None = None
) -> Metadata:
    """Rebuild the forecasts of the last day of [start, end). `goals`: others than the catalogue's."""
    from metrics_assets.analysis.forecasting import Settings, figure_rows, grid_of, look_ahead, scenario_rows

    began, worked = time.perf_counter(), time.process_time()
    catalogue = catalogue or load_catalogue()
    metrics = {key: catalogue.metrics[key] for key in catalogue.with_forecasts()}
    settings = Settings(holidays=_holidays(engine))
    read = read_series(engine, list(metrics), PREDICTED, end - timedelta(days=settings.history_days), end)
    series = _named(engine, _alive(read))
    origin = end - timedelta(days=1)
    outlook = None
    figures, paths, scenarios = (pd.DataFrame(columns=columns) for columns in (_FIGURES, _PATHS, _SCENARIOS))
    if len(series.keys):
        units = np.array([metrics[metric].unit for metric in series.keys["metric"]])
        grid = grid_of(series.keys, origin, series.values, units)
        outlook = look_ahead(grid, settings=settings.for_series(len(units)))
        ways = {key: way for key, metric in metrics.items() if (way := _better_way(metric)) is not None}
        figures, paths, scenarios = figure_rows(outlook), _paths(outlook), scenario_rows(outlook, ways)
    portfolio = read_portfolio(engine)
    reached = pd.DataFrame(columns=GOAL_COLUMNS)
    if portfolio is not None:
        every = load_goals().values() if goals is None else goals
        active = [goal for goal in every if portfolio.counts(goal.pack)]
        reached = goal_rows(active, portfolio, metrics, origin, outlook)
    written = _write(engine, origin, figures, paths, scenarios, reached)
    judged = figures["beats_naive"].dropna()
    return {
        "rows": len(figures),
        "made_for": made_for([origin], Days(start, end)),
        "series": len(series.keys),
        **written,
        **{f"served_{method}": int(count) for method, count in sorted(figures["method"].value_counts().items())},
        "beats_naive_share": round(float(judged.astype(bool).mean()), 3) if len(judged) else "unknown",
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
    }


def _holidays(engine: sa.Engine) -> frozenset[date]:
    """The public holidays of metrics.yaml's business hours."""
    with engine.connect() as connection:
        hours: Any = connection.exec_driver_sql("select business_hours from ops.portfolio").scalar()
    return frozenset(date.fromisoformat(day) for day in (hours or {}).get("holidays", []))


def _alive(series: Series) -> Series:
    """The series with a value in the weeks that a forecast looks at; of the others there is nothing to say."""
    from metrics_assets.analysis.forecasting.settings import WINDOW

    alive = ~np.isnan(series.values[:, -WINDOW:]).all(axis=1)
    return Series(series.keys.iloc[np.flatnonzero(alive)].reset_index(drop=True), series.values[alive])


def _named(engine: sa.Engine, series: Series) -> Series:
    """The series of subjects that metrics.yaml still names; what was before of others is no forecast of anything."""
    with engine.connect() as connection:
        subjects = Subjects(connection)
    named = [
        number
        for number, (kind, subject) in enumerate(series.keys[["subject_kind", "subject"]].to_numpy().tolist())
        if subjects.has(kind, subject)
    ]
    return Series(series.keys.iloc[named].reset_index(drop=True), series.values[named])


def _better_way(metric: Metric) -> Literal["higher", "lower"] | None:
    """Which way a change of the metric is the better one; None where a change of so many per cent says nothing."""
    if metric.unit not in _COUNTED:
        return None
    return "lower" if metric.direction == "lower" else "higher"


def _paths(outlook: Outlook) -> pd.DataFrame:
    """A row for each series with numbers; the arrays as PostgreSQL writes them."""
    from metrics_assets.analysis.forecasting.figures import significant

    served = np.flatnonzero(~np.isnan(outlook.paths[:, 0, 0]))
    rows = outlook.grid.keys.iloc[served].assign(date=outlook.grid.last)
    paths = significant(outlook.paths[served])
    for number, name in enumerate(("p10", "p50", "p90")):
        rows[name] = [f"{{{','.join(map(repr, path))}}}" for path in paths[..., number].tolist()]
    return rows[_PATHS]


def _write(
    engine: sa.Engine,
    origin: date,
    figures: pd.DataFrame,
    paths: pd.DataFrame,
    scenarios: pd.DataFrame,
    goals: pd.DataFrame,
) -> dict[str, int]:
    """Replace what was forecast on the day, in one transaction; the numbers of rows."""
    day_after = origin + timedelta(days=1)
    with replacing_days(engine, "metrics.forecasts", origin, day_after) as connection:
        _copy(connection, "metrics.forecasts", figures[_FIGURES])
        for table, rows in (("metrics.forecast_scenarios", scenarios), ("metrics.goal_forecasts", goals)):
            connection.execute(sa.text(f"delete from {table} where date = :origin"), {"origin": origin})
            _copy(connection, table, rows)
        newest = connection.exec_driver_sql("select max(date) from metrics.forecast_paths").scalar()
        is_newest = newest is None or newest <= origin
        if is_newest:
            connection.exec_driver_sql("delete from metrics.forecast_paths")
            _copy(connection, "metrics.forecast_paths", paths)
    return {
        "path_rows": len(paths) if is_newest else 0,
        "scenario_rows": len(scenarios),
        "goal_rows": len(goals),
    }


def _copy(connection: sa.Connection, table: str, rows: pd.DataFrame) -> None:
    buffer = io.StringIO()
    # With other line ends a lone \r in a text is left unquoted, and COPY refuses it.
    rows.to_csv(buffer, index=False, header=False, lineterminator="\r\n")
    buffer.seek(0)
    copy_rows(connection, table, list(rows.columns), buffer)
