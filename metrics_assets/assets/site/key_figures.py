"""North stars and key figures of the portfolio, read with what they were a month and a quarter before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading, north_stars
from metrics_assets.reporting.pages.key_figures import CATEGORIES, Compared, KeyFigures
from metrics_assets.reporting.pages.summaries import MISSING, Figure, figure_of

_DAYS = (
    "select cast(:day as date) as now, (cast(:day as date) - interval '1 month')::date as month, "
    "(cast(:day as date) - interval '3 months')::date as quarter"
)
# psycopg2 writes the metrics into the statement: the planner then reads their branches of the view and no others.
_VALUES = """
select metric, date, value, n, state
from metrics.metric_values
where metric = any (:metrics) and subject_kind = 'portfolio' and date = any (:days)
"""


def read_key_figures(reading: Reading) -> KeyFigures:
    """The north stars that count and the key figures of each category; all of the portfolio."""
    stars = north_stars(reading)
    with reading.engine.connect() as connection:
        days = connection.execute(sa.text(_DAYS), {"day": reading.day}).one()
        keys = [metric for metric, _ in stars] + [key for of_category in CATEGORIES.values() for key in of_category]
        wanted = [key for key in dict.fromkeys(keys) if key in reading.metrics]
        rows = connection.execute(sa.text(_VALUES), {"metrics": wanted, "days": list(days)}).all()
    figures = {(row.metric, row.date): figure_of(row.value, row.n, row.state) for row in rows}

    def compared(keys: Sequence[tuple[str, str]]) -> tuple[Compared, ...]:
        def on(metric: str, day: date) -> Figure:
            return figures.get((metric, day), MISSING)

        return tuple(
            Compared(reading.metrics[key], on(key, days.now), on(key, days.month), on(key, days.quarter), why)
            for key, why in keys
            if key in reading.metrics
        )

    return KeyFigures(
        month_before=days.month,
        quarter_before=days.quarter,
        north_stars=compared(stars),
        categories=tuple((name, compared([(key, "") for key in keys])) for name, keys in CATEGORIES.items()),
    )
