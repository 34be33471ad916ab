"""The page of all metrics (docs/metrics.md, `metrics catalogue`), written from the catalogue alone.

Figures that are computed stand one by one, because their formula and table matter; figures that are fed stand in a
table. After them come what the packs bring: goals, alert rules, gates, scores and north stars, and what nobody can
have, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from metrics_assets.catalogue.alerts import read_rules
from metrics_assets.catalogue.gates import Criterion, Gate, read_gates
from metrics_assets.catalogue.goals import Goal, read_goals, read_north_stars
from metrics_assets.catalogue.metrics import Catalogue, Metric, read_catalogue
from metrics_assets.catalogue.packs import PackFile, load_packs
from metrics_assets.catalogue.parts import Part, read_parts
from metrics_assets.catalogue.reading import catalogue_files, own_folder
from metrics_assets.catalogue.scores import read_scores
from metrics_assets.reporting.catalogue_words import CONDITIONS, amount, anchor, band_values, code, number, table, text
from metrics_assets.reporting.rules_page import rules_table

DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "neutral": "neither is better"}
LEVELS = {"must": "must", "should": "should", "nice": "nice to have"}
_HEAD = """# Metrics

Every figure, what it means and where it comes from. This page is written from the catalogue
(`metrics_assets/catalogue`, and the files of your own folder `catalogue/` beside metrics.yaml) by `metrics catalogue`.

- **Unknown is not zero.** A figure that nobody collects or feeds is unknown, and so is a goal or a criterion on it.
- A **window** ends with the day: "last 28 days" of a Sunday are that Sunday and the 27 days before it.
- A figure that stands on fewer than its **minimum n** is marked `too_few` and not judged.
- **Fed** figures are rows of `kpi_values.csv`; those of *events* count rows of `events.csv` of a kind. The column
  `segment` is empty for the portfolio; it may also be a repository, `team:` or `package:` and its name, or what the
  figure says (a region, a platform, a theme).
- **Alert rules** count where their pack is on; `metrics.yaml` may change each of their numbers, see
  [alerts](alerts.md). Channels that it does not have are replaced by its default ones.
- `metric_values` shows all of them in one shape: metric, subject, date, value, n, state and the ends of the interval.
"""


class Component(BaseModel):
    """A component with a line from 0 to 100 points, or a signal with its alpha and threshold."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str
    metric: str
    category: str | None = None
    weight: float = 1
    zero: float = 0
    hundred: float = 0
    scale: str = "linear"
    alpha: float | None = None
    threshold: float = 0


