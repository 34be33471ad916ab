"""The reports in the site: a page that lists all of them, and a page for each with its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from metrics_assets import addresses
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.document_html import REPORT_CSS, document_body
from metrics_assets.reporting.document_markdown import draft_sentence
from metrics_assets.reporting.documents import Document, ReportKind
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import Cell, Column, Row, Table, rows_csv
from metrics_assets.reporting.wording import count, day, shown

CSV = "data/reports.csv"
STYLE = "reports/report.css"
_MOST_ROWS = 200
_TITLES: dict[ReportKind, str] = {
    "monthly_report": "Monthly report",
    "weekly_digest": "Weekly digest",
    "quarterly_review": "Quarterly review",
    "executive_summary": "Executive summary",
}
_STATES = {
    "draft": ("…", "draft", "watch"),
    "final": ("✓", "final", "ok"),
    "frozen": ("✓", "sent", "ok"),
}


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """A report as the list has it.

    Attributes:
        period: its name, '2025-12'.
        state: draft | final | frozen.
        sent_on: the day on which it was sent, and frozen.
    """

    kind: ReportKind
    period: str
    start: date
    end: date
    as_of: date
    title: str
    verdict: str
    state: str
    sent_on: date | None
    has_pdf: bool

    @property
    def path(self) -> str:
        return addresses.report(self.kind, self.start.isoformat())

    def file(self, ending: str) -> str:
        """The path of the report in another form: md, pdf."""
        return f"{self.path.removesuffix('.html')}.{ending}"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """A report as it is kept."""

    document: Document
    markdown: str
    pdf: bytes | None


@dataclass(frozen=True, slots=True)
class ReportsData:
    """All reports, those of the newest period first. `read` gives one of them: a build holds one at a time."""

    entries: tuple[ReportEntry, ...]
    read: Callable[[ReportEntry], ReportFiles]


def reports_files(site: SiteInfo, data: ReportsData) -> Iterator[tuple[str, str | bytes]]:
    """The pages of the reports, their files, and the table of all as CSV."""
    yield addresses.REPORTS, _list_page(site, data.entries)
    yield CSV, _csv(data.entries)
    yield STYLE, REPORT_CSS
    for entry in data.entries:
        report = data.read(entry)
        yield entry.path, _page(site, entry, report.document)
        yield entry.file("md"), report.markdown
        if report.pdf is not None:
            yield entry.file("pdf"), report.pdf


def _list_page(site: SiteInfo, entries: tuple[ReportEntry, ...]) -> str:
    return render(
        "reports.html.j2",
        path=addresses.REPORTS,
        site=site,
        title="Reports",
        period=f"As known on {day(site.data_through)}",
        sentences=_sentences(entries),
        newest=[(_TITLES[entry.kind], entry, _state(entry)) for entry in _newest(entries)],
        table_of_reports=_table(entries),
    )


def _sentences(entries: tuple[ReportEntry, ...]) -> list[str]:
    if not entries:
        return ["There is no report yet: each is made with the run of its days."]
    drafts = sum(entry.state == "draft" for entry in entries)
    sent = sum(entry.state == "frozen" for entry in entries)
    first = f"{count(len(entries), 'report')} since {day(min(entry.start for entry in entries))}."
    kept = "stays as it is" if sent == 1 else "stay as they are"
    said = [f"{count(sent, 'was', 'were')} sent and {kept}" if sent else "None was sent yet"]
    if drafts:
        said.append(f"{count(drafts, 'is a draft', 'are drafts')} of a period that still runs")
    return [first, f"{'; '.join(said)}."]


def _newest(entries: Iterable[ReportEntry]) -> list[ReportEntry]:
    """The newest whole report of each kind; its draft where there is nothing else."""
    found = []
    for kind in _TITLES:
        own = [entry for entry in entries if entry.kind == kind]
        whole = next((entry for entry in own if entry.state != "draft"), None)
        found += [whole] if whole else own[:1]
    return found


def _table(entries: tuple[ReportEntry, ...]) -> Table:
    columns = (Column("Report"), Column("Period"), Column("State"), Column("Markdown"), Column("PDF"))
    newest = entries[:_MOST_ROWS]
    note = shown(len(newest), len(entries))
    return Table(
        "All reports, newest first",
        columns,
        tuple(_row(entry) for entry in newest),
        csv=CSV,
        empty="There is no report yet.",
        note=note,
        filterable=len(newest) > 10,
    )


def _row(entry: ReportEntry) -> Row:
    glyph, word, role = _STATES[entry.state]
    return Row(
        (
            Cell(entry.title, href=entry.path),
            Cell(f"{day(entry.start)} to {day(entry.end)}", sort=entry.end.isoformat(), under=entry.period),
            Cell(word, role=role, glyph=glyph, under=_since(entry)),
            Cell("Markdown", href=entry.file("md")),
            Cell("PDF", href=entry.file("pdf")) if entry.has_pdf else Cell("not printed", sort="", role="dim"),
        )
    )


def _since(entry: ReportEntry) -> str:
    return f"on {day(entry.sent_on)}" if entry.sent_on else f"as of {day(entry.as_of)}"


def _state(entry: ReportEntry, capital: bool = False) -> tuple[str, str, str]:
    glyph, word, role = _STATES[entry.state]
    return glyph, f"{word.capitalize() if capital else word} {_since(entry)}", role


def _page(site: SiteInfo, entry: ReportEntry, document: Document) -> str:
    return render(
        "report_page.html.j2",
        path=entry.path,
        site=site,
        title=entry.title,
        entry=entry,
        state=_state(entry, capital=True),
        draft=draft_sentence(document) if document.is_draft else None,
        body=document_body(document),
    )


def _csv(entries: Iterable[ReportEntry]) -> str:
    columns = ("report", "period", "period_start", "period_end", "state", "as_of", "sent_on", "title", "page")
    rows = [
        (e.kind, e.period, e.start, e.end, e.state, e.as_of, e.sent_on, e.title, e.path)
        for e in entries
    ]  # fmt: skip
    return rows_csv(columns, rows)
