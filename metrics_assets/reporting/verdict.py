"""The sentences at the top of the overview, made from tiers and alerts by fixed rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metrics_assets.reporting.data import FOUR_KEYS, MetricInfo, OverviewData
from metrics_assets.reporting.figures import Figures
from metrics_assets.reporting.wording import count, repositories

MOSTLY = 2 / 3  # share of the ratings that must be High or Elite
GOOD = ("elite", "high")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A headline and at most two sentences."""

    headline: str
    sentences: tuple[str, ...]


def verdict(data: OverviewData, figures: Figures, keys: Sequence[MetricInfo]) -> Verdict:
    """Say how throughput and stability stand, which key is weakest, and what is open."""
    ratings = {metric.key: _ratings(figures, metric) for metric in keys}
    throughput = _share([rating for key in FOUR_KEYS[:2] for rating in ratings.get(key, [])])
    stability = _share([rating for key in FOUR_KEYS[2:] for rating in ratings.get(key, [])])
    sentences = [sentence for sentence in (_weakest(keys, ratings), _open(data)) if sentence]
    return Verdict(_headline(throughput, stability), tuple(sentences))


def _ratings(figures: Figures, metric: MetricInfo) -> list[bool]:
    """Return, for each rated repository, whether it is High or Elite."""
    tiers = (figures.on(name, metric.key).tier for name in figures.repositories)
    return [tier in GOOD for tier in tiers if tier is not None]


def _share(ratings: list[bool]) -> float | None:
    return sum(ratings) / len(ratings) if ratings else None


def _headline(throughput: float | None, stability: float | None) -> str:
    if throughput is None and stability is None:
        return "No repository can be rated yet."
    if throughput is None or stability is None:
        known, share, other = (
            ("Stability", stability, "throughput") if throughput is None else ("Throughput", throughput, "stability")
        )
        state = "is mostly High or Elite" if share is not None and share >= MOSTLY else "needs attention"
        return f"{known} {state}; {other} cannot be rated yet."
    match throughput >= MOSTLY, stability >= MOSTLY:
        case True, True:
            return "Throughput and stability are mostly High or Elite."
        case True, False:
            return "Throughput is mostly High or Elite; stability needs attention."
        case False, True:
            return "Stability is mostly High or Elite; throughput needs attention."
        case _:
            return "Both throughput and stability need attention."


def _weakest(keys: Sequence[MetricInfo], ratings: dict[str, list[bool]]) -> str:
    rated = [(sum(ratings[metric.key]) / len(ratings[metric.key]), metric) for metric in keys if ratings[metric.key]]
    if not rated:
        return ""
    share, metric = min(rated, key=lambda pair: pair[0])
    if share == 1:
        return "No rated repository is Medium or Low on any key."
    total = len(ratings[metric.key])
    below = total - sum(ratings[metric.key])
    verb = "is" if below == 1 else "are"
    of = f"{below} of {total} rated" if below < total else f"all {total} rated" if total > 1 else "the only rated"
    noun = "repository" if total == 1 else "repositories"
    return f"{metric.title} is the weakest key: {of} {noun} {verb} Medium or Low."


def _open(data: OverviewData) -> str:
    """Count open alerts and the repositories of which nothing says when they ship."""
    alerts = data.alerts[data.alerts["state"] != "resolved"]
    critical = int((alerts["severity"].astype(str).str.lower() == "critical").sum())
    said = []
    if len(alerts):
        urgent = f", {critical} critical" if critical else ""
        said.append(f"{count(len(alerts), 'alert')} {'is' if len(alerts) == 1 else 'are'} open{urgent}")
    silent = sum(info.state == "active" and info.deployment_source is None for info in data.repositories)
    if silent:
        said.append(f"nothing says when {repositories(silent)} {'ships' if silent == 1 else 'ship'}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""
