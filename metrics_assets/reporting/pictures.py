"""The charts of a report: drawn by the kit for pages, a sentence and a table where there are only words."""

from __future__ import annotations

from metrics_assets.reporting.data import MetricInfo, Point, Series
from metrics_assets.reporting.documents import Grid, Picture
from metrics_assets.reporting.kit import ChartView, chart
from metrics_assets.reporting.kit.charts import takeaway_sentence
from metrics_assets.reporting.wording import NO_BREAK, day, quantity

_WEEKS_SHOWN = 6


def picture_view(picture: Picture) -> ChartView:
    """The chart; a report has its figures in a file of its own, so that it links to no CSV."""
    return chart(picture.series, csv="")


def takeaway(series: Series) -> str:
    """What the chart says, in a sentence."""
    return takeaway_sentence(series)


def picture_table(picture: Picture) -> Grid:
    """The last weeks of a chart, and what is expected, as a table."""
    series = picture.series
    rows = [
        (day(point.on), _value(point, series.metric), "" if point.n is None else f"{point.n:,}")
        for point in series.points[-_WEEKS_SHOWN:]
    ]
    return Grid(("Week to", series.metric.title, "n"), tuple(rows))


def _value(point: Point, metric: MetricInfo) -> str:
    if point.value is None:
        return "too few" if point.state == "too_few" else "not known"
    mark = " (provisional)" if point.state == "provisional" else ""
    return f"{quantity(point.value, metric.unit)}{mark}".replace(NO_BREAK, " ")
