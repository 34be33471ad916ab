"""The figures of the community page by theme, engagement, satisfaction and business: mostly fed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.packs import pack_of
from metrics_assets.reporting.data import SiteInfo

if TYPE_CHECKING:
    from metrics_assets.reporting.pages import community as page

# Figures by theme, in the order of the page: mostly fed, some made from what is collected.
THEMES = {
    "Engagement": (
        "Discussions, and what the platforms and the regions say.",
        (
            "discussions_new_month", "discussion_participants_month", "discussions_answered_share",
            "community_members_active", "forum_posts_month", "discord_members", "reddit_positive_mentions",
            "hacker_news_front_page_days", "x_followers", "linkedin_followers", "youtube_subscribers",
            "social_engagement_rate", "community_sentiment", "positive_mentions_share", "community_tutorials",
            "podcast_mentions", "geographic_diversity_share", "countries", "users_abroad_share",
            "adoption_region_share", "regional_growth",
        ),
    ),
    "Satisfaction": (
        "The net promoter score, surveys, and what people ask for between them.",
        (
            "net_promoter_score", "net_promoter_score_regional_deviation", "community_satisfaction",
            "contributor_satisfaction_share", "user_satisfaction", "performance_satisfaction",
            "documentation_satisfaction", "support_satisfaction", "integration_satisfaction", "feature_satisfaction",
            "support_response_satisfaction_share", "first_contact_resolution_share", "self_service_success_share",
            "review_helpfulness", "survey_response_rate", "feature_requests", "pain_points", "switching_reasons",
            "support_channel_share", "success_stories",
        ),
    ),
    "Business": (
        "Downloads stand by day among the packages; enterprise figures by month, the market by quarter.",
        (
            "go_downloads_month", "production_deployments", "adopting_organisations", "enterprise_customers",
            "enterprise_pilots", "pilot_to_customer_share", "annual_recurring_revenue",
            "annual_recurring_revenue_growth", "contract_renewal_share", "average_contract_value",
            "customer_satisfaction_share", "case_studies", "fortune_500_adopters", "corporate_users_share",
            "market_share", "mindshare", "competitor_downloads", "switched_from_competitors_share",
            "switched_to_competitors_share", "awards",
        ),
    ),
}  # fmt: skip
# How far back a figure is compared, by how often it is fed.
_COMPARED = {
    "daily": (28, "4 weeks before"),
    "weekly": (28, "4 weeks before"),
    "monthly": (31, "a month before"),
    "quarterly": (92, "a quarter before"),
    "yearly": (366, "a year before"),
    "per release": (92, "a quarter before"),
}


# The portfolio's figures and those of its segments; teams have theirs on their own pages.
_FED = """
select metric, subject_kind, subject, date, value, period_end, source_url
from metrics.fed_daily
where metric = any (:metrics) and date = any (:days) and subject_kind in ('portfolio', 'segment')
  and state in ('ok', 'provisional') and value is not null
union all
select metric, subject_kind, subject, date, value, null, null
from metrics.calculated_daily
where metric = any (:metrics) and date = any (:days) and subject_kind in ('portfolio', 'segment')
  and state in ('ok', 'provisional') and value is not null
order by 1, 2, 3, 4
"""
_OF_DISCUSSIONS = ("discussions_new_month", "discussion_participants_month", "discussions_answered_share")


def read_themes(
    connection: sa.Connection, reading: Reading, site: SiteInfo, packs: set[str]
) -> tuple[page.Widget, ...]:
    """What is known of each theme on the reading's day, and what is not: figures of the packs that are on."""
    from metrics_assets.reporting.pages.community import Widget

    catalogue = load_catalogue().metrics
    wanted = [
        key
        for _, keys in THEMES.values()
        for key in keys
        if key in reading.metrics and _counts(catalogue[key].file, packs)
    ]
    backs = sorted({back for back, _ in _COMPARED.values()})
    days = [reading.day - timedelta(days=back) for back in (0, *backs)]
    rows = connection.execute(sa.text(_FED), {"metrics": wanted, "days": days}).all()
    values: dict[tuple[str, str | None], dict[date, Any]] = {}
    for row in rows:
        segment = None if row.subject_kind == "portfolio" else row.subject
        values.setdefault((row.metric, segment), {})[row.date] = row
    collected = _collected(reading, site)
    themes = []
    for title, (says, keys) in THEMES.items():
        figures = [
            figure
            for key in keys
            if key in wanted
            for figure in (collected.get(key) or _figures_of(reading, key, catalogue[key].cadence, values))
        ]
        known = {figure.metric.key for figure in figures}
        missing = [key for key in keys if key in wanted and key not in known]
        fed, others = (
            tuple(reading.metrics[key].title for key in missing if bool(catalogue[key].fed) is is_fed)
            for is_fed in (True, False)
        )
        themes.append(Widget(title, says, tuple(figures), fed, others))
    return tuple(themes)


def _counts(file: Path | None, packs: set[str]) -> bool:
    """Whether a metric of the file counts: what came with no pack always does."""
    pack = pack_of(file) if file is not None else None
    return pack is None or pack in packs


def _figures_of(
    reading: Reading, key: str, cadence: str, values: Mapping[tuple[str, str | None], Mapping[date, Any]]
) -> Iterator[page.FedFigure]:
    """The figure of the portfolio and of its segments, each with what it was one period before."""
    from metrics_assets.reporting.pages.community import FedFigure

    back, compared = _COMPARED[cadence]
    for (metric, segment), by_day in values.items():
        if metric != key or reading.day not in by_day:
            continue
        now, before = by_day[reading.day], by_day.get(reading.day - timedelta(days=back))
        yield FedFigure(
            metric=reading.metrics[key],
            segment=segment,
            value=now.value,
            before=None if before is None else before.value,
            compared=compared,
            period_end=now.period_end,
            source_url=now.source_url,
        )


def _collected(reading: Reading, site: SiteInfo) -> dict[str, list[page.FedFigure]]:
    """Figures of discussions, which are collected and not fed."""
    from metrics_assets.reporting.pages.community import FedFigure

    keys = [key for key in _OF_DISCUSSIONS if key in reading.metrics]
    series = read_series(reading, keys, "portfolio", [site.portfolio], weeks=5)
    return {
        key: [FedFigure(one.metric, None, value, one.points[0].value, "4 weeks before")]
        for key in keys
        if (value := (one := series[site.portfolio, key]).points[-1].value) is not None
    }
