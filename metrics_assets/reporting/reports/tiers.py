"""How delivery is rated: the four keys, their tiers month by month, the repositories that need a look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from metrics_assets.reporting.data import FOUR_KEYS, Tier
from metrics_assets.reporting.documents import Block, Grid, Paragraph
from metrics_assets.reporting.reports.lines import amount, change, day, is_better
from metrics_assets.reporting.reports.parts import not_known, why_unknown
from metrics_assets.reporting.reports.records import Figures, Key, Line
from metrics_assets.reporting.wording import MONTHS, count, listed

GOOD = ("elite", "high")
TIER_ORDER: dict[Tier | None, int] = {"elite": 3, "high": 2, "medium": 1, "low": 0}


def tier_word(tier: Tier | None) -> str:
    return tier.capitalize() if tier else "no tier"


def key_tiers(figures: Figures, on: date) -> dict[str, Tier | None]:
    return {found.metric: found.tier for found in figures.tiers if found.on == on}


def keys_grid(figures: Figures, lines: Iterable[Line]) -> list[Block]:
    """The four keys of the whole portfolio: value, tier, and how both moved."""
    now, ends = key_tiers(figures, figures.through), figures.period_start - timedelta(days=1)
    before = key_tiers(figures, ends)
    rows, unknown = [], []
    for line, measure in figures.select(lines):
        metric = measure.metric
        if measure.now.value is None:
            unknown.append((line, measure))
            continue
        was = "not known"
        how = ""
        if measure.before.value is not None:
            tier = f", {tier_word(before[metric.key])}" if before.get(metric.key) else ""
            was = f"{amount(measure.before.value, metric.unit)}{tier}"
            how = change(measure.before.value, measure.now.value, metric.unit)
            if amount(measure.before.value, metric.unit) == amount(measure.now.value, metric.unit):
                how = "unchanged"
            if how != "unchanged" and not how.startswith("±") and metric.direction != "neutral":
                how += ", better" if is_better(measure.before.value, measure.now.value, metric) else ", worse"
        rows.append(
            (metric.title, amount(measure.now.value, metric.unit), tier_word(now.get(metric.key)), was, how or "–")
        )
    if not rows:
        reasons = {why_unknown(measure) for _, measure in unknown}
        why = f": {listed(sorted(reasons))}" if reasons else ""
        return [Paragraph(f"Delivery cannot be rated{why}.")]
    columns = ("Key", f"On {day(figures.through)}", "Tier", f"On {day(ends)}", "Change")
    return [Grid(columns, tuple(rows)), *not_known(unknown)]


def history_grid(figures: Figures) -> list[Block]:
    """The tier of each key month by month."""
    days = list(dict.fromkeys(found.on for found in figures.tiers if found.tier))
    if not days:
        return []
    metrics = list(dict.fromkeys(found.metric for found in figures.tiers))
    tiers = {(found.on, found.metric): found.tier for found in figures.tiers}
    titles = {line.metric.key: line.metric.title for line in figures.measures}
    columns = ("Key", *(f"{MONTHS[on.month - 1]} {on.year}" for on in days))
    rows = tuple((titles.get(key, key), *(tier_word(tiers.get((on, key))) for on in days)) for key in metrics)
    return [Grid(columns, rows)]


def repositories_grid(figures: Figures, most: int) -> list[Block]:
    """The repositories that are medium or low on a key, the worst first."""
    if not figures.repositories_rated:
        return []
    rated, below = figures.repositories_rated, figures.repositories_below
    if not below:
        return [Paragraph(f"{_all(rated)} High or Elite on every key that is known.")]
    titles = {measure.metric.key: measure.metric.title for measure in figures.measures}
    shown = figures.repositories[:most]
    rows = tuple(
        (one.repository, *(_cell(figures, {key.metric: key for key in one.keys}.get(metric)) for metric in FOUR_KEYS))
        for one in shown
    )
    said = f"{below} of {count(rated, 'rated repository', 'rated repositories')} {'is' if below == 1 else 'are'}"
    more = f" The {len(shown)} that need it most:" if below > len(shown) else ""
    return [
        Paragraph(f"{said} Medium or Low on a key.{more}"),
        Grid(("Repository", *(titles.get(metric, metric) for metric in FOUR_KEYS)), rows),
    ]


def _all(number_of: int) -> str:
    return "The one rated repository is" if number_of == 1 else f"All {number_of} rated repositories are"


def _cell(figures: Figures, key: Key | None) -> str:
    if key is None or key.value is None:
        return "not known"
    unit = next((measure.metric.unit for measure in figures.measures if measure.metric.key == key.metric), "count")
    was = f", was {tier_word(key.tier_before)}" if key.tier_before and key.tier_before != key.tier else ""
    return f"{amount(key.value, unit)}, {tier_word(key.tier)}{was}"
