"""Which deployment is laid an incident to, by which rule; and the signals of failure that need no incident."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.sources import records
from metrics_assets_tests.warehouse.tables import (
    REPOSITORY,
    at,
    commit,
    deliver,
    deployment,
    environment,
    fill,
    good,
    incident,
    on,
    pull,
    release,
    service,
    table,
    tag,
)

LINKS = (
    "select chain, deployment_key, rule, confidence, evidence, gap_hours, is_chosen from incident_links "
    "order by confidence desc, deployed_at desc"
)
CHOSEN = "select chain, deployment_key, rule, evidence from incident_links where is_chosen order by issue_number"
FAILURES = (
    "select chain, deployment_key, signal, evidence, detected_at, restored_at, restored_by, recovery_hours "
    "from deployment_failures order by detected_at, deployment_key"
)
LINE = [
    commit("a1a1a1a1", "06-01 08:00"),
    commit("b2b2b2b2", "06-02 08:00", "a1a1a1a1"),
    commit("c3c3c3c3", "06-03 08:00", "b2b2b2b2"),
    commit("d4d4d4d4", "06-04 08:00", "c3c3c3c3"),
    pull(7, "06-03 07:00", "06-03 08:00", "c3c3c3c3"),
    good(1, "a1a1a1a1", "06-01 10:00"),
    good(2, "b2b2b2b2", "06-02 10:00"),
    good(4, "d4d4d4d4", "06-04 10:00"),
]


def decide(engine: sa.Engine, deployment: str, verdict: str, when: str, note: str = "", issue: int = 50) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.incident_corrections "
                "(repository, issue_number, deployment, decided_at, verdict, note) "
                "values ('acme/api', :issue, :deployment, :when, :verdict, :note)"
            ),
            {"issue": issue, "deployment": deployment, "when": at(when), "verdict": verdict, "note": note},
        )


# Rules


def test_every_candidate_is_kept_with_its_evidence_and_the_surest_is_chosen(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        LINE,
        tag("v1.2.0", "b2b2b2b2", "06-02"),
        incident(50, "06-04 12:00", mentions=["version:1.2.0", "number:7", "sha:b2b2b2b"]),
    )
    deliver(warehouse, on("06-05"))
    assert table(warehouse, LINKS) == [
        ("", "deployment:2", "sha", 1.0, "sha:b2b2b2b", 50.0, True),
        ("", "deployment:4", "pull_request", 0.9, "number:7", 2.0, False),
        ("", "deployment:2", "version", 0.8, "version:1.2.0", 50.0, False),
        ("", "deployment:4", "time", 0.3, "the last deployment before", 2.0, False),
    ]
    tie = "select chain, deployment_key, tie_rule, tie_confidence, tie_gap_hours from incidents"
    assert table(warehouse, tie) == [("", "deployment:2", "sha", 1.0, 50.0)]


@pytest.mark.parametrize(
    ("mentions", "revert"),
    [
        (["sha:e5e5e5e"], {}),  # names the commit that reverts
        (["number:9"], {"pull_request_number": 9}),  # names its pull request
        ([], {"pull_request_number": 50}),  # the commit names the incident
    ],
)
def test_what_was_taken_back_caused_the_incident(
    warehouse: sa.Engine, mentions: list[str], revert: dict[str, Any]
) -> None:
    fill(
        warehouse,
        LINE,
        commit("e5e5e5e5", "06-09 08:00", "d4d4d4d4", reverts_sha="b2b2b2b2", **revert),
        incident(50, "06-08 12:00", mentions=mentions),
    )
    deliver(warehouse, on("06-09"))
    assert [row[:3] for row in table(warehouse, CHOSEN)] == [("", "deployment:2", "revert")]


def test_a_merged_pull_request_that_reverts_leads_to_what_it_took_back(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        LINE,
        commit("e5e5e5e5", "06-09 08:00", "d4d4d4d4", reverts_sha="c3c3c3c3"),
        pull(9, "06-09 07:00", "06-09 08:00", "e5e5e5e5"),
        incident(50, "06-08 12:00", mentions=["number:9"]),
    )
    deliver(warehouse, on("06-09"))
    assert table(warehouse, CHOSEN) == [("", "deployment:4", "revert", "number:9")]


SERVICES = {
    "chains": [
        service("api", release_tag_pattern="^api-v", deployment_source="tags", paths=["api"]),
        service("web", release_tag_pattern="^web-v", deployment_source="tags", paths=["web"]),
    ]
}
OF_SERVICES = [
    commit("a1a1a1a1", "06-01 08:00", directories=["api", "web"]),
    commit("b2b2b2b2", "06-02 08:00", "a1a1a1a1", directories=["web"]),
    commit("c3c3c3c3", "06-03 08:00", "b2b2b2b2", directories=["api"]),
    tag("api-v1.0.0", "a1a1a1a1", "06-01 10:00"),
    tag("web-v1.0.0", "a1a1a1a1", "06-01 11:00"),
    tag("web-v1.1.0", "b2b2b2b2", "06-03 09:00"),
    tag("api-v1.1.0", "c3c3c3c3", "06-03 10:00"),
]


@pytest.mark.parametrize(
    ("labels", "mentions", "expected"),
    [
        (["web"], [], ("web", "tag:web-v1.1.0", "service", "label:web")),
        (["service: WEB"], [], ("web", "tag:web-v1.1.0", "service", "label:service: WEB")),
        (["website"], [], ("api", "tag:api-v1.1.0", "time", "the last deployment before")),
        # What the api's deployment contains and is web's, the api did not ship.
        ([], ["sha:b2b2b2b2"], ("web", "tag:web-v1.1.0", "sha", "sha:b2b2b2b2")),
        (["api"], ["sha:b2b2b2b2"], ("web", "tag:web-v1.1.0", "sha", "sha:b2b2b2b2")),
        (["web"], ["version:1.1.0"], ("web", "tag:web-v1.1.0", "version", "version:1.1.0")),
        (["api"], ["version:1.1.0"], ("api", "tag:api-v1.1.0", "version", "version:1.1.0")),
    ],
)
def test_an_incident_of_a_monorepo_finds_its_service(
    warehouse: sa.Engine, labels: list[str], mentions: list[str], expected: tuple[str, ...]
) -> None:
    fill(
        warehouse,
        OF_SERVICES,
        incident(50, "06-03 12:00", labels=["incident", *labels], mentions=mentions),
        **SERVICES,
    )
    deliver(warehouse, on("06-04"))
    assert table(warehouse, CHOSEN) == [expected]
    failures = "select chain, deployment_key from deployment_failures where signal = 'incident'"
    assert table(warehouse, failures) == [expected[:2]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], [("", "deployment:1", "time")]),
        (["staging"], [("@staging", "deployment:2", "service")]),
        (["env: staging"], [("@staging", "deployment:2", "service")]),
    ],
)
def test_staging_is_blamed_only_where_a_label_says_so(
    warehouse: sa.Engine, labels: list[str], expected: list[Any]
) -> None:
    fill(
        warehouse,
        commit("a1a1a1a1", "06-01 08:00"),
        good(1, "a1a1a1a1", "06-01 09:00"),
        deployment(2, "a1a1a1a1", ("success", "06-01 10:00"), environment="staging"),
        incident(50, "06-01 12:00", labels=["incident", *labels]),
        chains=[environment("staging")],
    )
    deliver(warehouse, on("06-02"))
    assert [row[:3] for row in table(warehouse, CHOSEN)] == expected


# What somebody decided


@pytest.mark.parametrize("named", ["deployment:1", "a1a1a1a", "A1A1A1A1", "v1.0.0", "1.0.0"])
def test_what_somebody_said_counts_over_all_evidence(warehouse: sa.Engine, named: str) -> None:
    fill(
        warehouse,
        LINE,
        tag("v1.0.0", "a1a1a1a1", "06-01"),
        incident(50, "06-04 12:00", mentions=["sha:d4d4d4d"]),
    )
    decide(warehouse, named, "caused", "06-05 09:00", "a slow leak")
    deliver(warehouse, on("06-05"))
    assert table(warehouse, CHOSEN) == [("", "deployment:1", "hand", "hand: a slow leak")]


def test_what_did_not_cause_it_is_no_candidate_and_the_newest_decision_counts(warehouse: sa.Engine) -> None:
    fill(warehouse, LINE, incident(50, "06-04 12:00", "06-04 13:00", mentions=["sha:d4d4d4d", "sha:b2b2b2b"]))
    deliver(warehouse, on("06-05"))
    assert table(warehouse, CHOSEN) == [("", "deployment:4", "sha", "sha:d4d4d4d")]

    # Each decision comes weeks later, and a run of that day brings incident and failures up to date.
    for day, verdict, expected in [
        ("06-20", "not caused", "deployment:2"),
        ("06-25", "caused", "deployment:4"),
        ("06-28", "not caused", "deployment:2"),
    ]:
        decide(warehouse, "d4d4d4d4" if day == "06-25" else "deployment:4", verdict, f"{day} 09:00")
        deliver(warehouse, on(day), first=on(day))
        assert [row[1] for row in table(warehouse, CHOSEN)] == [expected]
        assert table(warehouse, "select deployment_key from incidents") == [(expected,)]
        assert table(warehouse, "select deployment_key, signal from deployment_failures") == [(expected, "incident")]
    assert table(warehouse, "select distinct deployment_key from incident_links") == [("deployment:2",)]


def test_a_deployment_after_the_incident_cannot_have_caused_it(warehouse: sa.Engine) -> None:
    fill(warehouse, LINE, incident(50, "06-04 09:00", mentions=["sha:d4d4d4d"]))
    decide(warehouse, "deployment:4", "caused", "06-05 09:00")
    deliver(warehouse, on("06-05"))
    assert table(warehouse, "select deployment_key, rule from incident_links") == []


def test_an_old_incident_of_another_day_keeps_its_links(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        LINE,
        incident(50, "06-02 12:00", "06-02 13:00"),
        incident(51, "06-04 12:00"),
    )
    deliver(warehouse, on("06-05"))
    both = table(warehouse, CHOSEN)
    assert len(both) == 2
    deliver(warehouse, on("06-20"), first=on("06-20"))
    assert table(warehouse, CHOSEN) == both


# Signals of failure


def test_a_pull_request_labelled_hotfix_repairs_the_deployment_before(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        LINE,
        pull(8, "06-04 07:00", "06-04 08:00", "d4d4d4d4", labels=["hotfix"]),
        hotfix_labels=("hotfix", "urgent"),
    )
    deliver(warehouse, on("06-05"))
    assert table(warehouse, FAILURES) == [
        ("", "deployment:2", "hotfix", "pull_request:8", "06-04 10:00", "06-04 10:00", "deployment:4", 48.0)
    ]


def test_a_patch_release_soon_after_another_of_its_line_is_a_hotfix(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        release(1, "v1.2.0", "06-01"),
        release(2, "v1.2.1", "06-04"),  # three days later
        release(3, "v1.2.2", "06-07 00:01"),  # three days and a minute
        release(4, "v2.0.0", "06-08"),
        release(5, "v1.2.3", "06-09"),  # of the old line, two days after its last
        release(6, "v2.1.0", "06-09 01:00"),  # no patch
        release(7, "v2.1", "06-09 02:00"),
        release(8, "v2.1.0.1", "06-09 03:00"),
    )
    deliver(warehouse, on("06-10"))
    assert table(warehouse, FAILURES) == [
        ("", "release:1", "hotfix", "version:1.2.1", "06-04 00:00", "06-04 00:00", "release:2", 72.0),
        ("", "release:3", "hotfix", "version:1.2.3", "06-09 00:00", "06-09 00:00", "release:5", round(48 - 1 / 60, 6)),
    ]


def test_a_patch_of_one_service_is_none_of_the_other(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        tag("api-v1.0.0", "a", "06-01"),
        tag("web-v1.0.1", "a", "06-02"),
        tag("api-v1.0.1", "a", "06-03"),
        **SERVICES,
    )
    deliver(warehouse, on("06-10"))
    assert [row[:4] for row in table(warehouse, FAILURES)] == [
        ("api", "tag:api-v1.0.0", "hotfix", "version:1.0.1"),
    ]


def withdrawn(package: str, version: str, noticed: str | None) -> records.Record:
    return records.PackageRelease(
        registry="pypi",
        package=package,
        version=version,
        published_at=at("06-01"),
        is_prerelease=False,
        is_yanked=True,
        yanked_reason=None,
        yanked_noticed_at=at(noticed) if noticed else None,
    )


def publish(engine: sa.Engine, *packages: str) -> None:
    with engine.begin() as connection:
        for package in packages:
            connection.execute(
                sa.text("insert into ops.package_settings values ('pypi', :package, :id, 'acme/api')"),
                {"package": package, "id": REPOSITORY},
            )


@pytest.mark.parametrize(
    ("noticed", "expected"),
    [
        ("06-03 12:00", [("release:1", "yank", "pypi:acme", "06-03 12:00", "06-09 00:00", "release:2", 192.0)]),
        # The next one was out already.
        ("06-20 12:00", [("release:1", "yank", "pypi:acme", "06-20 12:00", "06-09 00:00", "release:2", 192.0)]),
        (None, []),
    ],
)
def test_a_withdrawn_release_failed_until_the_next_one(
    warehouse: sa.Engine, noticed: str | None, expected: list[Any]
) -> None:
    fill(
        warehouse,
        release(1, "v1.0.0", "06-01"),
        release(2, "v1.1.0", "06-09"),
        withdrawn("acme", "1.0.0", noticed),
        withdrawn("somebody-elses", "1.1.0", "06-10"),
    )
    publish(warehouse, "acme")
    deliver(warehouse, on("06-21"))
    assert [row[1:] for row in table(warehouse, FAILURES)] == expected


def test_a_withdrawn_package_is_of_the_service_that_it_is_named_after(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        tag("api-v1.0.0", "a", "06-01"),
        tag("web-v1.0.0", "a", "06-02"),
        withdrawn("acme-web", "1.0.0", "06-03"),
        **SERVICES,
    )
    publish(warehouse, "acme-web")
    deliver(warehouse, on("06-10"))
    assert [row[:3] for row in table(warehouse, FAILURES)] == [("web", "tag:web-v1.0.0", "yank")]


def test_only_the_signals_that_are_asked_for_count(warehouse: sa.Engine) -> None:
    history = [
        LINE,
        deployment(5, "d4d4d4d4", ("failure", "06-04 11:00")),
        good(6, "b2b2b2b2", "06-04 11:30"),
        good(7, "d4d4d4d4", "06-04 11:40"),
        commit("e5e5e5e5", "06-05 08:00", "d4d4d4d4", reverts_sha="b2b2b2b2"),
        pull(9, "06-05 07:00", "06-05 08:00", "e5e5e5e5", labels=["hotfix"]),
        good(8, "e5e5e5e5", "06-05 10:00"),
        incident(50, "06-04 12:00", mentions=["sha:d4d4d4d"]),
    ]
    fill(warehouse, history)
    deliver(warehouse, on("06-06"))
    signals = "select distinct signal from deployment_failures order by 1"
    every = [row[0] for row in table(warehouse, signals)]
    assert every == ["failed_deployment", "hotfix", "incident", "revert", "rollback"]
    for wanted in every:
        with warehouse.begin() as connection:
            connection.execute(sa.text("update ops.repository_settings set failure_signals = :s"), {"s": [wanted]})
        deliver(warehouse, on("06-06"))
        assert table(warehouse, signals) == [(wanted,)]


def test_a_deployment_that_succeeds_at_last_did_not_fail(warehouse: sa.Engine) -> None:
    fill(warehouse, LINE, deployment(5, "d4d4d4d4", ("failure", "06-05 11:00")))
    deliver(warehouse, on("06-05"))
    assert [row[2] for row in table(warehouse, FAILURES)] == ["failed_deployment"]
    fill(warehouse, deployment(5, "d4d4d4d4", ("failure", "06-05 11:00"), ("success", "06-20 11:00")))
    deliver(warehouse, on("06-20"), first=on("06-18"))
    assert table(warehouse, FAILURES) == []
