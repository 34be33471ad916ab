"""Forecasts of daily series: up to 90 days ahead, with an 80 % interval, an honest error and goal dates.

`forecast` gives the paths, `backtest` how good such forecasts of the same series were lately, `refresh` both for
the price of one; `goal_date` and `scenarios` say when a path reaches a target, and how likely.
"""

from metrics_assets.analysis.forecasting.goals import GoalDate, goal_date, scenarios
from metrics_assets.analysis.forecasting.serving import (
    BACKTEST_COLUMNS,
    FORECAST_COLUMNS,
    backtest,
    forecast,
    refresh,
)
from metrics_assets.analysis.forecasting.settings import Settings

__all__ = [
    "BACKTEST_COLUMNS",
    "FORECAST_COLUMNS",
    "GoalDate",
    "Settings",
    "backtest",
    "forecast",
    "goal_date",
    "refresh",
    "scenarios",
]
