"""The page of a repository: how it ships, its trends, what is unusual, and how each figure was computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.attention import attention
from metrics_assets.reporting.data import FOUR_KEYS, REWORK, MetricInfo, Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import chart, series_csv, tile
from metrics_assets.reporting.pages.repository_data import STAGES, TRENDS, RepositoryData
from metrics_assets.reporting.pages.repository_rows import (
    anomalies_table,
    gates_table,
    health_table,
    key_table,
    parts_table,
    peers_table,
)
from metrics_assets.reporting.pages.repository_steps import steps_sentence, steps_table
from metrics_assets.reporting.pages.stages import stages_bar
from metrics_assets.reporting.pages.summaries import RESPONSE, STARS, page_of
from metrics_assets.reporting.verdict import repository_sentences

BADGES = ("tier", "health_score")


@dataclass(frozen=True, slots=True)
class LightView:
    """A traffic light in words, beside its figure."""

    title: str
    text: str
    glyph: str
    word: str
    role: str


@dataclass(frozen=True, slots=True)
class BadgeView:
    """A badge, and the Markdown that embeds it; `path` is its path in the site."""

    path: str
    label: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the list beneath the heading."""

    name: str
    text: str
    under: str = ""


def data_path(repository: str) -> str:
    """The CSV file of a repository's series."""
    return f"data/repo/{addresses.slug(repository)}.csv"


def repository_files(
    site: SiteInfo,
    data: RepositoryData,
    series: Mapping[str, Series],
    metrics: Mapping[str, MetricInfo],
    *,
    site_url: str | None = None,
) -> Iterator[tuple[str, str | bytes]]:
    """The page of one repository, and the CSV file of its series.

    Args:
        series: by metric: those of TRENDS over 53 weeks, those of STAGES of the last.
        metrics: of the catalogue.
        site_url: where the site is published; badges are embedded from there.
    """
    trends = [series[key] for key in TRENDS if key in series]
    html = render_repository(site, data, series, metrics, site_url=site_url)
    yield addresses.repository(data.summary.repository), html
    yield data_path(data.summary.repository), series_csv(trends)


def render_repository(
    site: SiteInfo,
    data: RepositoryData,
    series: Mapping[str, Series],
    metrics: Mapping[str, MetricInfo],
    *,
    site_url: str | None = None,
) -> str:
    """Return the page as HTML."""
    summary = data.summary
    name = summary.repository
    keys = [series[key] for key in FOUR_KEYS if key in series]
    tiles = [*keys, *(series[key] for key in (REWORK,) if key in series)]
    trends = [series[key] for key in TRENDS if key in series]
    shown = [one for one in trends if _was_known(one)]
    csv = data_path(name)
    return render(
        "repository.html.j2",
        path=addresses.repository(name),
        site=site,
        title=name,
        period=_period(site, data),
        sentences=repository_sentences(summary.state, summary.ships_by, keys, summary.critical, summary.warning),
        description=data.facts.description,
        facts=_facts(data),
        lights=_lights(data, metrics),
        tiles=[tile(one, href=f"#{addresses.chart(one.metric.key)}" if _was_known(one) else None) for one in tiles],
        keys=key_table(site, data, keys),
        attention=attention(site, data.alerts, nothing="No alert about this repository is open.", about=name),
        insights=data.insights,
        gates=gates_table(site, data.gates),
        charts=[chart(one, csv=csv) for one in shown],
        csv=csv,
        unknown=_unknown([one for one in trends if not _was_known(one)]),
        stages=stages_bar([series[key] for key in STAGES if key in series]),
        health=health_table(data.health, metrics),
        parts=parts_table(site, data.parts, metrics),
        peers=peers_table(data, metrics),
        anomalies=anomalies_table(data.anomalies),
        anomalies_href=page_of(site, f"{addresses.ALERTS}#anomalies"),
        steps=steps_table(data.steps),
        steps_sentence=steps_sentence(data.steps),
        badges=_badges(name, site_url),
        repositories_href=page_of(site, addresses.REPOSITORIES),
    )


def _was_known(series: Series) -> bool:
    return any(point.value is not None for point in series.points)


def _period(site: SiteInfo, data: RepositoryData) -> str:
    ships = data.summary.ships_by
    by = f"ships by {wording.ships_by(ships)}" if ships else "what it ships by is not known"
    state = "" if data.summary.state == "active" else f"{data.summary.state} · "
    observed = data.steps.days_observed
    days = (
        f"{observed} days observed" if observed is not None and observed != 1 else "1 day observed" if observed else ""
    )
    parts = [f"28 days to {wording.day(site.data_through)}", f"{state}{by}", *([days] if days else [])]
    return " · ".join(parts)


def _facts(data: RepositoryData) -> list[Fact]:
    facts = data.facts
    found = [Fact("Ships by", wording.ships_by(data.summary.ships_by)), Fact("State", data.summary.state)]
    if facts.default_branch:
        found.append(Fact("Default branch", facts.default_branch))
    if facts.released_on is not None:
        found.append(Fact("Last release", facts.release or "", wording.day(facts.released_on)))
    else:
        found.append(Fact("Last release", "none known"))
    if facts.deployed_on is not None and data.summary.ships_by not in ("releases", "tags"):
        found.append(Fact("Last deployment", wording.day(facts.deployed_on), facts.version or ""))
    if facts.created_on is not None:
        found.append(Fact("Created", wording.day(facts.created_on)))
    if facts.packages:
        found.append(Fact("Packages", wording.listed(list(facts.packages))))
    services = [part.subject for part in data.parts if part.kind == "service"]
    if services:
        found.append(Fact("Services", wording.listed([name.rpartition("#")[2] for name in services])))
    return found


def _lights(data: RepositoryData, metrics: Mapping[str, MetricInfo]) -> list[LightView]:
    """Stars and first response as traffic lights (requirements S0-95 and S0-96), in words where they are not known."""
    views = []
    for key in (STARS, RESPONSE):
        metric = metrics.get(key)
        if metric is None:
            continue
        figure = data.summary.figure(key)
        if figure.value is None:
            text = wording.state(figure.state)
            views.append(LightView(metric.title, text, "○", "No light", "calm"))
            continue
        glyph, word, role = wording.light(figure.light) if figure.light else ("○", "No light", "calm")
        views.append(LightView(metric.title, str(wording.quantity(figure.value, metric.unit)), glyph, word, role))
    return views


def _unknown(series: Sequence[Series]) -> list[str]:
    """One sentence for each figure that has no chart: that it was never known, and why."""
    return [_never_known(one) for one in series]


def _never_known(one: Series) -> str:
    said = f"{one.metric.title} was not known in any of {wording.count(len(one.points), 'week')}"
    few = [point for point in one.points if point.state == "too_few"]
    if not few:
        return f"{said}. {one.metric.unknown}"
    most = max((point.n or 0 for point in few), default=0)
    needed = f", of {one.metric.minimum_n} that it needs" if one.metric.minimum_n else ""
    return f"{said}: too few rows, at most {most:,}{needed}."


def _badges(name: str, site_url: str | None) -> list[BadgeView]:
    """The tier and the health score as images, and how to embed them."""
    views = []
    base = f"{site_url.rstrip('/')}/" if site_url else "https://your-site.example/"
    plain = "".join(letter for letter in name if letter not in "[]\\")
    for badge, label in zip(BADGES, ("DORA tier", "health"), strict=True):
        path = addresses.badge(name, badge)
        link = f"{base}{addresses.repository(name)}"
        views.append(BadgeView(path, f"{label} of {name}", f"[![{label} of {plain}]({base}{path})]({link})"))
    return views
