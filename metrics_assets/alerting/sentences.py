"""How a rule stands, in one sentence: the value, what it stands on, and against what."""

from __future__ import annotations

from datetime import date, timedelta

from metrics_assets.alerting.conditions import Verdict
from metrics_assets.alerting.subjects import title_of, unit_of
from metrics_assets.alerting.words import amount, interval, number
from metrics_assets.catalogue.alerts import ChangeRule, MilestoneRule, MissingRule, MultipleRule, ThresholdRule

_LIMITS = {"above": "above", "below": "below", "at_least": "at or above", "at_most": "at or below"}


def sentence(
    rule: ThresholdRule | ChangeRule | MultipleRule | MilestoneRule | MissingRule,
    verdict: Verdict,
    value: float | None,
    reference: float | None,
    n: int | None,
    low: float | None,
    high: float | None,
    on: date,
) -> str:
    """How a rule over one metric stands.

    Args:
        value: and the others as in `Condition`; of a rule about what is missing the days without a value.
    """
    title, unit = title_of(rule.metric), unit_of(rule.metric)
    if isinstance(rule, MissingRule):
        return _missing(rule, title, verdict, value, on)
    if value is None:
        return f"{title}: not known" + (f" (n = {n})." if n is not None else ".")
    figure = f"{title}: {amount(value, unit)}"
    stands_on = [f"n = {n:,}"] if n is not None else []
    if low is not None and high is not None:
        stands_on.append(f"95 % interval {interval(low, high, unit)}")
    in_brackets = f" ({', '.join(stands_on)})" if stands_on else ""
    match rule:
        case ThresholdRule():
            return f"{figure}{in_brackets}, {_threshold(rule, verdict, unit)}."
        case ChangeRule():
            return _change(rule, verdict, figure, in_brackets, value, reference, unit)
        case MultipleRule():
            return _multiple(rule, f"{figure}{in_brackets}", value, reference, unit)
        case MilestoneRule():
            return f"{figure}{in_brackets}, for the first time at or above {amount(reference or 0, unit)}."


def _threshold(rule: ThresholdRule, verdict: Verdict, unit: str) -> str:
    name = next(name for name in _LIMITS if getattr(rule, name) is not None)
    limit = f"{_LIMITS[name]} {amount(rule.limit, unit)}"
    if verdict == "between":
        if rule.clear_at is None:
            return f"but its 95 % interval is not wholly {limit}"
        well, ill = amount(rule.clear_at, unit), amount(rule.limit, unit)
        return f"between {well}, where it is well again, and the limit of {ill}"
    if verdict == "unknown":
        return f"{limit}, but its 95 % interval is not known"
    return limit if verdict == "breached" else f"not {limit}"


def _change(
    rule: ChangeRule,
    verdict: Verdict,
    figure: str,
    in_brackets: str,
    value: float,
    reference: float | None,
    unit: str,
) -> str:
    days = "day" if rule.days == 1 else f"{rule.days} days"
    span, before = (
        (f" in the last {days}", f"in the {days} before") if rule.of == "sum" else ("", f"{rule.days} days before")
    )
    if rule.of == "value" and rule.days == 1:
        before = "the day before"
    if reference is None:
        return f"{figure}{span}{in_brackets}; {before} it is not known."
    against = f"{figure}{span}{in_brackets} against {amount(reference, unit)} {before}"
    if verdict == "unknown" and reference < rule.minimum_reference:
        return f"{against}; at least {amount(rule.minimum_reference, unit)} are needed to compare."
    if value == reference:
        return f"{against}, the same."
    direction = "less" if value < reference else "more"
    if rule.by == "share" and reference > 0:
        return f"{against}, {abs(value / reference - 1) * 100:.0f} % {direction}."
    return f"{against}, {amount(abs(value - reference), unit)} {direction}."


def _multiple(rule: MultipleRule, figure: str, value: float, reference: float | None, unit: str) -> str:
    when = "as the baseline" + (f" of {rule.lag_days} days before" if rule.lag_days else "")
    if reference is None:
        return f"{figure}; {when} nothing is known."
    against = f"{figure} against {amount(reference, unit)} {when}"
    return f"{against}, {number(value / reference)} times as much." if reference > 0 else f"{against}."


def _missing(rule: MissingRule, title: str, verdict: Verdict, age: float | None, on: date) -> str:
    if age is None:
        return f"{title}: it is not known when there was a value."
    if age == 0:
        return f"{title}: there is a value again."
    last = on - timedelta(days=int(age))
    days = "day" if age == 1 else "days"
    return f"{title}: no value for {age:.0f} {days}, the last one of {last.day} {last:%B} {last.year}" + (
        f"; after {rule.days} it is missing." if verdict == "breached" else "."
    )
