"""The executive summary: a month on one page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from metrics_assets.reporting.documents import Bullets
from metrics_assets.reporting.reports.executive_summary import executive_summary_document
from metrics_assets.reporting.reports.records import Key, RepositoryKeys
from metrics_assets_tests.reporting.report_sample import (
    BEFORE,
    MONTH,
    alert,
    facts_of,
    figures,
    goal,
    measure,
    period_value,
    section,
    text,
    tiers,
)

ALL_ELITE = {
    "deployment_frequency": (4.0, "elite"),
    "lead_time_hours": (12.0, "elite"),
    "change_failure_rate": (0.05, "elite"),
    "failed_deployment_recovery_hours": (0.5, "elite"),
}


def month(**changes: object):  # type: ignore[no-untyped-def]
    keys = [measure(key, value, value * 1.1) for key, (value, _) in ALL_ELITE.items()]
    fields = {
        "tiers": (*tiers(BEFORE, **ALL_ELITE), *tiers(MONTH[1], **ALL_ELITE)),  # type: ignore[arg-type]
        "goals": (goal("stars_total", 4022, 4000, "met", status_before="off track", title="4,000 stars"),),
        "repositories_rated": 3,
    }
    stars = replace(measure("stars_total", 4022, 3579), quarter=period_value(2794))
    return figures("executive_summary", *keys, stars, **(fields | changes))


def test_everything_is_well() -> None:
    document = executive_summary_document(month())
    assert document.verdict == (
        "4,022 stars (+12 % MoM). Delivery as a whole is Elite on all four keys. No alert is open. 1 of 1 goal met."
    )
    assert [one.key for one in document.sections] == [
        "decisions", "risks", "wins", "north_stars", "delivery", "tiers",
    ]  # fmt: skip
    assert section(document, "delivery")[:2] == [
        "Key | On 30 Nov 2025 | Tier | On 31 Oct 2025 | Change",
        "Deployment frequency | 4 per day | Elite | 4.4 per day, Elite | −9.1 %, worse",
    ]
    assert section(document, "delivery")[-1] == "All 3 rated repositories are High or Elite on every key that is known."
    assert section(document, "decisions")[0] == "The figures ask for no decision."
    assert section(document, "wins")[0] == "- Goal met this month: 4,000 stars (4,022)."


def test_months_and_quarters_are_compared() -> None:
    assert facts_of(executive_summary_document(month()))["Stars"].startswith(
        "4,022 (+12 % MoM, +44 % QoQ), target 4,000"
    )


def test_three_wins_three_risks_three_decisions_at_the_most() -> None:
    below = tuple(
        RepositoryKeys(f"aurora/r{n}", (Key("lead_time_hours", 900.0, 100.0, "low", "high"),)) for n in range(6)
    )
    alerts = tuple(alert(f"Rule {n}", f"aurora/r{n}", "critical") for n in range(6))
    goals = tuple(
        goal("stars_total", 1, 10, "off track", title=f"Goal {n}", goal=f"g{n}", due_on=date(2025, 12, 31))
        for n in range(6)
    )
    changes = {
        "repositories": below,
        "repositories_below": 6,
        "repositories_rated": 8,
        "alerts": alerts,
        "goals": goals,
    }
    document = executive_summary_document(month(**changes))
    for one in document.sections:
        for block in one.blocks:
            assert not isinstance(block, Bullets) or len(block.items) <= 3
    assert "but 6 of 8 repositories are Medium or Low on one, aurora/r0 most of all." in document.verdict
    assert "6 alerts are open, 6 of them critical." in document.verdict
    assert section(document, "risks")[0].startswith("- aurora/r0 fell: lead time for changes 38 d, Low (was 4.2 d).")


def test_a_weak_key_is_named() -> None:
    weak = {**ALL_ELITE, "change_failure_rate": (0.5, "low")}
    document = executive_summary_document(month(tiers=tiers(MONTH[1], **weak)))  # type: ignore[arg-type]
    assert "Of delivery, change failure rate (Low) needs attention." in document.verdict


def test_a_month_of_which_nothing_is_known_is_short() -> None:
    document = executive_summary_document(figures("executive_summary"))
    assert [one.key for one in document.sections] == ["decisions", "risks", "wins", "north_stars", "delivery"]
    assert "The figures show no win." in text(document)
    assert len(text(document).splitlines()) < 36
