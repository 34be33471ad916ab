"""Forecasts of daily series: up to 90 days ahead, with an 80 % interval, an honest error and goal dates.

`forecast` gives the paths, `refresh` also how good such forecasts of the same series were lately, and `look_ahead` the
same of arrays; `goal_date` says when a path reaches a target, and how likely,
`scenarios` what it is with less or more growth, `continued` how it goes on after 90 days.
"""

from metrics_assets.analysis.forecasting.continuing import continued
from metrics_assets.analysis.forecasting.figures import HORIZONS, figure_rows, scenario_rows
from metrics_assets.analysis.forecasting.goals import GoalDate, goal_date, scenarios
from metrics_assets.analysis.forecasting.grid import grid_of
from metrics_assets.analysis.forecasting.rows import BACKTEST_COLUMNS, FORECAST_COLUMNS
from metrics_assets.analysis.forecasting.serving import Outlook, forecast, look_ahead, refresh
from metrics_assets.analysis.forecasting.settings import Settings

__all__ = [
    "BACKTEST_COLUMNS",
    "FORECAST_COLUMNS",
    "HORIZONS",
    "GoalDate",
    "Outlook",
    "Settings",
    "continued",
    "figure_rows",
    "forecast",
    "goal_date",
    "grid_of",
    "look_ahead",
    "refresh",
    "scenario_rows",
    "scenarios",
]
