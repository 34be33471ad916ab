"""Community: who is answered and how soon, who comes and stays, what people say elsewhere, and what still waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import Series, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.pages import community_tables, community_widgets
from metrics_assets.reporting.pages.community_tables import (
    WAITING_WORDS,
    Package,
    Platform,
    Repository,
    Waiting,
)
from metrics_assets.reporting.pages.community_widgets import (
    FedFigure,
    Licences,
    Model,
    ModelRow,
    Score,
    ScorePart,
    Widget,
)
from metrics_assets.reporting.pages.community_words import Band, light

__all__ = [
    "CHARTS",
    "PORTFOLIO",
    "CommunityData",
    "FedFigure",
    "Licences",
    "Model",
    "ModelRow",
    "Package",
    "Platform",
    "Repository",
    "Score",
    "ScorePart",
    "Waiting",
    "Widget",
    "community_files",
]

CSV_CHARTS = "data/community-weekly.csv"
TILES = (
    "stars_total", "active_contributors_month", "new_contributors_month", "issue_first_response_hours",
    "issue_first_response_business_hours", "pull_request_first_response_hours", "issue_closure_ratio",
    "change_request_closure_ratio", "change_request_acceptance_ratio", "contributor_absence_factor", "elephant_factor",
    "contributor_churn", "issue_age_days", "discussions_new_month", "discussions_answered_share",
    "community_health_score",
)  # fmt: skip
CHARTS = (
    "stars_total", "active_contributors_month", "issue_first_response_hours", "pull_request_first_response_hours",
    "change_request_closure_ratio", "contributor_churn", "discussions_new_month", "community_health_score",
)  # fmt: skip
POLICIES = (
    "reviewed_share", "self_merge_share", "issue_sla_share", "discussion_follow_up_share", "days_since_release",
    "p0_bugs_open",
)  # fmt: skip
# The figures of the portfolio that the page reads.
PORTFOLIO = tuple(dict.fromkeys((*TILES, *CHARTS, *POLICIES)))
RESPONSE = "issue_first_response_business_hours"
STARS = "stars_total"


@dataclass(frozen=True, slots=True)
class CommunityData:
    """Everything that the page shows, as of the site's day.

    Attributes:
        series: of the portfolio, by metric (PORTFOLIO).
        bands: of metrics, in the order of the catalogue: best first.
        issues_waiting, pull_requests_waiting: of those opened in the last 28 days; None is not known.
        package_series: downloads of the largest packages.
        waiting: what waits for a first answer, the oldest first; `waiting_total` counts all, by kind.
        lists_missing: repositories whose lists of the day are not complete; nothing is said of what waits there.
    """

    series: Mapping[str, Series] = field(default_factory=dict)
    bands: Mapping[str, tuple[Band, ...]] = field(default_factory=dict)
    issues_waiting: int | None = None
    pull_requests_waiting: int | None = None
    repositories: tuple[Repository, ...] = ()
    packages: tuple[Package, ...] = ()
    package_series: tuple[Series, ...] = ()
    platforms: tuple[Platform, ...] = ()
    widgets: tuple[Widget, ...] = ()
    scores: tuple[Score, ...] = ()
    models: tuple[Model, ...] = ()
    licences: Licences | None = None
    waiting: tuple[Waiting, ...] = ()
    waiting_total: Mapping[str, int] = field(default_factory=dict)
    lists_missing: int = 0


def community_files(site: SiteInfo, data: CommunityData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files, each with its path in the site."""
    tiles = [data.series[key] for key in TILES if key in data.series]
    charts = [data.series[key] for key in CHARTS if key in data.series]
    ordered = community_tables.by_need(data.repositories, data.bands)
    html = render(
        "community.html.j2",
        path=addresses.COMMUNITY,
        site=site,
        title="Community",
        period=_period(site, data),
        sentences=_sentences(data),
        waiting=community_tables.waiting_table(data.waiting),
        waiting_says=_waiting_says(data),
        tiles=[kit.tile(one, href=f"#{addresses.chart(one.metric.key)}" if one in charts else None) for one in tiles],
        unanswered=_unanswered(data),
        charts=[kit.chart(one, csv=CSV_CHARTS) for one in charts],
        repositories=community_tables.repositories_table(site, ordered, data.bands),
        stars_light=community_tables.light_note(data.series, STARS, data.bands),
        response_light=community_tables.light_note(data.series, RESPONSE, data.bands),
        packages=community_tables.packages_table(site, data.packages),
        package_charts=[
            kit.chart(
                one,
                csv=CSV_CHARTS,
                title=f"{one.metric.title}: {one.subject}",
                anchor=wording.anchor("chart", f"{one.metric.key} {one.subject}"),
            )
            for one in data.package_series
        ],
        versions=community_tables.versions_views(data.packages),
        platforms=community_tables.platforms_table(data.platforms),
        widgets=[community_widgets.widget_view(widget) for widget in data.widgets],
        scores=[community_widgets.score_view(score) for score in data.scores],
        models=[community_widgets.model_view(model) for model in data.models],
        policies=community_widgets.policies_table(
            [data.series[key] for key in POLICIES if key in data.series], data.licences
        ),
    )
    yield addresses.COMMUNITY, html
    yield CSV_CHARTS, kit.series_csv([*charts, *data.package_series])
    yield community_tables.CSV_REPOSITORIES, community_tables.repositories_csv(ordered)
    yield community_tables.CSV_PACKAGES, community_tables.packages_csv(data.packages)
    yield community_tables.CSV_PLATFORMS, community_tables.platforms_csv(data.platforms)
    yield community_widgets.CSV_FED, community_widgets.fed_csv(data.widgets)


