"""The view metrics.metric_values, made from the catalogue: one narrow face of all wide daily tables."""

from __future__ import annotations

from metrics_assets.catalogue.metrics import Catalogue, Metric
from metrics_assets.warehouse.derived import table_columns

_HEAD = """create or replace view metrics.metric_values as
-- Made from the catalogue; one branch per metric. `state` is ok, provisional (the last days, which late events
-- still change), too_few (stands on fewer rows than the metric needs) or unknown (value is null). low and high are
-- the ends of the value's 95 % interval; numerator and denominator are those of a ratio.
with settled as (
    select
        coalesce(max(counters.observed_on), 'infinity'::date)
            - coalesce((select settle_days from ops.portfolio), 0) as provisional_from
    from raw.repository_counters as counters
)
"""

# What a row is about: columns of tables that say so, expressions for the others.
_SUBJECTS = {
    "repository_daily": ("'repository'", "repository"),
    "package_daily": ("'package'", "registry || ':' || package"),
    "platform_daily": ("'community'", "platform || ':' || community"),
}
_NARROW = ("fed_daily", "calculated_daily")


def metric_values_sql(catalogue: Catalogue) -> str:
    """The view's definition.

    Its columns are metric, subject_kind, subject, date, value, n, state, low, high, numerator and denominator.
    """
    branches = [
        _branch(metric, table)
        for metric in catalogue.metrics.values()
        for table in (metric.table, metric.groups)
        if table is not None
    ]
    return _HEAD + "\nunion all\n".join([*branches, *(_narrow(table) for table in _NARROW)])


def _branch(metric: Metric, table: str) -> str:
    value = f"({metric.value_sql})::double precision"
    n = f"{metric.n}::bigint" if metric.n else "null::bigint"
    kind, subject = _SUBJECTS.get(table, ("subject_kind", "subject"))
    too_few = f"when {metric.n} < {metric.minimum_n} then 'too_few'" if metric.n else ""
    where = f"\nwhere {metric.where}" if metric.where else ""
    low, high, numerator, denominator = (
        f"({part})::double precision" if part else "null::double precision"
        for part in (metric.low, metric.high, metric.numerator, metric.denominator)
    )
    return f"""select
    '{metric.key}' as metric, {kind} as subject_kind, {subject} as subject, date,
    {value} as value, {n} as n,
    case when {value} is null then 'unknown' {too_few}
         when date >= settled.provisional_from then 'provisional' else 'ok' end as state,
    {low} as low, {high} as high, {numerator} as numerator, {denominator} as denominator
from metrics.{table} cross join settled{where}"""


def _narrow(table: str) -> str:
    columns = {column.name for column in table_columns()[f"metrics.{table}"]}
    low, high = (end if end in columns else f"null::double precision as {end}" for end in ("low", "high"))
    return f"""select
    metric, subject_kind, subject, date, value, n, state, {low}, {high},
    null::double precision as numerator, null::double precision as denominator
from metrics.{table}"""
