"""When the DORA tier of a key changes, if its trend goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from metrics_assets.analysis.insights.statistics import SIGNIFICANT, Floats, Trend, benjamini_hochberg, trend
from metrics_assets.analysis.insights.trends import ACTIONS, is_known
from metrics_assets.analysis.insights.wording import (
    GOOD_NEWS,
    RISK,
    AboutMetric,
    Insight,
    amount,
    capital,
    count,
    in_a_sentence,
    p_text,
    weight,
)

# Twelve weeks say nothing of what is more than twice as far ahead.
_FARTHEST_DAYS = 182
_WEEKLY_ACTION = {"lead_time_hours": "lead_time_hours_week", "deployment_frequency": "deployments_succeeded"}


@dataclass(frozen=True, slots=True)
class TierBand:
    """A tier's values v of a metric: at_least <= v < below; the first of a list that holds a value is its tier."""

    tier: str
    at_least: float | None
    below: float | None


@dataclass(frozen=True, slots=True)
class Key:
    """One of DORA's keys of a subject, as its tier is judged by it and as it went lately.

    Attributes:
        value: the figure over 28 days, which the tier is judged by.
        day: the day at whose end the tier is judged.
        lately: values that share no events (weeks, or windows of 28 days), the newest last; NaN where unknown.
        days: the last day of each; the newest lies before `day` where the latest events are not settled yet.
        behind_steps: how many steps the figure over 28 days is behind the newest of them.
    """

    metric: str
    about: AboutMetric
    subject_kind: str
    subject: str
    value: float
    day: date
    lately: Floats
    days: tuple[date, ...]
    behind_steps: float
    bands: Sequence[TierBand]
    tier_set: str


def tier_of(bands: Sequence[TierBand], value: float) -> str | None:
    """The first band that holds a value, as the SQL function metrics.dora_tier has it."""
    for band in bands:
        if value >= _or(band.at_least, -math.inf) and value < _or(band.below, math.inf):
            return band.tier
    return None


def tier_dates(keys: Sequence[Key]) -> list[Insight]:
    """An insight for every key whose trend is significant and leads into another tier within half a year."""
    tested = [(key, trend(key.lately)) for key in keys if is_known(key.lately)]
    adjusted = benjamini_hochberg([line.p for _, line in tested])
    found = []
    for (key, line), p in zip(tested, adjusted, strict=True):
        if p < SIGNIFICANT and (line.low > 0 or line.high < 0):
            insight = _insight(key, line, float(p))
            found += [insight] if insight else []
    return found


def _insight(key: Key, line: Trend, p: float) -> Insight | None:
    now = tier_of(key.bands, key.value)
    crossing = _next(key.bands, key.value, line.slope > 0)
    if now is None or crossing is None:
        return None
    boundary, tier = crossing
    step = (key.days[-1] - key.days[-2]).days
    # The steps ahead begin at the newest value, which may be days old.
    passed = (key.day - key.days[-1]).days
    # The steepest line crosses first.
    steep, shallow = ((line.high, line.latest), (line.low, line.earliest))
    if line.slope < 0:
        steep, shallow = shallow, steep
    expected, soonest, latest = (
        ((boundary - height) / slope + key.behind_steps) * step - passed
        for slope, height in ((line.slope, line.last), steep, shallow)
    )
    # A trend that has passed the boundary already, and a figure that has not: it is the figure that counts.
    if not 0 < expected <= _FARTHEST_DAYS:
        return None
    # A date that is told lies ahead: tomorrow at the soonest.
    ahead = math.ceil(expected)
    first = key.day + timedelta(days=min(max(math.floor(min(soonest, expected)), 1), ahead))
    middle, latest = key.day + timedelta(days=ahead), max(latest, expected)
    far = latest > 2 * _FARTHEST_DAYS
    last = None if far else key.day + timedelta(days=math.ceil(latest))
    until = f"and {last.isoformat()}" if last else "and more than a year ahead"
    better = (line.slope > 0) == (key.about.direction == "higher")
    weeks = step // 7
    pace = "a week" if weeks == 1 else f"in {weeks} weeks"
    samples = "week" if weeks == 1 else f"window of {step} days"
    many = "weeks" if weeks == 1 else f"windows of {step} days"
    title = capital(in_a_sentence(key.about.title))
    return Insight(
        insight=f"tier_date_{key.metric}",
        subject_kind=key.subject_kind,
        subject=key.subject,
        topic="tier",
        weight=weight(GOOD_NEWS + 0.5 if better else RISK, 1 + (1 - expected / _FARTHEST_DAYS)),
        sentence=f"{title} is {now} ({amount(key.value, key.about.unit)} over 28 days) and "
        f"{'rises' if line.slope > 0 else 'falls'} by {amount(abs(line.slope), key.about.unit)} {pace}. "
        f"If that goes on, it is {tier} around {middle.isoformat()} (between {first.isoformat()} {until}; "
        f"n = {count(line.n, samples, many)}, {p_text(p)}).",
        action=None if better else ACTIONS.get(_WEEKLY_ACTION.get(key.metric, key.metric)),
        n=line.n,
        p=p,
        evidence={
            "metric": key.metric,
            "subject": key.subject,
            "tier_set": key.tier_set,
            "value": key.value,
            "tier": now,
            "next_tier": tier,
            "boundary": boundary,
            "slope_per_step": round(line.slope, 6),
            "slope_interval": [round(line.low, 6), round(line.high, 6)],
            "step_days": step,
            "expected_on": middle.isoformat(),
            "between": [first.isoformat(), last.isoformat() if last else None],
            "dates": [day.isoformat() for day in key.days],
            "values": [None if math.isnan(value) else round(float(value), 6) for value in key.lately],
        },
    )


def _next(bands: Sequence[TierBand], value: float, rises: bool) -> tuple[float, str] | None:
    """The boundary that a value meets next on its way up or down, and the tier behind it."""
    now = tier_of(bands, value)
    boundaries = {end for band in bands for end in (band.at_least, band.below) if end is not None}
    ahead = sorted((end for end in boundaries if (end > value if rises else end <= value)), reverse=not rises)
    for boundary in ahead:
        behind = tier_of(bands, boundary if rises else boundary - 1e-9 * max(abs(boundary), 1e-9))
        if behind is not None and behind != now:
            return boundary, behind
    return None


def _or(end: float | None, otherwise: float) -> float:
    return otherwise if end is None else end
