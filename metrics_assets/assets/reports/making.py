"""Making reports, keeping them, and sending each once: what the assets and the command `metrics report` do.

A report is kept in ops.reports and made anew until it is sent. Being sent and being frozen are one transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets import settings as configuration
from metrics_assets.alerting.enqueueing import enqueue_message
from metrics_assets.assets.reports.figures import read_figures
from metrics_assets.errors import ConfigurationError
from metrics_assets.printing import print_pdf
from metrics_assets.reporting.document_html import document_page
from metrics_assets.reporting.document_markdown import document_markdown
from metrics_assets.reporting.document_messages import brief_message, whole_message
from metrics_assets.reporting.documents import Document, ReportKind, document_json, document_of
from metrics_assets.reporting.notes import with_notes
from metrics_assets.reporting.periods import Period, period_of
from metrics_assets.reporting.reports import DOCUMENTS, figures_json
from metrics_assets.settings import Settings

KINDS: tuple[ReportKind, ...] = get_args(ReportKind)
# A month's file holds the notes of two reports; what has no place in them is kept by the monthly one.
_KEEPS_OTHER_NOTES = frozenset({"monthly_report", "weekly_digest", "quarterly_review"})
_LONGEST_NOTES = 50_000  # bytes; what is built to be hard for a parser of Markdown takes its time's square
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

State = Literal["draft", "final", "frozen"]
Read = Callable[[sa.Engine, Settings, date, date, date], Any]


@dataclass(frozen=True, slots=True)
class Content:
    """What a kind of report says: read its figures, write them down as a document, and as JSON."""

    read: Read
    document: Callable[[Any], Document]
    figures_json: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A report as it is kept.

    Attributes:
        figures: what it was made from.
        pdf: None where it was not printed.
    """

    period: Period
    document: Document
    figures: Any
    markdown: str
    html: str
    pdf: bytes | None
    frozen_at: datetime | None

    @property
    def state(self) -> State:
        return _state(self.document.is_draft, self.frozen_at)


@dataclass(frozen=True, slots=True)
class Listed:
    """A report as lists have it."""

    period: Period
    state: State
    as_of: date
    frozen_at: datetime | None
    has_pdf: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was made, or left as it was.

    Attributes:
        kept_because: why it was left as it was; None: it was made.
        remarks: sentences about the notes file and the printing.
    """

    stored: Stored
    kept_because: str | None = None
    remarks: tuple[str, ...] = ()


def content_of(kind: ReportKind) -> Content:
    """The content of a kind of report."""
    return Content(partial(read_figures, kind), DOCUMENTS[kind], figures_json)


def make(
    engine: sa.Engine,
    settings: Settings,
    period: Period,
    as_of: date,
    *,
    with_pdf: bool = False,
    content: Content | None = None,
) -> Made:
    """Make a report of a period as it was known on a day, and keep it, unless what is kept is frozen or knows more.

    Raises:
        ConfigurationError: the notes file cannot be read.
    """
    kept = stored(engine, period)
    if kept is not None and (because := _stays_because(kept, as_of)):
        return Made(kept, because)
    content = content or content_of(period.kind)
    figures = content.read(engine, settings, period.start, period.end, as_of)
    document, remarks = _noted(content.document(figures), period, settings)
    made = Stored(
        period, document, _plain(content.figures_json(figures)), document_markdown(document), document_page(document),
        None, None,
    )  # fmt: skip
    pdf = kept.pdf if kept is not None and kept.html == made.html else None
    if pdf is None and with_pdf:
        printed = print_pdf(made.html)
        pdf = printed.pdf
        if printed.reason is not None:
            remarks = (*remarks, f"There is no PDF: {printed.reason}")
    _keep(engine, made, pdf)
    now_kept = stored(engine, period)
    assert now_kept is not None
    return Made(now_kept, None if now_kept.html == made.html else "It was frozen in the meantime.", remarks)


def stored(engine: sa.Engine, period: Period) -> Stored | None:
    """A report as it is kept, if it is."""
    with engine.connect() as connection:
        row = connection.execute(
            sa.text("select * from ops.reports where report = :kind and period_start = :start"),
            {"kind": period.kind, "start": period.start},
        ).one_or_none()
    return None if row is None else _stored(row)


def listed(engine: sa.Engine) -> list[Listed]:
    """All reports without what they say, those of the newest period first."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select report, period_start, period_end, as_of, frozen_at, pdf is not null as has_pdf "
                "from ops.reports order by period_end desc, period_start desc, report"
            )
        ).all()
    return [
        Listed(
            Period(row.report, row.period_start, row.period_end),
            _state(row.as_of < row.period_end, row.frozen_at),
            row.as_of,
            row.frozen_at,
            row.has_pdf,
        )
        for row in rows
    ]


