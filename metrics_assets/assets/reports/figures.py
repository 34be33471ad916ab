"""The figures that reports are made of, read from the warehouse as of a day: by one reader for all kinds of reports.

What a report says is made from these alone (reporting/reports), so that a report that was sent can be told again from
the figures that it was made from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import sqlalchemy as sa

from metrics_assets.assets.goals import GRAIN_DAYS
from metrics_assets.assets.reports import rows
from metrics_assets.assets.reports.values import Value, Values, read_values, too_young
from metrics_assets.assets.site.reading import Reading, north_stars, reading_of
from metrics_assets.assets.site.series import read_series
from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.data import FOUR_KEYS, MetricInfo, Series, State, Target, TierBand
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.from_catalogue import tier_of, tier_source
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.records import (
    Figures,
    How,
    Key,
    Line,
    Measure,
    PeriodValue,
    RepositoryKeys,
    TierDay,
)
from metrics_assets.reporting.reports.windows import Window, Windows, month_ends, windows
from metrics_assets.settings import Settings

_MONTHS = 12
_MOST_EACH = 5  # packages, communities or segments with a line of their own
_MOST_REPOSITORIES = 10
_GOOD = ("elite", "high")


def read_figures(
    kind: ReportKind, engine: sa.Engine, settings: Settings, period_start: date, period_end: date, as_of: date
) -> Figures:
    """What a report of a kind says of a period.

    Args:
        period_start, period_end: its first and its last day.
        as_of: nothing later is read; before `period_end` the report is a draft.

    Raises:
        ValueError: the period has not begun by `as_of`.
        ConfigurationError: nothing was collected yet.
    """
    compared = windows(kind, period_start, period_end, as_of)
    catalogue, reading = load_catalogue(), reading_of(engine, settings, compared.now.last)
    metrics, rules = reading.metrics, reading.rules
    bands = {key: reading.bands[key] for key in FOUR_KEYS}
    owners = {metric.key: metric.owner for metric in catalogue.metrics.values()}
    alerts = rows.alerts(engine, rules, compared, metrics, owners)
    with engine.connect() as connection:
        portfolio = connection.execute(sa.text("select portfolio, start from ops.portfolio")).one_or_none()
        if portfolio is None:
            raise ConfigurationError("The warehouse is empty; run `metrics up` so that something is collected first.")
        stars = [metric for metric, _ in north_stars(reading)]
        wanted = {line.metric: line for line in contents.lines(kind)}
        lines = [*contents.lines(kind), *(Line(key, always=True) for key in stars if key not in wanted)]
        measures = _measures(connection, catalogue, metrics, lines, compared)
        outlook = {key: metrics[key] for key in (*contents.OUTLOOK, *stars) if key in metrics}
        repositories = _repositories(connection, bands, compared)
        goals = tuple(rows.goals(connection, compared, metrics))
        targets = {
            goal.metric.key: goal.target
            # The goal that is due next is set last, and stands.
            for goal in sorted(goals, key=lambda goal: goal.target.due_on or date.max, reverse=True)
            if goal.subject_kind == "portfolio" and (goal.target.due_on is None or goal.target.due_on >= period_start)
        }
        of_repositories = [one for one in repositories if any(key.tier is not None for key in one.keys)]
        below = [one for one in of_repositories if any(key.tier not in (*_GOOD, None) for key in one.keys)]
        return Figures(
            report=kind,
            portfolio=portfolio.portfolio,
            start=portfolio.start,
            period_start=period_start,
            period_end=period_end,
            as_of=as_of,
            through=compared.now.last,
            prepared_by=settings.reports.prepared_by,
            dashboard=settings.alerts.site_url,
            tier_source=tier_source(load_tiers()),
            measures=measures,
            goals=goals,
            gates=tuple(rows.gates(connection, compared)),
            releases=tuple(rows.releases(connection, compared)),
            alerts=tuple(alerts),
            rules=tuple(
                rows.rule_reviews(
                    connection, rules, compared, as_of, {key: metric.unit for key, metric in metrics.items()}
                )
            ),
            anomalies=tuple(rows.anomalies(connection, compared, metrics)),
            insights=tuple(rows.insights(connection, compared)),
            outlooks=tuple(rows.outlooks(connection, compared, outlook, portfolio.portfolio)),
            events=tuple(rows.events(connection, compared)),
            milestones=tuple(rows.milestones(connection, compared)),
            tiers=_tier_history(connection, bands, portfolio.portfolio, compared.now.last),
            repositories=tuple(below[:_MOST_REPOSITORIES]),
            repositories_rated=len(of_repositories),
            repositories_below=len(below),
            issues=tuple(rows.issues(connection, compared)) if kind == "weekly_digest" else (),
            unanswered=tuple(rows.unanswered(connection, compared)) if kind == "weekly_digest" else (),
            north_stars=tuple(stars),
            series=_pictures(reading, kind, portfolio.portfolio, targets),
        )


def _pictures(reading: Reading, kind: ReportKind, portfolio: str, targets: Mapping[str, Target]) -> tuple[Series, ...]:
    """The figures that the report has a chart of, each with the goal that the report names."""
    keys = [key for key in contents.PICTURES[kind] if key in reading.metrics]
    found = read_series(reading, keys, "portfolio", [portfolio])
    return tuple(replace(series, target=targets.get(key)) for (_, key), series in found.items())


def _measures(
    connection: sa.Connection,
    catalogue: Catalogue,
    metrics: Mapping[str, MetricInfo],
    lines: Sequence[Line],
    compared: Windows,
) -> tuple[Measure, ...]:
    four = (compared.now, compared.before, compared.quarter, compared.year)
    summed = [line for line in lines if line.how == "sum"]
    standing = [line for line in lines if line.how == "last"]
    days: dict[How, list[date]] = {
        "sum": [day for window in four for day in window.days],
        "last": [window.last - timedelta(days=back) for window in four for back in range(max(GRAIN_DAYS.values()))],
    }
    found: dict[How, Values] = {}
    of_lines: dict[How, list[Line]] = {"sum": summed, "last": standing}
    for how, of_how in of_lines.items():
        found[how] = read_values(
            connection, [line.metric for line in of_how], [line.kind for line in of_how], days[how]
        )
    measures = []
    for line in lines:
        if line.metric not in metrics:
            continue
        subjects = {key[2]: values for key, values in found[line.how].items() if key[:2] == (line.metric, line.kind)}
        grain = GRAIN_DAYS[catalogue.metrics[line.metric].grain]
        parts: list[dict[str, dict[date, Value]]] = [subjects]
        if line.each:
            parts = [{subject: values} for subject, values in _largest(subjects, compared.now.last)]
        for part in parts:
            of_windows = [_period_value(part.values(), line.how, window, grain) for window in four]
            measures.append(
                Measure(
                    metric=metrics[line.metric],
                    subject_kind=line.kind,
                    subject=next(iter(part), "") if len(part) < 2 else f"{len(part)} {_plural(line.kind)}",
                    how=line.how,
                    now=of_windows[0],
                    before=of_windows[1],
                    quarter=of_windows[2],
                    year=of_windows[3],
                    is_there=bool(part),
                    fed=catalogue.metrics[line.metric].fed is not None,
                )
            )
    return tuple(measures)


def _plural(kind: str) -> str:
    return {"repository": "repositories", "community": "communities"}.get(kind, f"{kind}s")


def _largest(subjects: Mapping[str, dict[date, Value]], on: date) -> list[tuple[str, dict[date, Value]]]:
    def size(item: tuple[str, dict[date, Value]]) -> tuple[float, str]:
        row = item[1].get(on)
        return (-row.value if row and row.value is not None else float("inf"), item[0])

    return sorted(subjects.items(), key=size)[:_MOST_EACH]


def _period_value(subjects: Collection[Mapping[date, Value]], how: How, window: Window, grain: int) -> PeriodValue:
    """A figure on the window's last day, or its sum over the window; of several subjects together."""
    if how == "sum":
        days = window.days
        of_days = [[values[day] for values in subjects if day in values] for day in days]
        whole = [row for row in of_days if row and all(value.value is not None for value in row)]
        known = [value for row in whole for value in row]
        total = sum(value.value for value in known if value.value is not None) if known else None
        return PeriodValue(total, None, _worst(known), len(whole), len(days))
    found = []
    for values in subjects:
        newest = (values.get(window.last - timedelta(days=back)) for back in range(grain))
        if (row := next((row for row in newest if row is not None), None)) is not None:
            found.append(row)
    if not found or any(row.value is None for row in found):
        worst: State = "too_few" if any(row.state == "too_few" for row in found) else "unknown"
        return PeriodValue(None, found[0].n if len(found) == 1 else None, worst)
    value = sum(row.value for row in found if row.value is not None)
    return PeriodValue(value, found[0].n if len(found) == 1 else None, _worst(found))


