"""metrics.scores: what is scored of repositories and the portfolio, and how peers stand."""

from __future__ import annotations

import json
from datetime import date

import pytest
import sqlalchemy as sa

from metrics_assets.assets.scores import derivations
from metrics_assets_tests.warehouse.tables import fill, on, table

DAY = on("06-30")


def run(warehouse: sa.Engine, first: date = DAY, last: date = DAY) -> int:
    (scores,) = derivations()
    return int(scores.run(warehouse, first, date.fromordinal(last.toordinal() + 1))["rows"])


def put(warehouse: sa.Engine, name: str, **values: object) -> None:
    with warehouse.begin() as connection:
        names = ", ".join(values)
        connection.execute(
            sa.text(f"insert into metrics.{name} ({names}) values ({', '.join(':' + one for one in values)})"), values
        )


def a_day(warehouse: sa.Engine, repository: str = "acme/api", number: int = 1, day: date = DAY, **more: object) -> None:
    """A day of a repository whose health is known in all but its forks: 70 of 100 points of each."""
    columns = {
        "repository_id": number,
        "repository": repository,
        "date": day,
        "contributors_in_window": 41,
        "contributors_in_previous_window": 40,  # growth 1.025 of 0.5 to 1.25
        "contributors_retained": 20,  # half, of 0.7
        "pull_requests_opened_in_window": 100,
        "pull_requests_merged_in_window": 75,
        "issues_open": 100,
        "issues_open_fresh": 66,
    } | more
    put(warehouse, "repository_daily", **columns)


def test_a_score_is_stored_with_what_each_component_contributed(warehouse: sa.Engine) -> None:
    fill(warehouse)
    a_day(warehouse)
    assert run(warehouse) >= 1
    ((value, coverage, components),) = table(
        warehouse,
        "select value, coverage, components from metrics.scores where score = 'repository_health'",
    )
    parts = {part["key"]: part for part in components}
    assert {key: part["points"] for key, part in parts.items()} == {
        "contributor_growth": 70.0,
        "contributor_retention": 71.43,
        "pull_request_throughput": 69.23,
        "review_velocity": None,
        "issue_freshness": 70.0,
        "fork_growth": None,
    }
    assert parts["review_velocity"]["state"] == "unknown"
    assert coverage == 0.65
    assert value == pytest.approx((15 * 70 + 15 * 71.43 + 20 * 69.23 + 15 * 70) / 65)
    assert sum(part["contribution"] or 0 for part in components) == pytest.approx(value, abs=0.03)


def test_a_run_replaces_the_days_of_its_range_alone(warehouse: sa.Engine) -> None:
    fill(warehouse)
    a_day(warehouse)
    a_day(warehouse, day=on("06-29"))
    run(warehouse, on("06-29"))
    before = table(warehouse, "select * from metrics.scores order by score, subject_kind, date")
    put(warehouse, "scores", score="gone", version=1, subject_kind="repository", subject="x", date=DAY, coverage=1,
        components=json.dumps([]))  # fmt: skip
    run(warehouse)
    assert table(warehouse, "select * from metrics.scores order by score, subject_kind, date") == before


def test_dependents_are_those_of_the_repository_s_most_used_package(warehouse: sa.Engine) -> None:
    fill(warehouse)
    a_day(warehouse)
    put(warehouse, "community_daily", subject_kind="repository", subject="acme/api", repository_id=1, date=DAY,
        created_since_months=120, updated_since_months=0, contributors_total=5000, releases_in_year=26,
        releases_days_known=365, issues_closed_90_days=5000, issues_updated_90_days=5000)  # fmt: skip
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into ops.package_settings values ('npm', 'a', 1, 'acme/api'), ('npm', 'b', 1, 'acme/api'), "
                "('npm', 'c', 2, 'acme/web')"
            )
        )
        connection.execute(
            sa.text(
                "insert into metrics.package_daily (registry, package, repository, date, dependents) values "
                "('npm', 'a', 'acme/api', :day, 500), ('npm', 'b', 'acme/api', :day, 707), "
                "('npm', 'c', 'acme/web', :day, 9999)"
            ),
            {"day": DAY},
        )
    run(warehouse)
    ((components,),) = table(warehouse, "select components from metrics.scores where score = 'criticality'")
    dependents = components[-1]
    assert (dependents["key"], dependents["value"], dependents["state"]) == ("dependents", 707.0, "ok")
    assert dependents["points"] == 0.5001  # ln 708 / ln 500001


def test_a_model_of_a_pack_counts_where_the_pack_is_on(warehouse: sa.Engine) -> None:
    from metrics_assets.assets.scores import load_scores

    fill(warehouse)
    a_day(warehouse)
    run(warehouse)
    scored = {row[0] for row in table(warehouse, "select score from metrics.scores")}
    packs = {"engineering", "community"}
    assert "repository_health" in scored
    for name, listed in load_scores().items():
        if listed.packs and not listed.packs & packs:
            assert name not in scored


# Peers.


def stars(warehouse: sa.Engine, **totals: int | None) -> None:
    for number, (name, total) in enumerate(totals.items(), start=1):
        put(warehouse, "repository_daily", repository_id=number, repository=f"acme/{name}", date=DAY,
            stars_total=total, issues_open=total)  # fmt: skip


def peers(warehouse: sa.Engine, metric: str, columns: str = 'subject, value, rank, "of", percentile, median') -> object:
    return table(warehouse, f"select {columns} from get_peers('{metric}', '2025-06-30')")


def test_peers_are_ranked_by_what_is_better_and_the_unknown_take_no_part(warehouse: sa.Engine) -> None:
    fill(warehouse)
    stars(warehouse, api=10, web=40, cli=40, docs=20, new=None)
    assert peers(warehouse, "stars_total") == [
        ("acme/cli", 40.0, 1, 4, 1.0, 30.0),
        ("acme/web", 40.0, 1, 4, 1.0, 30.0),
        ("acme/docs", 20.0, 3, 4, 0.333333, 30.0),
        ("acme/api", 10.0, 4, 4, 0.0, 30.0),
    ]
    # Fewer open issues are better.
    assert peers(warehouse, "issues_open", "subject, rank, percentile") == [
        ("acme/api", 1, 1.0),
        ("acme/docs", 2, 0.666667),
        ("acme/cli", 3, 0.333333),
        ("acme/web", 3, 0.333333),
    ]


def test_one_alone_has_no_peers(warehouse: sa.Engine) -> None:
    fill(warehouse)
    stars(warehouse, api=10)
    assert peers(warehouse, "stars_total", 'rank, "of", percentile, median') == [(1, 1, None, 10.0)]
    assert peers(warehouse, "no_such_metric") == []
    assert table(warehouse, "select * from get_peers('stars_total', '2025-06-29')") == []
