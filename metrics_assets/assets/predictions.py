"""The predictions: days that are not as the days before them led to expect, what is ahead, and what follows from it.

They are derivations like the others, but slower and never read by one of those, so they have a list of their own.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache

import dagster as dg

from metrics_assets.assets.derivations import Derivation
from metrics_assets.assets.derived import derivation_asset
from metrics_assets.assets.shared import Shared


@cache
def predictions() -> Mapping[str, Derivation]:
    """All predictions by the name of their table, each after those that it reads."""
    from metrics_assets.assets import anomalies, correlations, forecasts, insights

    found = [module.derivation() for module in (anomalies, forecasts, correlations, insights)]
    return {derivation.name: derivation for derivation in found}


def prediction_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """One asset per prediction."""
    return [derivation_asset(shared, derivation) for derivation in predictions().values()]


def evaluation_days(start: date, end: date) -> list[date]:
    """The days of [start, end) for which what looks back over months is made: the last of each month, and the last."""
    days = [start + timedelta(days=number) for number in range((end - start).days)]
    return [day for day in days if (day + timedelta(days=1)).day == 1 or day == days[-1]]