class Score(BaseModel):
    """What the page says of a model of catalogue/scores; how it computes stands in analysis/scoring."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    score: str
    version: int
    title: str
    minimum_coverage: float
    categories: dict[str, float] = {}
    components: tuple[Component, ...]


def metrics_page(own: bool = True) -> str:
    """The whole page as Markdown.

    Args:
        own: whether the user's own metrics, goals, rules, gates and scores are on it, too.

    Raises:
        CatalogueError: an entry of the catalogue is wrong.
    """

    def files(kind: str) -> list[Path]:
        return [path for path in catalogue_files(kind) if own or path.parent != own_folder()]

    catalogue = read_catalogue(files("metrics"))
    packs = load_packs()
    goals = read_goals(files("goals"), catalogue)
    gates = read_gates(files("gates"), catalogue)
    sections = [(part.title, _group(part)) for part in read_parts(files("metrics"))]
    sections += [
        ("North stars", _north_stars(files("north_stars"), catalogue)),
        *((f"Goals: {title}", part) for title, part in _goals([*goals.values()], catalogue, packs)),
        *((f"Alert rules: {title}", part) for title, part in _rules(files("rules"), catalogue, packs)),
        ("Release gates", _gates([*gates.values()], catalogue, packs)),
        ("Models of scores", _scores(files("scores"), catalogue, packs)),
        ("What is not covered", _not_covered(packs)),
    ]
    sections = [(title, part) for title, part in sections if part]
    contents = " · ".join(f"[{title}](#{anchor(title)})" for title, _ in sections)
    body = "\n".join(f"## {title}\n\n{part}" for title, part in sections)
    return f"{_HEAD}\n{contents}\n\n{body}"


def _group(part: Part) -> str:
    about = text(part.about)
    fed = [metric for metric in part.metrics if metric.fed and not metric.bands]
    one_by_one = [_block(metric) for metric in part.metrics if metric not in fed]
    table_of_fed = table(
        ("Fed figure", "What it says", "Unit", "Better", "Fed as", "Owner", "Matters", "Source"),
        [
            (
                f"{text(metric.title)}<br>`{metric.key}`",
                text(metric.definition),
                metric.unit,
                metric.direction,
                f"events of `{metric.kind}`" if metric.kind else metric.cadence,
                metric.owner,
                f"{metric.priority}, {metric.timing}",
                text(metric.source or ""),
            )
            for metric in fed
        ],
    )
    return "\n".join(part for part in [f"{about}\n" if about else "", *one_by_one, table_of_fed] if part)


def _block(metric: Metric) -> str:
    facts = [
        f"`{metric.key}`",
        metric.unit,
        DIRECTIONS[metric.direction],
        *([f"last {metric.window} days"] if metric.window else []),
        *([f"by {metric.grain}"] if metric.grain != "day" else []),
        f"{metric.priority}, {metric.timing}",
        f"{metric.owner}, {metric.cadence}",
    ]
    lines = [f"### {text(metric.title)}", "", " · ".join(facts), "", text(metric.definition), ""]
    if metric.formula:
        lines.append(f"- Formula: {code(metric.formula)}")
    lines += [f"- {stands_in(metric)}", f"- Unknown: {text(metric.unknown)}"]
    if metric.source:
        lines.append(f"- Source: {text(metric.source)}")
    if metric.bands:
        lines += ["", _bands(metric)]
    return "\n".join(lines).rstrip("\n") + "\n"


def stands_in(metric: Metric) -> str:
    """Where a metric's values come from, or how they are made, in a sentence of Markdown."""
    if metric.kind:
        return f"Fed: counts the rows of events.csv of kind `{metric.kind}`."
    if metric.fed:
        return "Fed: rows of kpi_values.csv."
    if metric.sql:
        return f"Calculated by `{metric.sql}` into `metrics.calculated_daily`."
    if metric.table is None:
        return "Calculated from other metrics into `metrics.calculated_daily`."
    tables = " and ".join(f"`metrics.{table}`" for table in (metric.table, metric.groups) if table)
    where = f", where {code(metric.where)}" if metric.where else ""
    words = f"Stands in {tables}: {code(metric.value_sql)}{where}"
    if metric.n:
        words += f"; n: {code(metric.n)}, at least {metric.minimum_n}"
    if metric.numerator and metric.denominator:
        words += f"; {code(metric.numerator)} of {code(metric.denominator)}"
    if metric.low and metric.high:
        words += f"; 95 % interval: {code(metric.low)} to {code(metric.high)}"
    return words + "."


def _bands(metric: Metric) -> str:
    rows = [(band.band, band_values(band, metric), text(band.means or "")) for band in metric.bands]
    return table(("Band", "Values", "Means"), rows)


def _north_stars(files: list[Path], catalogue: Catalogue) -> str:
    rows = []
    for star in read_north_stars(files, catalogue):
        metric = catalogue.metrics[star.metric]
        name = f"{text(metric.title)}<br>`{metric.key}`"
        rows.append((name, text(star.why), star.pack or "always", ", ".join(star.requirements)))
    return table(("Metric", "Why", "Pack", "Requirement"), rows)


def _goals(goals: Sequence[Goal], catalogue: Catalogue, packs: dict[str, PackFile]) -> Iterable[tuple[str, str]]:
    """A table for each pack, and one for the goals that always count."""
    for pack in [*packs, None]:
        of_the_pack = [goal for goal in goals if goal.pack == pack]
        rows = []
        for goal in of_the_pack:
            metric = catalogue.metrics[goal.metric]
            target = f"{CONDITIONS[goal.comparison or 'at_least']} {amount(goal.target, metric)}"
            rows.append(
                (
                    f"{text(goal.title)}<br>`{goal.key}`",
                    f"`{goal.metric}`",
                    _subject(goal),
                    target,
                    _due(goal),
                    goal.owner or metric.owner,
                    ", ".join(goal.requirements) or text(goal.source or ""),
                )
            )
        title = packs[pack].title.lower() if pack else "always"
        yield title, table(("Goal", "Metric", "Of", "Target", "By", "Owner", "Requirement"), rows)


