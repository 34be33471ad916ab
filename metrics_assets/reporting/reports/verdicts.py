"""The one or two sentences that a report begins with, made from the figures by fixed rules."""

from __future__ import annotations

from metrics_assets.reporting.reports.goals import goal_count
from metrics_assets.reporting.reports.lines import amount, change
from metrics_assets.reporting.reports.parts import AGO
from metrics_assets.reporting.reports.records import Figures, Measure
from metrics_assets.reporting.reports.tiers import GOOD, key_tiers, tier_word
from metrics_assets.reporting.wording import count, listed


def verdict(figures: Figures) -> str:
    """How it grew, how it is delivered, and what stands open."""
    said = [sentence for sentence in (_growth(figures), delivery(figures), standing(figures)) if sentence]
    said.append(f"{goal_count(figures)}.")
    so_far = "So far: " if figures.is_draft else ""
    return so_far + " ".join(said)


def _growth(figures: Figures) -> str:
    """Stars and customers, where they are known."""
    parts = []
    for metric, label in (("stars_total", "stars"), ("enterprise_customers", "enterprise customers")):
        measure = figures.one(metric, "last")
        if measure is not None and measure.now.value is not None:
            parts.append(f"{amount(measure.now.value, 'count')} {label}{_moved(figures, measure)}")
    return f"{listed(parts)}." if parts else ""


def _moved(figures: Figures, measure: Measure) -> str:
    if measure.before.value is None or measure.now.value is None:
        return ""
    return f" ({change(measure.before.value, measure.now.value, measure.metric.unit)} {AGO[figures.report]})"


def delivery(figures: Figures) -> str:
    """How the four keys are rated together, and which is the weakest."""
    rated = {key: tier for key, tier in key_tiers(figures, figures.through).items() if tier is not None}
    if not rated:
        return "Delivery cannot be rated."
    titles = {measure.metric.key: measure.metric.title.lower() for measure in figures.measures}
    weak = [key for key, tier in rated.items() if tier not in GOOD]
    if weak:
        names = listed([f"{titles.get(key, key)} ({tier_word(rated[key])})" for key in weak])
        verb = "needs" if len(weak) == 1 else "need"
        return f"Of delivery, {names} {verb} attention."
    low = min(rated.values(), key=lambda tier: GOOD[::-1].index(tier))
    word = "Elite" if low == "elite" else "High or Elite"
    below = figures.repositories_below
    but = f", but {below} of {count(figures.repositories_rated, 'repository', 'repositories')} " if below else ""
    but += f"{'is' if below == 1 else 'are'} Medium or Low on one" if below else ""
    but += f", {figures.repositories[0].repository} most of all" if below and figures.repositories else ""
    return f"Delivery as a whole is {word} on {_keys(len(rated))}{but}."


def _keys(number: int) -> str:
    return "all four keys" if number == 4 else f"the {count(number, 'key')} known"


def standing(figures: Figures) -> str:
    """The alerts that are open."""
    still = [alert for alert in figures.alerts if alert.resolved_on is None and alert.severity != "info"]
    if not still:
        return "No alert is open."
    critical = sum(alert.severity == "critical" for alert in still)
    urgent = f", {critical} of them critical" if critical else ""
    return f"{count(len(still), 'alert')} {'is' if len(still) == 1 else 'are'} open{urgent}."
