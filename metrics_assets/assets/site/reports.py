"""The pages of the reports: what ops.reports holds and was known on the site's day."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.documents import document_of
from metrics_assets.reporting.pages.reports import ReportEntry, ReportFiles, ReportsData, reports_files
from metrics_assets.reporting.periods import Period


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The list of the reports and each of them."""
    yield from reports_files(site, reports_data(reading))


def reports_data(reading: Reading) -> ReportsData:
    """The reports as of the day; each is read when its page is made."""

    def read(entry: ReportEntry) -> ReportFiles:
        with reading.engine.connect() as connection:
            row = connection.execute(sa.text(_ONE), {"kind": entry.kind, "start": entry.start}).one()
        return ReportFiles(document_of(row.document), row.markdown, None if row.pdf is None else bytes(row.pdf))

    with reading.engine.connect() as connection:
        rows = connection.execute(sa.text(_ALL), {"day": reading.day}).all()
    entries = tuple(
        ReportEntry(
            row.report,
            Period(row.report, row.period_start, row.period_end).name,
            row.period_start,
            row.period_end,
            row.as_of,
            row.title,
            row.verdict,
            row.state,
            row.sent_on,
            row.has_pdf,
        )
        for row in rows
    )
    return ReportsData(entries, read)


# A report that knows later days than the site's is none of it.
_ALL = """
select
    report, period_start, period_end, as_of, title, document->>'verdict' as verdict,
    case when frozen_at is not null then 'frozen' when as_of < period_end then 'draft' else 'final' end as state,
    (frozen_at at time zone 'UTC')::date as sent_on,
    pdf is not null as has_pdf
from ops.reports
where as_of <= :day
order by period_end desc, period_start desc, report
"""
_ONE = "select document, markdown, pdf from ops.reports where report = :kind and period_start = :start"