def _rules(files: list[Path], catalogue: Catalogue, packs: dict[str, PackFile]) -> Iterable[tuple[str, str]]:
    """A table for the rules that always count, and one for each pack."""
    rules = read_rules(files, catalogue).values()
    for pack in [None, *packs]:
        title = packs[pack].title.lower() if pack else "always"
        yield title, rules_table([rule for rule in rules if rule.pack == pack], catalogue)


def _subject(goal: Goal) -> str:
    if goal.subject:
        return text(goal.subject)
    return "portfolio" if goal.subject_kind == "portfolio" else f"every {goal.subject_kind}"


def _due(goal: Goal) -> str:
    if goal.by:
        return goal.by.isoformat()
    return f"month {goal.months}" if goal.months else "always"


def _gates(gates: Sequence[Gate], catalogue: Catalogue, packs: dict[str, PackFile]) -> str:
    parts = []
    for gate in gates:
        rows = [
            (
                f"{text(group.title)} ({LEVELS[group.level]})",
                text(criterion.title),
                condition(criterion, catalogue),
                f"{share * 100:.1f} %",
                ", ".join(criterion.requirements),
            )
            for group, criterion, share in gate.criteria()
        ]
        about = f"`{gate.key}`, pack {packs[gate.pack].title.lower()}" if gate.pack else f"`{gate.key}`, always"
        criteria = table(("Group", "Criterion", "Decided by", "Share", "Requirement"), rows)
        parts.append(f"### {text(gate.title)}\n\n{about}\n\n{criteria}")
    return "\n".join(parts)


def condition(criterion: Criterion, catalogue: Catalogue) -> str:
    """What decides a criterion, as Markdown: '`coverage` at least 80 % on each of 7 days'."""
    metric = catalogue.metrics[criterion.metric] if criterion.metric else None
    bounds = " and ".join(
        f"{CONDITIONS[name]} {amount(bound, metric) if metric else number(bound)}"
        for name, bound in criterion.bounds.items()
    )
    if metric is None:
        return "gate_evidence.csv" + (f", {bounds}" if bounds else "")
    days = f" on each of {criterion.days} days" if criterion.days > 1 else ""
    subject = f" of {text(criterion.subject)}" if criterion.subject else ""
    return f"`{metric.key}`{subject} {bounds}{days}"


def _scores(files: list[Path], catalogue: Catalogue, packs: dict[str, PackFile]) -> str:
    parts = []
    for listed in read_scores(Score.model_validate, catalogue, files).values():
        score = listed.model
        on = ", ".join(pack.title.lower() for name, pack in packs.items() if name in listed.packs)
        about = (
            f"`{score.score}`, version {score.version}, " + (f"packs: {on}" if on else "always") + ". "
            f"Known from {score.minimum_coverage * 100:.0f} % of the weights on."
        )
        parts.append(f"### {text(score.title)}\n\n{about}\n\n{_components(score)}")
    return "\n".join(parts)


def _components(score: Score) -> str:
    signals = [
        (one.key, f"`{one.metric}`", number(one.alpha), number(one.threshold))
        for one in score.components
        if one.alpha is not None
    ]
    rows = []
    for one in score.components:
        weight = f"{one.category} {number(score.categories[one.category])} %" if one.category else number(one.weight)
        line = "logarithm" if one.scale == "log" else "straight"
        rows.append((one.key, f"`{one.metric}`", weight, number(one.zero), number(one.hundred), line))
    return table(("Signal", "Metric", "Alpha", "Threshold"), signals) or table(
        ("Component", "Metric", "Weight", "0 points", "100 points", "Line"), rows
    )


def _not_covered(packs: dict[str, PackFile]) -> str:
    rows = [(id_, pack.title, text(reason)) for pack in packs.values() for id_, reason in pack.not_covered.items()]
    elsewhere = sum(len(pack.elsewhere) for pack in packs.values())
    return (
        f"{table(('Requirement', 'Pack', 'Why not'), rows)}\n"
        f"{elsewhere} more requirements are answered by pages, reports, tables, commands and settings; the files of "
        "the packs name them under `elsewhere`.\n"
    )
