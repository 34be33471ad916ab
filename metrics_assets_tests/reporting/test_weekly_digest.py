"""The weekly digest: what is urgent first, three things to do, and what changed since the week before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from metrics_assets.reporting.documents import Document, Picture
from metrics_assets.reporting.reports.records import (
    AnomalyState,
    Figures,
    GateState,
    IssueState,
    Measure,
    ReleaseState,
    Unanswered,
)
from metrics_assets.reporting.reports.weekly_digest import weekly_digest_document
from metrics_assets_tests.reporting.report_sample import (
    alert,
    facts_of,
    figures,
    goal,
    measure,
    metric,
    period_value,
    section,
    text,
)

START, END = date(2025, 12, 22), date(2025, 12, 28)


def issue(number: int, severity: str, opened: date, closed: date | None = None, **other: Any) -> IssueState:
    fields: dict[str, Any] = {
        "repository": "aurora/api",
        "number": number,
        "title": f"Title {number}",
        "severity": severity,
        "is_bug": True,
        "is_request": False,
        "opened_on": opened,
        "closed_on": closed,
        "comments": 2,
    }
    return IssueState(**(fields | other))


def week(*measures: Measure, **changes: Any) -> Figures:
    fields: dict[str, Any] = {"period_start": START, "period_end": END, "as_of": END, "through": END}
    return figures("weekly_digest", *measures, **(fields | changes))


def weekly(key: str, now: float, before: float, days: int = 7) -> Measure:
    """A sum over the days of the week."""
    return replace(measure(key, period_value(now, days), how="sum"), before=period_value(before, 7))


def full() -> Figures:
    return week(
        measure("issues_open", 210, 221),
        measure("stars_total", 3958, 3862),
        weekly("stars_new", 96, 92),
        measure("command_success_share", 0.94, 0.91),
        measure("install_failure_share", 0.031, 0.052),
        measure("daily_active_users", 1210, 1100),
        measure("telemetry_opt_out_share", 0.12, 0.12),
        issues=(
            issue(1, "P0", date(2025, 12, 23)),
            issue(2, "P0", date(2025, 12, 1), date(2025, 12, 24)),
            issue(3, "P1", date(2025, 9, 1)),
            issue(4, "", date(2025, 6, 1), comments=1),
            issue(5, "", date(2025, 6, 1), is_bug=False, is_request=True, comments=9),
            issue(6, "", date(2025, 7, 1), is_bug=False, is_request=True, comments=40),
            issue(7, "", date(2025, 7, 1), date(2025, 12, 23), is_bug=False, is_request=True, comments=90),
            issue(8, "", date(2025, 7, 2), is_bug=False, is_request=True, comments=12),
            issue(9, "", date(2025, 7, 3), is_bug=False, is_request=True, comments=1),
        ),
        unanswered=(Unanswered("Issues", 26, 32), Unanswered("Pull requests", None, 3)),
        alerts=(
            alert("First answers take too long", "aurora/web", "critical", opened_on=date(2025, 12, 24),
                  action="Answer the oldest."),
            alert("Fewer deployments", "aurora/api", opened_on=date(2025, 12, 1), resolved_on=date(2025, 12, 26)),
            alert("Lead time too long", "aurora/api", opened_on=None, action="See which stage."),
            alert("A note", "aurora/api", "info"),
        ),
        anomalies=(
            AnomalyState("Changes shipped", "portfolio", "Aurora", date(2025, 12, 25), "warning", "drop", "None."),
        ),
        releases=(ReleaseState("aurora/api", "v2", date(2025, 12, 23), False),),
        goals=(
            goal("stars_total", 3958, 12000, "off track", title="12,000 stars", due_on=date(2025, 12, 31)),
            goal("stars_total", 3958, 25000, "off track", title="25,000 stars", due_on=date(2026, 12, 31)),
        ),
        gates=(GateState("Beta", "Aurora", "failed", 40, 2, ("Load test", "Docs")),),
    )  # fmt: skip


def digest(**changes: Any) -> Document:
    return weekly_digest_document(replace(full(), **changes))


def test_urgent_issues_are_counted_and_listed_by_severity_and_age() -> None:
    assert section(digest(), "urgent") == [
        "* P0 (labels p0, critical, security): 1 opened, 1 closed, 1 still open [bad]",
        "* P1 (labels p1, high): 0 opened, 0 closed, 1 still open [watch]",
        "* Issues of the last 28 days that nobody answered: 26 (−19 % on the week)",
        "3 bugs are open.",
        "Bug | Severity | Open for | Comments",
        "aurora/api#1: Title 1 | P0 | 5 days | 2",
        "aurora/api#3: Title 3 | P1 | 3 months | 2",
        "aurora/api#4: Title 4 | none said | 7 months | 1",
    ]


def test_issues_that_are_not_known_are_not_none() -> None:
    unknown = week(measure("issues_open", None), issues=())
    why = metric("issues_open").unknown
    assert section(weekly_digest_document(unknown), "urgent") == [
        f"Not known: Open issues ({why[0].lower()}{why[1:].rstrip('.')})."
    ]
    assert "urgent issue" not in weekly_digest_document(unknown).verdict


def test_three_things_to_do_the_worst_first() -> None:
    lines = section(digest(), "actions")
    assert lines[0] == "- Answer the oldest. First answers take too long: aurora/web, since 24 Dec 2025."
    assert lines[1] == "- See which stage. Lead time too long: aurora/api."
    assert len(lines) == 4
    assert lines[3] == "(notes actions)"


def test_figures_against_last_week() -> None:
    lines = facts_of(digest())
    assert lines["Commands that succeed"] == "94 % (+3 points on the week)"
    assert lines["Installs that fail"] == "3.1 % (−2.1 points on the week)"
    assert lines["Users of the day"] == "1,210 (+10 % on the week)"
    assert lines["Opted out of telemetry"] == "12 % (unchanged on the week)"
    assert lines["Stars"] == "+96 (3,958 in all; 92 the week before)"


def test_use_that_is_not_fed_is_said_once() -> None:
    document = weekly_digest_document(week(measure("issues_open", 3)))
    said = "How the product is used is not fed: users, commands, installs, opting out of telemetry."
    assert text(document).count("not fed") == 1
    assert said in section(document, "reliability")


def test_the_requests_with_most_comments_or_those_that_were_fed() -> None:
    lines = section(digest(), "community")
    assert lines[lines.index("Of 4 open requests for features, those with most comments:") + 1 :] == [
        "- aurora/api#6: Title 6 (40 comments)",
        "- aurora/api#8: Title 8 (12 comments)",
        "- aurora/api#5: Title 5 (9 comments)",
    ]
    fed = [
        measure("feature_requests", value, kind="segment", subject=theme)
        for theme, value in (("dark mode", 12), ("exports", 40), ("search", 3), ("plugins", 4))
    ]
    lines = section(weekly_digest_document(replace(full(), measures=(*full().measures, *fed))), "community")
    assert lines[-4:] == [
        "Asked for most, by theme:", "- exports: 40 requests", "- dark mode: 12 requests", "- plugins: 4 requests",
    ]  # fmt: skip


def test_what_changed() -> None:
    assert section(digest(), "changes") == [
        "Alerts that are open:",
        "- First answers take too long: aurora/web, since 24 Dec 2025.",
        "- Lead time too long: aurora/api.",
        "Alerts that opened:",
        "- First answers take too long: aurora/web",
        "Alerts that ended:",
        "- Fewer deployments: aurora/api",
        "Unusual days:",
        "- Aurora, 25 Dec 2025: None.",
        "What happened:",
        "- 23 Dec 2025: aurora/api released v2",
    ]


def test_a_quiet_week() -> None:
    document = weekly_digest_document(week(measure("issues_open", 3)))
    assert section(document, "changes") == ["No alert opened or ended, no tier changed, and no day was unusual."]
    assert section(document, "actions")[0] == "Nothing in the figures asks for action."
    assert section(document, "urgent")[-1] == "No bug is open."
    assert document.verdict == "No urgent issue is open. No alert is open. Delivery cannot be rated."


def test_what_is_due_next() -> None:
    assert section(digest(), "ahead") == [
        "- 31 Dec 2025: 12,000 stars (3,958 now, off track)",
        "- The gate 'Beta' (Aurora) lacks 2 criteria, among them 'Load test' and 'Docs'",
        "(notes ahead)",
    ]


def test_it_has_no_pictures_and_names_its_week() -> None:
    assert not any(isinstance(block, Picture) for block in digest().blocks())
    assert digest().title == "Weekly digest, 22 to 28 Dec 2025"
    new_year = digest(period_start=date(2025, 12, 29), period_end=date(2026, 1, 4))
    assert new_year.title == "Weekly digest, 29 Dec 2025 to 4 Jan 2026"
    assert dict(digest().footer)["Next report"] == "5 Jan 2026"
