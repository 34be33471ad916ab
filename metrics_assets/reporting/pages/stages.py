"""The stages of a change, from the first commit to production, as one bar or a bar a month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import Series
from metrics_assets.reporting.pages.repository_data import STAGE_TITLES

NOTE = (
    "Each stage is a median of its own, so the stages do not add up to the median lead time: changes that take long in "
    "one stage are not those that take long in another."
)


@dataclass(frozen=True, slots=True)
class StagesView:
    """A bar with its sentence; `bar` is None where no stage is known."""

    takeaway: str
    bar: Markup | None


def stages_bar(stages: Sequence[Series]) -> StagesView:
    """The stages on the last day; those that are not known are named."""
    values = {one.metric.key: one.points[-1].value if one.points else None for one in stages}
    return stages_view(values, [one.metric.key for one in stages])


def stages_view(values: Mapping[str, float | None], order: Sequence[str]) -> StagesView:
    known = [(key, value) for key in order if (value := values.get(key)) is not None]
    missing = [STAGE_TITLES[key].lower() for key in order if values.get(key) is None]
    if not known:
        return StagesView("None of the stages is known for the last 28 days.", None)
    longest, hours = max(known, key=lambda pair: pair[1])
    total = sum(value for _, value in known)
    said = f"{STAGE_TITLES[longest]} takes longest: a median of {wording.quantity(hours, 'hours')}"
    if len(known) > 1 and total > 0:
        said += f", {hours / total * 100:.0f}{wording.NO_BREAK}% of the known stages together"
    if total == 0:
        said = "Every known stage takes no time at all"
    if missing:
        said += f"; {wording.listed(missing)} {'is' if len(missing) == 1 else 'are'} not known"
    label = ", ".join(f"{STAGE_TITLES[key]} {wording.quantity(value, 'hours')}" for key, value in known)
    bar = Markup('<div class="stacked"><div class="stack" role="img" aria-label="{}">{}</div>{}</div>')
    return StagesView(f"{said}.", bar.format(label, segments(values, order, total), keys(values, order)))


def segments(values: Mapping[str, float | None], order: Sequence[str], whole: float) -> Markup:
    """The stages as parts of a bar of which `whole` hours are the width; a stage has the same colour everywhere."""
    return Markup("").join(
        Markup('<i class="p-{}" style="width:{}%"></i>').format(index, f"{value / whole * 100:.2f}")
        for index, key in enumerate(order)
        if (value := values.get(key)) is not None and value > 0
    )


def keys(values: Mapping[str, float | None], order: Sequence[str]) -> Markup:
    """What the colours stand for, each stage with its hours in words."""
    words = Markup("").join(
        Markup('<li><i class="p-{}"></i>{} <b>{}</b></li>').format(index, STAGE_TITLES[key], _words(values.get(key)))
        for index, key in enumerate(order)
    )
    return Markup('<ul class="keys">{}</ul>').format(words)


def _words(hours: float | None) -> str:
    return wording.state("unknown") if hours is None else str(wording.quantity(hours, "hours"))


@dataclass(frozen=True, slots=True)
class Month:
    """The stages of a month: of the 28 days that end with its last known week."""

    on: date
    values: dict[str, float | None]

    @property
    def total(self) -> float:
        return sum(value for value in self.values.values() if value is not None)


def by_month(stages: Sequence[Series]) -> list[Month]:
    """The last week of each month, oldest first; months of which no stage is known are left out."""
    last: dict[tuple[int, int], date] = {}
    for point in stages[0].points if stages else ():
        last[point.on.year, point.on.month] = point.on
    months = []
    for on in last.values():
        values = {one.metric.key: next((point.value for point in one.points if point.on == on), None) for one in stages}
        if any(value is not None for value in values.values()):
            months.append(Month(on, values))
    return months
