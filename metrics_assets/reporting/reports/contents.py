"""Which figures each report has lines for, section by section.

What is counted day by day is summed over the period; what stands on a day, or over a window of days, is read on the
last day of the period.
"""

from __future__ import annotations

from metrics_assets.reporting.data import FOUR_KEYS
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.reports.records import Line

KEYS = tuple(Line(metric) for metric in FOUR_KEYS)

HEADLINES = (
    Line("stars_total", "Stars", always=True),
    Line("downloads", "Downloads", how="sum", kind="package", always=True),
    Line("community_satisfaction", "Satisfaction", always=True),
    Line("enterprise_customers", "Enterprise customers", always=True),
)
GROWTH = (
    Line("stars_total", "Stars"),
    Line("stars_new", "New stars", how="sum"),
    Line("forks_total", "Forks"),
    Line("downloads", "Downloads", how="sum", kind="package"),
    Line("go_downloads_month", "Downloads of Go modules"),
    Line("dependents", "Dependents", kind="package"),
    Line("active_contributors_month", "Active contributors"),
    Line("new_contributors", "New contributors", how="sum"),
    Line("contributors_total", "Contributors, all time"),
    Line("discussion_participants_month", "People in discussions"),
    Line("views", "Views of the repositories", how="sum"),
    Line("community_members_active", "Active members of the community"),
    Line("members", "Members", kind="community", each=True),
    Line("mentions", "Mentions", how="sum", kind="community", each=True),
    Line("x_followers"),
    Line("linkedin_followers"),
    Line("daily_active_users", "Users a day"),
)
ISSUES = (
    Line("issues_open", "Open issues"),
    Line("issues_opened", how="sum"),
    Line("issues_closed", how="sum"),
)
PULL_REQUESTS = (
    Line("pull_requests_open", "Open pull requests"),
    Line("pull_requests_opened", how="sum"),
    Line("pull_requests_merged", how="sum"),
)
HEALTH = (
    Line("issue_first_response_business_hours", "First answer to issues, business hours", improved=True),
    Line("issue_sla_share", "Issues closed in time"),
    Line("issue_resolution_hours", "Time to resolve issues", improved=True),
    Line("pull_request_first_response_hours", "First review of pull requests", improved=True),
    Line("change_request_acceptance_ratio", "Pull requests accepted"),
    Line("bugs_open", "Open bugs"),
    Line("contributor_retention", "Contributors who came again"),
    Line("contributor_churn", "Contributors who left"),
    Line("contributor_absence_factor", "People who do half of the work"),
    Line("discussions_new", "New discussions", how="sum"),
    Line("discussions_answered_share", "Questions answered"),
    Line("community_health_score", "Community health, of 100"),
    Line("sentiment", "Sentiment", kind="community", each=True),
    Line("positive_mentions_share"),
)
SATISFACTION = (
    Line("community_satisfaction", "Satisfaction, of 10"),
    Line("net_promoter_score"),
    Line("space_satisfaction", "Satisfaction of the teams that opted in, of 5"),
    Line("space_nps", "Net promoter score of their people"),
    Line("developer_experience_rating"),
    Line("user_satisfaction"),
    Line("contributor_satisfaction_share"),
    Line("performance_satisfaction"),
    Line("documentation_satisfaction"),
    Line("support_satisfaction"),
    Line("integration_satisfaction"),
    Line("feature_satisfaction"),
    Line("review_helpfulness"),
    Line("self_service_success_share", "Helped by the documentation alone"),
    Line("first_contact_resolution_share"),
    Line("support_response_satisfaction_share"),
    Line("survey_response_rate"),
)
WORKING = (
    Line("pr_lead_hours", "First commit to merge", improved=True),
    Line("pickup_hours", "Wait for the first review", improved=True),
    Line("deploy_hours", "Merge to production", improved=True),
    Line("space_deep_work_share", "Deep work"),
    Line("space_meeting_hours", "Hours in meetings a week", improved=True),
)
SHIPPED = (
    Line("deployments_succeeded", "Deployments", how="sum"),
    Line("changes_shipped", "Changes shipped", how="sum"),
    Line("releases", "Releases", how="sum"),
    Line("incidents_opened", "Incidents", how="sum"),
)
BUSINESS = (
    Line("enterprise_customers", "Enterprise customers"),
    Line("annual_recurring_revenue"),
    Line("annual_recurring_revenue_growth"),
    Line("average_contract_value"),
    Line("customer_satisfaction_share"),
    Line("customer_net_promoter_score"),
    Line("customer_retention_share"),
    Line("contract_renewal_share"),
    Line("production_deployments", "Deployments of the product by customers"),
    Line("adopting_organisations"),
    Line("fortune_500_adopters"),
    Line("enterprise_pilots_year"),
    Line("pilot_to_customer_share"),
    Line("pilot_to_production_share"),
    Line("sales_pipeline"),
    Line("customer_cost_savings"),
    Line("corporate_users_share"),
    Line("users_abroad_share", "Users outside the home country"),
    Line("countries"),
    Line("geographic_diversity_share"),
    Line("regional_growth", "Growth", kind="segment", each=True),
    Line("case_studies", how="sum"),
    Line("success_stories", how="sum"),
    Line("awards", how="sum"),
    Line("community_tutorials", how="sum"),
    Line("podcast_mentions", how="sum"),
    Line("uptime_share_month", "Uptime"),
)
COMPETITION = (
    Line("market_share"),
    Line("mindshare"),
    Line("performance_lead_share"),
    Line("feature_parity_share"),
    Line("switched_from_competitors_share"),
    Line("switched_to_competitors_share"),
)
RELIABILITY = (
    Line("command_success_share", "Commands that succeed"),
    Line("install_failure_share", "Installs that fail"),
    Line("install_script_error_share"),
    Line("crash_share"),
    Line("error_share"),
    Line("uptime_share", "Uptime"),
    Line("deployments_succeeded", "Deployments", how="sum"),
    Line("change_failure_rate", "Deployments that fail, 28 days"),
    Line("incidents_opened", "Incidents", how="sum"),
)
USAGE = (
    Line("daily_active_users", "Users of the day"),
    Line("sessions", "Sessions", how="sum"),
    Line("commands_per_session"),
    Line("second_week_retention_share"),
    Line("telemetry_opt_out_share"),
)
COMMUNITY = (
    Line("stars_total", "Stars"),
    Line("stars_new", "New stars", how="sum"),
    Line("forks_new", "New forks", how="sum"),
    Line("downloads", "Downloads", how="sum", kind="package"),
    Line("new_contributors", "New contributors", how="sum"),
    Line("positive_mentions_share"),
    Line("positive_share", "Positive mentions", kind="community", each=True),
    Line("issues_open", "Open issues"),
    Line("issues_opened", how="sum"),
    Line("issues_closed", how="sum"),
    Line("pull_requests_merged", "Pull requests merged", how="sum"),
    Line("bugs_open", "Open bugs"),
)
REQUESTS = (Line("feature_requests", "Requests for features", kind="segment", each=True),)
OUTLOOK = ("stars_total", "active_contributors_month", "community_satisfaction", "contributor_churn")

