"""The page of forecasts: what is expected half a year ahead, how good such forecasts were, what is at risk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import Backtest, MetricInfo, Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import Cell, ChartView, Column, Row, Table, chart, rows_csv, series_csv
from metrics_assets.reporting.pages.forecasts_goals import goal_table, goals_csv
from metrics_assets.reporting.pages.forecasts_records import (
    HORIZONS,
    SCENARIOS,
    Event,
    Featured,
    ForecastRow,
    ForecastsData,
    GoalForecast,
    RiskInsight,
    Scenario,
    Span,
)
from metrics_assets.reporting.pages.forecasts_risk import Falling, falling, falling_table, risk_sentence

__all__ = [
    "HORIZONS",
    "Event",
    "Featured",
    "ForecastRow",
    "ForecastsData",
    "GoalForecast",
    "RiskInsight",
    "Scenario",
    "Span",
    "forecasts_files",
]

MOST_SHOWN = 50
SAID_HORIZON = 30
_SERIES_CSV, _ALL_CSV = "data/forecasts-charts.csv", "data/forecasts.csv"
_GOALS_CSV, _SCENARIOS_CSV = "data/forecasts-goals.csv", "data/forecasts-scenarios.csv"
_METHODS = {
    "seasonal_naive": "last value of the weekday",
    "pooled": "model of all figures",
    "mixed": "mean of both",
    "drift": "steady growth",
    "extended": "steady growth",
}


@dataclass(frozen=True, slots=True)
class FeaturedView:
    """A chart, with its scenarios and its backtest beside it."""

    anchor: str
    chart: ChartView
    insights: tuple[str, ...]
    scenarios: Table | None
    backtest: Table


def forecasts_files(site: SiteInfo, data: ForecastsData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files."""
    known = [row for row in data.rows if row.method != "too_few"]
    few = [row for row in data.rows if row.method == "too_few"]
    worse = falling(known, data.metrics)
    made = f"made on {wording.day(data.made_on)}" if data.made_on else "none was made"
    yield (
        addresses.FORECASTS,
        render(
            "forecasts.html.j2",
            path=addresses.FORECASTS,
            site=site,
            title="Forecasts",
            period=f"Up to 180 days ahead, {made} · {wording.count(len(known), 'figure')} forecast, "
            f"{len(few):,} with too little history",
            sentences=_sentences(data, known, worse),
            featured=[_featured_view(one, number) for number, one in enumerate(data.featured)],
            surveys=[chart(one, csv=_SERIES_CSV, anchor=f"survey-{one.metric.key}") for one in data.surveys],
            risks=data.risks,
            falling=falling_table(worse, data.metrics, data.actions),
            events=data.events,
            holidays=_holidays(data.holidays),
            all=_all_table(known, data.metrics),
            few=_few_table(few, data.metrics),
            goals=goal_table(data.goals, data.metrics, csv=_GOALS_CSV),
            scenarios_csv=_SCENARIOS_CSV,
        ),
    )
    yield _SERIES_CSV, series_csv([*(one.series for one in data.featured), *data.surveys])
    yield _SCENARIOS_CSV, _scenarios_csv(data.featured)
    yield _ALL_CSV, _all_csv(data.rows)
    yield _GOALS_CSV, goals_csv(data.goals)


def _sentences(data: ForecastsData, known: Sequence[ForecastRow], worse: Sequence[Falling]) -> tuple[str, ...]:
    if not data.rows:
        return ("There is no forecast yet.", "Forecasts are made with each run, of figures with 28 known days of 182.")
    tested = [row for row in known if row.n and row.beats_naive is not None]
    better = sum(bool(row.beats_naive) for row in tested)
    said = []
    if tested:
        said.append(
            f"{SAID_HORIZON} days ahead, {better:,} of {len(tested):,} tested figures are forecast better than by the "
            "last value of the weekday."
        )
    else:
        said.append("How good the forecasts are is not known yet: nothing could be compared with what came.")
    said.append(risk_sentence(worse, data.metrics))
    return tuple(said)


def _featured_view(one: Featured, number: int) -> FeaturedView:
    series = one.series
    # The portfolio's figures have the anchor that others link to; packages may share a metric.
    anchor = addresses.chart(series.metric.key) if series.subject_kind == "portfolio" else f"forecast-{number}"
    title = series.metric.title if series.subject_kind == "portfolio" else f"{series.metric.title}: {series.subject}"
    view = chart(series, csv=_SERIES_CSV, title=title, anchor=anchor)
    return FeaturedView(
        anchor, view, _scenario_sentences(one), _scenario_table(one, title), _backtest_table(series, title)
    )


