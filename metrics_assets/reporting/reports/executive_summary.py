"""The executive summary: a month on one page."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.reporting.documents import Block, Bullets, Document, Notes, Paragraph, Section
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.closing import document_of_period
from metrics_assets.reporting.reports.decisions import decisions
from metrics_assets.reporting.reports.findings import Finding, first, risks, wins
from metrics_assets.reporting.reports.goals import goal_count
from metrics_assets.reporting.reports.parts import facts, north_star_facts
from metrics_assets.reporting.reports.records import Figures
from metrics_assets.reporting.reports.tiers import history_grid, keys_grid, repositories_grid
from metrics_assets.reporting.reports.verdicts import verdict

_MOST = 3


def executive_summary_document(figures: Figures) -> Document:
    """The month for those who decide; the places for notes are empty."""
    history = history_grid(figures)
    delivery = [*keys_grid(figures, contents.KEYS), *repositories_grid(figures, _MOST)]
    return document_of_period(
        figures,
        "executive_summary",
        "Executive summary",
        verdict=verdict(figures),
        sections=(
            Section("decisions", "Decisions asked for", _decisions(figures)),
            Section("risks", "Three risks", _listed(risks(figures), "The figures show no risk.")),
            Section("wins", "Three wins", _listed(wins(figures), "The figures show no win.")),
            Section("north_stars", "North stars", tuple(_north_stars(figures))),
            Section("delivery", "Delivery", tuple(delivery)),
            *([Section("tiers", "Tiers month by month", tuple(history))] if history else []),
        ),
    )


def _north_stars(figures: Figures) -> list[Block]:
    stands = [*north_star_facts(figures), *facts(figures, contents.COMPETITION)]
    return [*stands, Paragraph(f"{goal_count(figures)}.")]


def _decisions(figures: Figures) -> tuple[Block, ...]:
    asked = decisions(figures, _MOST)
    return (Bullets(asked) if asked else Paragraph("The figures ask for no decision."), Notes("decisions"))


def _listed(found: Sequence[Finding], otherwise: str) -> tuple[Block, ...]:
    shown = first(found, _MOST)
    return (Bullets(tuple(one.text for one in shown)) if shown else Paragraph(otherwise),)
