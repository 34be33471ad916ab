"""Whether the figures of the site are true: recomputed here from other tables, as they were known on the day."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site.building import site_files, site_info
from metrics_assets.assets.site.community import community_data
from metrics_assets.assets.site.delivery import read_delivery
from metrics_assets.assets.site.reading import Reading, reading_of
from metrics_assets.assets.site.repositories import files as repository_pages
from metrics_assets.assets.site.repository_rows import read_repositories
from metrics_assets.assets.site.series import read_series
from metrics_assets.assets.site.summaries import read_summaries
from metrics_assets.settings import Settings
from metrics_assets_tests.assets.site_warehouse import DAY, fill

SETTINGS = Settings.model_validate(
    {"portfolio": "Aurora", "start": "2025-06-01", "repositories": [{"github": "acme/api"}, {"github": "acme/web"}]}
)
KEY = "deployment_frequency"


def insert(engine: sa.Engine, table: str, *rows: Mapping[str, Any]) -> None:
    with engine.begin() as connection:
        for row in rows:
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"insert into {table} ({names}) values ({values})"), dict(row))


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.fixture
def filled(warehouse: sa.Engine) -> sa.Engine:
    fill(warehouse)
    return warehouse


def reading(engine: sa.Engine, day: date = DAY) -> Reading:
    return reading_of(engine, SETTINGS, day)


def pages(read: Reading) -> dict[str, str | bytes]:
    return dict(site_files(read, site_info(read)))


def rows_of(files: Mapping[str, str | bytes], path: str) -> list[dict[str, str]]:
    text = files[path]
    assert isinstance(text, str)
    return list(csv.DictReader(io.StringIO(text)))


def test_what_came_later_changes_no_byte(filled: sa.Engine) -> None:
    """Releases, deployments, failures found later, alerts, forecasts, goals, insights, anomalies, reports."""
    past = DAY - timedelta(days=40)
    insert(
        filled, "metrics.dora_daily",
        {"subject_kind": "repository", "subject": "acme/api", "repository_id": 1, "repository": "acme/api",
         "date": past, "days_observed": 28, "deployments_succeeded": 1, "deployments_in_window": 10,
         "deployment_frequency": 0.4},
    )  # fmt: skip
    release = {"repository_id": 1, "is_draft": False, "is_prerelease": False}
    insert(filled, "raw.releases", {**release, "release_id": "1", "tag": "v1", "published_at": at(past),
                                    "created_at": at(past)})  # fmt: skip
    alert = {
        "rule": "lead_time_over_two_days", "subject_kind": "repository", "subject": "acme/api", "severity": "warning",
        "state": "firing", "opened_on": past, "last_evaluated_on": past, "metric": "lead_time_hours",
        "text": "Too long.", "fired_at": at(past),
    }  # fmt: skip
    insert(filled, "ops.alerts", alert)
    before = pages(reading(filled, past))
    assert any("v1" in str(row) for row in rows_of(before, "data/releases.csv"))
    later = past + timedelta(days=3)
    insert(filled, "raw.releases", {**release, "release_id": "2", "tag": "v2", "published_at": at(later),
                                    "created_at": at(past)})  # fmt: skip
    with filled.begin() as connection:
        connection.execute(
            sa.text("update raw.releases set deleted_at = :at where release_id = '1'"), {"at": at(later)}
        )
        connection.execute(
            sa.text("update ops.alerts set state = 'resolved', resolved_on = :on, resolved_because = 'over'"),
            {"on": later},
        )
    insert(filled, "ops.alerts", {**alert, "subject": "acme/web", "opened_on": later, "fired_at": at(later)})
    insert(
        filled, "metrics.anomalies",
        {"metric": KEY, "subject_kind": "repository", "subject": "acme/api", "date": later, "state": "anomaly",
         "value": 9.0, "severity": "critical", "explanation": "Late."},
    )  # fmt: skip
    insert(
        filled, "metrics.insights",
        {"insight": "late", "subject_kind": "repository", "subject": "acme/api", "date": later, "topic": "trend",
         "weight": 9.0, "sentence": "Late.", "evidence": "{}"},
    )  # fmt: skip
    insert(
        filled, "metrics.forecasts",
        {"metric": KEY, "subject_kind": "portfolio", "subject": "Aurora", "date": later, "horizon": 30,
         "target_on": later + timedelta(days=30), "p10": 1, "p50": 2, "p90": 3, "method": "drift"},
    )  # fmt: skip
    insert(
        filled, "ops.reports",
        {"report": "weekly_digest", "period_start": later, "period_end": later, "as_of": later, "title": "Late",
         "figures": "{}", "document": "{}", "markdown": "", "html": ""},
    )  # fmt: skip
    insert(
        filled, "metrics.gate_verdicts",
        {"gate": "ready", "subject_kind": "repository", "subject": "acme/api", "repository_id": 1,
         "repository": "acme/api", "release": "v2", "released_on": later, "date": later, "verdict": "passed",
         "score": 1.0, "criteria": "[]", "missing": "{}"},
    )  # fmt: skip
    after = pages(reading(filled, past))
    assert {path for path in before if before[path] != after.get(path)} == set()
    assert after.keys() == before.keys()


def test_the_heatmap_counts_each_deployment_in_its_hour(filled: sa.Engine) -> None:
    expected: dict[tuple[int, int], tuple[int, int]] = {}
    for number in range(300):
        when = at(DAY, 0) + timedelta(hours=23) - timedelta(hours=13 * number)
        outcome = "failed" if number % 4 == 0 else "succeeded"
        insert(
            filled, "metrics.deployments",
            {"repository_id": 1, "chain": "", "repository": "acme/api", "deployment_key": str(number),
             "environment": "production", "source": "releases", "outcome": outcome, "created_at": when,
             "finished_at": when},
        )  # fmt: skip
        if when.date() > DAY - timedelta(days=90):
            finished, failed = expected.get((when.isoweekday(), when.hour), (0, 0))
            expected[when.isoweekday(), when.hour] = (finished + 1, failed + (outcome == "failed"))
    found = read_delivery(reading(filled), site_info(reading(filled))).hours
    assert found == expected


def test_peers_are_ranked_and_have_the_median_of_all(filled: sa.Engine) -> None:
    values = {"acme/api": 30.0, "acme/web": 10.0, "acme/a": 20.0, "acme/b": 80.0}
    with filled.begin() as connection:
        connection.execute(
            sa.text("update metrics.dora_daily set lead_time_hours = case subject when 'acme/api' then 30 else 10 end, "
                    "lead_time_n = 9")
        )  # fmt: skip
    for number, name in enumerate(("acme/a", "acme/b", "acme/few"), start=3):
        insert(
            filled, "metrics.dora_daily",
            {"subject_kind": "repository", "subject": name, "repository_id": number, "repository": name, "date": DAY,
             "days_observed": 28, "lead_time_hours": values.get(name, 1.0), "lead_time_n": 9 if name in values else 1},
        )  # fmt: skip
    read = reading(filled)
    found = {
        one.summary.repository: next((peer for peer in one.peers if peer.metric == "lead_time_hours"), None)
        for one in read_repositories(read, read_summaries(read, (), ()), (), (), ())
    }
    api, web = found["acme/api"], found["acme/web"]
    assert api is not None
    assert web is not None
    assert (web.rank, web.of, web.median) == (1, 4, median(values.values()))  # few rows take no part
    assert (api.rank, api.of) == (1 + sum(value < 30 for value in values.values()), 4)


def test_an_unknown_figure_is_no_nought_and_is_compared_with_nothing(filled: sa.Engine) -> None:
    """The day has no figure, or stands on too few rows; the day 28 days before has one, or the other way round."""
    before = DAY - timedelta(days=28)
    insert(
        filled, "metrics.dora_daily",
        *(
            {"subject_kind": "repository", "subject": name, "repository_id": number, "repository": name,
             "date": before, "days_observed": 28, "lead_time_hours": lead, "lead_time_n": 1 if lead == 7777 else 9}
            for number, name, lead in ((1, "acme/api", 5555.0), (2, "acme/web", 7777.0))
        ),
    )  # fmt: skip
    with filled.begin() as connection:
        connection.execute(
            sa.text("update metrics.dora_daily set lead_time_hours = 9, lead_time_n = 9 where subject = 'acme/web' "
                    "and date = :day"), {"day": DAY},
        )  # fmt: skip
    read = reading(filled)
    files = dict(repository_pages(read, site_info(read)))
    for row in rows_of(files, "data/repositories.csv"):
        known = row["repository"] == "acme/web"
        assert row["lead_time_hours"] == ("9.0" if known else "")
    points = read_series(read, ["lead_time_hours"], "repository")["acme/web", "lead_time_hours"].points
    assert [(point.value, point.state) for point in points if point.on == before] == [(None, "too_few")]
    web = files["repo/acme.web.html"]
    assert isinstance(web, str)
    assert "7,777" not in web
    assert "not known 28 days before" in web


def test_too_few_days_have_no_tier_on_any_page(filled: sa.Engine) -> None:
    with filled.begin() as connection:
        connection.execute(sa.text("update metrics.dora_daily set days_observed = 6 where subject = 'acme/api'"))
    series = read_series(reading(filled), [KEY], "repository")
    assert series["acme/api", KEY].points[-1].value == 0.7
    assert series["acme/api", KEY].tier is None
    assert series["acme/web", KEY].tier is not None
    rows = {row["repository"]: row for row in rows_of(pages(reading(filled)), "data/repositories.csv")}
    assert rows["acme/api"][f"{KEY}_tier"] == ""
    assert rows["acme/web"][f"{KEY}_tier"] == series["acme/web", KEY].tier


def test_a_team_named_like_another_subject_doubles_no_row(filled: sa.Engine) -> None:
    def stand(kind: str, subject: str, value: float) -> None:
        insert(
            filled, "metrics.durations_daily",
            {"subject_kind": kind, "subject": subject, "date": DAY, "pull_request_first_response_hours": value,
             "pull_request_first_response_n": 9},
        )  # fmt: skip

    stand("team", "Aurora", 77.0)
    stand("team", "acme/api", 88.0)
    stand("portfolio", "Aurora", 5.0)
    stand("repository", "acme/api", 6.0)
    call = "select metric, value from metrics.get_chaoss_model('starter_project_health', :subject, :day"
    with filled.connect() as connection:
        models = connection.execute(
            sa.text("select count(*) from metrics.chaoss_models where model = 'starter_project_health'")
        ).scalar()
        for subject, kind, expected in (
            ("Aurora", None, 5.0), ("acme/api", None, 6.0), ("Aurora", "team", 77.0), ("acme/api", "team", 88.0),
            ("acme/api", "repository", 6.0),
        ):  # fmt: skip
            sql = sa.text(f"{call})" if kind is None else f"{call}, '{kind}')")
            rows = connection.execute(sql, {"subject": subject, "day": DAY}).all()
            assert len(rows) == models
            assert expected in [row.value for row in rows]
    read = reading(filled)
    told = [row for model in community_data(read, site_info(read)).models for row in model.rows]
    assert 5.0 in [row.value for row in told]
    assert 77.0 not in [row.value for row in told]


def test_a_portfolio_of_one_repository_without_deployments_is_built(filled: sa.Engine) -> None:
    """What never shipped has no delivery figures: none is nought, and the pages say so."""
    with filled.begin() as connection:
        connection.execute(sa.text("delete from metrics.dora_daily"))
        connection.execute(sa.text("delete from ops.repository_settings where repository = 'acme/web'"))
    files = pages(reading(filled))
    (row,) = rows_of(files, "data/repositories.csv")
    assert row["repository"] == "acme/api"
    assert {value for name, value in row.items() if name.startswith(("deployment", "lead", "change", "failed"))} <= {
        "", "unknown",
    }  # fmt: skip
    assert "Not known" in str(files["index.html"])


def test_the_same_data_makes_the_same_bytes(filled: sa.Engine) -> None:
    assert pages(reading(filled)) == pages(reading(filled))
