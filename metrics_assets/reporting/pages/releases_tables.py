"""The tables of the page about releases: past verdicts, releases, deployments, withdrawn versions, figures by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import MetricInfo, Series, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Part, Row, Table
from metrics_assets.reporting.pages.community_words import cut
from metrics_assets.reporting.pages.releases_gates import VERDICTS, Gate, anchor_of, score_text

SHOWN = 50
_PARTS_SHOWN = 8
SIGNALS = {
    "failed_deployment": "never succeeded",
    "incident": "incident",
    "rollback": "rolled back",
    "revert": "change reverted",
    "hotfix": "hotfix followed",
    "yank": "withdrawn",
}


@dataclass(frozen=True, slots=True)
class FrozenVerdict:
    """What a gate said when something was released; it never changes."""

    title: str
    subject: str
    repository: str
    release: str
    released_on: date
    verdict: str
    score: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """A release that was published; `signals` say why its deployment is known to have failed (SIGNALS)."""

    repository: str
    tag: str
    published_on: date
    is_prerelease: bool
    outcome: str | None = None  # of the deployment that stands for it: succeeded | failed; None: not known
    signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployments:
    """What a repository or service deployed in the last 30 days; `went_wrong` of these, by any signal."""

    subject: str
    repository: str
    succeeded: int
    failed: int
    went_wrong: int
    last_on: date
    last_version: str | None
    signals: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Yank:
    """A version that its registry advises against; noticed on the day, as registries do not say when it was done."""

    package: str
    version: str
    noticed_on: date
    reason: str | None


@dataclass(frozen=True, slots=True)
class FedPart:
    """A figure of a segment as it was fed: the share of a category, an operating system, a shell."""

    metric: MetricInfo
    segment: str
    value: float
    period_end: date | None


def repository_link(site: SiteInfo, repository: str) -> str | None:
    page = addresses.repository(repository)
    return page if page in site.pages else None


def gates_table(gates: Sequence[Gate], csv: str) -> Table:
    """Further candidates, a row each."""
    return Table(
        "Further candidates",
        (
            Column("Candidate"),
            Column("Gate"),
            Column("Verdict"),
            Column("Score", numeric=True),
            Column("Missing first"),
        ),
        tuple(
            Row(
                (
                    Cell(cut(gate.subject)),
                    Cell(cut(gate.title)),
                    Cell(VERDICTS[gate.verdict][1], role=VERDICTS[gate.verdict][2], glyph=VERDICTS[gate.verdict][0]),
                    Cell(score_text(gate.score), sort=_sort(gate.score)),
                    Cell(cut("; ".join(gate.missing[:3]), 200) or "nothing"),
                ),
                anchor_of(gate),
            )
            for gate in gates[:SHOWN]
        ),
        csv=csv,
        note=wording.shown(min(len(gates), SHOWN), len(gates), "further candidates"),
    )


def verdicts_table(verdicts: Sequence[FrozenVerdict], csv: str) -> Table:
    """What gates said at past releases."""
    return Table(
        "Verdicts of past releases",
        (
            Column("Release"), Column("Released"), Column("Gate"), Column("Verdict"), Column("Score", numeric=True),
            Column("Missing then"),
        ),
        tuple(
            Row(
                (
                    Cell(f"{verdict.repository} {cut(verdict.release, 60)}"),
                    Cell(wording.day(verdict.released_on), sort=verdict.released_on.isoformat()),
                    Cell(cut(verdict.title), under=cut(verdict.subject)),
                    Cell(
                        VERDICTS[verdict.verdict][1],
                        role=VERDICTS[verdict.verdict][2],
                        glyph=VERDICTS[verdict.verdict][0],
                    ),
                    Cell(score_text(verdict.score), sort=_sort(verdict.score)),
                    Cell(cut("; ".join(verdict.missing[:3]), 200) or "nothing"),
                )
            )
            for verdict in verdicts[:SHOWN]
        ),
        csv=csv,
        empty="No verdict was frozen yet: gates that count are frozen on the day of a release.",
        note=wording.shown(min(len(verdicts), SHOWN), len(verdicts), "verdicts"),
    )  # fmt: skip


def releases_table(site: SiteInfo, releases: Sequence[Release], csv: str) -> Table:
    """What was released, the newest first."""
    rows = []
    for release in releases[:SHOWN]:
        if release.signals:
            outcome = Cell("went wrong", role="bad", glyph="✕", under=signals_text(release.signals))
        elif release.outcome == "succeeded":
            outcome = Cell("nothing known against it", role="ok", glyph="✓")
        elif release.outcome == "failed":
            outcome = Cell("failed", role="bad", glyph="✕")
        else:
            outcome = Cell("not judged", role="dim", under="no deployment stands for it")
        rows.append(
            Row(
                (
                    Cell(cut(release.tag, 60)),
                    Cell(release.repository, href=repository_link(site, release.repository)),
                    Cell(wording.day(release.published_on), sort=release.published_on.isoformat()),
                    Cell("pre-release" if release.is_prerelease else "release"),
                    outcome,
                )
            )
        )
    return Table(
        "Releases of the last 30 days",
        (Column("Release"), Column("Repository"), Column("Published"), Column("Kind"), Column("Outcome")),
        tuple(rows),
        csv=csv,
        empty="No release is known of the last 30 days.",
        note=wording.shown(len(rows), len(releases), "releases"),
    )


def deployments_table(site: SiteInfo, deployments: Sequence[Deployments], csv: str) -> Table:
    """What was deployed, by repository or service; where most went wrong first."""
    worst = sorted(deployments, key=lambda one: (-one.went_wrong, -(one.succeeded + one.failed), one.subject))
    rows = []
    for one in worst[:SHOWN]:
        every = one.succeeded + one.failed
        wrong = one.went_wrong
        rows.append(
            Row(
                (
                    Cell(one.subject, href=repository_link(site, one.repository)),
                    Cell(f"{every:,}", sort=str(every)),
                    Cell(
                        f"{wrong:,} of {every:,}" if wrong else "none",
                        sort=str(wrong),
                        role="bad" if wrong else "ok",
                        glyph="✕" if wrong else "✓",
                        under=wording.listed([f"{number} {SIGNALS.get(name, name)}" for name, number in one.signals]),
                    ),
                    Cell(cut(one.last_version or "not named", 60)),
                    Cell(wording.day(one.last_on), sort=one.last_on.isoformat()),
                )
            )
        )
    return Table(
        "Deployments of the last 30 days",
        (
            Column("Repository or service"), Column("Deployments", numeric=True), Column("Went wrong", numeric=True),
            Column("Last version"), Column("Last deployed"),
        ),
        tuple(rows),
        csv=csv,
        empty="No deployment is known of the last 30 days.",
        note=wording.shown(len(rows), len(deployments), "repositories and services"),
    )  # fmt: skip


def yanks_table(yanks: Sequence[Yank]) -> Table | None:
    """Versions that were withdrawn; None where there are none."""
    if not yanks:
        return None
    return Table(
        "Withdrawn versions",
        (Column("Package"), Column("Version"), Column("Noticed"), Column("Reason")),
        tuple(
            Row(
                (
                    Cell(cut(yank.package)),
                    Cell(cut(yank.version, 60)),
                    Cell(wording.day(yank.noticed_on), sort=yank.noticed_on.isoformat()),
                    Cell(cut(yank.reason or "none is given", 200)),
                )
            )
            for yank in yanks[:SHOWN]
        ),
        note=wording.shown(min(len(yanks), SHOWN), len(yanks), "versions").replace("; all in the CSV", ""),
    )


def watch_table(watch: Sequence[Series], csv: str) -> Table:
    """Further figures of the watch."""
    rows = []
    for series in watch:
        point = series.points[-1]
        assert point.value is not None  # only those that are known are handed in
        rows.append(
            Row(
                (
                    Cell(series.metric.title, href=addresses.metric(series.metric.key)),
                    Cell(str(wording.quantity(point.value, series.metric.unit)), sort=repr(point.value)),
                    Cell("provisional" if point.state == "provisional" else "settled"),
                )
            )
        )
    columns = (Column("Figure"), Column("Value", numeric=True), Column("State"))
    return Table("Further figures of the watch", columns, tuple(rows), csv=csv)


@dataclass(frozen=True, slots=True)
class PartsView:
    """Shares that make up a whole: how much of what there is each part has."""

    title: str
    note: str
    bars: Markup


def parts_views(parts: Sequence[FedPart]) -> list[PartsView]:
    """Bars for each figure that was fed by segment, the largest part first."""
    views = []
    for _, group in groupby(sorted(parts, key=lambda one: one.metric.key), key=lambda one: one.metric.key):
        of_metric = sorted(group, key=lambda one: -one.value)
        metric, ends = of_metric[0].metric, [one.period_end for one in of_metric if one.period_end]
        shown = [
            Part(cut(one.segment, 60), one.value, str(wording.quantity(one.value, metric.unit)))
            for one in of_metric[:_PARTS_SHOWN]
        ]
        note = f"as fed for the period to {wording.day(max(ends))}" if ends else "as fed"
        more = len(of_metric) - len(shown)
        note += f"; the largest {len(shown)} of {len(of_metric)}" if more else ""
        views.append(PartsView(metric.title, note, kit.bars(shown, label=f"{metric.title} by part")))
    return views


def signals_text(signals: Sequence[str]) -> str:
    return wording.listed([SIGNALS.get(signal, signal) for signal in dict.fromkeys(signals)])


def gates_csv(gates: Sequence[Gate]) -> str:
    """Every criterion of every candidate."""
    columns = ("gate", "subject", "verdict", "score", "level", "criterion", "state", "value", "target", "reason", "url")
    return kit.rows_csv(
        columns,
        [
            (
                gate.title, gate.subject, gate.verdict, gate.score, criterion.level, criterion.title, criterion.state,
                criterion.value, criterion.target, criterion.reason, criterion.evidence_url,
            )
            for gate in gates
            for criterion in gate.criteria
        ],
    )  # fmt: skip


def verdicts_csv(verdicts: Sequence[FrozenVerdict]) -> str:
    columns = ("repository", "release", "released_on", "gate", "subject", "verdict", "score", "missing")
    return kit.rows_csv(
        columns,
        [
            (
                one.repository, one.release, one.released_on, one.title, one.subject, one.verdict, one.score,
                "; ".join(one.missing),
            )
            for one in verdicts
        ],
    )  # fmt: skip


def releases_csv(releases: Sequence[Release]) -> str:
    columns = ("repository", "release", "published_on", "is_prerelease", "outcome", "signals")
    return kit.rows_csv(
        columns,
        [
            (one.repository, one.tag, one.published_on, one.is_prerelease, one.outcome, "; ".join(one.signals))
            for one in releases
        ],
    )


def deployments_csv(deployments: Sequence[Deployments]) -> str:
    columns = ("subject", "repository", "succeeded", "failed", "went_wrong", "last_version", "last_on")
    return kit.rows_csv(
        columns,
        [
            (one.subject, one.repository, one.succeeded, one.failed, one.went_wrong, one.last_version, one.last_on)
            for one in deployments
        ],
    )


def _sort(number: float | None) -> str:
    return "" if number is None else repr(number)
