"""A tile: one figure with all that it takes to read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import Point, Series, Tier
from metrics_assets.reporting.kit.graphics import spark

COMPARED_DAYS = 28
COMPARISONS = {"at_least": "at least", "at_most": "at most", "above": "over", "below": "under"}


@dataclass(frozen=True, slots=True)
class TileView:
    """A figure in words: `number` is "Not known" or "Too few" where there is none, and `reason` says why."""

    metric: str
    title: str
    href: str | None
    number: str
    unit: str
    reason: str | None
    tier: Tier | None
    change: wording.Change | None
    compared: str
    basis: str
    interval: str | None
    target: str | None
    target_status: tuple[str, str, str] | None
    spark: Markup


def tile(series: Series, *, href: str | None = None) -> TileView:
    """Return the tile of a figure on its last day, compared with 28 days before; `href` is where its detail is."""
    metric = series.metric
    last = series.points[-1] if series.points else None
    value = last.value if last else None
    said = wording.quantity(value, metric.unit) if value is not None else None
    change, compared = compared_with_before(series)
    few = last is not None and last.state == "too_few"
    target = series.target
    first = next((p.value for p in series.points if p.value is not None), None)
    return TileView(
        metric=metric.key,
        title=metric.title,
        href=href,
        number=said.number if said else "Too few" if few else "Not known",
        unit=said.unit if said else "",
        reason=None if said else why_unknown(series, last),
        tier=series.tier if said else None,
        change=change,
        compared=compared,
        basis=basis(series, last),
        interval=interval(series, last),
        target=None if target is None else target_words(series),
        target_status=None if target is None else wording.status(target.status),
        spark=spark([p.value for p in series.points], label=_spark_label(series, first, value)),
    )


def target_words(series: Series) -> str:
    """'at most 1 d by 31 Dec 2026'."""
    if series.target is None:
        return ""
    due = f" by {wording.day(series.target.due_on)}" if series.target.due_on else ""
    word = COMPARISONS.get(series.target.comparison, series.target.comparison.replace("_", " "))
    return f"{word} {wording.quantity(series.target.value, series.metric.unit)}{due}"


def before(series: Series) -> Point | None:
    """The point 28 days before the last, where the series has that day."""
    if not series.points:
        return None
    wanted = series.points[-1].on - timedelta(days=COMPARED_DAYS)
    return next((point for point in series.points if point.on == wanted), None)


def compared_with_before(series: Series) -> tuple[wording.Change | None, str]:
    """Return how the figure moved in 28 days, and what it is compared with in words."""
    earlier, last = before(series), series.points[-1] if series.points else None
    if last is None or last.value is None:
        return None, "nothing to compare"
    if earlier is None or earlier.value is None:
        return None, f"not known {COMPARED_DAYS} days before"
    return wording.change(earlier.value, last.value, series.metric), f"{COMPARED_DAYS} days before"


def basis(series: Series, last: Point | None) -> str:
    """'28 days to 31 Dec 2025 · n = 42 · provisional'."""
    if last is None:
        return "no day is known"
    parts = [period(series, last)]
    if last.n is not None:
        parts.append(f"n{wording.NO_BREAK}={wording.NO_BREAK}{last.n:,}")
    if last.state == "provisional":
        parts.append("provisional")
    return " · ".join(parts)


def period(series: Series, last: Point) -> str:
    """'28 days to 31 Dec 2025', or 'on 31 Dec 2025' for what has no window."""
    if series.metric.window:
        return f"{wording.count(series.metric.window, 'day')} to {wording.day(last.on)}"
    return f"on {wording.day(last.on)}"


def interval(series: Series, last: Point | None) -> str | None:
    """'95 %: 30 h to 46 h', where the figure has an interval."""
    if last is None or last.value is None or last.low is None or last.high is None:
        return None
    return f"95{wording.NO_BREAK}%: {wording.span(last.low, last.high, series.metric.unit)}"


def why_unknown(series: Series, last: Point | None) -> str:
    """Say why there is no figure on the last day."""
    metric = series.metric
    if last is None or last.state != "too_few":
        return metric.unknown or "Nothing is known of this day."
    counted = "a few" if last.n is None else f"{last.n:,}"
    window = f" in {wording.count(metric.window, 'day')}" if metric.window else ""
    needed = f"; it needs at least {metric.minimum_n}" if metric.minimum_n else ""
    return f"Only {counted}{window}{needed}."


def _spark_label(series: Series, first: float | None, last: float | None) -> str:
    unit = series.metric.unit
    ends = ["not known" if value is None else str(wording.quantity(value, unit)) for value in (first, last)]
    return f"{series.metric.title}, {wording.count(len(series.points), 'week')}: from {ends[0]} to {ends[1]}"
