"""What every page of the site may read: the warehouse as of a day, and the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.alerts import rules_of
from metrics_assets.catalogue.alerts import Rule
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.data import MetricInfo, SiteInfo, TierBand
from metrics_assets.reporting.from_catalogue import metric_infos, tier_bands
from metrics_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a page reads from. Every query takes the day: the site of a past day is built as it was."""

    engine: sa.Engine
    day: date
    settings: Settings
    rules: Mapping[str, Rule]
    metrics: Mapping[str, MetricInfo]
    bands: Mapping[str, tuple[TierBand, ...]]  # of the tier set in use
    # What is dear to find out and the same for all pages, by what it is; a changed reading starts without.
    found: dict[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)


def reading_of(engine: sa.Engine, settings: Settings, day: date) -> Reading:
    """What the pages of a day read from.

    Raises:
        CatalogueError: a file of the catalogue is wrong.
    """
    return Reading(
        engine=engine,
        day=day,
        settings=settings,
        rules=rules_of(settings),
        metrics=metric_infos(load_catalogue()),
        bands=tier_bands(load_tiers()),
    )


_REPOSITORIES = """
select settings.repository
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
order by settings.repository
"""
_NORTH_STARS = "select metric, why from metrics.north_stars order by position"


def repository_names(reading: Reading) -> Sequence[str]:
    """The repositories that have a page, in the order of their names."""
    with reading.engine.connect() as connection:
        return connection.execute(sa.text(_REPOSITORIES)).scalars().all()


def north_stars(reading: Reading) -> list[tuple[str, str]]:
    """The north stars that the catalogue has, in their order: each metric with why it is one."""
    with reading.engine.connect() as connection:
        rows = connection.execute(sa.text(_NORTH_STARS)).all()
    return [(row.metric, row.why) for row in rows if row.metric in reading.metrics]


@contextmanager
def as_one_state(reading: Reading) -> Iterator[Reading]:
    """The same reading, all of whose queries see one state of the warehouse, whatever is written meanwhile."""
    repeatable = reading.engine.execution_options(isolation_level="REPEATABLE READ")
    with repeatable.connect() as holder:
        snapshot = holder.execute(sa.text("select pg_export_snapshot()")).scalar_one()
        same = reading.engine.execution_options(isolation_level="REPEATABLE READ")

        def see_it(connection: sa.Connection) -> None:
            connection.exec_driver_sql(f"set transaction snapshot '{snapshot}'")

        sa.event.listen(same, "begin", see_it)
        yield replace(reading, engine=same)


# A page: reads what it needs and yields its files, each with its path in the site.
Page = Callable[[Reading, SiteInfo], Iterator[tuple[str, str | bytes]]]
