"""The first page: how the portfolio stands against its goals and its past, what needs attention, every repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.attention import attention
from metrics_assets.reporting.data import MetricInfo, Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import tile
from metrics_assets.reporting.pages.goal_rows import goals_table
from metrics_assets.reporting.pages.key_figure_rows import category_table, key_figures_csv, north_star_table
from metrics_assets.reporting.pages.key_figures import KeyFigures
from metrics_assets.reporting.pages.repository_tables import overview_table, repositories_csv
from metrics_assets.reporting.pages.spreads import spread_views
from metrics_assets.reporting.pages.summaries import (
    GateStand,
    OpenAlert,
    Summary,
    Told,
    by_attention,
    page_of,
    subject_href,
)
from metrics_assets.reporting.verdict import Goal, overview_sentences, population

SHOWN_REPOSITORIES = 50
SHOWN_INSIGHTS = 3
REPOSITORIES_CSV = "data/overview.csv"
KEY_FIGURES_CSV = "data/key-figures.csv"
_STATUS = {
    "healthy": ("✓", "Healthy", "ok"),
    "issues": ("!", "Issues", "watch"),
    "unknown": ("?", "Unknown", "calm"),
}


@dataclass(frozen=True, slots=True)
class DayStatus:
    """What ops.daily_status says of the site's day."""

    status: str  # healthy | issues | unknown
    failed_checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OverviewData:
    """Everything the overview shows; no row of it is about a team.

    `keys` are the four keys and rework of the portfolio, over 53 weeks. `goals` and `gates` are those of the site's
    day, `insights` the newest, the weightiest first.
    """

    keys: tuple[Series, ...]
    metrics: Mapping[str, MetricInfo]
    summaries: tuple[Summary, ...]
    alerts: tuple[OpenAlert, ...]
    goals: tuple[Goal, ...]
    key_figures: KeyFigures
    insights: tuple[Told, ...] = ()
    gates: tuple[GateStand, ...] = ()
    status: DayStatus | None = None


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The day in one line: a word with its colour and sign, and what there is."""

    glyph: str
    word: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class InsightView:
    """An insight with the page of its subject."""

    subject: str
    href: str | None
    sentence: str
    action: str | None
    when: str


def overview_files(site: SiteInfo, data: OverviewData) -> Iterator[tuple[str, str | bytes]]:
    """The overview, the CSV file of all repositories and that of the key figures."""
    yield addresses.OVERVIEW, render_overview(site, data)
    yield REPOSITORIES_CSV, repositories_csv(site, data.metrics, data.summaries)
    yield KEY_FIGURES_CSV, key_figures_csv(site, data.key_figures)


def render_overview(site: SiteInfo, data: OverviewData) -> str:
    """Return the page as HTML. The same data gives the same text."""
    ranked = by_attention(data.summaries)
    rated_keys = [series for series in data.keys if series.bands]
    delivery = page_of(site, addresses.DELIVERY)
    return render(
        "overview.html.j2",
        path=addresses.OVERVIEW,
        site=site,
        title="Overview",
        period=_period(site, data),
        sentences=overview_sentences(rated_keys, data.summaries, data.goals, data.metrics),
        status=_status_line(data),
        tiles=[
            (tile(series, href=f"{delivery}#{addresses.chart(series.metric.key)}" if delivery else None), spread)
            for series, spread in zip(data.keys, spread_views(data.keys, data.summaries), strict=True)
        ],
        attention=attention(site, data.alerts),
        goals=goals_table(site, data.goals, data.metrics),
        goals_href=page_of(site, addresses.GOALS),
        north_stars=north_star_table(data.key_figures),
        categories=category_table(data.key_figures, KEY_FIGURES_CSV),
        insights=[_insight(site, one) for one in data.insights[:SHOWN_INSIGHTS]],
        insights_href=page_of(site, addresses.INSIGHTS),
        repositories=overview_table(
            site,
            data.metrics,
            ranked[:SHOWN_REPOSITORIES],
            note=_repositories_note(len(ranked)),
            csv=REPOSITORIES_CSV,
        ),
        repositories_href=page_of(site, addresses.REPOSITORIES),
        repositories_link="The one repository"
        if len(data.summaries) == 1
        else f"All {wording.repositories(len(data.summaries))}",
    )


def _period(site: SiteInfo, data: OverviewData) -> str:
    last, first = wording.day(site.data_through), wording.day(site.start)
    return f"28 days to {last} · {population(data.summaries)} · history from {first}"


def _status_line(data: OverviewData) -> StatusLine:
    """Today in one line, made from the counts: the line that is sent to channels may name a team."""
    if data.status is None:
        return StatusLine("?", "Unknown", "calm", "no status of this day was made.")
    glyph, word, role = _STATUS.get(data.status.status, _STATUS["unknown"])
    severities = [alert.severity for alert in data.alerts]
    oldest = min((alert.opened_on for alert in data.alerts), default=None)
    parts = [
        f"{wording.count(len(severities), 'alert')} open ({wording.severities(severities)}), "
        f"the oldest since {wording.day(oldest)}"
        if oldest is not None
        else "no alert is open",
    ]
    if data.status.failed_checks:
        parts.append(f"{wording.count(len(data.status.failed_checks), 'check')} failed")
    verdicts = [gate.verdict for gate in data.gates]
    if verdicts:
        parts.append(f"{verdicts.count('passed')} of {wording.count(len(verdicts), 'release gate')} passed")
    return StatusLine(glyph, word, role, f"{', '.join(parts)}.")


def _insight(site: SiteInfo, told: Told) -> InsightView:
    href = subject_href(site, told.subject_kind, told.subject)
    return InsightView(told.subject, href, told.sentence, told.action, wording.day(told.on))


def _repositories_note(active: int) -> str:
    said = "Weakest tier first, then open critical alerts, then the least health."
    return f"{said} {wording.shown(SHOWN_REPOSITORIES, active, 'active repositories')}".rstrip()
