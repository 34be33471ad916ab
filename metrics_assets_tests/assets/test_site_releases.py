"""The page of releases read from a warehouse: gates and releases as they were known by the day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site import releases
from metrics_assets.assets.site.releases import releases_data
from metrics_assets_tests.assets.site_warehouse import DAY, HOSTILE, PACKS, TEAM, fill, read, run, words
from metrics_assets_tests.tables import insert

END = f"{DAY} 23:59:00+00"
NEXT = f"{DAY + timedelta(days=1)} 08:00:00+00"


@pytest.fixture
def filled(warehouse: sa.Engine) -> sa.Engine:
    fill(warehouse)
    run(warehouse, "update ops.portfolio set packs = :packs", packs=PACKS)
    return warehouse


def test_the_page_of_a_warehouse_that_knows_nothing(filled: sa.Engine) -> None:
    said = words(filled, releases)
    assert "Of 5 candidates 5 are for review." in said
    assert "It was not evaluated yet." in said
    assert "No release is known of the last 30 days." in said
    assert "Not known on the day: Crashes," in said


def criterion(key: str, title: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "group": "must",
        "level": "must",
        "state": state,
        "value": None,
        "target": "evidence",
        "evidence_url": None,
        "reason": "There is no evidence in gate_evidence.csv.",
        **more,
    }


def evaluation(day: date, verdict: str, *criteria: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "gate": "release",
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "date": day,
        "verdict": verdict,
        "score": 61.5,
        "must_missing": 1,
        "criteria": json.dumps(criteria),
        "missing": [one["title"] for one in criteria if one["state"] != "met"],
        **more,
    }


def test_gates_are_those_of_the_day_in_units(filled: sa.Engine) -> None:
    succeed = criterion(
        "command_success",
        "75 % of commands succeed",
        "not met",
        value=0.7,
        target="at least 0.75",
        reason="0.7 on the day, instead of at least 0.75.",
    )
    page = criterion("front_page", "Front page", "unknown", level="nice", evidence_url="javascript:alert(1)")
    insert(
        filled,
        "metrics.gate_evaluations",
        evaluation(DAY, "failed", succeed, page),
        evaluation(DAY + timedelta(days=1), "passed"),
        evaluation(DAY, "failed", subject_kind="team", subject=TEAM),
    )
    insert(
        filled,
        "metrics.gate_verdicts",
        *(
            {
                "gate": "release",
                "subject_kind": "portfolio",
                "subject": "Aurora",
                "repository_id": 1,
                "repository": "acme/api",
                "release": tag,
                "released_on": on,
                "date": on,
                "verdict": "passed",
                "score": 90.0,
                "criteria": "[]",
                "missing": ["SOC 2"],
            }
            for tag, on in (("v1", DAY - timedelta(days=40)), ("v9-of-tomorrow", DAY + timedelta(days=1)))
        ),
    )
    said = words(filled, releases)
    for sentence in (
        "Of 5 candidates 4 are for review and 1 is blocked.",
        "From beta to general availability of Aurora misses “75 % of commands succeed” and “Front page” first.",
        "70 %; asked for: at least 75 %",
        "62 of 100",
        "acme/api v1",
    ):
        assert sentence in said, sentence
    assert "v9-of-tomorrow" not in said
    assert "1 is ready" in words(filled, releases, DAY + timedelta(days=1))
    early = words(filled, releases, DAY - timedelta(days=1))
    assert "Of 5 candidates 5 are for review." in early


def ship(engine: sa.Engine, key: str, at: str, outcome: str = "succeeded", repository: int = 1, **more: Any) -> None:
    row = {
        "repository_id": repository,
        "chain": "",
        "repository": "acme/api",
        "deployment_key": key,
        "source": "releases",
        "environment": "release",
        "version": None,
        "created_at": at,
        "finished_at": at,
        "outcome": outcome,
        **more,
    }
    insert(engine, "metrics.deployments", row)


def test_releases_with_what_was_known_by_the_day(filled: sa.Engine) -> None:
    rows = (
        (1, "v1.0", f"{DAY - timedelta(days=29)} 00:00:00+00", False),
        (2, "v1.1", END, False),
        (3, "v1.2", NEXT, False),
        (4, "v0.9", f"{DAY - timedelta(days=30)} 23:59:59+00", False),
        (5, "draft", END, True),
    )
    insert(
        filled,
        "raw.releases",
        *(
            {
                "repository_id": 1,
                "release_id": number,
                "tag": tag,
                "is_draft": draft,
                "is_prerelease": False,
                "created_at": at,
                "published_at": at,
            }
            for number, tag, at, draft in rows
        ),
    )
    ship(filled, "release:1", f"{DAY - timedelta(days=29)} 00:00:00+00")
    ship(filled, "release:2", END)
    ship(filled, "release:3", NEXT)
    ship(filled, "run:9", END, "failed", source="workflow_runs")
    failure = {"repository_id": 1, "chain": "", "repository": "acme/api", "signal": "incident", "failed_at": END}
    insert(
        filled,
        "metrics.deployment_failures",
        {**failure, "deployment_key": "release:1", "evidence": "1", "detected_at": END},
        {**failure, "deployment_key": "release:2", "evidence": "2", "detected_at": NEXT},  # known a day later,
    )
    reading, site = read(filled)
    data = releases_data(reading, site)
    assert [(one.tag, one.outcome, one.signals) for one in data.releases] == [
        ("v1.1", "succeeded", ()),
        ("v1.0", "succeeded", ("incident",)),
    ]
    (deployments,) = data.deployments
    assert (deployments.succeeded, deployments.failed, deployments.went_wrong) == (2, 1, 2)
    assert deployments.signals == (("failed_deployment", 1), ("incident", 1))
    assert "2 releases and 3 deployments in 30 days, 2 of the deployments went wrong" in words(filled, releases)


def test_withdrawn_versions_and_figures_of_the_watch(filled: sa.Engine) -> None:
    run(filled, "insert into ops.package_settings (registry, package) values ('crates', 'aurora')")
    insert(
        filled,
        "raw.package_releases",
        *(
            {
                "registry": "crates",
                "package": "aurora",
                "version": version,
                "is_prerelease": False,
                "is_yanked": True,
                "yanked_reason": HOSTILE,
                "yanked_noticed_at": at,
            }
            for version, at in (("1.0.1", END), ("1.0.2", NEXT))
        ),
    )
    fed = {"metric": "crash_share", "date": DAY, "state": "ok", "value": 0.004}
    insert(
        filled,
        "metrics.fed_daily",
        {**fed, "subject_kind": "portfolio", "subject": "Aurora"},
        {**fed, "metric": "shell_share", "subject_kind": "segment", "subject": HOSTILE, "value": 0.7},
        {
            **fed,
            "metric": "shell_share",
            "subject_kind": "segment",
            "subject": "fish",
            "value": 0.2,
            "period_end": DAY,
        },
        {**fed, "metric": "shell_share", "subject_kind": "team", "subject": TEAM, "value": 0.3},
    )
    said = words(filled, releases)
    assert "1.0.1" in said
    assert "1.0.2" not in said
    assert "1 version withdrawn" in said
    assert "Crashes" in said
    assert "fish" in said
    run(filled, "update ops.portfolio set packs = '{engineering}'")
    assert "After the release" not in words(filled, releases)
