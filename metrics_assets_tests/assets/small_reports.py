"""Reports of one figure, what runs do about them, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.assets.reports import making
from metrics_assets.assets.reports.assets import (
    ReportRun,
    make_reports,
    reporting_assets,
)
from metrics_assets.assets.reports.making import Content, listed
from metrics_assets.assets.shared import Shared, Warehouse
from metrics_assets.automation.jobs import RANGE_END_TAG, RANGE_START_TAG
from metrics_assets.partitions import Days, daily
from metrics_assets.reporting.documents import Document, Fact, Facts, Notes, Paragraph, Section
from metrics_assets.reporting.periods import period_named
from metrics_assets.settings import Settings

BASE: dict[str, Any] = {
    "portfolio": "acme",
    "start": "2025-12-01",
    "end": "2026-01-31",
    "packs": [],
    "repositories": [{"github": "acme/api"}],
    "channels": {"hook": {"url_env": "HOOK_URL"}, "mail": {"kind": "email", "url_env": "MAIL_URL"}},
    "alerts": {"site_url": "https://metrics.example.org"},
    "reports": {"pdf": False, "monthly_report": {"channels": ["hook", "mail"]}},
}
GIVEN = Settings.model_validate(BASE)
DECEMBER = period_named("monthly_report", "2025-12", "sun")
NEW_YEAR = datetime(2026, 1, 1, 3, tzinfo=UTC)


def read(engine: sa.Engine, settings: Settings, start: date, end: date, as_of: date) -> dict[str, Any]:
    with engine.connect() as connection:
        value = connection.execute(
            sa.text(
                "select sum(deployments_succeeded)::int from metrics.dora_daily where date between :start and :end"
            ),
            {"start": start, "end": min(end, as_of)},
        ).scalar()
    now = {"value": value, "state": "unknown" if value is None else "ok"}
    return {"measures": [{"is_there": True, "now": now}], "period": [str(start), str(end), str(as_of)]}


def document(kind: Any, figures: Mapping[str, Any]) -> Document:
    start, end, as_of = (date.fromisoformat(day) for day in figures["period"])
    value = figures["measures"][0]["now"]["value"]
    said = "not known" if value is None else str(value)
    sections = (
        Section(
            "executive_summary", "Executive summary", (Facts((Fact("Deployments", said),)), Paragraph("<b>Fine</b>."))
        ),
        Section("achievements", "Achievements", (Notes("achievements.technical"),)),
    )
    return Document(
        kind, f"acme, {start}", "All days", start, end, as_of, f"{said} deployments.", sections, (("By", "metrics"),)
    )


def content(kind: Any) -> Content:
    return Content(read, lambda figures: document(kind, figures), lambda figures: figures)


def run(
    instance: dg.DagsterInstance, first: str, last: str, kind: str = "monthly_report", given: Settings = GIVEN
) -> tuple[Mapping[str, Any], dict[str, dg.AssetCheckEvaluation]]:
    """A run over days; what it says of the report, and its checks."""
    definitions = dg.Definitions(reporting_assets(Shared(given, daily(given))), resources={"warehouse": Warehouse()})
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(["reports", kind])],
        tags={RANGE_START_TAG: first, RANGE_END_TAG: last},
    )
    event = result.asset_materializations_for_node(f"reports__{kind}")[-1]
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    return {name: entry.value for name, entry in event.metadata.items()}, checks


def make(engine: sa.Engine, first: str, last: str, kind: Any = "monthly_report", given: Settings = GIVEN) -> ReportRun:
    """What a run over days does, without Dagster around it."""
    days = Days(date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1))
    return make_reports(engine, given, kind, days)


def kept(engine: sa.Engine) -> list[tuple[str, str, str]]:
    return [(report.period.name, report.state, str(report.as_of)) for report in listed(engine)]


def waiting(engine: sa.Engine) -> list[tuple[str, str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select message_key, channel, state from ops.notifications order by message_key, channel")
        )
        return [tuple(row) for row in rows]


def bytes_of(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text("select t::text from ops.reports as t order by 1")).scalars())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Reports of one figure, and notes beside a metrics.yaml of the test's."""
    monkeypatch.setattr(making, "content_of", content)
    monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
