"""Release gates in the warehouse: figures and evidence in, verdicts out, and frozen on the day of a release."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.derivations import derivations
from metrics_assets.assets.gates import evaluate_gates, freeze_verdicts
from metrics_assets.catalogue.gates import Gate, load_gates
from metrics_assets.catalogue.metrics import Catalogue, Metric
from metrics_assets.catalogue.packs import load_packs
from metrics_assets.warehouse import migrate as migrating
from metrics_assets_tests.warehouse.tables import at, fill, on, release, table
from metrics_assets_tests.warehouse.test_goals import figures

SPEED = Metric(
    key="speed", title="Speed", definition="D", unit="per second", direction="higher", fed="kpi_values", unknown="U"
)  # fmt: skip
CATALOGUE = Catalogue(metrics={"speed": SPEED})
FAST: dict[str, Any] = {"key": "fast", "title": "Ten a second", "metric": "speed", "at_least": 10}
SOUND: dict[str, Any] = {"key": "sound", "title": "Audited"}
LIKED: dict[str, Any] = {"key": "liked", "title": 'The "liked" one', "above": 4}


def gate(key: str = "beta", pack: str | None = None, **more: Any) -> Gate:
    groups = [
        {"group": "musts", "title": "Musts", "weight": 80, "criteria": [FAST | more.pop("fast", {}), SOUND]},
        {"group": "nice", "title": "Nice", "weight": 20, "level": "nice", "criteria": [LIKED]},
    ]
    return Gate.model_validate({"key": key, "title": key.title(), "groups": groups} | more).model_copy(
        update={"pack": pack}
    )


def decided(
    engine: sa.Engine, criterion: str, when: str, met: bool | None = None, value: float | None = None, key: str = "beta"
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.gate_evidence (gate, criterion, decided_at, met, value, evidence_url) "
                "values (:gate, :criterion, :decided_at, :met, :value, 'https://proof')"
            ),
            {"gate": key, "criterion": criterion, "decided_at": at(when), "met": met, "value": value},
        )


def evaluated(engine: sa.Engine, *gates: Gate, first: str = "06-01", last: str = "06-03") -> int:
    end = on(last) + timedelta(days=1)
    evaluate_gates(engine, on(first), end, gates, CATALOGUE)
    return freeze_verdicts(engine, on(first), end)


def verdicts(engine: sa.Engine) -> list[tuple[Any, ...]]:
    columns = "date, verdict, score, must_missing, missing"
    return table(engine, f"select {columns} from metrics.gate_evaluations order by gate, subject, date")


def test_a_gate_opens_as_figures_and_evidence_come(warehouse: sa.Engine) -> None:
    fill(warehouse)
    figures(warehouse, None, 9, 12, 12, metric="speed")
    decided(warehouse, "sound", "06-03 23:59", met=False)
    decided(warehouse, "sound", "06-04 12:00", met=True)
    decided(warehouse, "liked", "06-04 12:00", value=4.5)
    evaluated(warehouse, gate(), last="06-04")
    assert verdicts(warehouse) == [
        ("06-01", "unknown", 0, 2, ["Ten a second", "Audited", 'The "liked" one']),
        ("06-02", "failed", 0, 2, ["Ten a second", "Audited", 'The "liked" one']),
        ("06-03", "failed", 40, 1, ["Audited", 'The "liked" one']),
        ("06-04", "passed", 100, 0, []),
    ]
    criteria = table(warehouse, "select criteria from metrics.gate_evaluations where date = '2025-06-03'")[0][0]
    assert criteria[:2] == [
        {
            "key": "fast", "title": "Ten a second", "group": "musts", "level": "must", "state": "met", "value": 12,
            "target": "at least 10", "evidence_url": None, "reason": "12 on the day; at least 10 holds.",
        },
        {
            "key": "sound", "title": "Audited", "group": "musts", "level": "must", "state": "not met", "value": None,
            "target": "evidence", "evidence_url": "https://proof", "reason": "Decided not to be met on 2025-06-03.",
        },
    ]  # fmt: skip


def test_a_condition_over_days_looks_before_the_range(warehouse: sa.Engine) -> None:
    fill(warehouse)
    figures(warehouse, 12, 9, 12, 12, 12, metric="speed")
    decided(warehouse, "sound", "06-01", met=True)
    lasting = gate(fast={"days": 3})
    evaluated(warehouse, lasting, last="06-05")
    together = verdicts(warehouse)
    assert [row[1] for row in together] == ["unknown", "failed", "failed", "failed", "passed"]
    for day in ("06-05", "06-01", "06-03", "06-02", "06-04"):
        evaluated(warehouse, lasting, first=day, last=day)
    assert verdicts(warehouse) == together


def test_evidence_decides_where_the_figure_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse)
    figures(warehouse, None, 9, metric="speed")
    decided(warehouse, "sound", "06-01", met=True)
    decided(warehouse, "fast", "06-01", value=11)
    evaluated(warehouse, gate(), last="06-02")
    assert [row[1] for row in verdicts(warehouse)] == ["passed", "failed"]


def test_the_verdict_on_a_release_stays_as_it_was(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        release(1, "v1.0-beta", "06-02 10:00", is_prerelease=True),
        release(2, "v1.0", "06-03 10:00"),
        release(3, "v2.0", "06-03 11:00", is_draft=True),
        release(4, "v3.0", None),
    )
    figures(warehouse, 12, 12, 12, metric="speed")
    decided(warehouse, "sound", "06-03 09:00", met=True)
    frozen = "select release, repository, released_on, verdict, score, missing from metrics.gate_verdicts order by 3"
    assert evaluated(warehouse, gate(), last="06-03") == 2
    before = table(warehouse, frozen)
    assert before == [
        ("v1.0-beta", "acme/api", "06-02", "unknown", 40, ["Audited", 'The "liked" one']),
        ("v1.0", "acme/api", "06-03", "passed", 80, ['The "liked" one']),
    ]
    # Evidence that is fed later about an earlier day: the evaluation follows it, the verdict does not.
    decided(warehouse, "sound", "06-01", met=True)
    assert evaluated(warehouse, gate(), last="06-03") == 0
    assert [row[1] for row in verdicts(warehouse)] == ["passed"] * 3
    assert table(warehouse, frozen) == before


def test_gates_are_about_every_subject_of_their_kind(warehouse: sa.Engine) -> None:
    fill(warehouse, release(1, "v1.0", "06-01 10:00"))
    figures(warehouse, 12, metric="speed", kind="repository", subject="acme/api")
    figures(warehouse, 12, metric="speed", kind="package", subject="npm:api", since="06-02")
    elsewhere = {"subject_kind": "package", "subject": "npm:api"}
    evaluated(
        warehouse,
        gate("each", subject_kind="repository"),
        gate("packages", subject_kind="package"),
        gate("borrowed", fast=elsewhere),
        last="06-02",
    )
    found = table(
        warehouse,
        "select gate, subject_kind, subject, date, score from metrics.gate_evaluations order by gate, subject, date",
    )
    assert found == [
        ("borrowed", "portfolio", "acme", "06-01", 0),
        ("borrowed", "portfolio", "acme", "06-02", 40),
        ("each", "repository", "acme/api", "06-01", 40),
        ("each", "repository", "acme/api", "06-02", 0),
        ("packages", "package", "npm:api", "06-02", 40),
    ]
    assert table(warehouse, "select gate, subject from metrics.gate_verdicts order by gate") == [
        ("borrowed", "acme"),
        ("each", "acme/api"),
    ]


def test_gates_of_packs_count_where_the_pack_is_on(warehouse: sa.Engine) -> None:
    fill(warehouse)
    gates = [gate("growing", "growth"), gate("sharing", "community"), gate("mine")]
    evaluated(warehouse, *gates, last="06-01")
    assert table(warehouse, "select gate from metrics.gate_evaluations order by 1") == [("mine",), ("sharing",)]


def test_the_status_of_gates_is_that_of_the_newest_day(warehouse: sa.Engine, monkeypatch: Any) -> None:
    monkeypatch.setattr(migrating, "load_gates", lambda: {"beta": gate(), "growing": gate("growing", "growth")})
    assert migrating.migrate(warehouse)
    fill(warehouse, release(1, "v1.0", "06-01 10:00"))
    figures(warehouse, 9, 12, metric="speed")
    decided(warehouse, "sound", "06-02", met=True)
    evaluated(warehouse, gate(), last="06-02")
    assert table(
        warehouse,
        "select gate, title, subject, date, verdict, score, release, release_verdict from metrics.gate_status",
    ) == [("beta", "Beta", "acme", "06-02", "passed", 80, "v1.0", "failed")]
    assert table(
        warehouse,
        "select criterion, level, target, share from metrics.gate_criteria where gate = 'beta' order by position",
    ) == [("fast", "must", "at least 10", 0.4), ("sound", "must", "evidence", 0.4), ("liked", "nice", "above 4", 0.2)]


def test_every_gate_that_is_shipped_can_be_evaluated(warehouse: sa.Engine) -> None:
    fill(warehouse)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.portfolio set packs = :packs"), {"packs": sorted(load_packs())})
    derivations()["gate_evaluations"].run(warehouse, on("06-01"), on("06-03"))
    of_portfolio = {key for key, one in load_gates().items() if one.subject_kind == "portfolio"}
    found = table(warehouse, "select gate, verdict from metrics.gate_status where date is not null")
    assert {(gate, verdict) for gate, verdict in found if gate in of_portfolio} == {
        (key, "unknown") for key in of_portfolio
    }
