"""The command `metrics report ...`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import click

from metrics_assets.errors import ConfigurationError
from metrics_assets.reporting.documents import ReportKind

if TYPE_CHECKING:
    import sqlalchemy as sa

    from metrics_assets.assets.reports.making import Stored
    from metrics_assets.reporting.periods import Period
    from metrics_assets.settings import Settings

_kind = click.argument("kind", type=click.Choice(get_args(ReportKind)))
_PERIOD_HELP = "2025-12, 2025-W52, 2025-Q4, or a day in it."
_period = click.option("--period", help=f"{_PERIOD_HELP} Default: that of the newest report.")


@click.group()
def report() -> None:
    """The reports: what was said of a month, a week, a quarter."""


@report.command("list")
def list_reports() -> None:
    """List the reports that are kept, those of the newest period first."""
    from metrics_assets.assets.reports.making import listed

    _, engine = _open()
    found = listed(engine)
    for one in found:
        sent = f", sent {one.frozen_at:%Y-%m-%d %H:%M} UTC" if one.frozen_at else ""
        printed = ", PDF" if one.has_pdf else ""
        click.echo(f"{one.period.kind:<18} {one.period.name:<9} {one.state:<7} as of {one.as_of}{sent}{printed}")
    if not found:
        click.echo("There are no reports yet; they are made with every run: metrics run")


@report.command()
@_kind
@_period
def show(kind: str, period: str | None) -> None:
    """Print a report as Markdown."""
    settings, engine = _open()
    click.echo(_kept(engine, settings, cast(ReportKind, kind), period).markdown, nl=False)


@report.command()
@_kind
@click.option("--period", required=True, help=_PERIOD_HELP)
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write it as PDF, too.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as one HTML file, too.")
def make(kind: str, period: str, pdf: Path | None, html: Path | None) -> None:
    """Make a report of a period of what is known now, unless it was sent: then it stays as it was."""
    from metrics_assets.assets.alerts import newest_day
    from metrics_assets.assets.reports.making import make

    settings, engine = _open()
    wanted = _named(settings, cast(ReportKind, kind), period)
    newest = newest_day(engine)
    if newest is None or newest < wanted.start:
        known = f"figures end with {newest}" if newest else "there are no figures"
        raise ConfigurationError(
            f"{wanted.name} begins on {wanted.start}, and {known}; run its days first: metrics run"
        )
    made = make(engine, settings, wanted, min(newest, wanted.end), with_pdf=pdf is not None)
    click.echo(f"{made.stored.document.title}: {made.stored.state}, as of {made.stored.document.as_of}.")
    for remark in (made.kept_because, *made.remarks):
        if remark is not None:
            click.echo(remark, err=True)
    if html is not None:
        _write(html, made.stored.html.encode())
    if pdf is not None:
        _write(pdf, made.stored.pdf or _printed(made.stored))


@report.command()
@_kind
@click.option("--period", required=True, help=_PERIOD_HELP)
@click.option("--draft", is_flag=True, help="Also where its period has not ended; the whole one is still sent then.")
def send(kind: str, period: str, draft: bool) -> None:
    """Send a report to its channels now and freeze it; a channel that was told of it is not told again."""
    from metrics_assets.assets.reports.making import send

    settings, engine = _open()
    wanted = _named(settings, cast(ReportKind, kind), period)
    told = send(engine, settings, wanted, datetime.now(UTC), draft=draft)
    if told:
        click.echo(f"In the outbox for {', '.join(told)}; the daemon delivers it, or now: metrics alerts deliver")
    else:
        click.echo("All of its channels were told of it before.")


@report.command()
@_kind
@click.option("--period", required=True, help=_PERIOD_HELP)
def notes(kind: str, period: str) -> None:
    """Write a notes file with the headings of a report, where there is none yet."""
    from metrics_assets.assets.reports.making import notes_file
    from metrics_assets.reporting.notes import notes_template

    settings, engine = _open()
    wanted = _named(settings, cast(ReportKind, kind), period)
    kept = _kept(engine, settings, wanted.kind, period)
    file = notes_file(settings, wanted)
    if not kept.document.notes():
        raise ConfigurationError(f"The {kind} has no place for notes.")
    if file.exists():
        raise ConfigurationError(f"{file} is there already; nothing was changed.")
    _write(file, notes_template(kept.document).encode())


def _open() -> tuple[Settings, sa.Engine]:
    """The settings and the warehouse; without a metrics.yaml those of `metrics demo`."""
    from metrics_assets import settings as configuration
    from metrics_assets.environment import use_demo_without_config
    from metrics_assets.warehouse.engine import engine

    use_demo_without_config()
    return configuration.load(), engine()


def _named(settings: Settings, kind: ReportKind, name: str) -> Period:
    from metrics_assets.reporting.periods import period_named

    return period_named(kind, name, settings.reports.week_ends)


def _kept(engine: sa.Engine, settings: Settings, kind: ReportKind, name: str | None) -> Stored:
    from metrics_assets.assets.reports.making import newest_period, stored

    period = newest_period(engine, settings, kind) if name is None else _named(settings, kind, name)
    found = None if period is None else stored(engine, period)
    if found is None:
        of = "" if period is None else f" of {period.name}"
        raise ConfigurationError(
            f"There is no {kind}{of} yet; make it with: metrics report make {kind} --period "
            f"{'...' if period is None else period.name}"
        )
    return found


def _printed(kept: Stored) -> bytes:
    """A report that was kept without a PDF, printed for a file."""
    from metrics_assets.printing import print_pdf

    printed = print_pdf(kept.html)
    if printed.pdf is None:
        raise ConfigurationError(f"There is no PDF: {printed.reason}")
    return printed.pdf


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written ({error.strerror}).") from error
    click.echo(str(file))
