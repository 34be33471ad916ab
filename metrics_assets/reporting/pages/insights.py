"""The page of insights: sentences that follow from the figures, what they stand on, and what goes together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import Cell, Column, Row, Table, rows_csv

MOST_SHOWN = 50
MOST_EVIDENCE = 14  # rows of a small table
_INSIGHTS_CSV, _PAIRS_CSV = "data/insights.csv", "data/correlations.csv"
_TOPICS = {
    "growth risk": "Risks to growth",
    "tier": "Tiers that change",
    "trend": "Trends",
    "bottleneck": "Bottlenecks",
    "failures": "Failed deployments",
    "deployment windows": "When to deploy",
    "reviews": "Reviews",
    "balance": "How work is shared out",
    "gaps": "What is not known",
}
_WHY_NOT = {"ok": "tried", "too_few": "too few changes", "unknown": "not known"}


@dataclass(frozen=True, slots=True)
class InsightRow:
    """A row of metrics.insights; `weight` is greater where it matters more."""

    insight: str
    subject_kind: str
    subject: str
    topic: str
    weight: float
    sentence: str
    action: str | None
    n: int | None
    p: float | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two metrics of a subject that were held against each other; x leads y by `lag_days`.

    Attributes:
        why: what the pair may show, from the catalogue.
        state: ok | too_few | unknown.
        sentence: stands where the pair survives the correction for all that were tried.
    """

    pair: str
    subject_kind: str
    subject: str
    x: str
    y: str
    lag_days: int | None
    n: int
    n_effective: float | None
    spearman: float | None
    p_adjusted: float | None
    survives: bool
    state: str
    sentence: str | None
    why: str


@dataclass(frozen=True, slots=True)
class InsightsData:
    """All that the page shows; nothing in it is about a team.

    Attributes:
        made_on: the day they were made for; None where none were.
        earlier: what was said on other days of the last half year, newest first.
    """

    made_on: date | None
    insights: tuple[InsightRow, ...]
    earlier: tuple[tuple[date, InsightRow], ...]
    pairs: tuple[PairRow, ...]
    metrics: Mapping[str, MetricInfo]


@dataclass(frozen=True, slots=True)
class InsightView:
    """An insight with what it stands on."""

    row: InsightRow
    anchor: str
    href: str | None
    basis: str
    evidence: Table


