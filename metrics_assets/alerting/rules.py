"""Deciding which rules hold for which subjects on a day: pure functions over metric values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import pandas as pd

from metrics_assets.alerting.words import amount
from metrics_assets.catalogue.alerts import ChangeRule, MultipleRule
from metrics_assets.catalogue.metrics import load_catalogue

Verdict = Literal["breached", "fine", "unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """How a rule stands for a subject on a day.

    `value` and `reference` are what was compared, in the metric's unit; `n` is what the value stands on. `text`
    says it in words. An `unknown` verdict neither fires nor resolves an alert.
    """

    rule: str
    subject_kind: str
    subject: str
    date: date
    verdict: Verdict
    value: float | None
    reference: float | None
    n: int | None
    text: str


def days_needed(rules: Iterable[ChangeRule | MultipleRule]) -> int:
    """How many days back, the judged one included, the rules look."""
    return max((rule.days * 2 if isinstance(rule, ChangeRule) else rule.lag_days + 1 for rule in rules), default=1)


def evaluate(rules: Iterable[ChangeRule | MultipleRule], values: pd.DataFrame, on: date) -> list[Condition]:
    """The conditions of all rules on a day.

    Args:
        values: columns metric, subject_kind, subject, date, value, n, state, as in metrics.metric_values; the
            days from `on - days_needed(rules) + 1` to `on` are enough.
        on: the day; nothing later is looked at.

    Returns:
        One condition per rule and subject that has any value of the rule's metric, ordered by rule and subject.
    """
    past = values[pd.to_datetime(values["date"]).dt.date <= on]
    conditions = []
    for rule in rules:
        of_metric = past[past["metric"] == rule.metric]
        for (kind, subject), series in of_metric.groupby(["subject_kind", "subject"], sort=True):
            if isinstance(rule, ChangeRule):
                conditions.append(_change(rule, str(kind), str(subject), series, on))
            else:
                of_baseline = past[(past["metric"] == rule.baseline) & (past["subject_kind"] == kind)]
                baseline = of_baseline[of_baseline["subject"] == subject]
                conditions.append(_multiple(rule, str(kind), str(subject), series, baseline, on))
    return conditions


def _change(rule: ChangeRule, kind: str, subject: str, series: pd.DataFrame, on: date) -> Condition:
    days = pd.to_datetime(series["date"]).dt.date
    middle, first = on - timedelta(days=rule.days), on - timedelta(days=2 * rule.days)
    last = series.loc[days > middle, "value"].dropna()
    before = series.loc[(days > first) & (days <= middle), "value"].dropna()
    # A week with a missing day would look like a drop.
    complete = len(last) == rule.days and len(before) == rule.days
    value = float(last.sum()) if complete else None
    reference = float(before.sum()) if complete else None
    if value is None or reference is None:
        verdict: Verdict = "unknown"
        text = f"Not all of the last {2 * rule.days} days are known."
    elif reference < rule.minimum_reference:
        verdict = "unknown"
        text = f"Only {reference:g} in the {rule.days} days before; at least {rule.minimum_reference:g} are needed."
    else:
        # At exactly the limit the rule holds, whatever the last digit of 1 - 0.9 says.
        limit = reference * (1 - rule.drop)
        verdict = "breached" if value <= limit or math.isclose(value, limit, rel_tol=1e-9) else "fine"
        change = abs(value / reference - 1)
        direction = "less" if value < reference else "more"
        metric = load_catalogue().metrics[rule.metric]
        text = (
            f"{metric.title}: {amount(value, metric.unit)} in the last {rule.days} days against "
            f"{amount(reference, metric.unit)} in the {rule.days} days before, {change:.0%} {direction}."
        )
    return Condition(rule.key, kind, subject, on, verdict, value, reference, rule.days, text)


def _multiple(
    rule: MultipleRule, kind: str, subject: str, series: pd.DataFrame, baseline: pd.DataFrame, on: date
) -> Condition:
    now, before = _known(series, on), _known(baseline, on - timedelta(days=rule.lag_days))
    if now is None or before is None or before[0] <= 0:
        missing = "now" if now is None else f"{rule.lag_days} days before"
        text = f"There is no figure on enough rows {missing}."
        return Condition(rule.key, kind, subject, on, "unknown", now[0] if now else None, None, None, text)
    (value, n), (reference, _) = now, before
    factor = value / reference
    metric = load_catalogue().metrics[rule.metric]
    text = (
        f"{metric.title}: {amount(value, metric.unit)} (n = {n}) against {amount(reference, metric.unit)} as the "
        f"baseline of {rule.lag_days} days before, {factor:.1f} times as much."
    )
    at_limit = math.isclose(factor, rule.factor, rel_tol=1e-9)
    verdict: Verdict = "breached" if factor >= rule.factor or at_limit else "fine"
    return Condition(rule.key, kind, subject, on, verdict, value, reference, n, text)


def _known(series: pd.DataFrame, on: date) -> tuple[float, int] | None:
    """Value and n of a day, if the figure is known and stands on enough rows."""
    row = series[pd.to_datetime(series["date"]).dt.date == on]
    if row.empty or row.iloc[0]["state"] in ("unknown", "too_few") or pd.isna(row.iloc[0]["value"]):
        return None
    n = row.iloc[0]["n"]
    return float(row.iloc[0]["value"]), 0 if pd.isna(n) else int(n)
