"""What the sample organisation feeds besides the figures of its teams: surveys, business, releases and telemetry.

    python -m metrics_assets.demo.fed

writes kpi_values.community.csv and kpi_values.telemetry.csv in the folder `feeds` beside this file. Both are committed;
a test holds them against this module. Every figure goes in a line from its first value to its last, with some chance
around it; figures of days have a working week, campaigns, and two releases of the toolkit that went wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

from metrics_assets.demo.dice import QUIET, START, Dice

FEEDS = Path(__file__).parent / "feeds"
DAY = timedelta(days=1)
FIRST, LAST = START.date(), date(2025, 12, 31)

Period = tuple[date, date]
Line = tuple[str, float, float, int]  # segment, first value, last value, decimals
Row = tuple[str, date, date, float, str]  # metric, first day, last day, value, segment

MONTHS: Sequence[Period] = [
    (date(2025, month, 1), date(2025 + month // 12, month % 12 + 1, 1) - DAY) for month in range(5, 13)
]
QUARTERS: Sequence[Period] = [(MONTHS[0][0].replace(month=4), MONTHS[1][1]), (MONTHS[2][0], MONTHS[4][1])]
QUARTERS = [*QUARTERS, (MONTHS[5][0], MONTHS[7][1])]
WEEKS: Sequence[Period] = [
    (date(2025, 5, 26) + number * 7 * DAY, date(2025, 6, 1) + number * 7 * DAY) for number in range(31)
]
RELEASES: Sequence[Period] = [
    (day, day) for day in (date(2025, 7, 22), date(2025, 9, 9), date(2025, 10, 13), date(2025, 11, 12))
]
YEARS: Sequence[Period] = [(date(2024, 10, 1), date(2025, 9, 30))]


def _alone(first: float, last: float, decimals: int) -> list[Line]:
    return [("", first, last, decimals)]


# How surveys, marketing, support and business go, by period.
QUARTERLY: dict[str, list[Line]] = {
    "review_helpfulness": _alone(8.0, 8.6, 1),
    "contributor_satisfaction_share": _alone(0.86, 0.92, 2),
    "performance_satisfaction": _alone(9.0, 9.3, 1),
    "documentation_satisfaction": _alone(7.4, 8.2, 1),
    "support_satisfaction": _alone(8.6, 9.1, 1),
    "integration_satisfaction": _alone(8.1, 8.6, 1),
    "feature_satisfaction": _alone(7.6, 8.1, 1),
    "support_response_satisfaction_share": _alone(0.86, 0.92, 2),
    "survey_response_rate": _alone(0.27, 0.34, 2),
    "net_promoter_score_regional_deviation": _alone(9.4, 6.8, 1),
    "fortune_500_adopters": _alone(5, 9, 0),
    "pilot_to_customer_share": _alone(0.31, 0.42, 2),
    "contract_renewal_share": _alone(0.93, 0.96, 2),
    "implementation_days": _alone(34, 23, 0),
    "average_contract_value": _alone(41200, 46800, 0),
    "customer_satisfaction_share": _alone(0.9, 0.94, 2),
    "customer_success_score": _alone(74, 81, 0),
    "customer_cost_savings": _alone(61000, 83000, 0),
    "customer_retention_share": _alone(0.93, 0.96, 2),
    "mindshare": _alone(0.08, 0.12, 2),
    "switched_from_competitors_share": _alone(0.17, 0.22, 2),
    "switched_to_competitors_share": _alone(0.05, 0.03, 2),
    "feature_requests": [
        ("offline search", 14, 31, 0), ("webhooks", 22, 17, 0), ("audit log", 9, 19, 0), ("dark invoices", 6, 4, 0),
    ],
    "pain_points": [("first set-up", 27, 15, 0), ("error messages", 18, 13, 0), ("upgrade to 2.0", 0, 16, 0)],
    "switching_reasons": [("price", 11, 12, 0), ("speed of search", 9, 21, 0), ("client library", 7, 14, 0)],
    "support_channel_share": [
        ("forum", 0.34, 0.41, 2), ("e-mail", 0.38, 0.29, 2), ("issues", 0.28, 0.3, 2),
    ],
    "regional_growth": [
        ("europe", 0.31, 0.38, 2), ("north america", 0.22, 0.35, 2), ("asia pacific", 0.4, 0.61, 2),
    ],
}  # fmt: skip
MONTHLY: dict[str, list[Line]] = {
    "net_promoter_score": [
        ("", 51, 63, 0), ("enterprise", 58, 76, 0), ("open source", 49, 66, 0), ("small companies", 46, 55, 0),
    ],
    "x_followers": _alone(4870, 7310, 0),
    "linkedin_followers": _alone(1940, 3160, 0),
    "social_engagement_rate": _alone(0.031, 0.047, 3),
    "first_contact_resolution_share": _alone(0.79, 0.87, 2),
    "self_service_success_share": _alone(0.64, 0.74, 2),
    "issue_quality_share": _alone(0.58, 0.73, 2),
    "discussion_cross_references": _alone(11, 34, 0),
    "corporate_users_share": _alone(0.33, 0.42, 2),
    "users_abroad_share": _alone(0.66, 0.71, 2),
    "countries": _alone(29, 44, 0),
    "search_rank": _alone(4, 2, 0),
    "enterprise_pilots": _alone(2, 5, 0),
    "enterprise_pilots_year": _alone(19, 41, 0),
    "adopting_organisations": _alone(118, 236, 0),
    "community_members_active": _alone(310, 640, 0),
    "documentation_views": _alone(48200, 91400, 0),
    "tutorial_completion_share": _alone(0.57, 0.71, 2),
    "migration_success_share": _alone(0.83, 0.92, 2),
    "pilot_to_production_share": _alone(0.34, 0.47, 2),
    "trial_conversion_share": _alone(0.17, 0.24, 2),
    "sales_pipeline": _alone(1180000, 1940000, 0),
    "dashboard_p95_milliseconds": _alone(910, 640, 0),
    "query_p95_milliseconds": _alone(74, 41, 0),
    "integration_cost_per_deployment": _alone(9.4, 6.9, 2),
    "vulnerability_patch_hours": _alone(71, 39, 0),
    "cloud_cost_of_feature": [("search", 5100, 6900, 0), ("billing", 2300, 2250, 0), ("api", 4100, 4600, 0)],
    "adoption_region_share": [
        ("europe", 0.49, 0.44, 2), ("north america", 0.31, 0.33, 2), ("asia pacific", 0.15, 0.18, 2),
        ("other", 0.05, 0.05, 2),
    ],
}  # fmt: skip
WEEKLY: dict[str, list[Line]] = {
    "dashboard_weekly_users_share": _alone(0.55, 0.86, 2),
    "github_trending_rank": _alone(24, 9, 0),
    "reddit_positive_mentions_counted": _alone(62, 148, 0),
    "unit_test_coverage": [("aurora/aurora-py", 0.884, 0.931, 3), ("aurora/billing", 0.71, 0.78, 3)],
    "telemetry_opt_out_share": _alone(0.31, 0.22, 3),
    "privacy_concern_share": _alone(0.11, 0.06, 3),
    "sessions_per_user_week": _alone(4.6, 5.7, 1),
    "commands_per_session": _alone(2.8, 3.6, 1),
    "second_week_retention_share": _alone(0.53, 0.64, 3),
    "power_users_share": _alone(0.11, 0.16, 3),
    "day_one_return_share": _alone(0.38, 0.46, 3),
    "positive_mentions_share": _alone(0.68, 0.77, 3),
    "user_satisfaction": _alone(3.8, 4.3, 1),
    "operating_system_share": [("linux", 0.45, 0.43, 2), ("macos", 0.38, 0.37, 2), ("windows", 0.17, 0.2, 2)],
}
YEARLY: dict[str, list[Line]] = {"developer_survey_rank": _alone(3, 3, 0)}
PER_RELEASE: dict[str, list[Line]] = {
    "announcement_shares": _alone(290, 560, 0),
    "conference_mentions": _alone(980, 1730, 0),
    "latency_regression_share": _alone(0.06, 0.02, 3),
    "memory_regression_share": _alone(0.03, 0.012, 3),
    "allocation_regression_share": _alone(0.004, 0.014, 3),
    "benchmark_regression_share": _alone(0.03, 0.021, 3),
    "performance_gain_share": [("latency", 0.02, 0.09, 3), ("throughput", 0.03, 0.12, 3), ("memory", 0.01, 0.04, 3)],
}

# More sessions after people were told of the product; what falls off within a week.
CAMPAIGNS = {date(2025, 7, 8): 0.3, date(2025, 9, 25): 0.45, date(2025, 11, 13): 0.6}
# Releases of the toolkit that went wrong: an installer for Windows, and a crash at the start.
BROKEN_INSTALLER = {date(2025, 8, 12): 0.19, date(2025, 8, 13): 0.24, date(2025, 8, 14): 0.13}
CRASHES = {
    date(2025, 10, 21): 0.0118,
    date(2025, 10, 22): 0.0164,
    date(2025, 10, 23): 0.0087,
    date(2025, 10, 24): 0.003,
}
OUTAGES = {date(2025, 7, 17): 0.0046, date(2025, 9, 30): 0.0021, date(2025, 11, 19): 0.0083}
INSTALLS_ON = {"linux": 0.5, "macos": 0.3, "windows": 0.2}  # shares of the installs


def community_rows() -> Iterator[Row]:
    """Surveys, business, marketing, releases, and what telemetry sums up by week."""
    for lines, periods in (
        (QUARTERLY, QUARTERS),
        (MONTHLY, MONTHS),
        (WEEKLY, WEEKS),
        (YEARLY, YEARS),
        (PER_RELEASE, RELEASES),
    ):
        for metric, segments in lines.items():
            for segment, first, last, decimals in segments:
                yield from _line(metric, segment, periods, first, last, decimals)


def _line(
    metric: str, segment: str, periods: Sequence[Period], first: float, last: float, decimals: int
) -> Iterator[Row]:
    """From the first value to the last, which are met; between them as far off as a sixth of the way."""
    dice, steps = Dice(f"fed {metric} {segment}"), max(len(periods) - 1, 1)
    shares = metric.endswith("_share") and bool(segment)  # shares of a whole add up: no chance in them
    for number, (start, end) in enumerate(periods):
        wobble = 0.0 if shares or number in (0, steps) else dice.between(-1 / 6, 1 / 6)
        value = first + (last - first) * (number / steps + wobble)
        yield metric, start, end, round(value, decimals), segment


def telemetry_rows() -> Iterator[Row]:
    """The days of the toolkit: use, success, times, crashes and installs; and of the service: uptime and errors."""
    days = [FIRST + number * DAY for number in range((LAST - FIRST).days + 1)]
    dice = Dice("fed telemetry")

    def line(first: float, last: float, spread: float) -> Callable[[date], float]:
        """A value by day, on a line, times chance."""
        length = (LAST - FIRST).days
        return lambda day: (first + (last - first) * (day - FIRST).days / length) * dice.between(1 - spread, 1 + spread)

    sessions, per_user = line(1180, 2240, 0.05), line(1.9, 2.1, 0.02)
    crashes, script = line(0.0019, 0.0007, 0.25), line(0.026, 0.013, 0.2)
    success, static, blocked = line(0.782, 0.868, 0.012), line(0.57, 0.66, 0.015), line(0.043, 0.036, 0.1)
    p50, slowest = line(121, 86, 0.05), {
        "": line(1980, 1410, 0.06), "europe": line(1610, 1180, 0.06), "asia pacific": line(2920, 2110, 0.08),
    }  # fmt: skip
    failing = {"linux": line(0.021, 0.012, 0.2), "macos": line(0.034, 0.022, 0.2), "windows": line(0.104, 0.071, 0.15)}
    errors, down = line(0.0006, 0.00032, 0.2), line(0.00004, 0.00003, 0.5)
    for day in days:
        bad = CRASHES.get(day, 0.0)
        came = sessions(day) * _busy(day)
        installs = {
            name: of(day) + (name == "windows") * BROKEN_INSTALLER.get(day, 0.0) for name, of in failing.items()
        }
        values: list[tuple[str, float, str]] = [
            ("sessions", round(came), ""),
            ("daily_active_users", round(came / per_user(day)), ""),
            ("crash_share", round(crashes(day) + bad, 5), ""),
            ("command_success_share", round(success(day) - 6 * bad, 4), ""),
            ("static_match_share", round(static(day), 4), ""),
            ("safety_block_share", round(blocked(day), 4), ""),
            ("generation_p50_milliseconds", round(p50(day)), ""),
            *(("generation_p95_milliseconds", round(of(day)), name) for name, of in slowest.items()),
            ("install_failure_share", round(sum(INSTALLS_ON[name] * share for name, share in installs.items()), 4), ""),
            *(("install_failure_share", round(share, 4), name) for name, share in installs.items()),
            ("install_script_error_share", round(script(day), 4), ""),
            ("error_share", round(errors(day) + OUTAGES.get(day, 0) / 4, 5), ""),
            ("uptime_share", round(1 - down(day) - OUTAGES.get(day, 0), 5), ""),
        ]
        for metric, value, segment in values:
            yield metric, day, day, value, segment


def _busy(day: date) -> float:
    """How much is done on a day against a working day: less at weekends and holidays, more after campaigns."""
    since = {(day - told).days: share for told, share in CAMPAIGNS.items()}
    told = sum(share * 0.7**days for days, share in since.items() if 0 <= days < 8)
    return (0.52 if day.weekday() >= 5 else 1.0) * QUIET.get((day.month, day.day), 1.0) * (1 + told)


def file_of(rows: Iterator[Row]) -> str:
    """Rows as a file for the folder `feeds`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric_key", "period_start", "period_end", "value", "segment"])
    for metric, start, end, value, segment in rows:
        writer.writerow([metric, start, end, f"{value:.10g}", segment])
    return text.getvalue()


def files() -> dict[str, str]:
    """Name and content of each file that this module makes."""
    return {
        "kpi_values.community.csv": file_of(community_rows()),
        "kpi_values.telemetry.csv": file_of(telemetry_rows()),
    }


if __name__ == "__main__":
    for name, content in files().items():
        (FEEDS / name).write_text(content, encoding="utf-8")
