"""The quarterly review: goals by category, north stars, tiers month by month, thresholds, decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from metrics_assets.reporting.documents import Document
from metrics_assets.reporting.reports.decisions import threshold_advice
from metrics_assets.reporting.reports.quarterly_review import quarterly_review_document
from metrics_assets.reporting.reports.records import Figures, GateState, Key, RepositoryKeys, RuleReview
from metrics_assets_tests.reporting.report_sample import facts_of, figures, goal, measure, section, text, tiers

QUARTER = {
    "period_start": date(2025, 10, 1), "period_end": date(2025, 12, 31),
    "as_of": date(2025, 12, 31), "through": date(2025, 12, 31),
}  # fmt: skip
NOISY = RuleReview("churn", "Contributors stay away", "above 40 %", 9, 1, 4)
SILENT = RuleReview("slow", "Lead time too long", "above 2 d", 3, 0, 0)
GOOD = RuleReview("failing", "Deployments fail", "above 15 %", 5, 4, 1)


def full() -> Figures:
    return figures(
        "quarterly_review",
        measure("deployment_frequency", 3.3, 3.9),
        measure("lead_time_hours", 36.0, 36.1),
        measure("change_failure_rate", None),
        measure("failed_deployment_recovery_hours", None),
        measure("stars_total", 4022, 2794),
        measure("community_satisfaction", 8.6, 8.4),
        measure("net_promoter_score", 42, 50),
        measure("market_share", 0.12, 0.10),
        measure("pilot_to_production_share", None, is_there=False),
        north_stars=("net_promoter_score", "pilot_to_production_share"),
        goals=(
            goal("stars_total", 4022, 12000, "off track", title="12,000 stars", due_on=date(2025, 12, 31)),
            goal("forks_total", 245, 200, "met", title="200 forks"),
            goal("lead_time_hours", 36, 24, "at risk", title="A day", owner="engineering", comparison="below"),
            *(goal(f"annual_recurring_revenue{'_growth' * (n % 2)}", None, 1, "unknown", owner="business",
                   title=f"Unknown {n}") for n in range(6)),
        ),
        tiers=(
            *tiers(date(2025, 9, 30), deployment_frequency=(3.9, "elite"), lead_time_hours=(36.1, "high")),
            *tiers(date(2025, 10, 31), deployment_frequency=(3.9, "elite")),
            *tiers(date(2025, 12, 31), deployment_frequency=(3.3, "elite"), lead_time_hours=(36.0, "medium")),
        ),
        repositories=(
            RepositoryKeys("aurora/legacy", (Key("lead_time_hours", 900.0, 900.0, "low", "low"),)),
        ),
        repositories_rated=4,
        repositories_below=1,
        rules=(NOISY, SILENT, GOOD),
        gates=(GateState("Beta", "Aurora", "failed", 90.0, 1, ("Load test", "Docs")),),
        **QUARTER,
    )  # fmt: skip


def review(**changes: Any) -> Document:
    return quarterly_review_document(replace(full(), **changes))


def test_its_sections() -> None:
    assert [one.key for one in review().sections] == [
        "summary", "decisions", "goals", "north_stars", "delivery", "growth", "business", "surveys", "thresholds",
        "documents",
    ]  # fmt: skip
    assert review().title == "Quarterly review, Q4 2025"
    assert dict(review().footer)["Next report"] == "1 Apr 2026"


def test_goals_by_category() -> None:
    lines = section(review(), "goals")
    assert lines[:5] == [
        "1 of 3 goals met, 1 at risk, 1 off track; 6 more cannot be judged.",
        "Category | Met | On track | At risk | Off track | Not known",
        "Business | 0 | 0 | 0 | 0 | 6",
        "Community | 1 | 0 | 0 | 1 | 0",
        "Engineering | 0 | 0 | 1 | 0 | 0",
    ]
    assert lines[5:9] == [
        "Goal | Now | Target | Status",
        "12,000 stars | 4,022 | 12,000 by 31 Dec 2025, missed by 7,978 | missed",
        "200 forks | 245 | 200 ✅ | met",
        "A day | 1.5 d | under 1 d, 12 h over | at risk",
    ]


def test_north_stars_against_the_quarter_before() -> None:
    assert section(review(), "north_stars") == [
        "* Net promoter score: 42 (−8 points QoQ)",
        "Not known: Pilots that went into production (never fed).",
    ]
    without = section(review(north_stars=()), "north_stars")
    assert without[0] == "* Stars: 4,022 (+44 % QoQ), target 12,000 by 31 Dec 2025, missed by 7,978 [bad]"
    assert without[-1] == "No pack with north stars is switched on; these figures stand in for them."


def test_the_tiers_month_by_month() -> None:
    lines = section(review(), "delivery")
    place = lines.index("Tiers at the end of each month:")
    assert lines[place + 1 : place + 4] == [
        "Key | Sep 2025 | Oct 2025 | Dec 2025",
        "Deployment frequency | Elite | Elite | Elite",
        "Lead time for changes | High | no tier | Medium",
    ]
    assert "- Lead time for changes went down from High to Medium." in section(review(), "summary")


def test_thresholds_and_what_people_said_of_them() -> None:
    assert section(review(), "thresholds") == [
        "Rule | Limit | Fired | Useful",
        "Contributors stay away | above 40 % | 9 | 1 of 5",
        "Lead time too long | above 2 d | 3 | nobody said",
        "Deployments fail | above 15 % | 5 | 4 of 5",
        "- Contributors stay away: 4 of 5 alerts were noise: make its limit (now above 40 %) stricter, or let it hold "
        "more days?",
        "- Lead time too long: It fired 3 times and nobody said whether it was useful: who looks at it?",
        "(notes thresholds)",
    ]
    assert section(review(rules=()), "thresholds")[0].startswith("No rule fired in the quarter")


@pytest.mark.parametrize(
    ("rule", "asks"), [(NOISY, True), (SILENT, True), (GOOD, False), (replace(SILENT, fired=2), False)]
)
def test_advice_only_where_there_is_enough_to_say(rule: RuleReview, asks: bool) -> None:
    assert (threshold_advice(rule) is not None) == asks


def test_decisions_are_questions_the_most_urgent_first() -> None:
    assert section(review(), "decisions") == [
        "- aurora/legacy is Low on lead time for changes for a quarter and longer: invest, or accept it?",
        "- The gate 'Beta' lacks 'Load test': finish it, or release without it?",
        "- The rule 'Contributors stay away': 4 of 5 alerts were noise: make its limit (now above 40 %) stricter, or "
        "let it hold more days?",
        "- 6 of 9 goals cannot be judged, most of them because nothing is fed: feed their figures, or take the goals "
        "out?",
        "- The goal '12,000 stars' was missed (4,022 now): a new day, a new target, or an end?",
        "- The rule 'Lead time too long': it fired 3 times and nobody said whether it was useful: who looks at it?",
        "(notes decisions)",
    ]


def test_surveys_and_competition() -> None:
    assert facts_of(review())["Satisfaction, of 10"] == "8.6 (+0.2 QoQ)"
    assert facts_of(review())["Market share"] == "12 % (+2 points QoQ)"
    assert section(review(), "surveys")[-2].startswith("Ask again this quarter")


def test_a_quarter_of_which_nothing_is_known() -> None:
    document = quarterly_review_document(figures("quarterly_review", **QUARTER))
    assert section(document, "goals") == ["No goal counts: switch on a pack that has some, or write your own."]
    assert section(document, "decisions")[0] == "The figures ask for no decision."
    assert "No survey was fed." in text(document)
    assert "due again on 1 Apr 2026" in section(document, "documents")[0]
