"""What the sample organisation feeds: the committed files are those of the module, and every row of them is taken."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
import yaml

from metrics_assets.assets.feeds import Feeder
from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.demo.fed import FEEDS, files
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.sources.files.layouts import Known
from metrics_assets.sources.records import Account
from metrics_assets_tests.warehouse.tables import PEOPLE

LARGEST = 300_000


def test_the_committed_files_are_what_the_module_makes() -> None:
    for name, content in files().items():
        path = FEEDS / name
        assert path.read_text(encoding="utf-8") == content, f"python -m metrics_assets.demo.fed writes {name} anew"
        assert len(content) < LARGEST


def test_every_row_is_taken(warehouse: sa.Engine, tmp_path: Path) -> None:
    shutil.copytree(FEEDS, tmp_path / "feeds")
    own = yaml.safe_load((DEMO_CONFIG.parent / "catalogue" / "aurora.yaml").read_text(encoding="utf-8"))
    gates = {
        gate["key"]: {criterion["key"] for group in gate["groups"] for criterion in group["criteria"]}
        for gate in own["gates"]
    } | {gate.key: {one.key for group in gate.groups for one in group.criteria} for gate in load_gates().values()}
    known = Known(
        metrics={one.key: one.unit for one in load_catalogue().metrics.values() if one.fed == "kpi_values"},
        others={},
        gates=gates,
        today=datetime.now(UTC).date(),
        person=lambda login: PEOPLE.key(Account(login)),
    )
    fed, remarks = Feeder(warehouse, tmp_path / "feeds", known).feed()
    assert {one.name for one in fed} == {path.name for path in FEEDS.glob("*.csv")}
    for one in fed:
        assert (one.read, one.rejected, one.replaced) == (one.written, (), ()), one.name
    assert remarks == []


def test_events_are_of_kinds_that_are_counted_or_explain_something() -> None:
    counted = {one.kind for one in load_catalogue().metrics.values() if one.fed == "events"}
    kinds = {line.split(",")[1] for line in (FEEDS / "events.csv").read_text(encoding="utf-8").splitlines()[1:]}
    assert kinds - counted == {"bad_release", "campaign", "conference", "outage"}
