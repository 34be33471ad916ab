"""The quarterly review: goals against targets, north stars, tiers, thresholds, surveys, and what has to be decided."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.reporting.documents import Block, Bullets, Document, Grid, Notes, Paragraph, Section
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.closing import document_of_period, next_report
from metrics_assets.reporting.reports.decisions import decisions, threshold_advice
from metrics_assets.reporting.reports.findings import Finding, first, risks, wins
from metrics_assets.reporting.reports.goals import goal_count, goals_grid, judged, outlook_blocks
from metrics_assets.reporting.reports.lines import day
from metrics_assets.reporting.reports.parts import NOT_FED, facts, north_star_facts, pictures
from metrics_assets.reporting.reports.records import Figures
from metrics_assets.reporting.reports.tiers import history_grid, keys_grid, repositories_grid
from metrics_assets.reporting.reports.verdicts import verdict
from metrics_assets.reporting.wording import count

_MOST = 5
_MOST_GOALS = 30
_MOST_DECISIONS = 6
_STATUSES = ("met", "on track", "at risk", "off track", "unknown")


def quarterly_review_document(figures: Figures) -> Document:
    """The review of a quarter; the places for notes are empty."""
    good, bad = wins(figures), risks(figures)
    return document_of_period(
        figures,
        "quarterly_review",
        "Quarterly review",
        verdict=verdict(figures),
        sections=(
            Section("summary", "The quarter", _summary(figures, good, bad)),
            Section("decisions", "Decisions asked for", _decisions(figures)),
            Section("goals", "Goals against targets", _goals(figures)),
            Section("north_stars", "North stars", tuple(north_star_facts(figures))),
            Section("delivery", "Delivery", _delivery(figures)),
            Section("growth", "Growth and outlook", _growth(figures)),
            Section(
                "business",
                "Business",
                _business(figures),
            ),
            Section("surveys", "Surveys", _surveys(figures)),
            Section("thresholds", "Review of the thresholds", _thresholds(figures)),
            Section("documents", "Review of the documents", _documents(figures)),
        ),
    )


def _summary(figures: Figures, good: Sequence[Finding], bad: Sequence[Finding]) -> tuple[Block, ...]:
    blocks = facts(figures, contents.HEADLINES)
    for title, found in (("What went well", first(good, _MOST)), ("What did not", first(bad, _MOST))):
        if found:
            blocks += [Paragraph(f"{title}:"), Bullets(tuple(one.text for one in found))]
    return (*blocks, Notes("summary"))


def _decisions(figures: Figures) -> tuple[Block, ...]:
    asked = decisions(figures, _MOST_DECISIONS)
    return (Bullets(asked) if asked else Paragraph("The figures ask for no decision."), Notes("decisions"))


def _goals(figures: Figures) -> tuple[Block, ...]:
    """How many goals of each category are where; then those that can be judged, by category."""
    goals = judged(figures)
    if not goals:
        return (Paragraph("No goal counts: switch on a pack that has some, or write your own."),)
    owners = sorted({goal.owner for goal in goals})
    rows = tuple(
        (
            owner.capitalize(),
            *(str(sum(g.owner == owner and g.status == status for g in goals)) for status in _STATUSES),
        )
        for owner in owners
    )
    columns = ("Category", "Met", "On track", "At risk", "Off track", "Not known")
    known = [goal for goal in goals if goal.status != "unknown"]
    order = {status: place for place, status in enumerate(reversed(_STATUSES))}
    known.sort(key=lambda goal: (goal.owner, order[goal.status], goal.title, goal.subject))
    blocks: list[Block] = [Paragraph(f"{goal_count(figures)}."), Grid(columns, rows)]
    blocks += goals_grid(figures, known[:_MOST_GOALS])
    if len(known) > _MOST_GOALS:
        blocks.append(Paragraph(f"{_MOST_GOALS} of {len(known)} shown; the page of goals has all of them."))
    unknown = len(goals) - len(known)
    if unknown:
        blocks.append(Paragraph(f"{count(unknown, 'goal')} cannot be judged: their figures are not fed or not known."))
    return (*blocks, Notes("goals"))


def _delivery(figures: Figures) -> tuple[Block, ...]:
    blocks = keys_grid(figures, contents.KEYS)
    blocks += repositories_grid(figures, _MOST)
    if history := history_grid(figures):
        blocks += [Paragraph("Tiers at the end of each month:"), *history]
    return (*blocks, *facts(figures, contents.SHIPPED), *pictures(figures, *contents.PICTURES["quarterly_review"][:3]))


def _growth(figures: Figures) -> tuple[Block, ...]:
    blocks = facts(figures, contents.GROWTH) or [Paragraph("Nothing that grows is measured here.")]
    return (*blocks, *pictures(figures, "stars_total"), *outlook_blocks(figures, contents.OUTLOOK))


def _business(figures: Figures) -> tuple[Block, ...]:
    blocks = facts(figures, (*contents.BUSINESS, *contents.COMPETITION))
    return (*(blocks or [Paragraph(NOT_FED)]), Notes("business"))


def _surveys(figures: Figures) -> tuple[Block, ...]:
    blocks = facts(figures, contents.SATISFACTION)
    asked = "Ask again this quarter: survey figures go into feeds/kpi_values.csv with the quarter's days."
    return (*(blocks or [Paragraph("No survey was fed.")]), Paragraph(asked), Notes("surveys"))


def _thresholds(figures: Figures) -> tuple[Block, ...]:
    """Every rule that fired, what people said of its alerts, and what that suggests."""
    if not figures.rules:
        return (Paragraph("No rule fired in the quarter, as far as alerts were evaluated."), Notes("thresholds"))
    rows = tuple(
        (rule.title, rule.limit or "–", str(rule.fired), _share(rule.useful, rule.noise)) for rule in figures.rules
    )
    advice = [(rule.title, threshold_advice(rule)) for rule in figures.rules]
    said = tuple(f"{title}: {text}" for title, text in advice if text)
    blocks: list[Block] = [Grid(("Rule", "Limit", "Fired", "Useful"), rows)]
    if said:
        blocks.append(Bullets(said))
    elif not any(rule.useful + rule.noise for rule in figures.rules):
        blocks.append(Paragraph("Nobody said which alerts were useful: without that no limit can be reviewed."))
    return (*blocks, Notes("thresholds"))


def _share(useful: int, noise: int) -> str:
    return f"{useful} of {useful + noise}" if useful + noise else "nobody said"


def _documents(figures: Figures) -> tuple[Block, ...]:
    text = (
        "Once a quarter somebody reads what everybody relies on: metrics.yaml (repositories, packs, rules), the goals "
        "and their targets, the runbooks of alerts, and who gets which report. "
        f"It is due again on {day(next_report(figures))}."
    )
    return (Paragraph(text), Notes("documents"))
