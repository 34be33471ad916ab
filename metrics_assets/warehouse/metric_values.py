"""The view metrics.metric_values, made from the catalogue: one narrow face of all wide daily tables."""

from __future__ import annotations

from metrics_assets.catalogue.metrics import Catalogue, Metric

_HEAD = """create or replace view metrics.metric_values as
-- Made from the catalogue; one branch per metric. `state` is ok, provisional (the last days, which late events
-- still change), too_few (stands on fewer rows than the metric needs) or unknown (value is null).
with settled as (
    select
        coalesce(max(counters.observed_on), 'infinity'::date)
            - coalesce((select settle_days from ops.portfolio), 0) as provisional_from
    from raw.repository_counters as counters
)
"""


# Tables whose rows are about something else than a repository: the SQL of the subject's kind and of its name.
_SUBJECTS = {
    "scores": ("subject_kind", "subject"),
    "package_daily": ("'package'", "registry || ':' || package"),
    "platform_daily": ("'community'", "platform || ':' || community"),
}


def metric_values_sql(catalogue: Catalogue) -> str:
    """The view's definition: (metric, subject_kind, subject, date, value, n, state)."""
    branches = "\nunion all\n".join(_branch(metric) for metric in catalogue.metrics.values())
    return _HEAD + branches


def _branch(metric: Metric) -> str:
    value = f"({metric.value_sql})::double precision"
    n = f"{metric.n}::bigint" if metric.n else "null::bigint"
    kind, subject = _SUBJECTS.get(metric.table, ("'repository'", "repository"))
    too_few = f"when {metric.n} < {metric.minimum_n} then 'too_few'" if metric.n else ""
    where = f"\nwhere {metric.where}" if metric.where else ""
    return f"""select
    '{metric.key}' as metric, {kind} as subject_kind, {subject} as subject, date,
    {value} as value, {n} as n,
    case when {value} is null then 'unknown' {too_few}
         when date >= settled.provisional_from then 'provisional' else 'ok' end as state
from metrics.{metric.table} cross join settled{where}"""
