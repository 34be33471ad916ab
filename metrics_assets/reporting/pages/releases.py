"""Releases and gates: whether a candidate may go out and what is missing, what went out, and how it does since then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.pages import releases_tables
from metrics_assets.reporting.pages.community_words import cut
from metrics_assets.reporting.pages.releases_gates import VERDICTS, Criterion, Gate, gate_view, ordered
from metrics_assets.reporting.pages.releases_tables import Deployments, FedPart, FrozenVerdict, Release, Yank

__all__ = [
    "Criterion",
    "Deployments",
    "FedPart",
    "FrozenVerdict",
    "Gate",
    "Release",
    "ReleasesData",
    "Yank",
    "releases_files",
]

DAYS = 30
CSV_GATES = "data/gates.csv"
CSV_VERDICTS = "data/gate-verdicts.csv"
CSV_RELEASES = "data/releases.csv"
CSV_DEPLOYMENTS = "data/deployments.csv"
CSV_WATCH = "data/release-watch.csv"
_CARDS = 12
_WATCH_TILES = 16
_WATCH_CHARTS = 6
_WEEKS_LOOKED_AT = 13


@dataclass(frozen=True, slots=True)
class ReleasesData:
    """Everything that the page shows, as of the site's day.

    Attributes:
        gates: of the packs that are on, one an evaluated candidate, in the order of the catalogue.
        verdicts: that were frozen at releases, the newest first.
        releases, deployments, yanks: of the last 30 days, the newest (deployments: by repository) first.
        watch: figures of the pack release-watch for the portfolio, if the pack is on; None: it is off.
        parts: shares by segment that were fed for the watch: categories, operating systems, shells.
    """

    gates: tuple[Gate, ...] = ()
    verdicts: tuple[FrozenVerdict, ...] = ()
    releases: tuple[Release, ...] = ()
    deployments: tuple[Deployments, ...] = ()
    yanks: tuple[Yank, ...] = ()
    watch: tuple[Series, ...] | None = None
    parts: tuple[FedPart, ...] = ()


def _moved(series: Series) -> bool:
    """Whether a figure has a course worth a chart: one that stood still for a quarter is told by its tile."""
    return len({point.value for point in series.points[-_WEEKS_LOOKED_AT:] if point.value is not None}) > 1


def releases_files(site: SiteInfo, data: ReleasesData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files, each with its path in the site."""
    gates = ordered(data.gates)
    known = [one for one in data.watch or () if one.points and one.points[-1].value is not None]
    charted = [one for one in known if _moved(one)][:_WATCH_CHARTS]
    html = render(
        "releases.html.j2",
        path=addresses.RELEASES,
        site=site,
        title="Releases and gates",
        period=_period(site, data),
        sentences=_sentences(data),
        gates=[gate_view(gate, site.data_through) for gate in gates[:_CARDS]],
        other_gates=releases_tables.gates_table(gates[_CARDS:], CSV_GATES) if gates[_CARDS:] else None,
        gates_csv=CSV_GATES,
        verdicts=releases_tables.verdicts_table(data.verdicts, CSV_VERDICTS),
        releases=releases_tables.releases_table(site, data.releases, CSV_RELEASES),
        deployments=releases_tables.deployments_table(site, data.deployments, CSV_DEPLOYMENTS),
        yanks=releases_tables.yanks_table(data.yanks),
        watch_is_on=data.watch is not None,
        watch=[kit.tile(one) for one in known[:_WATCH_TILES]],
        watch_more=releases_tables.watch_table(known[_WATCH_TILES:], CSV_WATCH) if known[_WATCH_TILES:] else None,
        charts=[kit.chart(one, csv=CSV_WATCH) for one in charted],
        not_known=_not_known(data.watch or ()),
        parts=releases_tables.parts_views(data.parts),
        since=_since(site, data.releases),
    )
    yield addresses.RELEASES, html
    yield CSV_GATES, releases_tables.gates_csv(gates)
    yield CSV_VERDICTS, releases_tables.verdicts_csv(data.verdicts)
    yield CSV_RELEASES, releases_tables.releases_csv(data.releases)
    yield CSV_DEPLOYMENTS, releases_tables.deployments_csv(data.deployments)
    if data.watch is not None:
        yield CSV_WATCH, kit.series_csv(data.watch)


def _period(site: SiteInfo, data: ReleasesData) -> str:
    last = wording.day(site.data_through)
    candidates = wording.count(len(data.gates), "candidate") if data.gates else "no candidates"
    return f"Gates at the end of {last} · {candidates} · what went out in the {DAYS} days to {last}"


def _sentences(data: ReleasesData) -> tuple[str, ...]:
    """The verdict: which candidates may go out, what stands in the way, what went out and went wrong."""
    return tuple(sentence for sentence in (_ready(data.gates), _in_the_way(data.gates), _went_out(data)) if sentence)


def _ready(gates: Sequence[Gate]) -> str:
    if not gates:
        return "No gate counts here yet."
    counted = Counter(gate.verdict for gate in gates)
    said = [
        f"{counted[verdict]:,} {'is' if counted[verdict] == 1 else 'are'} {words}"
        for verdict, words in (("passed", "ready"), ("unknown", "for review"), ("failed", "blocked"))
        if counted[verdict]
    ]
    if len(gates) == 1:
        return f"{cut(gates[0].title, 60)}: {VERDICTS[gates[0].verdict][1]}."
    return f"Of {len(gates):,} candidates {wording.listed(said)}."


def _in_the_way(gates: Sequence[Gate]) -> str:
    """What the first candidate that is not ready misses."""
    waiting = [gate for gate in ordered(gates) if gate.verdict != "passed" and gate.missing]
    if not waiting:
        return ""
    first = waiting[0]
    named = [f"“{cut(title, 60)}”" for title in first.missing[:2]]
    return f"{cut(first.title, 60)} of {cut(first.subject, 60)} misses {wording.listed(named)} first."


def _went_out(data: ReleasesData) -> str:
    finished = sum(one.succeeded + one.failed for one in data.deployments)
    wrong = sum(one.went_wrong for one in data.deployments)
    withdrawn = f"{wording.count(len(data.yanks), 'version')} withdrawn" if data.yanks else ""
    if not finished and not data.releases:
        nothing = f"Nothing is known to have gone out in {DAYS} days"
        return f"{nothing}; {withdrawn}." if withdrawn else f"{nothing}."
    said = f"{wording.count(len(data.releases), 'release')} and {wording.count(finished, 'deployment')} in {DAYS} days"
    if finished:
        said += f", {wrong:,} of the deployments went wrong" if wrong else ", no deployment went wrong"
    return f"{said}; {withdrawn}." if withdrawn else f"{said}."


def _not_known(watch: Sequence[Series]) -> str:
    """The figures of the watch that nobody knows, in one sentence."""
    titles = [one.metric.title for one in watch if not one.points or one.points[-1].value is None]
    return f"Not known on the day: {', '.join(titles)}." if titles else ""


def _since(site: SiteInfo, releases: Sequence[Release]) -> str:
    """How long ago the newest release went out: what the watch is about."""
    full = [release for release in releases if not release.is_prerelease]
    if not full:
        return f"No full release went out in the {DAYS} days before; the figures are those of what is in use."
    newest: date = full[0].published_on
    days = (site.data_through - newest).days
    ago = "on the day itself" if days == 0 else f"{wording.count(days, 'day')} before"
    return f"The newest release is {cut(full[0].tag, 60)} of {full[0].repository}, {ago}."