def send(engine: sa.Engine, settings: Settings, period: Period, now: datetime, *, draft: bool = False) -> list[str]:
    """Freeze a report and put its message into the outbox, in one transaction: each channel is told once.

    A draft is told without being frozen, once for each day that it is of.

    Returns:
        The channels that are told now and were not before.

    Raises:
        ConfigurationError: there is no such report, nobody is to be told of it, or it is a draft and `draft` is not
            set.
    """
    names = settings.reports.kinds()[period.kind].channels
    if not names:
        raise ConfigurationError(
            f"Nobody is told of the {period.kind}; name channels under reports.{period.kind}.channels in metrics.yaml."
        )
    with engine.begin() as connection:
        row = connection.execute(
            sa.text("select * from ops.reports where report = :kind and period_start = :start for update"),
            {"kind": period.kind, "start": period.start},
        ).one_or_none()
        if row is None:
            raise ConfigurationError(
                f"There is no {period.kind} of {period.name}; make it with: metrics report make {period.kind} "
                f"--period {period.name}"
            )
        report = _stored(row)
        if report.state == "draft" and not draft:
            raise ConfigurationError(
                f"The {period.kind} of {period.name} is a draft as of {report.document.as_of}, its period ends on "
                f"{period.end}; run the days up to then, or send it as it is with --draft."
            )
        told = _enqueue(connection, report, names, settings, now)
        if report.state == "final":
            connection.execute(
                sa.text("update ops.reports set frozen_at = :now where report = :kind and period_start = :start"),
                {"now": now, "kind": period.kind, "start": period.start},
            )
    return told


def send_due(
    engine: sa.Engine, settings: Settings, kind: ReportKind, day: date, now: datetime
) -> list[tuple[Period, list[str]]]:
    """Send the finished reports of a kind that were not sent, up to a day, and ended not too long ago."""
    if not settings.reports.kinds()[kind].channels:
        return []
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select period_start, period_end from ops.reports where report = :kind and frozen_at is null "
                "and as_of >= period_end and period_end between :since and :through order by period_end"
            ),
            {
                "kind": kind,
                "since": now.date() - timedelta(days=settings.reports.send_within_days),
                "through": min(day, now.date() - timedelta(days=1)),
            },
        ).all()
    periods = [Period(kind, row.period_start, row.period_end) for row in rows]
    return [(period, send(engine, settings, period, now)) for period in periods]


def notes_file(settings: Settings, period: Period) -> Path:
    """Where people write the notes of a period."""
    return configuration.config_path().resolve().parent / settings.reports.folder.expanduser() / f"{period.name}.md"


def newest_period(engine: sa.Engine, settings: Settings, kind: ReportKind) -> Period | None:
    """The period of the newest report of a kind."""
    with engine.connect() as connection:
        start = connection.execute(
            sa.text("select max(period_start) from ops.reports where report = :kind"), {"kind": kind}
        ).scalar()
    return None if start is None else period_of(kind, start, settings.reports.week_ends)


def _state(is_draft: bool, frozen_at: datetime | None) -> State:
    return "frozen" if frozen_at else "draft" if is_draft else "final"


def _stays_because(kept: Stored, as_of: date) -> str | None:
    if kept.frozen_at is not None:
        return f"It was sent on {kept.frozen_at:%Y-%m-%d} and stays as it was."
    if kept.document.as_of > min(as_of, kept.period.end):
        return f"The one that is kept knows the days up to {kept.document.as_of}."
    return None


