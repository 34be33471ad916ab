"""The kit that pages are made with: charts, tiles, tables and small graphics of typed records, as views.

A view is a frozen record of words and Markup that is ready to be shown; the macros of templates/parts.html.j2 show
it. Nothing here knows a page, a database or a clock: the same records give the same bytes.
"""

from metrics_assets.reporting.kit.charts import ChartView, chart
from metrics_assets.reporting.kit.files import rows_csv, series_csv
from metrics_assets.reporting.kit.graphics import Part, bars, heatmap, progress, spark, stacked, strip
from metrics_assets.reporting.kit.tables import Cell, Column, Row, Table, figure_cell, table_html
from metrics_assets.reporting.kit.tiles import TileView, tile

__all__ = [
    "Cell",
    "ChartView",
    "Column",
    "Part",
    "Row",
    "Table",
    "TileView",
    "bars",
    "chart",
    "figure_cell",
    "heatmap",
    "progress",
    "rows_csv",
    "series_csv",
    "spark",
    "stacked",
    "strip",
    "table_html",
    "tile",
]
