"""Chains: services and environments with deployments of their own, and the stages on the way to each."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.sources import records
from metrics_assets_tests.warehouse.tables import (
    START,
    commit,
    deliver,
    delivered,
    deployment,
    environment,
    fill,
    good,
    incident,
    job,
    on,
    pull,
    record,
    release,
    review,
    run,
    service,
    table,
    tag,
)

DEPLOYMENTS = "select chain, deployment_key, version, outcome from deployments order by finished_at, chain"
CHANGES = "select chain, change_key, state, deployment_key, lead_time_hours from changes order by chain, merged_at"

MONOREPO = [
    service("api", release_tag_pattern=r"^api-v\d", paths=["apps/api", "libs"]),
    service("web", release_tag_pattern=r"^web-v\d", paths=["apps/web"]),
]


# Services


def test_each_service_has_a_baseline_and_changes_of_its_own(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00", directories=["", "apps/api", "apps/web"]),
        commit("b", "06-02 08:00", "a", directories=["apps/web/pages"]),
        commit("c", "06-03 08:00", "b", directories=["apps/api", "apps/webshop"]),
        commit("d", "06-04 08:00", "c", directories=["libs/money", "apps/web"]),
        tag("api-v1.0.0", "a", "06-01 10:00"),
        tag("web-v1.0.0", "b", "06-02 10:00"),
        tag("web-v1.1.0", "d", "06-04 10:00"),
        tag("api-v1.1.0", "c", "06-05 08:00"),
        tag("v1.0.0", "d", "06-05 09:00"),  # of no service
        chains=MONOREPO,
    )
    deliver(warehouse, on("06-06"))
    assert table(warehouse, DEPLOYMENTS) == [
        ("api", "tag:api-v1.0.0", "api-v1.0.0", "succeeded"),
        ("web", "tag:web-v1.0.0", "web-v1.0.0", "succeeded"),
        ("web", "tag:web-v1.1.0", "web-v1.1.0", "succeeded"),
        ("api", "tag:api-v1.1.0", "api-v1.1.0", "succeeded"),
    ]
    assert table(warehouse, CHANGES) == [
        ("api", "commit:a", "baseline", "tag:api-v1.0.0", None),
        ("api", "commit:c", "shipped", "tag:api-v1.1.0", 48.0),
        ("api", "commit:d", "waiting", None, None),
        ("web", "commit:a", "baseline", "tag:web-v1.0.0", None),
        ("web", "commit:b", "baseline", "tag:web-v1.0.0", None),
        ("web", "commit:d", "shipped", "tag:web-v1.1.0", 2.0),
    ]


def test_a_pull_request_belongs_where_its_merge_or_its_commits_do(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00", directories=[""]),
        commit("m", "06-02 08:00", "a x", directories=["apps/web"]),
        commit("x", "06-02 07:00", "a", directories=["apps/web"]),
        commit("s", "06-03 08:00", "m", pull_request_number=2),
        commit("t", "06-03 07:00", "m", pull_request_number=2, directories=["apps/api"], default=False),
        commit("u", "06-04 08:00", "s"),
        pull(1, "06-02 06:00", "06-02 08:00", "m"),
        pull(2, "06-03 06:00", "06-03 08:00", "s"),
        pull(3, "06-04 06:00", "06-04 08:00", "u"),
        chains=MONOREPO,
    )
    deliver(warehouse, on("06-06"))
    unknown = "which service it belongs to is not known; read the paths from git (git: in metrics.yaml)"
    assert table(warehouse, "select chain, change_key, state, reason from changes order by chain, merged_at") == [
        ("api", "pull_request:2", "waiting", "no deployment contains it yet"),
        ("api", "pull_request:3", "untied", unknown),
        ("web", "pull_request:1", "waiting", "no deployment contains it yet"),
        ("web", "pull_request:3", "untied", unknown),
    ]


def test_directories_that_are_read_later_say_where_old_changes_belong(warehouse: sa.Engine) -> None:
    def history(directories: list[str] | None) -> list[Any]:
        return [
            commit("a", "06-01 08:00", directories=[""]),
            commit("b", "06-02 08:00", "a", directories=directories),
            tag("web-v1.0.0", "a", "06-01 10:00"),
            tag("web-v1.1.0", "b", "06-03 08:00"),
            tag("api-v1.0.0", "a", "06-01 10:00"),
        ]

    fill(warehouse, history(None), chains=MONOREPO)
    deliver(warehouse, on("06-05"))
    assert table(warehouse, CHANGES) == [
        ("api", "commit:b", "untied", None, None),
        ("web", "commit:b", "untied", None, None),
    ]
    fill(warehouse, history(["apps/web"]))
    deliver(warehouse, on("06-20"), first=on("06-17"))
    assert table(warehouse, CHANGES) == [("web", "commit:b", "shipped", "tag:web-v1.1.0", 24.0)]


def test_without_paths_every_change_that_a_deployment_contains_is_the_services(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a"),
        good(1, "a", "06-01 09:00"),
        good(2, "b", "06-02 09:00"),
        chains=[service("api")],
    )
    deliver(warehouse, on("06-03"))
    assert table(warehouse, CHANGES) == [
        ("api", "commit:a", "baseline", "deployment:1", None),
        ("api", "commit:b", "shipped", "deployment:2", 1.0),
    ]


# Environments


def test_staging_has_deployments_and_lead_times_of_its_own(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a"),
        good(1, "a", "06-01 10:00"),
        deployment(2, "a", ("success", "06-01 08:30"), environment="staging"),
        deployment(3, "b", ("success", "06-02 08:30"), environment="staging"),
        deployment(4, "b", ("failure", "06-02 09:00")),
        good(5, "b", "06-02 10:00"),
        tag("v1.0.0", "b", "06-02 11:00"),
        incident(50, "06-02 09:30", "06-02 12:00"),
        chains=[environment("staging")],
    )
    deliver(warehouse, on("06-03"))
    assert table(warehouse, CHANGES) == [
        ("", "commit:a", "baseline", "deployment:1", None),
        ("", "commit:b", "shipped", "deployment:5", 2.0),
        ("@staging", "commit:a", "baseline", "deployment:2", None),
        ("@staging", "commit:b", "shipped", "deployment:3", 0.5),
    ]
    failures = "select chain, deployment_key, signal, restored_by from deployment_failures order by failed_at"
    assert table(warehouse, failures) == [
        ("", "deployment:1", "incident", "deployment:5"),  # not staging's, which was nearer
        ("", "deployment:4", "failed_deployment", "deployment:5"),
    ]


# Workflow runs


WORKFLOW = {"workflow": "^Deploy$", "deployment_source": "workflow_runs"}


def test_runs_of_the_workflow_on_the_default_branch_are_deployments(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        run(1, "a", "06-02 08:00"),
        run(2, "b", "06-03 08:00", "failure"),
        run(3, "c", "06-04 08:00", "timed_out"),
        run(4, "d", "06-05 08:00", "cancelled"),
        run(5, "e", "06-05 09:00", "skipped"),
        run(6, "f", "06-05 10:00", workflow="Tests"),
        run(7, "g", "06-05 11:00", branch="feature"),
        run(8, "h", "06-05 12:00", event="pull_request"),  # of a fork's main
        run(9, "i", "06-05 13:00", None, status="in_progress"),
        **WORKFLOW,
    )
    deliver(warehouse, on("06-06"))
    assert table(warehouse, DEPLOYMENTS) == [
        ("", "run:1", None, "succeeded"),
        ("", "run:2", None, "failed"),
        ("", "run:3", None, "failed"),
    ]


def test_the_job_decides_and_not_the_run(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        run(1, "a", "06-02 08:00", "failure"),  # failed after it had deployed
        job(11, 1, "deploy", "06-02 08:05"),
        job(12, 1, "smoke tests", "06-02 08:10", "failure"),
        run(2, "b", "06-03 08:00"),  # passed, and deployed nothing
        job(21, 2, "build", "06-03 08:05"),
        job(22, 2, "deploy", "06-03 08:06", "skipped"),
        run(3, "c", "06-04 08:00", None, status="in_progress"),  # has not ended, and is deployed
        job(31, 3, "deploy", "06-04 08:05"),
        job(32, 3, "announce", None, None),
        run(4, "d", "06-05 08:00"),  # the job was run again
        job(41, 4, "deploy", "06-05 08:05", "failure"),
        job(42, 4, "deploy", "06-05 09:05"),
        run(5, "e", "06-06 08:00", "failure"),  # one of two regions
        job(51, 5, "deploy (eu)", "06-06 08:05"),
        job(52, 5, "deploy (us)", "06-06 08:15", "failure"),
        **WORKFLOW,
        job="^deploy",
    )
    deliver(warehouse, on("06-07"))
    assert table(warehouse, "select deployment_key, deployed_at, finished_at, outcome from deployments order by 1") == [
        ("run:1", "06-02 08:05", "06-02 08:05", "succeeded"),
        ("run:3", "06-04 08:05", "06-04 08:05", "succeeded"),
        ("run:4", "06-05 09:05", "06-05 09:05", "succeeded"),
        ("run:5", None, "06-06 08:15", "failed"),
    ]


def test_a_run_replaces_releases_and_is_replaced_by_a_deployment(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        release(1, "v1.0.0", "06-02"),
        run(1, "a", "06-03 08:00"),
        release(2, "v1.1.0", "06-04"),
        *good(1, "a", "06-05 08:00"),
        run(2, "a", "06-06 08:00"),
        workflow="Deploy",
    )
    deliver(warehouse, on("06-07"))
    assert [row[1] for row in table(warehouse, DEPLOYMENTS)] == ["release:1", "run:1", "deployment:1"]


# Stages

STAGES = "coding_hours, pickup_hours, review_hours, merge_hours, merge_to_deploy_hours, lead_time_hours"


@pytest.mark.parametrize(
    ("opened", "first_commit", "reviews", "expected"),
    [
        # Written 02:00, opened 04:00, seen 05:00, approved 08:00, merged 10:00, deployed 12:00.
        ("04:00", "02:00", [("bea", "05:00", "commented"), ("bea", "08:00", "approved")], (2, 1, 3, 2, 2, 10)),
        ("04:00", "02:00", [("bea", "08:00", "approved")], (2, 4, 0, 2, 2, 10)),
        ("04:00", "02:00", [("bea", "05:00", "commented")], (2, 1, 5, None, 2, 10)),  # nobody approved
        ("04:00", "02:00", [], (2, None, None, None, 2, 10)),  # nobody looked
        ("04:00", "02:00", [("ann", "05:00", "commented"), ("ci[bot]", "06:00", "approved")],
         (2, None, None, None, 2, 10)),  # only its author and a bot
        ("04:00", "02:00", [("bea", "08:00", "approved"), ("cy", "09:00", "approved")], (2, 4, 1, 1, 2, 10)),
        ("04:00", "02:00", [("bea", "11:00", "approved")], (2, None, None, None, 2, 10)),  # after the merge
        ("02:00", "04:00", [("bea", "05:00", "commented"), ("bea", "08:00", "approved")], (0, 1, 3, 2, 2, 8)),
        ("02:00", "06:00", [("bea", "05:00", "commented"), ("bea", "08:00", "approved")], (0, 0, 2, 2, 2, 6)),
        ("02:00", "09:00", [("bea", "08:00", "approved")], (0, 0, 0, 1, 2, 3)),  # pushed again after the approval
        ("04:00", None, [("bea", "08:00", "approved")], (None, 4, 0, 2, 2, None)),
    ],
)  # fmt: skip
def test_the_stages_of_a_change_add_up_to_its_lead_time(
    warehouse: sa.Engine,
    opened: str,
    first_commit: str | None,
    reviews: list[tuple[str, str, str]],
    expected: tuple[float | None, ...],
) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 10:00", "a"),
        pull(1, f"06-02 {opened}", "06-02 10:00", "b", first_commit_at=first_commit and f"06-02 {first_commit}"),
        [review(1, who, f"06-02 {when}", state) for who, when, state in reviews],
        good(1, "a", "06-01 09:00"),
        good(2, "b", "06-02 12:00"),
    )
    deliver(warehouse, on("06-03"))
    (row,) = table(warehouse, f"select {STAGES} from changes where kind = 'pull_request'")
    assert row == expected
    *stages, lead_time = row
    if None not in (lead_time, stages[1]):
        assert sum(stage or 0 for stage in stages) == lead_time


def test_a_remark_is_a_first_review_too(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("b", "06-02 10:00"),
        pull(1, "06-02 04:00", "06-02 10:00", "b"),
        record(
            records.PullRequestEvent, event_id="1", number=1, event="commented", actor="bea", created_at="06-02 05:00"
        ),
        record(
            records.ReviewComment,
            comment_id=1,
            thread_id=1,
            number=1,
            author="cy",
            created_at="06-02 04:30",
            updated_at="06-02 04:30",
        ),
    )
    deliver(warehouse, on("06-03"))
    assert table(warehouse, "select first_review_at, pickup_hours from changes") == [("06-02 04:30", 0.5)]


# Rebuilding


HISTORY = [
    *[
        commit(
            f"c{n}",
            f"06-{n:02} 08:00",
            f"c{n - 1}" if n > 1 else "",
            directories=["apps/web"] if n % 2 else ["libs"],
            reverts_sha="c6" if n == 9 else None,
        )
        for n in range(1, 25)
    ],
    *[pull(n, f"06-{n - 1:02} 07:00", f"06-{n:02} 08:00", f"c{n}") for n in range(2, 24, 3)],
    *[tag(f"web-v1.0.{n}", f"c{n}", f"06-{n:02} 12:00") for n in range(2, 24, 4)],
    *[tag(f"api-v1.{n}.0", f"c{n}", f"06-{n:02} 13:00") for n in range(1, 24, 5)],
    *[deployment(n, f"c{n}", ("success", f"06-{n:02} 09:00"), environment="staging") for n in range(1, 24, 2)],
    deployment(30, "c4", ("success", "06-09 10:00"), environment="staging"),
    deployment(31, "c11", ("failure", "06-11 10:00"), environment="staging"),
    incident(50, "06-06 14:00", "06-13 15:00", mentions=["number:5"]),
    incident(51, "06-11 14:00", labels=["incident", "web"]),
    incident(52, "06-12 09:00", "06-12 10:00", mentions=["sha:c11"]),
    incident(53, "06-20 09:00", "06-20 10:00", labels=["incident", "staging"]),
]
EVERYWHERE = [*MONOREPO, environment("staging")]


def test_days_one_after_the_other_give_what_one_long_run_gives(warehouse: sa.Engine) -> None:
    fill(warehouse, HISTORY, chains=EVERYWHERE)
    for day in range(1, 26):
        deliver(warehouse, on(f"06-{day:02}"), first=on(f"06-{day:02}"))
    by_day = delivered(warehouse)
    for name, rows in by_day.items():
        assert rows or name == "side_commits"
    with warehouse.begin() as connection:
        for name in by_day:
            connection.execute(sa.text(f"truncate metrics.{name}"))
    deliver(warehouse, on("06-25"), first=START)
    assert delivered(warehouse) == by_day


def test_a_range_of_the_past_can_be_built_again(warehouse: sa.Engine) -> None:
    fill(warehouse, HISTORY, chains=EVERYWHERE)
    deliver(warehouse, on("06-25"))
    once = delivered(warehouse)
    for first, last in [("06-03", "06-07"), ("06-11", "06-11"), ("06-01", "06-25")]:
        deliver(warehouse, on(last), first=on(first))
        assert delivered(warehouse) == once
