"""The reports as assets: the month, the week, the quarter, and the month on one page."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets import settings as configuration
from metrics_assets.assets import alerts
from metrics_assets.assets.alerts import newest_day
from metrics_assets.assets.reports.making import KINDS, Made, Stored, make, notes_file, send_due, stored
from metrics_assets.assets.shared import PUBLISH, Shared, Warehouse, key_of, markdown_table, table_tags
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.partitions import Days, days_of
from metrics_assets.reporting.data import FOUR_KEYS
from metrics_assets.reporting.documents import ReportKind
from metrics_assets.reporting.periods import Period, periods_between
from metrics_assets.reporting.reports.contents import lines
from metrics_assets.settings import Settings

REPORTS = "ops.reports"
FIGURES_CHECK = "figures_are_known"
NOTES_CHECK = "human_sections_are_noted"
# Above this share of figures without a value a report says too little to be read.
_MOST_UNKNOWN = 0.75
_LISTED = 20

_DESCRIPTIONS: dict[ReportKind, str] = {
    "monthly_report": "The month in nine sections, from the summary to the goals of the next one, with what people "
    "wrote about it.",
    "weekly_digest": "The week: what changed, what to look at, what waits for an answer.",
    "quarterly_review": "The quarter: goals, trends and decisions.",
    "executive_summary": "The month on one page.",
}
_HOW = (
    " Made of every period that ends within a run's days, and of the one that its last day is in, as a draft; kept in "
    "ops.reports. A finished one is sent once to the channels of metrics.yaml; from then on it stays as it was."
)
# What all reports read besides the tables of their figures; alerts are evaluated with the status of the day.
_READS = (
    "metrics.anomalies",
    "metrics.forecasts",
    "metrics.gate_evaluations",
    "metrics.goals_daily",
    "metrics.insights",
    "ops.daily_status",
    "raw.issue_events",
    "raw.issues",
    "raw.releases",
)


@dataclass(frozen=True, slots=True)
class ReportRun:
    """What a run did about a kind of report; `sent` says which channels are told of which period."""

    made: list[Made]
    sent: list[tuple[Period, list[str]]]


def report_keys(settings: Settings) -> list[dg.AssetKey]:
    """The assets of the reports that metrics.yaml does not switch off."""
    return [_key(kind) for kind in KINDS if not settings.reports.kinds()[kind].off]


def reporting_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """An asset per kind of report: reports/monthly_report and so on."""
    return [_asset(shared, kind) for kind in KINDS if not shared.settings.reports.kinds()[kind].off]


def _key(kind: ReportKind) -> dg.AssetKey:
    return dg.AssetKey(["reports", kind])


def _tables(kind: ReportKind) -> list[str]:
    figures = load_catalogue().tables(sorted({*FOUR_KEYS, *(line.metric for line in lines(kind))}))
    return sorted({*_READS, *(f"metrics.{table}" for table in figures)})


def _asset(shared: Shared, kind: ReportKind) -> dg.AssetsDefinition:
    @dg.asset(
        key=_key(kind),
        deps=[key_of(table) for table in _tables(kind)],
        description=_DESCRIPTIONS[kind] + _HOW,
        check_specs=[
            dg.AssetCheckSpec(
                FIGURES_CHECK, asset=_key(kind), description="Most figures of the newest report have a value."
            ),
            dg.AssetCheckSpec(
                NOTES_CHECK, asset=_key(kind), description="People wrote something into a report that is to be sent."
            ),
        ],
        metadata=shared.metadata(REPORTS),
        tags=table_tags(REPORTS),
        **shared.arguments(PUBLISH, {"postgres", "markdown"}),
    )
    def report(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:  # type: ignore[type-arg]
        run = make_reports(warehouse.engine, shared.settings, kind, days_of(context))
        for one in run.made:
            for remark in (one.kept_because, *one.remarks):
                if remark is not None:
                    context.log.info(f"{one.stored.document.title}: {remark}")
        newest = run.made[-1].stored
        return dg.MaterializeResult(
            metadata=_metadata(warehouse.engine, shared.settings, run),
            check_results=[_figures_check(newest), _notes_check(shared.settings, run)],
        )

    made: dg.AssetsDefinition = report
    return made


def make_reports(engine: sa.Engine, settings: Settings, kind: ReportKind, days: Days) -> ReportRun:
    """Make the reports of a run's days, and send what is due if its last day is the newest."""
    periods = periods_between(kind, days.start, days.last, settings.reports.week_ends)
    finished = [period for period in periods if period.end <= days.last]
    made = [
        make(
            engine,
            settings,
            period,
            min(days.last, period.end),
            # A year of weeks would be printed for minutes, and is asked for by hand where it is wanted.
            with_pdf=settings.reports.pdf and finished[-1:] == [period],
        )
        for period in periods
    ]
    sent = []
    if days.last == newest_day(engine):
        sent = send_due(engine, settings, kind, days.last, alerts.utc_now())
    return ReportRun([_as_it_is(engine, one, sent) for one in made], sent)


