"""The reports: figures that were read in, documents out; what each says, section by section."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from metrics_assets.reporting.documents import Document, ReportKind
from metrics_assets.reporting.reports.executive_summary import executive_summary_document
from metrics_assets.reporting.reports.monthly_report import monthly_report_document
from metrics_assets.reporting.reports.quarterly_review import quarterly_review_document
from metrics_assets.reporting.reports.records import Figures, figures_json, figures_of
from metrics_assets.reporting.reports.weekly_digest import weekly_digest_document

DOCUMENTS: Mapping[ReportKind, Callable[[Figures], Document]] = {
    "monthly_report": monthly_report_document,
    "weekly_digest": weekly_digest_document,
    "quarterly_review": quarterly_review_document,
    "executive_summary": executive_summary_document,
}

__all__ = ["DOCUMENTS", "Figures", "figures_json", "figures_of"]