def insights_files(site: SiteInfo, data: InsightsData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files."""
    ranked = sorted(data.insights, key=lambda one: (-one.weight, one.subject, one.insight))
    shown = ranked[:MOST_SHOWN]
    survived = [one for one in data.pairs if one.survives and one.sentence]
    made = f"as of {wording.day(data.made_on)}" if data.made_on else "none was made"
    yield (
        addresses.INSIGHTS,
        render(
            "insights.html.j2",
            path=addresses.INSIGHTS,
            site=site,
            title="Insights",
            period=f"{wording.count(len(ranked), 'insight')}, {made} · made for the last day of a month and of a run",
            sentences=_sentences(ranked, data, survived),
            topics=_topics(shown, site),
            more=wording.shown(len(shown), len(ranked)),
            has_insights=bool(ranked),
            csv=_INSIGHTS_CSV,
            survived=[(one, _stands_on(one), _try(one, data)) for one in survived[:MOST_SHOWN]],
            tried=_tried_sentence(data, survived),
            pairs=_pairs_table(data),
            earlier=_earlier_table(data),
        ),
    )
    yield _INSIGHTS_CSV, _insights_csv(ranked)
    yield _PAIRS_CSV, _pairs_csv(data.pairs)


def _sentences(ranked: Sequence[InsightRow], data: InsightsData, survived: Sequence[PairRow]) -> tuple[str, ...]:
    if data.made_on is None:
        return ("No insight has been made yet.", "They are made for the last day of a month and of each run.")
    if not ranked:
        first = "Nothing in the figures stands out."
    else:
        first = f"What matters most, {ranked[0].subject}: {ranked[0].sentence}"
    return first, _pairs_sentence(data, survived)


def _pairs_sentence(data: InsightsData, survived: Sequence[PairRow]) -> str:
    tried = sum(one.state == "ok" for one in data.pairs)
    if not tried:
        return "No pair of figures could be compared yet."
    verb = "goes" if len(survived) == 1 else "go"
    return (
        f"Of {wording.count(tried, 'pair')} of figures that were compared, {len(survived) or 'none'} {verb} together."
    )


def _topics(shown: Sequence[InsightRow], site: SiteInfo) -> list[tuple[str, list[InsightView]]]:
    """The insights by topic; the topic of the weightiest stands first."""
    topics = list(dict.fromkeys(one.topic for one in shown))
    return [
        (_TOPICS.get(topic, topic.capitalize()), [_view(one, site) for one in shown if one.topic == topic])
        for topic in topics
    ]


def _view(row: InsightRow, site: SiteInfo) -> InsightView:
    path = addresses.repository(row.subject)
    basis = []
    if row.n is not None:
        basis.append(f"n{wording.NO_BREAK}={wording.NO_BREAK}{row.n:,}")
    if row.p is not None:
        basis.append(p_words(row.p))
    return InsightView(
        row=row,
        anchor=wording.anchor(row.insight, f"{row.subject_kind} {row.subject}"),
        href=path if row.subject_kind == "repository" and path in site.pages else None,
        basis=" · ".join(basis),
        evidence=_evidence(row),
    )


def p_words(p: float) -> str:
    """'p < 0.001', 'p = 0.03'."""
    return (
        f"p{wording.NO_BREAK}<{wording.NO_BREAK}0.001"
        if p < 0.001
        else f"p{wording.NO_BREAK}={wording.NO_BREAK}{p:.2g}"
    )


def _evidence(row: InsightRow) -> Table:
    """What an insight stands on, as a small table: a row for each name; days and values of a series side by side."""
    caption = f"What it stands on: {row.insight.replace('_', ' ')} of the {row.subject_kind} {row.subject}"
    series = _series(row.evidence)
    besides = ("subject", "dates", "values") if series else ("subject",)
    facts = [(name, value) for name, value in row.evidence.items() if name not in besides]
    rows = [Row((Cell(_name(name)), Cell(_said(value)))) for name, value in facts]
    rows += [Row((Cell(str(day)), Cell(_said(value)))) for day, value in series[-MOST_EVIDENCE:]]
    return Table(
        caption, (Column("Evidence"), Column("Value", numeric=True)), tuple(rows), empty="No evidence is kept."
    )


def _series(evidence: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """The values of the evidence with their days, where it has one for each."""
    days, values = evidence.get("dates"), evidence.get("values")
    if not isinstance(days, list) or not isinstance(values, list) or len(days) != len(values):
        return []
    return list(zip(days, values, strict=True))


def _name(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _said(value: Any) -> str:
    """A value of the evidence in words; what holds others is written out flat."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')} {_said(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(_said(one) for one in value[:MOST_EVIDENCE])
        return shown + (f" and {len(value) - MOST_EVIDENCE} more" if len(value) > MOST_EVIDENCE else "")
    return str(value).replace("_", " ") if len(str(value)) < 60 else str(value)


def _stands_on(one: PairRow) -> str:
    parts = [f"n{wording.NO_BREAK}={wording.NO_BREAK}{one.n:,} changes"]
    if one.n_effective is not None:
        parts.append(f"worth {one.n_effective:.0f} that do not depend on each other")
    if one.lag_days:
        parts.append(f"the first leads by {wording.count(one.lag_days, 'day')}")
    if one.spearman is not None:
        parts.append(f"rank correlation {one.spearman:+.2f}")
    if one.p_adjusted is not None:
        parts.append(f"{p_words(one.p_adjusted)} after the correction")
    return " · ".join(parts)


def _try(one: PairRow, data: InsightsData) -> str:
    """What to try, to learn whether one figure moves the other: a change of one, and a look at the other."""
    x, y = _title(one.x, data).lower(), _title(one.y, data).lower()
    lag = f" for {wording.count(one.lag_days, 'day')} and longer" if one.lag_days else " for some weeks"
    return (
        f"To learn whether it is a cause: change {x} on purpose in one place{lag}, leave the others as they are, and "
        f"see whether {y} follows there and nowhere else."
    )


def _tried_sentence(data: InsightsData, survived: Sequence[PairRow]) -> str:
    tried = [one for one in data.pairs if one.state == "ok"]
    if not data.pairs:
        return "No pair of figures was compared: none is in the catalogue, or none has values yet."
    said = (
        f"{wording.count(len(tried), 'pair')} of figures and subjects were compared and {len(tried) - len(survived)} "
        "did not survive the correction for the number of tries"
    )
    few = sum(one.state == "too_few" for one in data.pairs)
    unknown = sum(one.state == "unknown" for one in data.pairs)
    if few:
        said += f"; {few} had too few changes"
    if unknown:
        said += f"; of {unknown} nothing is known"
    return said + ". Of many tries some always look like something; that is why most of them are not told."


def _title(key: str, data: InsightsData) -> str:
    return data.metrics[key].title if key in data.metrics else key.replace("_", " ").capitalize()


def _pairs_table(data: InsightsData) -> Table:
    """What was compared, by pair: how often it could be, how often it went together, and what it may show."""
    rows = []
    for pair in dict.fromkeys(one.pair for one in data.pairs):
        of_pair = [one for one in data.pairs if one.pair == pair]
        x, y = _title(of_pair[0].x, data), _title(of_pair[0].y, data)
        counts = {state: sum(one.state == state for one in of_pair) for state in _WHY_NOT}
        rows.append(
            Row((
                Cell(f"{x} and {y.lower()}", under=of_pair[0].why),
                Cell(str(counts["ok"])),
                Cell(str(sum(one.survives for one in of_pair))),
                Cell(str(counts["too_few"])),
                Cell(str(counts["unknown"])),
            ))
        )  # fmt: skip
    columns = (
        Column("Pair"), Column("Compared", numeric=True), Column("Go together", numeric=True),
        Column("Too few", numeric=True), Column("Not known", numeric=True),
    )  # fmt: skip
    return Table(
        "Pairs of figures that were compared", columns, tuple(rows), csv=_PAIRS_CSV, empty="No pair was compared."
    )


def _earlier_table(data: InsightsData) -> Table:
    rows = [
        Row((
            Cell(one.subject), Cell(wording.day(on), sort=on.isoformat()),
            Cell(_TOPICS.get(one.topic, one.topic.capitalize())), Cell(one.sentence),
        ))
        for on, one in data.earlier[:MOST_SHOWN]
    ]  # fmt: skip
    columns = (Column("Subject"), Column("As of", numeric=True), Column("Topic"), Column("What the figures said"))
    return Table(
        "Insights of the half year before", columns, tuple(rows), empty="Nothing was said in the half year before.",
        note=wording.shown(len(rows), len(data.earlier), rest=""),
    )  # fmt: skip


def _insights_csv(ranked: Sequence[InsightRow]) -> str:
    columns = ("topic", "insight", "subject_kind", "subject", "weight", "sentence", "action", "n", "p", "evidence")
    return rows_csv(columns, (
        (one.topic, one.insight, one.subject_kind, one.subject, one.weight, one.sentence, one.action, one.n, one.p,
         json.dumps(dict(one.evidence), sort_keys=True))
        for one in ranked
    ))  # fmt: skip


def _pairs_csv(pairs: Sequence[PairRow]) -> str:
    columns = (
        "pair", "subject_kind", "subject", "x", "y", "lag_days", "n", "n_effective", "spearman", "p_adjusted",
        "survives", "state", "sentence",
    )  # fmt: skip
    return rows_csv(columns, (
        (one.pair, one.subject_kind, one.subject, one.x, one.y, one.lag_days, one.n, one.n_effective, one.spearman,
         one.p_adjusted, one.survives, one.state, one.sentence)
        for one in pairs
    ))  # fmt: skip
