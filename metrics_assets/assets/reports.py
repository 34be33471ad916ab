"""The reports: the dashboard site, built from the warehouse and swapped in whole."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import sqlalchemy as sa

from metrics_assets import settings as configuration
from metrics_assets.alerting.rules import evaluate
from metrics_assets.assets.alerts import rules_of
from metrics_assets.assets.shared import PUBLISH, Shared, Warehouse, key_of
from metrics_assets.catalogue.alerts import Rule
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.partitions import days_of
from metrics_assets.warehouse.frames import read_metric_values

if TYPE_CHECKING:
    from metrics_assets.reporting.data import OverviewData

OVERVIEW = dg.AssetKey(["site", "overview"])
TIER_SET = "standard"
_WEEKS = 26


def report_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset site/overview."""

    @dg.asset(
        key=OVERVIEW,
        deps=[key_of(f"metrics.{table}") for table in ("dora_daily", "repository_daily", "scores", "anomalies")],
        description="The dashboard site as of the partition's day: DORA tiers and trends, what needs attention, every "
        "repository. Static pages under METRICS_HOME/site; a build is complete before it is switched to.",
        **shared.arguments(PUBLISH, {"html"}),
    )
    def overview(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        from metrics_assets.reporting.pages.overview import overview_files
        from metrics_assets.reporting.frame import static_files
        from metrics_assets.reporting.site import publish

        data = overview_data(warehouse.engine, rules_of(shared.settings), days_of(context).last)
        files = {**overview_files(data), **static_files()}
        index = publish(files, configuration.metrics_home() / "site")
        return dg.MaterializeResult(
            metadata={
                "site": dg.MetadataValue.path(str(index)),
                "files": len(files),
                "bytes": sum(len(text.encode()) for text in files.values()),
                "repositories": len(data.repositories),
                "alerts": len(data.alerts),
            }
        )

    return [overview]


def overview_data(engine: sa.Engine, rules: Mapping[str, Rule], day: date) -> "OverviewData":
    """What the overview shows as of a day."""
    from metrics_assets.reporting import data as site

    catalogue, bands = load_catalogue(), load_tiers().bands
    shown = [key for key in site.OVERVIEW_METRICS if key in catalogue.metrics]
    values = read_metric_values(engine, shown, day - timedelta(weeks=_WEEKS), day + timedelta(days=1), ["repository"])
    with engine.connect() as connection:
        portfolio = connection.execute(sa.text("select portfolio, start from ops.portfolio")).one()
        repositories = connection.execute(sa.text(_REPOSITORIES), {"day": day}).all()
        tiers = _frame(connection, _TIERS, day=day, tier_set=TIER_SET, metrics=shown)
        anomalies = _frame(connection, _ANOMALIES, since=day - timedelta(days=27), day=day)
        problems = connection.execute(sa.text(_PROBLEMS)).scalars().all()
    return site.OverviewData(
        portfolio=portfolio.portfolio,
        data_through=day,
        start=portfolio.start,
        tier_source=next(band.source for band in bands if band.tier_set == TIER_SET),
        metrics={
            metric.key: site.MetricInfo(
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
        },
        bands={
            key: tuple(
                site.TierBand(band.tier, band.at_least, band.below)
                for band in bands
                if band.tier_set == TIER_SET and band.metric == key
            )
            for key in shown
        },
        repositories=tuple(
            site.RepositoryInfo(row.repository, row.team, row.state, row.deployment_source) for row in repositories
        ),
        values=values.rename(columns={"subject": "repository"})[list(site.VALUE_COLUMNS)],
        tiers=tiers,
        alerts=_alerts(engine, rules, day),
        anomalies=anomalies,
        problems=tuple(problems),
    )


_REPOSITORIES = """
select settings.repository, settings.team, repositories.state, daily.deployment_source
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
left join metrics.dora_daily as daily
  on daily.subject_kind = 'repository' and daily.subject = settings.repository and daily.date = :day
order by settings.repository
"""
_TIERS = """
select subject as repository, metric, metrics.dora_tier(:tier_set, metric, value) as tier
from metrics.metric_values
where date = :day and metric = any (:metrics) and subject_kind = 'repository' and state in ('ok', 'provisional')
  and metrics.dora_tier(:tier_set, metric, value) is not null
order by 1, 2
"""
_ANOMALIES = """
select metric, subject, date, value, expected, severity, kind, explanation
from metrics.anomalies
where state = 'anomaly' and date >= :since and date <= :day
order by date desc, abs(score) desc nulls last, subject, metric
"""
# The last word on each repository and entity.
_PROBLEMS = """
select repository || ': ' || entity || ' incomplete: ' || reason
from (
    select distinct on (repository, entity) * from ops.collection_log order by repository, entity, finished_at desc
) as latest
where outcome = 'incomplete'
order by repository, entity
"""


def _frame(connection: sa.Connection, sql: str, **parameters: Any) -> pd.DataFrame:
    rows = connection.execute(sa.text(sql), parameters)
    columns = list(rows.keys())
    return pd.DataFrame([tuple(row) for row in rows], columns=columns)


# The alerts that people had been told of when the day was evaluated, which is on the day after it.
_OPEN_ALERTS = """
select rule, metric, subject_kind, subject, severity, opened_on, value, n, reference, coalesce(text, '') as text,
       case when (acknowledged_at at time zone 'UTC')::date <= cast(:day as date) + 1 then 'acknowledged'
            else 'firing' end as state
from ops.alerts
where opened_on <= :day and (resolved_on is null or resolved_on > :day)
  and state <> 'pending'
  and coalesce((fired_at at time zone 'UTC')::date, opened_on) <= cast(:day as date) + 1
order by alert_id
"""


def _alerts(engine: sa.Engine, rules: Mapping[str, Rule], day: date) -> pd.DataFrame:
    """The alerts that are open as of the day, in the words of the day itself.

    The site of a day may be built before its rules are evaluated: what they say counts as well.
    """
    from metrics_assets.reporting.data import ALERT_COLUMNS

    with engine.connect() as connection:
        alerts = connection.execute(sa.text(_OPEN_ALERTS), {"day": day}).all()
    known = [(alert.rule, alert.subject_kind, alert.subject, alert.metric) for alert in alerts]
    conditions = {condition.key: condition for condition in evaluate(engine, rules, day, known).conditions}
    rows = []
    for key, alert in zip(known, alerts, strict=True):
        said = conditions.pop(key, None)
        rule = rules.get(alert.rule)
        ends = rule and said and said.verdict == "fine" and (said.days or 1) >= rule.clear_days
        if rule is not None and not ends:
            rows.append(_alert_row(rule, alert, said or alert, alert.state, alert.opened_on))
    for one in conditions.values():
        rule = rules[one.rule]
        if one.verdict == "breached" and (one.days or 1) >= rule.for_days and rule.kind != "milestone":
            rows.append(_alert_row(rule, one, one, "firing", one.since or day))
    return pd.DataFrame(rows, columns=list(ALERT_COLUMNS))


def _alert_row(rule: Rule, alert: Any, said: Any, state: str, opened_on: date) -> tuple[Any, ...]:
    """A row of the site's table: `said` is how it stands, a condition or the alert itself."""
    return (
        rule.key, rule.title, alert.subject, alert.severity, state, opened_on, said.value, said.n, said.reference,
        f"{said.text} {rule.action}",
    )  # fmt: skip
