"""What the page of delivery shows, read from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.assets.site.summaries import read_alerts, read_gates, read_summaries
from metrics_assets.reporting.data import FOUR_KEYS, REWORK, SiteInfo
from metrics_assets.reporting.pages.delivery import delivery_files
from metrics_assets.reporting.pages.delivery_data import (
    LOOKED_BACK_DAYS,
    QUICK_CHECK,
    DeliveryData,
    Failure,
    TierSet,
)
from metrics_assets.reporting.pages.repository_data import STAGES

# Further environments count for themselves alone; the portfolio's chains are the others.
_HOURS = """
select extract(isodow from finished_at at time zone 'UTC')::integer as weekday,
       extract(hour from finished_at at time zone 'UTC')::integer as hour,
       count(*) as finished, count(*) filter (where outcome = 'failed') as failed
from metrics.deployments as deployments
join ops.subjects as subjects using (repository_id, chain)
where subjects.subject_kind = 'portfolio' and finished_at >= :since and finished_at < cast(:day as date) + 1
group by 1, 2
"""
# The reasons that were known by the day; whether it has recovered is what was known then, too.
_FAILURES = """
with failed as (
    select deployments.repository_id, deployments.chain, deployments.deployment_key, deployments.repository,
           deployments.version, array_agg(distinct failures.signal order by failures.signal) as signals,
           min(failures.failed_at) as failed_at
    from metrics.deployment_failures as failures
    join metrics.deployments as deployments using (repository_id, chain, deployment_key)
    join ops.subjects as subjects using (repository_id, chain)
    where subjects.subject_kind = 'portfolio' and failures.detected_at < cast(:day as date) + 1
      and deployments.finished_at >= :since and deployments.finished_at < cast(:day as date) + 1
    group by deployments.repository_id, deployments.chain, deployments.deployment_key, deployments.repository,
             deployments.version
)
select failed.repository, failed.version, failed.signals, failed.failed_at, recoveries.restored_at,
       recoveries.recovery_hours
from failed
left join ops.recoveries as recoveries
  on recoveries.repository_id = failed.repository_id and recoveries.chain = failed.chain
 and recoveries.deployment_key = failed.deployment_key
 and recoveries.since <= :day and recoveries.until > :day
order by failed.failed_at desc, failed.repository, failed.deployment_key
"""
_TIERS = """
select tier_set, year, source, deployment_frequency_tier, lead_time_tier, change_failure_rate_tier, recovery_tier,
       nearest_cluster, keys_known
from metrics.dora_tiers
where subject_kind = 'portfolio' and subject = :portfolio and date = :day
order by year nulls first, tier_set
"""
_INDUSTRY = "select metric, mean from metrics.quick_check_industry"


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The page of delivery and its CSV files."""
    yield from delivery_files(site, read_delivery(reading, site))


def read_delivery(reading: Reading, site: SiteInfo) -> DeliveryData:
    wanted = [key for key in (*FOUR_KEYS, REWORK, *STAGES, *QUICK_CHECK) if key in reading.metrics]
    series = read_series(reading, wanted, "portfolio", [site.portfolio])
    since = reading.day - timedelta(days=LOOKED_BACK_DAYS - 1)
    with reading.engine.connect() as connection:
        span = {"day": reading.day, "since": since}
        hours = connection.execute(sa.text(_HOURS), span).all()
        failures = connection.execute(sa.text(_FAILURES), span).all()
        tiers = connection.execute(sa.text(_TIERS), {"day": reading.day, "portfolio": site.portfolio}).all()
        industry = connection.execute(sa.text(_INDUSTRY)).all()
    signals: dict[str, int] = {}
    for row in failures:
        for signal in row.signals:
            signals[signal] = signals.get(signal, 0) + 1
    return DeliveryData(
        series={metric: series[site.portfolio, metric] for metric in wanted},
        metrics=reading.metrics,
        summaries=read_summaries(reading, read_alerts(reading), read_gates(reading)),
        hours={(row.weekday, row.hour): (row.finished, row.failed) for row in hours} or None,
        signals=tuple(sorted(signals.items(), key=lambda pair: (-pair[1], pair[0]))),
        failures=tuple(
            Failure(
                repository=row.repository,
                version=row.version,
                signals=tuple(row.signals),
                failed_at=row.failed_at.astimezone(UTC),
                restored_at=row.restored_at.astimezone(UTC) if row.restored_at is not None else None,
                recovery_hours=row.recovery_hours if row.restored_at is not None else None,
            )
            for row in failures
        ),
        tier_sets=tuple(
            TierSet(
                tier_set=row.tier_set,
                year=row.year,
                source=row.source,
                tiers={
                    "deployment_frequency": row.deployment_frequency_tier,
                    "lead_time_hours": row.lead_time_tier,
                    "change_failure_rate": row.change_failure_rate_tier,
                    "recovery": row.recovery_tier,
                },
                cluster=row.nearest_cluster,
                keys_known=row.keys_known,
            )
            for row in tiers
        ),
        industry={row.metric: row.mean for row in industry},
    )