LINES: dict[ReportKind, tuple[tuple[Line, ...], ...]] = {
    "monthly_report": (
        KEYS, HEADLINES, GROWTH, ISSUES, PULL_REQUESTS, HEALTH, SATISFACTION, WORKING, SHIPPED, BUSINESS,
    ),
    "weekly_digest": (KEYS, RELIABILITY, USAGE, COMMUNITY, REQUESTS),
    "quarterly_review": (KEYS, HEADLINES, GROWTH, SATISFACTION, SHIPPED, BUSINESS, COMPETITION),
    "executive_summary": (KEYS, HEADLINES, SHIPPED, COMPETITION),
}  # fmt: skip
PICTURES: dict[ReportKind, tuple[str, ...]] = {
    "monthly_report": (
        "stars_total", "active_contributors_month", "issue_first_response_business_hours", "contributor_churn",
        "community_satisfaction", "lead_time_hours", "annual_recurring_revenue",
    ),
    "weekly_digest": (),
    "quarterly_review": ("deployment_frequency", "lead_time_hours", "change_failure_rate", "stars_total"),
    "executive_summary": (),
}  # fmt: skip


def lines(kind: ReportKind) -> tuple[Line, ...]:
    """Every line of a kind of report, each figure once."""
    found: dict[tuple[str, str, str], Line] = {}
    for part in LINES[kind]:
        for line in part:
            found.setdefault((line.metric, line.how, line.kind), line)
    return tuple(found.values())