def _as_it_is(engine: sa.Engine, made: Made, sent: list[tuple[Period, list[str]]]) -> Made:
    """A report after the sending, which may have frozen it."""
    if made.stored.period not in [period for period, _ in sent]:
        return made
    kept = stored(engine, made.stored.period)
    assert kept is not None
    return Made(kept, made.kept_because, made.remarks)


def _metadata(engine: sa.Engine, settings: Settings, run: ReportRun) -> dict[str, Any]:
    newest = run.made[-1]
    report, document = newest.stored, newest.stored.document
    told = {period.name: channels for period, channels in run.sent}
    remarks = [*([newest.kept_because] if newest.kept_because else []), *newest.remarks]
    rows = [
        (one.stored.period.name, one.stored.state, str(one.stored.document.as_of), _size(one.stored), _told(told, one))
        for one in reversed(run.made)
    ]
    return {
        "report": dg.MetadataValue.md(report.markdown),
        "period": f"{document.period_start} to {document.period_end}",
        "state": f"{report.state}, as of {document.as_of}",
        "verdict": document.verdict,
        "page": _page(settings, report.period),
        "made": sum(one.kept_because is None for one in run.made),
        "notified": ", ".join(f"{name}: {', '.join(channels)}" for name, channels in told.items()) or "nobody",
        "remarks": " ".join(remarks) or "none",
        "reports": markdown_table(["period", "state", "as of", "PDF", "told now"], rows[:_LISTED]),
    }


def _page(settings: Settings, period: Period) -> Any:
    """Where the report stands in the site."""
    path = addresses.report(period.kind, period.start.isoformat())
    if settings.alerts.site_url is not None:
        return dg.MetadataValue.url(f"{settings.alerts.site_url}/{path}")
    return dg.MetadataValue.path(str(configuration.metrics_home() / "site" / "current" / path))


def _size(report: Stored) -> str:
    return "none" if report.pdf is None else f"{len(report.pdf) / 1000:,.0f} kB"


def _told(told: dict[str, list[str]], made: Made) -> str:
    return ", ".join(told.get(made.stored.period.name, ())) or "nobody"


def _figures_check(report: Stored) -> dg.AssetCheckResult:
    states = _states(report.figures)
    unknown = sum(state not in ("ok", "provisional") for state in states)
    share = unknown / len(states) if states else 1.0
    return dg.AssetCheckResult(
        check_name=FIGURES_CHECK,
        passed=share <= _MOST_UNKNOWN,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{unknown} of {len(states)} figures of {report.period.name} have no value; the report says why."
        if states
        else f"The report of {report.period.name} has no figures.",
        metadata={"figures": len(states), "without a value": unknown, "share without a value": round(share, 3)},
    )


def _states(figures: Any) -> list[str]:
    """The state of each figure in the period itself; what was never fed and is left out does not count."""
    return [measure["now"]["state"] for measure in figures["measures"] if measure["is_there"]]


def _notes_check(settings: Settings, run: ReportRun) -> dg.AssetCheckResult:
    """What nobody wrote anything into; it fails only where such a report is on its way to people."""
    report = next((one.stored for one in reversed(run.made) if one.stored.state != "draft"), run.made[-1].stored)
    notes = report.document.notes()
    empty = [place.key for place in notes if place.markdown is None]
    goes_out = report.period in [period for period, channels in run.sent if channels]
    remarks = [remark for one in run.made for remark in one.remarks]
    if not notes:
        said = "This report has no place for notes."
    elif not empty:
        said = f"All {len(notes)} places for notes of {report.period.name} are filled."
    else:
        said = (
            f"{len(notes) - len(empty)} of {len(notes)} places for notes of {report.period.name} are filled; nothing "
            f"is noted of {', '.join(empty)}. Write {notes_file(settings, report.period).name}."
        )
    return dg.AssetCheckResult(
        check_name=NOTES_CHECK,
        passed=not (goes_out and notes and len(empty) == len(notes)),
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={"places": len(notes), "empty": len(empty), "remarks": " ".join(remarks) or "none"},
    )