def _noted(document: Document, period: Period, settings: Settings) -> tuple[Document, tuple[str, ...]]:
    """The document with what people wrote, and remarks about that."""
    file = notes_file(settings, period)
    text = _read_notes(file)
    if text is None:
        return document, ()
    # The database holds no NUL, and a terminal would obey the others.
    plain, controls = _CONTROLS.subn(" ", text)
    keep_others = period.kind in _KEEPS_OTHER_NOTES
    noted = with_notes(document, plain, keep_others=keep_others, source=file.name)
    remarks = noted.remarks
    if controls:
        remarks = (*remarks, f"{file.name}: {controls} control characters stand as spaces; type them anew.")
    return noted.document, remarks


def _read_notes(file: Path) -> str | None:
    """What stands in a notes file; None where there is none."""
    try:
        if not file.is_symlink() and not file.exists():
            return None
        # Who may write notes may not thereby read what else is on this machine.
        if not file.resolve().is_relative_to(file.parent.resolve()):
            raise ConfigurationError(f"{file} leads out of its folder; put the file itself there.")
        if not file.is_file():
            raise ConfigurationError(f"{file} is no file that can be read; put a file of that name there.")
        with file.open("rb") as opened:
            content = opened.read(_LONGEST_NOTES + 1)
        if len(content) > _LONGEST_NOTES:
            raise ConfigurationError(f"{file} is longer than {_LONGEST_NOTES:,} bytes; shorten it.")
        return content.decode("utf-8-sig")
    except (OSError, RuntimeError) as error:  # the second: a link that leads to itself
        reason = error.strerror if isinstance(error, OSError) else "its links lead in a circle"
        raise ConfigurationError(f"{file} cannot be read ({reason}); mend its permissions.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error


def _keep(engine: sa.Engine, made: Stored, pdf: bytes | None) -> None:
    """Write a report in the place of what was there, unless that was frozen meanwhile."""
    document = made.document
    with engine.begin() as connection:
        connection.execute(
            sa.text(_KEEP),
            {
                "kind": document.report,
                "start": document.period_start,
                "end": document.period_end,
                "as_of": document.as_of,
                "title": document.title,
                "figures": json.dumps(made.figures),
                "document": json.dumps(document_json(document)),
                "markdown": made.markdown,
                "html": made.html,
                "pdf": pdf,
            },
        )


_KEEP = """
insert into ops.reports as kept
    (report, period_start, period_end, as_of, title, figures, document, markdown, html, pdf)
values
    (:kind, :start, :end, :as_of, :title, cast(:figures as jsonb), cast(:document as jsonb), :markdown, :html, :pdf)
on conflict (report, period_start) do update set
    period_end = excluded.period_end, as_of = excluded.as_of, title = excluded.title, figures = excluded.figures,
    document = excluded.document, markdown = excluded.markdown, html = excluded.html, pdf = excluded.pdf,
    made_at = excluded.made_at
where kept.frozen_at is null
"""


def _stored(row: Any) -> Stored:
    return Stored(
        Period(row.report, row.period_start, row.period_end),
        document_of(row.document),
        row.figures,
        row.markdown,
        row.html,
        None if row.pdf is None else bytes(row.pdf),
        row.frozen_at,
    )


def _enqueue(
    connection: sa.Connection, report: Stored, names: Sequence[str], settings: Settings, now: datetime
) -> list[str]:
    """Put the message for each channel into the outbox; those for which it was not there before."""
    document = report.document
    key = f"report:{report.period.kind}:{report.period.start}"
    if report.state == "draft":
        key += f":draft:{document.as_of}"
    site = settings.alerts.site_url
    page = addresses.report(report.period.kind, report.period.start.isoformat())
    link = None if site is None else f"{site}/{page}"
    messages: Mapping[bool, dict[str, Any]] = {
        False: brief_message(document, link),
        True: whole_message(document, link),
    }
    return [
        name
        for name in dict.fromkeys(names)
        if enqueue_message(connection, key, [name], messages[settings.channels[name].kind == "email"], now, settings)
    ]


def _plain(figures: Any) -> Any:
    """Figures as the database gives them back."""
    return json.loads(figures) if isinstance(figures, str) else json.loads(json.dumps(figures))
