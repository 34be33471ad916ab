"""The monthly report: nine sections whatever is known, lines, and what the figures themselves say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from metrics_assets.reporting.documents import Document, Notes
from metrics_assets.reporting.reports.monthly_report import monthly_report_document
from metrics_assets.reporting.reports.records import (
    EventState,
    Figures,
    GateState,
    InsightState,
    Key,
    MilestoneState,
    Outlook,
    ReleaseState,
    RepositoryKeys,
    Scenario,
    figures_json,
    figures_of,
)
from metrics_assets_tests.reporting.report_sample import (
    BEFORE,
    MONTH,
    alert,
    facts_of,
    figures,
    goal,
    measure,
    metric,
    period_value,
    section,
    text,
    tiers,
)

SECTIONS = [
    "executive_summary", "growth_analysis", "community_health", "developer_satisfaction", "business_impact",
    "achievements", "challenges", "recommendations", "next_month_goals",
]  # fmt: skip
NOTES = [
    "executive_summary", "developer_satisfaction", "business_impact",
    "achievements.technical", "achievements.community", "achievements.business",
    "challenges.technical", "challenges.community", "challenges.business",
    "recommendations.community", "recommendations.product", "recommendations.business", "next_month_goals",
]  # fmt: skip
KEYS = (
    measure("deployment_frequency", 4.0, 3.3),
    measure("lead_time_hours", 32.7, 33.4),
    measure("change_failure_rate", 0.079, 0.125),
    measure("failed_deployment_recovery_hours", 3.2, 4.5),
)


def full() -> Figures:
    """A month with something of everything."""
    return figures(
        "monthly_report",
        *KEYS,
        measure("stars_total", 4022, 3579),
        measure("stars_new", 443, 389, how="sum"),
        measure("downloads", 12000, 10000, how="sum", kind="package", subject="2 packages"),
        measure("community_satisfaction", 8.6, 8.4),
        measure("enterprise_customers", 9, 8),
        measure("issues_open", 193, 162),
        measure("issues_opened", 121, 100, how="sum"),
        measure("issues_closed", 92, 90, how="sum"),
        measure("issue_first_response_business_hours", 2.8, 4.1),
        measure("contributor_churn", 0.33, 0.28),
        measure("annual_recurring_revenue", 427564, 401000),
        measure("awards", 1, 0, how="sum"),
        measure("podcast_mentions", 0, 0, how="sum"),
        tiers=(
            *tiers(BEFORE, deployment_frequency=(3.3, "elite"), lead_time_hours=(33.4, "high")),
            *tiers(MONTH[1], deployment_frequency=(4.0, "elite"), lead_time_hours=(32.7, "high")),
        ),
        goals=(
            goal("stars_total", 4022, 12000, "off track", title="12,000 stars", due_on=date(2025, 12, 31),
                 probability=0.004),
            goal("issue_first_response_business_hours", 2.8, 4, "met", title="Answers in 4 hours", comparison="below",
                 status_before="off track"),
            goal("forks_total", None, 2000, "unknown", title="2,000 forks"),
            goal("annual_recurring_revenue", 427564, 500000, "at risk", title="ARR of $500,000", owner="business"),
            goal("stars_total", 4022, 2000, "off track", title="2,000 stars", due_on=date(2025, 6, 30)),
        ),
        alerts=(
            alert("Lead time too long", "aurora/billing", "critical", metric=metric("lead_time_hours"), value=1100.0,
                  action="See which stage takes longest."),
            alert("Lead time too long", "aurora/api", metric=metric("lead_time_hours"), value=60.0,
                  action="See which stage takes longest."),
            alert("Fewer deployments", "aurora/web", resolved_on=date(2025, 11, 29)),
        ),
        repositories=(
            RepositoryKeys(
                "aurora/billing",
                (
                    Key("deployment_frequency", 0.1, 0.2, "medium", "high"),
                    Key("lead_time_hours", 1100.0, 180.0, "low", "medium"),
                    Key("change_failure_rate", None, 0.1, None, "elite"),
                    Key("failed_deployment_recovery_hours", None, None, None, None),
                ),
            ),
        ),
        repositories_rated=5,
        repositories_below=1,
        insights=(
            InsightState("bottleneck", "repository", "aurora/billing", MONTH[1], 5.0, "The bottleneck is review.",
                         "Make pull requests smaller."),
        ),
        releases=(ReleaseState("aurora/api", "v1.8.0", date(2025, 11, 12), False, "passed", "General availability"),),
        milestones=(
            MilestoneState("aurora/api", "2025 Q4", None, date(2025, 11, 24)),
            MilestoneState("aurora/web", "2026 Q1", date(2026, 1, 5), None),
        ),
        events=(
            EventState(date(2025, 11, 13), "podcast", "Paying without pain", "Aurora"),
            EventState(date(2025, 11, 19), "incident", "incident #7", "aurora/web"),
        ),
        gates=(GateState("Beta", "Aurora", "failed", 61.0, 1, ("Load test passed", "Docs complete")),),
        outlooks=(
            Outlook(metric("stars_total"), MONTH[1], date(2026, 5, 29), 5400, 6000, 6800, True, 0.8, None,
                    (Scenario("optimistic", 5800, 6600, 7600), Scenario("realistic", 5400, 6000, 6800),
                     Scenario("pessimistic", 5000, 5400, 5900))),
            Outlook(metric("contributor_churn"), MONTH[1], date(2026, 5, 29), None, None, None, None, None,
                    "Too few days are known."),
        ),
    )  # fmt: skip


def report(**changes: object) -> Document:
    return monthly_report_document(replace(full(), **changes))  # type: ignore[arg-type]


def test_it_has_its_nine_sections_and_a_place_for_every_note() -> None:
    for document in (report(), monthly_report_document(figures())):
        assert [one.key for one in document.sections] == SECTIONS
        assert [notes.key for notes in document.notes()] == NOTES
        assert all(isinstance(notes, Notes) and notes.markdown is None for notes in document.notes())


def test_its_lines() -> None:
    lines = facts_of(report())
    assert lines["Stars"] == "4,022 (+12 % MoM), target 12,000 by 31 Dec 2025, 7,978 to go"
    assert lines["Downloads, 2 packages"] == "12,000 (+20 % MoM)"
    assert lines["Enterprise customers"] == "9 (+1 MoM)"
    assert lines["Issues"] == "193 open / 92 closed (resolution 76 % of 121 opened), +19 % open MoM"
    assert lines["First answer to issues, business hours"] == "2.8 h, improved from 4.1 h, target under 4 h ✅"
    assert lines["Contributors who left"] == "33 % (+5 points MoM)"
    assert lines["Annual recurring revenue"] == "$427,564 (+6.6 % MoM), target $500,000, $72,436 to go"
    # An award is news; a month without a podcast after a month without one is none.
    assert lines["Awards"] == "1 (+1 MoM)"
    assert "Podcasts" not in lines


def test_a_year_before_is_said_where_there_is_one() -> None:
    stars = measure("stars_total", 4022, 3579, year=period_value(2000))
    forks = measure("forks_total", 245, 209)
    document = monthly_report_document(figures("monthly_report", stars, forks, start=date(2020, 1, 1)))
    assert facts_of(document)["Stars"] == "4,022 (+12 % MoM, +101 % YoY)"
    assert facts_of(document)["Forks"] == "245 (+17 % MoM, YoY not known)"
    assert "Year on year" not in dict(document.footer)
    assert dict(report().footer)["Year on year"] == "left out: the figures begin on 1 Jun 2025"


def test_days_that_are_missing_are_said_and_nothing_is_compared() -> None:
    views = measure("views", period_value(900, 30, 27), 1000, how="sum")
    document = monthly_report_document(figures("monthly_report", views))
    assert facts_of(document)["Views of the repositories"] == "900 on the 27 of 30 days known"


def test_what_is_not_known_is_said_once_and_why() -> None:
    few = measure("pickup_hours", replace(period_value(None), state="too_few", n=2))
    old = measure("annual_recurring_revenue", None)
    never = [measure(key, None, is_there=False) for key in ("average_contract_value", "countries")]
    document = monthly_report_document(figures("monthly_report", few, old, *never))
    needed = metric("pickup_hours").minimum_n
    assert f"Not known: Wait for the first review (too few to be said, {needed} are needed)." in text(document)
    business = section(document, "business_impact")
    assert (
        business[0] == "Not known: Annual recurring revenue (nothing was fed for the day, or what was fed is too old)."
    )
    assert "Enterprise customers (never fed)" in section(document, "executive_summary")[0]
    # What nobody feeds is not listed figure by figure.
    assert "Countries" not in text(document)


def test_a_project_of_which_nothing_is_known_gets_a_short_report() -> None:
    document = monthly_report_document(figures())
    said = text(document)
    assert document.verdict == "Delivery cannot be rated. No alert is open. No goal can be judged yet."
    assert "Nothing that grows is measured here." in said
    assert "Issues, pull requests and contributors are not measured here." in said
    assert said.count("Not known: ") <= 2
    assert len(said.splitlines()) < 75


def test_a_library_without_deployments_is_told_why_once() -> None:
    why = "nothing says when it ships"
    silent = [
        replace(one, now=period_value(None), metric=replace(one.metric, unknown=f"{why.capitalize()}.")) for one in KEYS
    ]
    stars = measure("stars_total", 800, 700)
    document = monthly_report_document(figures("monthly_report", *silent, stars))
    assert section(document, "executive_summary")[2] == f"Delivery cannot be rated: {why}."
    assert text(document).count(why) == 1
    assert document.verdict.startswith("800 stars (+14 % MoM). Delivery cannot be rated.")


def test_what_the_figures_themselves_say_stands_under_its_theme() -> None:
    lines = section(report(), "achievements")
    places = [lines.index(f"(notes achievements.{theme})") for theme in ("technical", "community", "business")]
    technical, community = lines[: places[0]], lines[places[0] : places[1]]
    assert "- aurora/api released v1.8.0 (gate passed: General availability)." in technical
    assert "- The milestone '2025 Q4' was closed in aurora/api." in technical
    assert "- 1 alert ended: Fewer deployments (aurora/web)." in technical
    assert community[:3] == [
        "(notes achievements.technical)",
        "Community:",
        "- Goal met this month: Answers in 4 hours (2.8 h).",
    ]
    assert "- Stars passed 4,000: 4,022, +12 % since the month before." in community
    assert "- Podcast: Paying without pain (13 Nov 2025)." in community


def test_the_challenges_begin_with_the_worst() -> None:
    lines = section(report(), "challenges")
    assert lines[:4] == [
        "Technical:",
        "- aurora/billing fell: deployment frequency 3 per month, Medium (was 1.4 per week) and lead time for changes "
        "46 d, Low (was 7.5 d).",
        "- Lead time too long: aurora/billing (46 d) and aurora/api (2.5 d), the first since 27 Nov 2025.",
        "- aurora/billing: The bottleneck is review.",
    ]
    business = lines[lines.index("(notes challenges.community)") :]
    assert business[2] == "- The goal 'ARR of $500,000' is at risk: $427,564, target $500,000, $72,436 to go."


def test_a_goal_that_was_due_long_ago_is_history() -> None:
    assert "'2,000 stars'" not in text(report())
    assert "'12,000 stars'" in text(report())


def test_recommendations_say_for_whom() -> None:
    lines = section(report(), "recommendations")
    assert "- See which stage takes longest. This is about aurora/billing and aurora/api." in lines
    assert "- Make pull requests smaller. This is about aurora/billing." in lines


def test_the_goals_ahead() -> None:
    lines = section(report(), "next_month_goals")
    assert lines[:2] == [
        "Goal | Now | Target | Status | Outlook",
        "12,000 stars | 4,022 | 12,000 by 31 Dec 2025, 7,978 to go | off track | "
        "under 1 % likely to be met by 31 Dec 2025",
    ]
    gate = "The gate 'Beta' (Aurora), 61 of 100 points, lacks 2 criteria: 'Load test passed' and 'Docs complete'."
    assert gate in lines
    assert "- 5 Jan 2026: 2026 Q1 (aurora/web)" in lines
    assert "1 goal cannot be judged, among them: 2,000 forks." in lines


def test_the_outlook_has_three_scenarios_or_says_why_not() -> None:
    lines = section(report(), "growth_analysis")
    assert "Stars | 5,400 | 6,000 | 6,600 | 5,400 to 6,800" in lines
    assert "No forecast: Contributor churn (Too few days are known)." in lines
    assert "- 13 Nov 2025: podcast, Paying without pain" in lines
    assert not any("incident" in line for line in lines)
    without = section(report(outlooks=()), "growth_analysis")
    assert "No forecast was made in the week to 30 Nov 2025." in without


def test_a_draft_says_so_and_compares_the_same_days() -> None:
    document = report(as_of=date(2025, 11, 10), through=date(2025, 11, 10))
    assert document.is_draft
    assert document.verdict.startswith("So far: ")
    assert "so far with the first 10 days of the month before" in dict(document.footer)["Compared with"]


def test_the_footer() -> None:
    footer = dict(report(prepared_by="Developer experience", dashboard="https://metrics.example.org").footer)
    assert footer["Prepared by"] == "Developer experience"
    assert footer["Dashboard"] == "https://metrics.example.org"
    assert footer["Next report"] == "1 Jan 2026"
    assert footer["Dated"] == "30 Nov 2025"
    assert "no address is configured" in dict(report().footer)["Dashboard"]


def test_figures_that_late_events_may_change_are_counted() -> None:
    stars = measure("stars_total", replace(period_value(4022), state="provisional"), 3579)
    document = monthly_report_document(figures("monthly_report", stars))
    assert dict(document.footer)["Made from"] == "1 figure, 1 of them provisional: late events may still change them"


def test_the_same_figures_give_the_same_report_whenever_it_is_told() -> None:
    told = monthly_report_document(figures_of(figures_json(full())))
    assert told == monthly_report_document(full())


def test_what_others_wrote_stays_plain_text() -> None:
    hostile = "<script>alert(1)</script> [x](javascript:alert(1)) | **b**"
    events = (EventState(date(2025, 11, 13), "podcast", hostile, "Aurora"),)
    assert f"- 13 Nov 2025: podcast, {hostile}" in section(report(events=events), "growth_analysis")
