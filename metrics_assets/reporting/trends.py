"""The trend of a key: one line per repository, the median in front, the weakest repository named."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from metrics_assets.reporting.charts import Line, Marker, Point, line_chart
from metrics_assets.reporting.data import Figure, MetricInfo, OverviewData
from metrics_assets.reporting.figures import Figures, MedianFigure
from metrics_assets.reporting.scales import scale_for
from metrics_assets.reporting.wording import NO_BREAK, day, quantity, repositories

MAX_LINES = 40
MAX_MARKERS = 5


@dataclass(frozen=True, slots=True)
class TrendTable:
    """The data of a chart: a row per week. The first `said` columns are what the pointer reads out."""

    columns: tuple[str, ...]
    said: int
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """A chart with its words and its data."""

    key: str
    title: str
    takeaway: str
    chart: Markup
    weakest: str | None
    has_provisional: bool
    is_stretched: bool
    has_bands: bool
    notes: tuple[str, ...]  # the numbered marks, in order
    left_out: str | None
    table: TrendTable
    csv: str


def trend(data: OverviewData, figures: Figures, metric: MetricInfo) -> Trend:
    """Return the last 26 weeks of a metric for all active repositories."""
    drawn = _drawn(figures, metric)
    weeks = {name: figures.weekly(name, metric.key) for name in drawn}
    medians = figures.weekly_median(metric.key)
    weakest = _weakest(weeks, metric)
    known = [f.value for column in weeks.values() for f in column if f.value is not None]
    known += [m.value for m in medians if m.value is not None]
    marks = _marks(data, figures, metric, set(drawn))
    scale = scale_for([*known, *(mark.value for mark, _ in marks)], metric.unit)
    takeaway = _takeaway(figures, metric, medians, weakest, weeks)
    lines = [_repository_line(name, column, name == weakest, figures, metric) for name, column in weeks.items()]
    chart = line_chart(
        [*lines, _median_line(figures, medians, metric)],
        scale=scale,
        start=figures.days[0],
        end=figures.last,
        label=f"{metric.title}, {len(figures.days)} weeks. {takeaway}",
        bands=data.bands.get(metric.key, ()) if known else (),
        markers=[mark for mark, _ in marks],
    )
    return Trend(
        key=metric.key,
        title=metric.title,
        takeaway=takeaway,
        chart=chart,
        weakest=weakest,
        has_provisional=any(m.provisional for m in medians),
        is_stretched=scale.stretch is not None,
        has_bands=bool(data.bands.get(metric.key)),
        notes=tuple(note for _, note in marks),
        left_out=_left_out(drawn, figures, metric),
        table=_table(figures, metric, weeks, medians, weakest),
        csv=f"data/trend-{metric.key}.csv",
    )


def _drawn(figures: Figures, metric: MetricInfo) -> list[str]:
    """Return the repositories with at least one known week, at most forty: those with the longest record."""
    known = {name: sum(f.is_known for f in figures.weekly(name, metric.key)) for name in figures.repositories}
    ranked = sorted((name for name in known if known[name]), key=lambda name: -known[name])
    chosen = set(ranked[:MAX_LINES])
    return [name for name in figures.repositories if name in chosen]


def _left_out(drawn: list[str], figures: Figures, metric: MetricInfo) -> str | None:
    """Say which repositories have no line: those never known, and those beyond the most that are drawn."""
    missing = set(figures.repositories) - set(drawn)
    too_many = sum(any(f.is_known for f in figures.weekly(name, metric.key)) for name in missing)
    never = len(missing) - too_many
    said = [f"{repositories(too_many)} more in the CSV file"] if too_many else []
    if never:
        said.append(f"{repositories(never)} without a known week, not drawn")
    return "; ".join(said) or None


def _weakest(weeks: dict[str, list[Figure]], metric: MetricInfo) -> str | None:
    """Return the repository with the worst last value, where there are at least two to tell apart."""
    last = [(column[-1].value, name) for name, column in weeks.items()]
    known = sorted((value, name) for value, name in last if value is not None)
    if len(known) < 2 or known[0][0] == known[-1][0] or metric.direction == "neutral":
        return None
    return known[-1][1] if metric.direction == "lower" else known[0][1]


def _takeaway(
    figures: Figures,
    metric: MetricInfo,
    medians: list[MedianFigure],
    weakest: str | None,
    weeks: dict[str, list[Figure]],
) -> str:
    first = next((i for i, m in enumerate(medians) if m.value is not None), None)
    if first is None:
        return f"Not known for any repository. {metric.unknown}"
    now, before = medians[-1], medians[first]
    if now.value is None:
        return f"Not known for any repository on {day(figures.last)}; the last known weeks are drawn."
    said = f"Median {quantity(now.value, metric.unit)} of {repositories(now.repositories)}"
    if before is not now and before.value is not None:
        said += f", {quantity(before.value, metric.unit)} on {day(figures.days[first])}"
    if weakest is not None and (figure := weeks[weakest][-1]).value is not None:
        tier = f" ({figure.tier.title()})" if figure.tier else ""
        said += f"; weakest is {weakest} with {quantity(figure.value, metric.unit)}{tier}"
    return said + "."


def _median_line(figures: Figures, medians: list[MedianFigure], metric: MetricInfo) -> Line:
    points = tuple(Point(on, m.value, m.provisional) for on, m in zip(figures.days, medians, strict=True))
    last = medians[-1].value
    return Line(points, "main", "Median", "" if last is None else str(quantity(last, metric.unit)))


def _repository_line(name: str, column: list[Figure], is_weakest: bool, figures: Figures, metric: MetricInfo) -> Line:
    points = tuple(
        Point(on, figure.value, figure.state == "provisional") for on, figure in zip(figures.days, column, strict=True)
    )
    last = column[-1].value
    if not is_weakest or last is None:
        return Line(points)
    return Line(points, "second", short_name(name), str(quantity(last, metric.unit)))


def short_name(repository: str) -> str:
    """Return the name without its owner."""
    return repository.rsplit("/", 1)[-1] or repository


def _marks(data: OverviewData, figures: Figures, metric: MetricInfo, drawn: set[str]) -> list[tuple[Marker, str]]:
    """Return the newest anomalies of this very metric with what is said about each."""
    frame = data.anomalies[(data.anomalies["metric"] == metric.key) & data.anomalies["subject"].isin(drawn)]
    rows = zip(
        pd.to_datetime(frame["date"]).dt.date.tolist(),
        frame["subject"].tolist(),
        frame["value"].tolist(),
        frame["explanation"].tolist(),
        strict=True,
    )
    inside = sorted(row for row in rows if row[0] >= figures.days[0] and not pd.isna(row[2]))[-MAX_MARKERS:]
    marks = []
    for number, (on, subject, value, explanation) in enumerate(inside, start=1):
        said = explanation if isinstance(explanation, str) and explanation else quantity(value, metric.unit)
        text = f"{day(on)}, {short_name(subject)}: {said}"
        marks.append((Marker(number, on, float(value)), text))
    return marks


def _table(
    figures: Figures,
    metric: MetricInfo,
    weeks: dict[str, list[Figure]],
    medians: list[MedianFigure],
    weakest: str | None,
) -> TrendTable:
    ordered = sorted(weeks, key=lambda name: (name != weakest, name.casefold()))
    rows = []
    for index, on in enumerate(figures.days):
        cells = [_median_cell(medians[index], metric)]
        cells += [_cell(weeks[name][index], metric) for name in ordered]
        cells.append(str(medians[index].repositories))
        rows.append((day(on), tuple(cells)))
    columns = ("Median", *ordered, "Repositories known")
    return TrendTable(columns, 2 if weakest else 1, tuple(rows))


def _median_cell(figure: MedianFigure, metric: MetricInfo) -> str:
    return "not known" if figure.value is None else str(quantity(figure.value, metric.unit))


def _cell(figure: Figure, metric: MetricInfo) -> str:
    if figure.value is not None:
        return str(quantity(figure.value, metric.unit))
    if figure.state == "too_few":
        return f"too{NO_BREAK}few"
    return f"not{NO_BREAK}known"
