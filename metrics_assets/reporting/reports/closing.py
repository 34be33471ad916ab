"""The end of every report: who prepared it, from what, compared with what, and when the next one comes."""

from __future__ import annotations

from datetime import date, timedelta

from metrics_assets.reporting.documents import Document, ReportKind, Section
from metrics_assets.reporting.reports.lines import day
from metrics_assets.reporting.reports.parts import SPAN, has_year, span, subtitle
from metrics_assets.reporting.reports.records import Figures
from metrics_assets.reporting.reports.windows import shifted
from metrics_assets.reporting.wording import count


def document_of_period(
    figures: Figures, report: ReportKind, title: str, *, verdict: str, sections: tuple[Section, ...]
) -> Document:
    """A report with the head and the footer that all of them have."""
    return Document(
        report=report,
        title=f"{title}, {span(figures)}",
        subtitle=subtitle(figures),
        period_start=figures.period_start,
        period_end=figures.period_end,
        as_of=figures.as_of,
        verdict=verdict,
        sections=sections,
        footer=footer(figures),
    )


def footer(figures: Figures) -> tuple[tuple[str, str], ...]:
    """Who prepared it, from what is known when, when the next one comes, where the figures are."""
    provisional = [measure for measure in figures.measures if measure.now.state == "provisional"]
    known = [measure for measure in figures.measures if measure.now.value is not None]
    said = count(len(known), "figure")
    if provisional:
        said += f", {len(provisional)} of them provisional: late events may still change them"
    years = [] if has_year(figures) else [("Year on year", f"left out: the figures begin on {day(figures.start)}")]
    return (
        ("Prepared by", figures.prepared_by or f"metrics of {figures.portfolio}, without a human hand"),
        ("Dated", day(figures.as_of)),
        ("Next report", day(next_report(figures))),
        ("Dashboard", figures.dashboard or "no address is configured (alerts.site_url in metrics.yaml)"),
        ("Made from", said),
        ("Compared with", _compared(figures)),
        *years,
        ("Tiers", figures.tier_source),
    )


def next_report(figures: Figures) -> date:
    """The day after the end of the next period."""
    after = figures.period_end + timedelta(days=1)
    match SPAN[figures.report]:
        case "month":
            return shifted(after, 1)
        case "quarter":
            return shifted(after, 3)
        case _:
            return after + timedelta(days=7)


def _compared(figures: Figures) -> str:
    name, ends = SPAN[figures.report], figures.period_start - timedelta(days=1)
    sums = f"with the sums of the {name} before"
    if figures.is_draft:
        days = count((figures.through - figures.period_start).days + 1, "day")
        sums = f"so far with the first {days} of the {name} before"
    return f"what stands on a day with {day(ends)}; sums over the {name} {sums}"
