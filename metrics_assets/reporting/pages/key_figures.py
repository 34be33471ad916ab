"""North stars and the key figures of each category, with what they were a month and a quarter before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from metrics_assets.reporting.data import MetricInfo
from metrics_assets.reporting.pages.summaries import MISSING, RESPONSE, STARS, Figure

# What an executive looks at besides delivery (requirements S1-93, S1-94, S2-48); what has no value is only named.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "Community": (STARS, "active_contributors_month", "new_contributors_month", RESPONSE, "community_satisfaction"),
    "Quality": ("unit_test_coverage", "bugs_open", "p0_bugs_open", "critical_bug_resolution_hours"),
    "Performance": ("requests_per_second", "latency_p99_milliseconds", "uptime_share"),
    "Use": ("sessions_month", "command_success_share", "generation_p50_milliseconds", "install_failure_share"),
    "Business": ("downloads_month", "production_deployments", "enterprise_customers", "annual_recurring_revenue"),
    "Competition": ("market_share", "performance_lead_share", "independent_benchmark_rank", "developer_survey_rank"),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of the portfolio on the site's day, a month before and a quarter before."""

    metric: MetricInfo
    now: Figure = MISSING
    month_before: Figure = MISSING
    quarter_before: Figure = MISSING
    why: str = ""  # of a north star: why it is one

    @property
    def was_ever_known(self) -> bool:
        return any(figure.value is not None for figure in (self.now, self.month_before, self.quarter_before))


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """What is compared, and the days that it is compared with."""

    month_before: date
    quarter_before: date
    north_stars: tuple[Compared, ...] = ()
    categories: tuple[tuple[str, tuple[Compared, ...]], ...] = ()