def _period(site: SiteInfo, data: CommunityData) -> str:
    parts = [f"At the end of {wording.day(site.data_through)}", wording.repositories(len(data.repositories))]
    if data.packages:
        parts.append(wording.count(len(data.packages), "package"))
    if data.platforms:
        parts.append(wording.count(len(data.platforms), "community elsewhere", "communities elsewhere"))
    return " · ".join(parts)


def _value(data: CommunityData, key: str) -> float | None:
    series = data.series.get(key)
    return series.points[-1].value if series is not None and series.points else None


def _sentences(data: CommunityData) -> tuple[str, ...]:
    """The verdict: how soon people are answered, what waits, how the community does."""
    said = (_answered(data), _waits(data), _health(data))
    return tuple(sentence for sentence in said if sentence) or ("Nothing is known of the community yet.",)


def _answered(data: CommunityData) -> str:
    hours = _value(data, RESPONSE)
    series = data.series.get(RESPONSE)
    if series is None or not data.repositories:
        return ""
    if hours is None:
        return "How soon issues get a first answer is not known."
    found = light(hours, data.bands.get(RESPONSE, ()))
    coloured = f" ({found.word})" if found is not None else ""
    said = f"Half of the issues get a first answer within {wording.quantity(hours, 'hours')} of business time{coloured}"
    reds = sum(
        light_of.role == "bad"
        for repository in data.repositories
        if (light_of := community_tables.response_light(repository, data.bands)) is not None
    )
    return f"{said}; {wording.repositories(reds)} {'is' if reds == 1 else 'are'} red." if reds else f"{said}."


def _waits(data: CommunityData) -> str:
    total = sum(data.waiting_total.values())
    if not total:
        return ""
    oldest = f", the oldest for {wording.count(data.waiting[0].days, 'day')}" if data.waiting else ""
    return f"{wording.count(total, 'item')} {'waits' if total == 1 else 'wait'} for a first answer{oldest}."


def _health(data: CommunityData) -> str:
    for score in data.scores:
        if score.value is not None:
            weakest = min(score.parts, key=lambda part: 101 if part.points is None else part.points, default=None)
            why = (
                f"; weakest: {weakest.title[:1].lower()}{weakest.title[1:]}"
                if weakest and weakest.points is not None
                else ""
            )
            return f"{score.title} stands at {score.value:.0f} of 100{why}."
    return ""


def _waiting_says(data: CommunityData) -> str:
    total = sum(data.waiting_total.values())
    parts = [
        wording.count(number, *WAITING_WORDS[kind])
        for kind, number in data.waiting_total.items()
        if number and kind in WAITING_WORDS
    ]
    said = (
        f"{wording.listed(parts)} {'waits' if total == 1 else 'wait'} for a first answer by another person."
        if parts
        else ""
    )
    if total > len(data.waiting):
        said += f" The oldest {len(data.waiting)} are listed."
    if data.lists_missing:
        missing = wording.repositories(data.lists_missing)
        said += f" Nothing is said of {missing} whose lists of the day are not complete."
    return said.strip()


def _unanswered(data: CommunityData) -> str:
    """What the first responses leave out: items of the window that nobody has answered."""
    counts = ((data.issues_waiting, "issue"), (data.pull_requests_waiting, "pull request"))
    known = [wording.count(number, noun) for number, noun in counts if number is not None]
    if not known:
        return ""
    return (
        f"First responses count items that were answered; {wording.listed(known)} of those opened in the last 28 days "
        "had no answer, closed ones among them. Business time counts the hours that metrics.yaml names."
    )