def _scenario_sentences(one: Featured) -> tuple[str, ...]:
    """An insight for each scenario: where it ends, how far that is from now, and whether the goal is reached."""
    farthest = max((entry.horizon for entry in one.scenarios), default=0)
    now = one.series.points[-1].value if one.series.points else None
    said = []
    for name in SCENARIOS:
        entry = next((e for e in one.scenarios if e.scenario == name and e.horizon == farthest), None)
        if entry is None:
            continue
        text = f"{name.capitalize()}: {wording.quantity(entry.span.p50, one.series.metric.unit)} in {farthest} days"
        if now is not None:
            moved = wording.change(now, entry.span.p50, one.series.metric)
            text += f", {moved.text} {'it is' if moved.role == 'calm' and moved.glyph == '≈' else 'now'}"
        if (goal := _goal_words(one.series, entry.span.p50)) is not None:
            text += f"; {goal}"
        said.append(f"{text}.")
    return tuple(said)


def _goal_words(series: Series, value: float) -> str | None:
    target = series.target
    if target is None:
        return None
    reached = {
        "at_least": value >= target.value, "at_most": value <= target.value,
        "above": value > target.value, "below": value < target.value,
    }.get(target.comparison)  # fmt: skip
    if reached is None:
        return None
    aim = wording.quantity(target.value, series.metric.unit)
    return f"the goal of {aim} would {'' if reached else 'not '}be reached"


def _scenario_table(one: Featured, title: str) -> Table | None:
    if not one.scenarios:
        return None
    unit = one.series.metric.unit
    horizons = [horizon for horizon in HORIZONS if any(entry.horizon == horizon for entry in one.scenarios)]
    rows = []
    for name in SCENARIOS:
        cells = [Cell(name.capitalize())]
        for horizon in horizons:
            entry = next((e for e in one.scenarios if e.scenario == name and e.horizon == horizon), None)
            cells.append(Cell("none", role="dim") if entry is None else _span_cell(entry.span, unit))
        rows.append(Row(tuple(cells)))
    columns = (Column("Scenario"), *(Column(f"In {horizon} days", numeric=True) for horizon in horizons))
    return Table(f"{title}: scenarios", columns, tuple(rows))


def _span_cell(span: Span, unit: str) -> Cell:
    return Cell(
        str(wording.quantity(span.p50, unit)), sort=repr(span.p50), under=wording.span(span.p10, span.p90, unit)
    )


def _backtest_table(series: Series, title: str) -> Table:
    tests = series.forecast.backtests if series.forecast else ()
    rows = []
    for test in tests:
        if test.p50 is None:
            continue
        rows.append(
            Row((
                Cell(f"{test.horizon} days", sort=str(test.horizon), under=_METHODS.get(test.method, test.method)),
                _error_cell(test.crps, test.naive_crps, test.n),
                _coverage_cell(test.coverage, test.n),
                _beats_cell(test.beats_naive, test.n),
            ))
        )  # fmt: skip
    columns = (
        Column("Ahead"), Column("Error", numeric=True), Column("In the band", numeric=True),
        Column("Better than naive"),
    )  # fmt: skip
    return Table(f"{title}: how good such forecasts were", columns, tuple(rows), empty=_why_none(tests))


def _why_none(tests: Sequence[Backtest]) -> str:
    reason = next((test.reason for test in tests if test.reason), None)
    return f"Not enough history for a forecast: {reason}" if reason else "There is no forecast of this figure."


def _error_cell(crps: float | None, naive: float | None, n: int) -> Cell:
    if not n or crps is None or naive is None:
        return Cell("not tested", sort="", role="dim")
    share = crps / naive - 1 if naive > 0 else 0.0
    if abs(share) < 0.005:
        return Cell("as naive", sort="0", under=f"CRPS {crps:.2g}")
    words = f"{abs(share) * 100:.0f} % {'less' if share < 0 else 'more'}"
    return Cell(
        words, sort=f"{share:.4f}", role="ok" if share < 0 else "watch", under=f"CRPS {crps:.2g}, naive {naive:.2g}"
    )


def _coverage_cell(coverage: float | None, n: int) -> Cell:
    if not n or coverage is None:
        return Cell("not tested", sort="", role="dim")
    return Cell(f"{coverage * 100:.0f} %", sort=f"{coverage:.4f}", under=f"of {n} days; 80 % is right")


def _beats_cell(beats: bool | None, n: int) -> Cell:
    if not n or beats is None:
        return Cell("not known", role="dim")
    return Cell("yes", role="ok", glyph="✓") if beats else Cell("no: naive is shown", role="calm")


