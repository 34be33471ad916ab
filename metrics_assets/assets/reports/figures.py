"""The figures that reports are made of, read from the warehouse as of a day: one reader for each kind of report.

What a report says is made from these alone (reporting/reports), so that a report that was sent can be told again from
the figures that it was made from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

import sqlalchemy as sa

from metrics_assets.assets.alerts import rules_of
from metrics_assets.assets.reports import rows
from metrics_assets.assets.reports.values import Value, Values, read_values, report_series, tier_of
from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.data import (
    FOUR_KEYS,
    MetricInfo,
    State,
    TierBand,
)
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.records import (
    Figures,
    How,
    Key,
    Line,
    Measure,
    Reading,
    RepositoryKeys,
    TierDay,
)
from metrics_assets.reporting.reports.windows import Window, Windows, month_ends, windows
from metrics_assets.settings import Settings

TIER_SET = "standard"
_MONTHS = 12
_MOST_EACH = 5  # packages, communities or segments with a line of their own
_MOST_REPOSITORIES = 10
_GRAIN_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92}
_GOOD = ("elite", "high")


def read_monthly_report(
    engine: sa.Engine, settings: Settings, period_start: date, period_end: date, as_of: date
) -> Figures:
    """What the monthly report says of a month.

    Args:
        period_start, period_end: its first and its last day.
        as_of: nothing later is read; before `period_end` the report is a draft.

    Raises:
        ValueError: the period has not begun by `as_of`.
        ConfigurationError: nothing was collected yet.
    """
    return _read("monthly_report", engine, settings, period_start, period_end, as_of)


def read_weekly_digest(
    engine: sa.Engine, settings: Settings, period_start: date, period_end: date, as_of: date
) -> Figures:
    """What the weekly digest says of a week; arguments and errors as `read_monthly_report`."""
    return _read("weekly_digest", engine, settings, period_start, period_end, as_of)


def read_quarterly_review(
    engine: sa.Engine, settings: Settings, period_start: date, period_end: date, as_of: date
) -> Figures:
    """What the quarterly review says of a quarter; arguments and errors as `read_monthly_report`."""
    return _read("quarterly_review", engine, settings, period_start, period_end, as_of)


def read_executive_summary(
    engine: sa.Engine, settings: Settings, period_start: date, period_end: date, as_of: date
) -> Figures:
    """What the executive summary says of a month; arguments and errors as `read_monthly_report`."""
    return _read("executive_summary", engine, settings, period_start, period_end, as_of)


READERS = {
    "monthly_report": read_monthly_report,
    "weekly_digest": read_weekly_digest,
    "quarterly_review": read_quarterly_review,
    "executive_summary": read_executive_summary,
}


def _read(
    kind: ReportKind, engine: sa.Engine, settings: Settings, period_start: date, period_end: date, as_of: date
) -> Figures:
    compared = windows(kind, period_start, period_end, as_of)
    catalogue, metrics = load_catalogue(), metric_infos(load_catalogue())
    tier_bands = load_tiers().bands
    bands = {
        key: tuple(
            TierBand(band.tier, band.at_least, band.below)
            for band in tier_bands
            if band.tier_set == TIER_SET and band.metric == key
        )
        for key in FOUR_KEYS
    }
    rules = rules_of(settings)
    owners = {metric.key: metric.owner for metric in catalogue.metrics.values()}
    alerts = rows.alerts(engine, rules, compared, metrics, owners)
    with engine.connect() as connection:
        portfolio = connection.execute(sa.text("select portfolio, start from ops.portfolio")).one_or_none()
        if portfolio is None:
            raise ConfigurationError("The warehouse is empty; run `metrics up` so that something is collected first.")
        stars = list(connection.execute(sa.text("select metric from metrics.north_stars order by position")).scalars())
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
            tier_source=next(band.source for band in tier_bands if band.tier_set == TIER_SET),
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
            series=tuple(
                report_series(connection, metrics[key], portfolio.portfolio, compared.now.last, targets.get(key), bands)
                for key in contents.PICTURES[kind]
                if key in metrics
            ),
        )


def metric_infos(catalogue: Catalogue) -> dict[str, MetricInfo]:
    """The catalogue's entries as pages and reports take them."""
    return {
        metric.key: MetricInfo(
            key=metric.key,
            title=metric.title,
            definition=metric.definition,
            formula=metric.formula,
            unit=metric.unit,
            direction=metric.direction,
            window=metric.window,
            unknown=metric.unknown,
            minimum_n=metric.minimum_n,
            source=metric.source,
        )
        for metric in catalogue.metrics.values()
    }


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
        "last": [window.last - timedelta(days=back) for window in four for back in range(max(_GRAIN_DAYS.values()))],
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
        grain = _GRAIN_DAYS[catalogue.metrics[line.metric].grain]
        parts: list[dict[str, dict[date, Value]]] = [subjects]
        if line.each:
            parts = [{subject: values} for subject, values in _largest(subjects, compared.now.last)]
        for part in parts:
            readings = [_reading(part.values(), line.how, window, grain) for window in four]
            measures.append(
                Measure(
                    metric=metrics[line.metric],
                    subject_kind=line.kind,
                    subject=next(iter(part), "") if len(part) < 2 else f"{len(part)} {_plural(line.kind)}",
                    how=line.how,
                    now=readings[0],
                    before=readings[1],
                    quarter=readings[2],
                    year=readings[3],
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


def _reading(subjects: Collection[Mapping[date, Value]], how: How, window: Window, grain: int) -> Reading:
    """A figure on the window's last day, or its sum over the window; of several subjects together."""
    if how == "sum":
        days = window.days
        of_days = [[values[day] for values in subjects if day in values] for day in days]
        whole = [row for row in of_days if row and all(value.value is not None for value in row)]
        known = [value for row in whole for value in row]
        total = sum(value.value for value in known if value.value is not None) if known else None
        return Reading(total, None, _worst(known), len(whole), len(days))
    found = []
    for values in subjects:
        newest = (values.get(window.last - timedelta(days=back)) for back in range(grain))
        if (row := next((row for row in newest if row is not None), None)) is not None:
            found.append(row)
    if not found or any(row.value is None for row in found):
        worst: State = "too_few" if any(row.state == "too_few" for row in found) else "unknown"
        return Reading(None, found[0].n if len(found) == 1 else None, worst)
    value = sum(row.value for row in found if row.value is not None)
    return Reading(value, found[0].n if len(found) == 1 else None, _worst(found))


def _worst(known: Sequence[Value]) -> State:
    if not known:
        return "unknown"
    return "provisional" if any(row.state == "provisional" for row in known) else "ok"


def _tier_history(
    connection: sa.Connection, bands: Mapping[str, Sequence[TierBand]], portfolio: str, through: date
) -> tuple[TierDay, ...]:
    days = month_ends(through, _MONTHS)
    values = read_values(connection, bands, ["portfolio"], days)
    found = []
    for day in days:
        for metric, of_metric in bands.items():
            row = values.get((metric, "portfolio", portfolio), {}).get(day)
            if row is not None:
                found.append(TierDay(day, metric, row.value, tier_of(of_metric, row.value)))
    return tuple(found)


def _repositories(
    connection: sa.Connection, bands: Mapping[str, Sequence[TierBand]], compared: Windows
) -> list[RepositoryKeys]:
    """The four keys of every repository; those that are rated worst first."""
    values = read_values(connection, bands, ["repository"], [compared.now.last, compared.before.last])
    names = {subject for _, _, subject in values}
    found = []
    for name in names:
        keys = []
        for metric, of_metric in bands.items():
            rows = values.get((metric, "repository", name), {})
            now, before = (row.value if (row := rows.get(day)) else None for day in _ends(compared))
            keys.append(Key(metric, now, before, tier_of(of_metric, now), tier_of(of_metric, before)))
        found.append(RepositoryKeys(name, tuple(keys)))
    ranks = {"low": 3, "medium": 2, "high": 0, "elite": 0, None: 0}
    return sorted(found, key=lambda one: (-sum(ranks[key.tier] for key in one.keys), one.repository))


def _ends(compared: Windows) -> tuple[date, date]:
    return compared.now.last, compared.before.last
