"""Deployments, and the changes that they shipped: small histories and the tables that come of them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics_assets.analysis.reachability import beside_the_line, first_containing
from metrics_assets_tests.warehouse.tables import (
    commit,
    day,
    deliver,
    deployment,
    derive,
    fill,
    good,
    on,
    pull,
    release,
    table,
    tag,
)

DEPLOYMENTS = "select deployment_key, finished_at, outcome from deployments order by finished_at, deployment_key"
CHANGES = "select change_key, state, deployment_key, lead_time_hours from changes order by merged_at"


# Which events are deployments


def test_a_deployment_is_when_it_first_succeeded(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        deployment(1, "a", ("in_progress", "06-02 10:00"), ("success", "06-02 10:05"), ("inactive", "06-03 09:00")),
        deployment(2, "b", ("failure", "06-03 09:00"), ("success", "06-03 09:10"), ("success", "06-03 12:00")),
        deployment(3, "c", ("error", "06-04 09:00"), ("inactive", "06-05 09:00")),
        deployment(4, "d", ("queued", "06-05 09:00"), ("in_progress", "06-05 09:01")),
        deployment(5, "e", ("success", "06-05 10:00"), environment="staging"),
    )
    derive(warehouse, on("06-06"))
    assert table(warehouse, DEPLOYMENTS) == [
        ("deployment:1", "06-02 10:05", "succeeded"),
        ("deployment:2", "06-03 09:10", "succeeded"),
        ("deployment:3", "06-04 09:00", "failed"),
    ]


def test_drafts_and_prereleases_do_not_ship(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        release(1, "v1.0.0", "06-02"),
        release(2, "v1.1.0", "06-03", is_prerelease=True),
        release(3, "v1.2.0", None, is_draft=True),
        release(4, "v1.3.0", "06-05", is_draft=True),
    )
    derive(warehouse, on("06-06"))
    assert table(warehouse, DEPLOYMENTS) == [("release:1", "06-02 00:00", "succeeded")]


SOURCES: list[Any] = [
    tag("v1.0", "a", "06-02"),
    tag("v1.1", "a", "06-03"),
    tag("rc-2", "a", "06-04"),
    tag("v2.0", "a", "06-05"),
    release(9, "v2.0", "06-05 01:00"),
    release(10, "v1.0", "06-06"),  # written for an old tag
    *good(1, "a", "06-07 10:00"),
    release(11, "v3.0", "06-08"),
    commit("a", "06-02"),
    commit("b", "06-09", "a"),
]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("auto", ["tag:v1.0 06-02", "tag:v1.1 06-03", "release:9 06-05", "deployment:1 06-07"]),
        ("deployments", ["deployment:1 06-07"]),
        ("releases", ["release:9 06-05", "release:10 06-06", "release:11 06-08"]),
        ("tags", ["tag:v1.0 06-02", "tag:v1.1 06-03", "tag:v2.0 06-05"]),
        ("pushes", ["push:a 06-02", "push:b 06-09"]),
        ("none", []),
    ],
)
def test_the_source_as_configured_or_the_best_so_far(warehouse: sa.Engine, source: str, expected: list[str]) -> None:
    fill(warehouse, SOURCES, deployment_source=source)
    derive(warehouse, on("06-10"))
    rows = table(warehouse, "select deployment_key, finished_at::date from deployments order by finished_at")
    assert [f"{key} {date}" for key, date in rows] == expected
    last = expected[-1].split()[0] if expected else None
    kinds = {"tag": "tags", "release": "releases", "deployment": "deployments", "push": "pushes"}
    assert day(warehouse, "dora_daily", "06-10", "deployment_source") == (kinds[last.split(":")[0]] if last else None)


def test_adopting_a_better_source_does_not_rewrite_the_past(warehouse: sa.Engine) -> None:
    before = [row for row in SOURCES if getattr(row, "tag", "").startswith("v1") and not hasattr(row, "release_id")]
    fill(warehouse, before)
    derive(warehouse, on("06-04"))
    past = (
        "select date, deployments_succeeded, deployment_source from dora_daily "
        "where subject_kind = 'repository' and date < '2025-06-05' order by 1"
    )
    seen = table(warehouse, past)
    assert seen[1:3] == [("06-02", 1, "tags"), ("06-03", 1, "tags")]
    fill(warehouse, SOURCES)
    derive(warehouse, on("06-10"))
    assert table(warehouse, past) == seen


# What they shipped


def test_a_change_ships_with_the_deployment_that_contains_it_and_not_with_the_next_by_date(
    warehouse: sa.Engine,
) -> None:
    # base - m(#1) - n(#2)          main
    #     \- h(#3)                  a hotfix, deployed before main's older merge
    fill(
        warehouse,
        commit("base", "06-01 08:00"),
        commit("m", "06-02 10:00", "base"),
        commit("h", "06-02 12:00", "base", default=False),
        commit("n", "06-03 10:00", "m"),
        pull(1, "06-02 04:00", "06-02 10:00", "m"),
        pull(3, "06-02 11:00", "06-02 12:00", "h"),
        pull(2, "06-03 00:00", "06-03 10:00", "n"),
        good(1, "base", "06-01 09:00"),
        good(2, "h", "06-02 13:00"),
        good(3, "n", "06-04 10:00"),
    )
    derive(warehouse, on("06-05"))
    assert table(warehouse, CHANGES) == [
        ("commit:base", "baseline", "deployment:1", None),
        ("pull_request:1", "shipped", "deployment:3", 54.0),  # 06-02 04:00 to 06-04 10:00
        ("pull_request:3", "shipped", "deployment:2", 2.0),
        ("pull_request:2", "shipped", "deployment:3", 34.0),
    ]
    counts = (
        "select date, changes_shipped, changes_waiting, lead_time_hours from dora_daily "
        "where subject_kind = 'repository' order by date"
    )
    assert table(warehouse, counts) == [
        ("06-01", 0, 0, None),
        ("06-02", 1, 1, 2.0),
        ("06-03", 0, 2, 2.0),
        ("06-04", 2, 0, 34.0),  # the middle one of 2, 34 and 54
        ("06-05", 0, 0, 34.0),
    ]


def test_waiting_and_untied_changes_say_why(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a", author="dependabot[bot]"),
        pull(1, "06-02", "06-02 08:00", "b"),
        pull(2, "06-02", "06-02 09:00", "gone"),
        pull(3, "06-02", "06-02 10:00", None),
        good(1, "a", "06-01 09:00"),
    )
    derive(warehouse, on("06-03"))
    assert table(warehouse, "select change_key, state, reason from changes order by merged_at") == [
        ("commit:a", "baseline", "contained in the first deployment known, which ships nothing"),
        ("pull_request:1", "waiting", "no deployment contains it yet"),
        ("pull_request:2", "untied", "its merge commit is on no collected branch"),
        ("pull_request:3", "untied", "the provider names no merge commit"),
    ]
    assert day(warehouse, "dora_daily", "06-03", "changes_waiting") == 1


def test_squashes_merges_and_direct_commits_are_one_change_each(warehouse: sa.Engine) -> None:
    # a - s(#1 squashed) - d(direct) - w(merge of #2: x, y) - z (names #1 only, as an upstream's number would)
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("s", "06-02 08:00", "a", pull_request_number=1),
        commit("d", "06-03 08:00", "s", authored_at="06-03 06:00"),
        commit("x", "06-02 09:00", "s"),
        commit("y", "06-02 10:00", "x"),
        commit("w", "06-04 08:00", "d y"),
        commit("z", "06-04 09:00", "w", pull_request_number=77),
        pull(1, "06-02", "06-02 08:00", "s"),
        pull(2, "06-02", "06-04 08:00", "w"),
        good(1, "a", "06-01 09:00"),
        good(2, "z", "06-05 08:00"),
    )
    derive(warehouse, on("06-05"))
    assert table(warehouse, CHANGES)[1:] == [
        ("pull_request:1", "shipped", "deployment:2", 80.0),
        ("commit:d", "shipped", "deployment:2", 50.0),
        ("pull_request:2", "shipped", "deployment:2", 80.0),
        ("commit:z", "shipped", "deployment:2", 23.0),
    ]


def test_a_rollback_ships_nothing(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a"),
        commit("c", "06-03 08:00", "b"),
        good(1, "a", "06-01 09:00"),
        good(2, "b", "06-02 09:00"),
        good(3, "a", "06-02 10:00"),
        good(4, "c", "06-03 09:00"),
    )
    derive(warehouse, on("06-03"))
    assert [row[2] for row in table(warehouse, CHANGES)] == ["deployment:1", "deployment:2", "deployment:4"]
    assert day(warehouse, "dora_daily", "06-02", "deployments_succeeded", "changes_shipped") == (2, 1)


def test_a_failed_deployment_ships_nothing(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a"),
        good(1, "a", "06-01 09:00"),
        deployment(2, "b", ("failure", "06-02 09:00")),
        good(3, "b", "06-03 09:00"),
    )
    derive(warehouse, on("06-03"))
    assert table(warehouse, CHANGES)[1] == ("commit:b", "shipped", "deployment:3", 25.0)


def test_a_later_range_brings_an_old_change_up_to_date(warehouse: sa.Engine) -> None:
    history = [
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a"),
        pull(1, "06-02", "06-02 08:00", "b"),
        good(1, "a", "06-01 09:00"),
        good(2, "b", "08-20 08:00"),
    ]
    fill(warehouse, history)
    derive(warehouse, on("06-05"))
    assert table(warehouse, CHANGES)[1] == ("pull_request:1", "waiting", None, None)
    derive(warehouse, on("08-20"), first=on("08-18"))
    assert table(warehouse, CHANGES)[1] == ("pull_request:1", "shipped", "deployment:2", 79 * 24 + 8.0)


def test_an_unknown_first_commit_is_no_lead_time_of_zero(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        commit("a", "06-01 08:00"),
        commit("b", "06-02 08:00", "a"),
        pull(1, "06-02", "06-02 08:00", "b", first_commit_at=None),
        good(1, "a", "06-01 09:00"),
        good(2, "b", "06-02 09:00"),
    )
    derive(warehouse, on("06-02"))
    columns = ("pr_lead_hours", "pr_lead_n", "lead_time_hours", "lead_time_n", "changes_shipped")
    assert day(warehouse, "dora_daily", "06-02", *columns) == (None, 0, None, 0, 1)


# Reachability, against sets of ancestors


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], list[tuple[str, str]], int]:
    """A commit graph (some parents unknown), deployments of it, and how many of those came in an earlier run."""
    size = draw(st.integers(1, 14))
    parents = {
        f"c{n}": [f"c{p}" for p in draw(st.lists(st.integers(-2, n - 1), max_size=3, unique=True))] for n in range(size)
    }
    shas = draw(st.lists(st.integers(-2, size - 1), max_size=6))
    deployments = [(f"d{position}", f"c{sha}") for position, sha in enumerate(shas)]
    return parents, deployments, draw(st.integers(0, len(deployments)))


def ancestors(parents: dict[str, list[str]], sha: str) -> set[str]:
    if sha not in parents:
        return set()
    return {sha}.union(*(ancestors(parents, parent) for parent in parents[sha]))


@settings(deadline=None, max_examples=300)
@given(graphs())
def test_first_containing_agrees_with_sets_of_ancestors(graph: Any) -> None:
    parents, deployments, earlier = graph
    expected: dict[str, str] = {}
    for deployment_, sha in deployments:
        for one in ancestors(parents, sha):
            expected.setdefault(one, deployment_)
    assert first_containing(parents, deployments) == expected

    before = first_containing(parents, deployments[:earlier])
    unshipped = {sha: of for sha, of in parents.items() if sha not in before}
    assert before | first_containing(unshipped, deployments[earlier:]) == expected


@settings(max_examples=300)
@given(graphs())
def test_beside_the_line_is_what_no_first_parents_lead_to(graph: Any) -> None:
    parents = {sha: [one for one in above if one in graph[0]] for sha, above in graph[0].items()}
    heads = parents.keys() - {one for above in parents.values() for one in above}
    line: set[str] = set()
    for sha in heads:
        line.add(sha)
        while parents[sha]:
            sha = parents[sha][0]
            line.add(sha)
    assert beside_the_line(parents) == parents.keys() - line


def test_days_of_shipping_agree_with_one_run_also_on_branches_that_are_old(warehouse: sa.Engine) -> None:
    # main 1 - 2 - ... - 25 and old - older work that is merged on the 20th, from before any window
    rows: list[Any] = [commit("c0", "01-01 08:00"), commit("old1", "01-02", "c0"), commit("old2", "01-03", "old1")]
    for n in range(1, 26):
        rows.append(commit(f"c{n}", f"06-{n:02} 08:00", f"c{n - 1}" + (" old2" if n == 20 else "")))
        if n % 4 == 0:
            rows += good(n, f"c{n}", f"06-{n:02} 12:00")
    rows += good(50, "c8", "06-13 10:00")  # back
    fill(warehouse, rows)
    for n in range(1, 27):
        deliver(warehouse, on(f"06-{n:02}"), first=on(f"06-{n:02}"))
    shipped = "select sha, deployment_key, is_baseline from deployment_commits order by 1"
    by_day = table(warehouse, shipped)
    assert ("old1", "deployment:20", False) in by_day
    assert ("c0", "deployment:4", True) in by_day
    deliver(warehouse, on("06-26"))
    assert table(warehouse, shipped) == by_day