def _worst(known: Sequence[Value]) -> State:
    if not known:
        return "unknown"
    return "provisional" if any(row.state == "provisional" for row in known) else "ok"


def _tier_history(
    connection: sa.Connection, bands: Mapping[str, Sequence[TierBand]], portfolio: str, through: date
) -> tuple[TierDay, ...]:
    days = month_ends(through, _MONTHS)
    values = read_values(connection, bands, ["portfolio"], days)
    young = too_young(connection, ["portfolio"], days)
    found = []
    for day in days:
        for metric, of_metric in bands.items():
            row = values.get((metric, "portfolio", portfolio), {}).get(day)
            if row is not None:
                tier = None if ("portfolio", portfolio, day) in young else tier_of(row.value, of_metric)
                found.append(TierDay(day, metric, row.value, tier))
    return tuple(found)


def _repositories(
    connection: sa.Connection, bands: Mapping[str, Sequence[TierBand]], compared: Windows
) -> list[RepositoryKeys]:
    """The four keys of every repository; those that are rated worst first."""
    values = read_values(connection, bands, ["repository"], _ends(compared))
    young = too_young(connection, ["repository"], _ends(compared))
    names = {subject for _, _, subject in values}
    found = []
    for name in names:
        keys = []
        for metric, of_metric in bands.items():
            rows = values.get((metric, "repository", name), {})
            now, before = (row.value if (row := rows.get(day)) else None for day in _ends(compared))
            tiers = (
                None if ("repository", name, day) in young else tier_of(value, of_metric)
                for day, value in zip(_ends(compared), (now, before), strict=True)
            )
            keys.append(Key(metric, now, before, *tiers))
        found.append(RepositoryKeys(name, tuple(keys)))
    ranks = {"low": 3, "medium": 2, "high": 0, "elite": 0, None: 0}
    return sorted(found, key=lambda one: (-sum(ranks[key.tier] for key in one.keys), one.repository))


def _ends(compared: Windows) -> tuple[date, date]:
    return compared.now.last, compared.before.last
