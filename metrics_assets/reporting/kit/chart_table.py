"""The data of a chart as a table, in words: the weeks that are drawn, then what is expected."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import ForecastPoint, Point, Series


def chart_table(series: Series, others: Sequence[Series], expected: Sequence[ForecastPoint], name: str) -> Markup:
    """Return a row per week and per expected week; `name` is what the chart is called."""
    unit = series.metric.unit
    by_day = [({point.on: point for point in other.points}, other.metric.unit) for other in others]
    heads = "".join(f"<th scope=col data-said>{escape(other_name(series, other))}</th>" for other in others)
    out = [
        f'<table><caption class="hidden">{escape(name)}, week by week</caption><thead><tr><th scope=col>Week to</th>'
        f"<th scope=col data-said>{escape(name)}</th><th scope=col>n</th><th scope=col>State</th>{heads}</tr></thead>"
        "<tbody>\n"
    ]
    for point in series.points:
        n = "" if point.n is None else f"{point.n:,}"
        more = "".join(f"<td>{_value(found.get(point.on), its_unit)}" for found, its_unit in by_day)
        out.append(
            f"<tr><th scope=row>{wording.day(point.on)}<td>{_value(point, unit)}<td>{n}"
            f"<td>{wording.state(point.state)}{more}\n"
        )
    blanks = "<td>" * len(others)
    for ahead in expected:
        said = f"{wording.quantity(ahead.p50, unit)} ({wording.span(ahead.p10, ahead.p90, unit)})"
        out.append(f"<tr><th scope=row>{wording.day(ahead.on)}<td>{said}<td><td>expected{blanks}\n")
    out.append("</tbody></table>")
    return Markup("".join(out))


def other_name(series: Series, other: Series) -> str:
    """What a figure is called beside another: by its metric where that differs, else by its subject."""
    return other.metric.title if other.metric.key != series.metric.key else _short_name(other.subject)


def own_name(series: Series, others: Sequence[Series]) -> str:
    """What a figure is called beside the others."""
    return series.metric.title if others[0].metric.key != series.metric.key else _short_name(series.subject)


def _short_name(subject: str) -> str:
    """A repository without its owner."""
    return subject.rsplit("/", 1)[-1] or subject


def _value(point: Point | None, unit: str) -> str:
    if point is None or point.value is None:
        return wording.state("unknown" if point is None else point.state)
    return str(wording.quantity(point.value, unit))
