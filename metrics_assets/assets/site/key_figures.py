"""North stars and key figures of the portfolio, read with what they were a month and a quarter before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import cast

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.reporting.data import State
from metrics_assets.reporting.pages.key_figures import CATEGORIES, Compared, KeyFigures
from metrics_assets.reporting.pages.summaries import MISSING, Figure

_NORTH_STARS = "select metric, why from metrics.north_stars order by position"
_DAYS = (
    "select cast(:day as date) as now, (cast(:day as date) - interval '1 month')::date as month, "
    "(cast(:day as date) - interval '3 months')::date as quarter"
)
# The metric stands in the text of the branch, so that the planner reads one branch of the view.
_VALUE = """
select metric, date, value, n, state
from metrics.metric_values
where metric = '{metric}' and subject_kind = 'portfolio' and date = any (:days)
"""


def read_key_figures(reading: Reading) -> KeyFigures:
    """The north stars that count and the key figures of each category; all of the portfolio."""
    with reading.engine.connect() as connection:
        days = connection.execute(sa.text(_DAYS), {"day": reading.day}).one()
        stars = connection.execute(sa.text(_NORTH_STARS)).all()
        keys = [star.metric for star in stars] + [key for of_category in CATEGORIES.values() for key in of_category]
        wanted = [key for key in dict.fromkeys(keys) if key in reading.metrics]
        sql = " union all ".join(_VALUE.format(metric=metric) for metric in wanted)
        rows = connection.execute(sa.text(sql), {"days": list(days)}).all() if wanted else []
    figures = {(row.metric, row.date): _figure(row.value, row.n, row.state) for row in rows}

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
        north_stars=compared([(star.metric, star.why) for star in stars]),
        categories=tuple((name, compared([(key, "") for key in keys])) for name, keys in CATEGORIES.items()),
    )


def _figure(value: float | None, n: int | None, state: str) -> Figure:
    if state not in ("ok", "provisional") or value is None:
        return Figure(None, n, "too_few" if state == "too_few" else "unknown")
    return Figure(value, n, cast(State, state))