def _title(key: str, metrics: Mapping[str, MetricInfo]) -> str:
    return metrics[key].title if key in metrics else key.replace("_", " ").capitalize()


def _unit(key: str, metrics: Mapping[str, MetricInfo]) -> str:
    return metrics[key].unit if key in metrics else "count"


def _all_table(known: Sequence[ForecastRow], metrics: Mapping[str, MetricInfo]) -> Table:
    rows = []
    for row in known[:MOST_SHOWN]:
        unit = _unit(row.metric, metrics)
        ahead = [
            _span_cell(row.ahead[horizon], unit) if horizon in row.ahead else Cell("none", sort="", role="dim")
            for horizon in HORIZONS
        ]
        now = Cell("not known", sort="", role="dim")
        if row.now is not None:
            now = Cell(str(wording.quantity(row.now, unit)), sort=repr(row.now))
        rows.append(
            Row((
                Cell(_title(row.metric, metrics), href=addresses.metric(row.metric), under=_METHODS.get(row.method)),
                Cell(row.subject), now, *ahead, _error_cell(row.crps, row.naive_crps, row.n),
                _coverage_cell(row.coverage, row.n),
            ))
        )  # fmt: skip
    columns = (
        Column("Figure"), Column("Subject"), Column("Now", numeric=True),
        *(Column(f"In {horizon} days", numeric=True) for horizon in HORIZONS),
        Column("Error, 30 days", numeric=True), Column("In the band", numeric=True),
    )  # fmt: skip
    note = wording.shown(len(rows), len(known))
    return Table(
        "All forecasts", columns, tuple(rows), csv=_ALL_CSV, empty="No figure has enough history for a forecast.",
        note=note, filterable=True,
    )  # fmt: skip


def _few_table(few: Sequence[ForecastRow], metrics: Mapping[str, MetricInfo]) -> Table:
    """The figures without a forecast, each once, with how many subjects miss it and the reason most of them have."""
    by_metric: dict[str, list[ForecastRow]] = {}
    for row in few:
        by_metric.setdefault(row.metric, []).append(row)
    ranked = sorted(by_metric.items(), key=lambda item: (-len(item[1]), _title(item[0], metrics)))
    rows = []
    for key, missing in ranked[:MOST_SHOWN]:
        reason, _ = Counter(row.reason or "The reason is not known." for row in missing).most_common(1)[0]
        rows.append(
            Row((
                Cell(_title(key, metrics), href=addresses.metric(key)),
                Cell(f"{len(missing):,}", sort=str(len(missing))), Cell(reason),
            ))
        )  # fmt: skip
    columns = (Column("Figure"), Column("Subjects", numeric=True), Column("Why, most often"))
    note = wording.shown(len(rows), len(ranked), "figures")
    return Table(
        "Not enough history", columns, tuple(rows), csv=_ALL_CSV, empty="Every figure has enough history.", note=note
    )


def _holidays(holidays: Sequence[date]) -> str:
    if not holidays:
        return "No holiday is known in the next 180 days."
    return f"Holidays that the forecasts know: {wording.listed([wording.day(day) for day in holidays])}."


def _all_csv(rows: Sequence[ForecastRow]) -> str:
    spans = [f"{name}_{horizon}" for horizon in HORIZONS for name in ("p10", "p50", "p90")]
    columns = (
        "metric", "subject_kind", "subject", "now", *spans, "method", "beats_naive", "n", "crps", "naive_crps",
        "coverage", "reason",
    )  # fmt: skip

    def cells(row: ForecastRow) -> Iterator[float | None]:
        for horizon in HORIZONS:
            span = row.ahead.get(horizon)
            yield from (None, None, None) if span is None else (span.p10, span.p50, span.p90)

    return rows_csv(columns, (
        (row.metric, row.subject_kind, row.subject, row.now, *cells(row), row.method, row.beats_naive, row.n, row.crps,
         row.naive_crps, row.coverage, row.reason)
        for row in rows
    ))  # fmt: skip


def _scenarios_csv(featured: Sequence[Featured]) -> str:
    columns = ("metric", "subject_kind", "subject", "horizon_days", "scenario", "p10", "p50", "p90")
    return rows_csv(columns, (
        (one.series.metric.key, one.series.subject_kind, one.series.subject, entry.horizon, entry.scenario,
         entry.span.p10, entry.span.p50, entry.span.p90)
        for one in featured for entry in one.scenarios
    ))  # fmt: skip
