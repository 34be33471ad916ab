"""Anomalies in the warehouse: figures in, verdicts out. The last known day is Sunday, 1 June 2025."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from metrics_assets.analysis.detection import LOOK_BACK
from metrics_assets.assets import anomalies
from metrics_assets.assets.anomalies import derivation, find_anomalies
from metrics_assets.catalogue.metrics import Catalogue, Metric, load_catalogue
from metrics_assets.warehouse.known_events import Explanation, KnownEvent, KnownEvents
from metrics_assets_tests.warehouse.tables import on, table

SHARED: dict[str, Any] = {"definition": "D", "unknown": "Nobody counted.", "fed": "kpi_values", "direction": "neutral"}
CATALOGUE = Catalogue(
    metrics={
        metric.key: metric
        for metric in (
            Metric(key="visits", title="Visits", unit="count", **SHARED),
            Metric(key="wait", title="Wait", unit="hours", **SHARED),
            *(
                Metric(key=key, title=key, unit="count", **SHARED)
                for key in ("incidents_opened", "package_releases", "releases_yanked", "advisories_open", "mentions")
            ),
            Metric(key="total", title="Total", unit="count", anomalies=False, **SHARED),
        )
    }
)
DAY = on("06-01")
WEEK = [12.0, 14.0, 13.0, 15.0, 12.0, 3.0, 2.0]
SPIKE = [*(WEEK * 12)[:-1], 60.0]


def figures(
    engine: sa.Engine, values: Iterable[float | None], metric: str = "visits", subject: str = "acme/api",
    kind: str = "repository", last: date = DAY, state: str = "ok", n: int | None = None,
) -> None:  # fmt: skip
    """One value a day, the last one on `last`; None is unknown."""
    every = list(values)
    rows = [
        {
            "metric": metric, "kind": kind, "subject": subject, "n": n,
            "date": last - timedelta(days=len(every) - 1 - at), "value": value,
            "state": state if value is not None else "unknown",
        }
        for at, value in enumerate(every)
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.fed_daily (metric, subject_kind, subject, date, value, n, state) "
                "values (:metric, :kind, :subject, :date, :value, :n, :state)"
            ),
            rows,
        )


def find(engine: sa.Engine, first: date = DAY, last: date = DAY) -> Any:
    return find_anomalies(engine, first, last + timedelta(days=1), CATALOGUE)


def told(engine: sa.Engine) -> list[tuple[Any, ...]]:
    return table(
        engine,
        "select subject, date, kind, severity, known_event from metrics.anomalies where state = 'anomaly' "
        "order by subject, date",
    )


def everything(engine: sa.Engine) -> list[tuple[Any, ...]]:
    return table(engine, "select a::text from metrics.anomalies as a order by 1")


def lively(days: int, seed: int = 3) -> list[float | None]:
    """Counts with weekends, holes, a spike, a level shift and a gap; the last day is a Sunday."""
    rng = np.random.default_rng(seed)
    rate = np.resize(np.array(WEEK[::-1]), days)[::-1] * 2.0
    rate[-20:] *= 2.5
    values: list[float | None] = [float(value) for value in rng.poisson(rate)]
    values[-70] = 200.0
    values[-45:-40] = [None] * 5
    return [None if hole else value for hole, value in zip(rng.random(days) < 0.02, values, strict=True)]


def test_a_spike_is_a_row_with_what_was_expected_and_a_sentence(warehouse: sa.Engine) -> None:
    figures(warehouse, SPIKE, n=60)
    found = find(warehouse)
    assert (found["rows"], found["anomalies"], found["spike"]) == (1, 1, 1)
    ((row,),) = table(warehouse, "select to_jsonb(a) from metrics.anomalies as a")
    assert (row["metric"], row["subject_kind"], row["subject"], row["date"]) == (
        "visits", "repository", "acme/api", "2025-06-01",
    )  # fmt: skip
    assert (row["value"], row["n"], row["state"], row["kind"], row["severity"]) == (
        60,
        60,
        "anomaly",
        "spike",
        "critical",
    )
    assert row["expected"] == pytest.approx(2, abs=0.5)
    assert row["lower"] < row["expected"] < row["upper"] < 60
    assert row["score"] > 5
    assert row["methods"][:2] == ["residual rule", "classifier"]
    assert row["explanation"].startswith("Visits: 60; 2 expected (0 to ")
    assert "from 56 days; weekday pattern used). Spike: " in row["explanation"]


def test_an_ordinary_day_has_a_row_without_a_sentence(warehouse: sa.Engine) -> None:
    figures(warehouse, WEEK * 12)
    figures(warehouse, WEEK * 12, metric="total")
    assert find(warehouse)["rows"] == 1
    assert table(
        warehouse,
        "select metric, value, state, kind, severity, explanation, methods, abs(score) < 1 from metrics.anomalies",
    ) == [("visits", 2.0, "normal", None, None, None, None, True)]


def test_a_short_history_says_too_few(warehouse: sa.Engine) -> None:
    figures(warehouse, [5.0] * 20 + [500.0], subject="young")
    figures(warehouse, SPIKE, subject="weak", state="too_few", n=2)
    assert find(warehouse)["too_few"] == 2
    assert table(
        warehouse,
        "select subject, value, n, state, expected, score, explanation from metrics.anomalies order by subject",
    ) == [
        ("weak", 60.0, 2, "too_few", None, None, "Not judged: the figure itself stands on too few."),
        ("young", 500.0, None, "too_few", None, None, "Not judged: only 20 of 28 days are known."),
    ]  # fmt: skip


def test_a_value_that_stands_on_too_few_is_passed_on_unjudged(warehouse: sa.Engine) -> None:
    figures(warehouse, WEEK * 12, last=DAY - timedelta(days=1))
    figures(warehouse, [60.0], state="too_few", n=2)
    find(warehouse)
    assert table(warehouse, "select value, n, state, explanation from metrics.anomalies") == [
        (60.0, 2, "too_few", "Not judged: the figure itself stands on too few.")
    ]


def test_a_gap_is_told_once_and_a_series_that_stopped_has_no_rows(warehouse: sa.Engine) -> None:
    figures(warehouse, WEEK * 12, last=DAY - timedelta(days=40))
    found = find(warehouse, DAY - timedelta(days=39))
    assert (found["rows"], found["anomalies"], found["missing_data"]) == (28, 1, 1)
    ((value, methods, explanation),) = table(
        warehouse, "select value, methods, explanation from metrics.anomalies where kind = 'missing_data'"
    )
    assert (value, methods) == (None, [])
    assert explanation.startswith("Visits: no value for 2 days, although 5")


@pytest.mark.parametrize(
    ("kind", "subject", "event", "words"),
    [
        ("community", "reddit:acme", "insert into raw.mentions", "a story with 300 points on 2025-05-31"),
        ("package", "npm:acme", "insert into raw.package_releases", "version 2.0 on 2025-05-31"),
        ("package", "npm:acme", "insert into raw.releases", "release v2.0 on 2025-05-30"),
        ("repository", "acme/api", "insert into raw.releases", "release v2.0 on 2025-05-30"),
        ("service", "acme/api#web", "insert into raw.releases", "release v2.0 on 2025-05-30"),
        ("team", "core", "insert into raw.events", "Spring sale on 2025-06-01"),
        ("repository", "acme/web", "insert into raw.releases", None),  # another repository's
        ("repository", "acme/api", "too early", None),
    ],
)
def test_a_known_event_lowers_the_severity_and_is_named(
    warehouse: sa.Engine, kind: str, subject: str, event: str, words: str | None
) -> None:
    figures(warehouse, SPIKE, kind=kind, subject=subject)
    happen(warehouse, event)
    find(warehouse)
    assert told(warehouse) == [(subject, "06-01", "spike", "warning" if words else "critical", words)]
    ((explanation,),) = table(warehouse, "select explanation from metrics.anomalies")
    assert explanation.partition(" It may be ")[2] == (f"explained by {words}." if words else "")


def happen(engine: sa.Engine, event: str) -> None:
    """An event, by the beginning of its insert; what it belongs to is there as well."""
    statements = {
        "insert into raw.mentions": "insert into raw.mentions "
        "(platform, community, mention_id, kind, created_at, score) "
        "values ('reddit', 'acme', '1', 'post', '2025-05-31 12:00+00', 300)",
        "insert into raw.package_releases": "insert into raw.package_releases "
        "(registry, package, version, published_at, is_prerelease, is_yanked) "
        "values ('npm', 'acme', '2.0', '2025-05-31 12:00+00', false, false)",
        "insert into raw.releases": "insert into raw.releases "
        "(repository_id, release_id, tag, published_at, created_at, is_draft, is_prerelease) "
        "values (1, 1, 'v2.0', '2025-05-30 23:59+00', '2025-05-30', false, false)",
        "too early": "insert into raw.releases "
        "(repository_id, release_id, tag, published_at, created_at, is_draft, is_prerelease) "
        "values (1, 1, 'v2.0', '2025-05-29 23:59+00', '2025-05-29', false, false)",
        "a yank": "insert into raw.package_releases "
        "(registry, package, version, published_at, is_prerelease, is_yanked, yanked_noticed_at) "
        "values ('npm', 'acme', '2.0', '2025-01-01', false, true, '2025-05-31 12:00+00')",
        "an advisory": "insert into raw.package_advisories (registry, package, advisory_id, published_at) "
        "values ('npm', 'acme', 'GHSA-1', '2025-05-31 12:00+00')",
        "an incident": "insert into metrics.incidents "
        "(repository_id, repository, issue_number, severity, status, created_at) "
        "values (1, 'acme/api', 7, 'unknown', 'open', '2025-05-31 12:00+00')",
        "a story": "insert into raw.mentions (platform, community, mention_id, kind, created_at, score) "
        "values ('reddit', 'acme', '1', 'post', '2025-05-31 12:00+00', 300)",
        "an outage": "insert into raw.events (event_id, occurred_at, kind, title) "
        "values ('o', '2025-06-01 06:00+00', 'outage', 'The cloud was down')",
        "insert into raw.events": "insert into raw.events (event_id, occurred_at, kind, title) "
        "values ('e', '2025-06-01 06:00+00', 'campaign', 'Spring sale')",
    }
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
            "values ('acme', '2025-01-01', 3, 3, 'x')"
        )
        connection.exec_driver_sql(
            "insert into ops.repository_settings (repository_id, repository, deployment_source, environment, "
            "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
            "values (1, 'acme/api', 'auto', 'production', 'v', array['incident'], 24, array['releases'])"
        )
        connection.exec_driver_sql(
            "insert into ops.package_settings (registry, package, repository_id, repository) "
            "values ('npm', 'acme', 1, 'acme/api')"
        )
        connection.exec_driver_sql(statements[event])


@pytest.mark.parametrize(
    ("metric", "kind", "subject", "event", "words"),
    [
        ("visits", "repository", "acme/api", "an incident", "incident #7 on 2025-05-31"),
        ("visits", "package", "npm:acme", "a yank", "version 2.0 was yanked on 2025-05-31"),
        ("visits", "package", "npm:acme", "an advisory", "advisory GHSA-1 on 2025-05-31"),
        ("visits", "team", "core", "an outage", "The cloud was down on 2025-06-01"),
        # What the figure counts does not explain it.
        ("incidents_opened", "repository", "acme/api", "an incident", None),
        ("package_releases", "package", "npm:acme", "insert into raw.package_releases", None),
        ("package_releases", "package", "npm:acme", "insert into raw.releases", None),
        ("releases_yanked", "package", "npm:acme", "a yank", None),
        ("advisories_open", "package", "npm:acme", "an advisory", None),
        ("mentions", "community", "reddit:acme", "a story", None),
    ],
)
def test_what_is_bad_itself_or_counted_makes_a_jump_no_better(
    warehouse: sa.Engine, metric: str, kind: str, subject: str, event: str, words: str | None
) -> None:
    figures(warehouse, SPIKE, metric=metric, kind=kind, subject=subject)
    happen(warehouse, event)
    find(warehouse)
    assert told(warehouse) == [(subject, "06-01", "spike", "critical", words)]


def test_of_a_counted_event_and_another_the_other_one_is_named_and_the_jump_is_as_bad() -> None:
    day = date(2025, 6, 1)
    happened = {
        ("repository", "acme/api", day): [KnownEvent("incident", "incident #7")],
        ("repository", "acme/api", date(2025, 5, 30)): [KnownEvent("release", "release v2.0")],
    }
    events = KnownEvents(happened, {})
    of_api = ("repository", "acme/api")
    assert events.of(*of_api, day, 3) == Explanation("incident #7 on 2025-06-01", excuses=False)
    assert events.of(*of_api, day, 3, ("incident",)) == Explanation("release v2.0 on 2025-05-30", excuses=False)
    assert events.of(*of_api, date(2025, 5, 31), 3) == Explanation("release v2.0 on 2025-05-30", excuses=True)
    assert events.of("repository", "acme/web", day, 3) is None


def test_a_title_with_a_lone_carriage_return_is_written(warehouse: sa.Engine) -> None:
    figures(warehouse, SPIKE)
    happen(warehouse, "insert into raw.releases")
    with warehouse.begin() as connection:
        connection.execute(sa.text("update raw.releases set tag = :tag"), {"tag": "v2\rbeta"})
    find(warehouse)
    assert told(warehouse) == [("acme/api", "06-01", "spike", "warning", "release v2\rbeta on 2025-05-30")]


def test_of_a_subject_that_is_named_no_more_nothing_is_missing(warehouse: sa.Engine) -> None:
    stopped = DAY - timedelta(days=40)
    for subject in ("acme/api", "acme/gone"):
        figures(warehouse, WEEK * 12, last=stopped, subject=subject)
    figures(warehouse, WEEK * 12, last=stopped, kind="segment", subject="EMEA")
    happen(warehouse, "too early")  # metrics.yaml names acme/api
    find(warehouse, stopped - timedelta(days=1))
    assert table(
        warehouse,
        "select subject, count(value), count(*) filter (where kind = 'missing_data'), count(*) "
        "from metrics.anomalies group by subject order by subject",
    ) == [("EMEA", 2, 1, 30), ("acme/api", 2, 1, 30), ("acme/gone", 2, 0, 2)]


def test_an_event_explains_a_jump_and_nothing_else(warehouse: sa.Engine) -> None:
    figures(warehouse, WEEK * 12, last=DAY - timedelta(days=2))
    happen(warehouse, "insert into raw.releases")
    find(warehouse, DAY - timedelta(days=1))
    assert told(warehouse) == [("acme/api", "06-01", "missing_data", "warning", None)]


def test_verdicts_of_a_range_at_once_in_parts_and_day_by_day_are_the_same(warehouse: sa.Engine) -> None:
    figures(warehouse, lively(400))
    figures(warehouse, [value and value * 3 + 0.5 for value in lively(150, seed=4)], metric="wait")
    figures(warehouse, [0.0 if number % 5 else 1.0 for number in range(300)], subject="acme/quiet")
    first = DAY - timedelta(days=79)
    whole_run = find(warehouse, first)
    whole = everything(warehouse)
    assert whole_run["rows"] == len(whole) == 240
    assert {kind for _, _, kind, _, _ in told(warehouse)} >= {"spike", "level_shift", "missing_data"}
    for days in (33, 1):
        with warehouse.begin() as connection:
            connection.exec_driver_sql("delete from metrics.anomalies")
        for begin in range(0, 80, days):
            find(warehouse, first + timedelta(days=begin), min(first + timedelta(days=begin + days - 1), DAY))
        assert everything(warehouse) == whole


def test_a_rebuild_of_the_past_gives_its_rows_again_and_leaves_the_others(warehouse: sa.Engine) -> None:
    first = DAY - timedelta(days=59)
    figures(warehouse, lively(400)[:370], last=DAY - timedelta(days=30))
    find(warehouse, first, DAY - timedelta(days=30))
    before = everything(warehouse)
    figures(warehouse, lively(400)[370:])
    find(warehouse, DAY - timedelta(days=29))
    after = everything(warehouse)
    find(warehouse, first, DAY - timedelta(days=30))
    assert everything(warehouse) == after
    assert [row for row in after if row in before] == before


def test_what_is_judged_at_once_does_not_matter(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    figures(warehouse, lively(330))
    figures(warehouse, lively(330, seed=5), metric="wait", subject="acme/web")
    find(warehouse, DAY - timedelta(days=40))
    whole = everything(warehouse)
    monkeypatch.setattr(anomalies, "_CELLS_AT_ONCE", 1)
    monkeypatch.setattr(anomalies, "_DAYS_AT_ONCE", 7)
    find(warehouse, DAY - timedelta(days=40))
    assert everything(warehouse) == whole


def test_only_subjects_that_are_predicted_have_rows(warehouse: sa.Engine) -> None:
    figures(warehouse, WEEK * 12, kind="environment", subject="acme/api@staging")
    figures(warehouse, WEEK * 12, kind="segment", subject='EMEA\'s, "large"\nones')
    assert find(warehouse)["rows"] == 1
    assert table(warehouse, "select subject_kind, subject from metrics.anomalies") == [
        ("segment", 'EMEA\'s, "large"\nones')
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e308, -1e308, -5.0])
def test_hostile_values_are_judged_or_passed(warehouse: sa.Engine, value: float) -> None:
    figures(warehouse, [*(WEEK * 12)[:-1], value])
    figures(warehouse, [value] * 84, subject="always")
    find(warehouse)
    for numbers in table(warehouse, "select value, expected, lower, upper, score from metrics.anomalies"):
        assert all(number is None or math.isfinite(number) for number in numbers)
    states = dict(table(warehouse, "select subject, state from metrics.anomalies"))
    assert states == {} if not math.isfinite(value) and "acme/api" not in states else "acme/api" in states


def test_without_any_figure_there_is_no_row(warehouse: sa.Engine) -> None:
    assert find(warehouse)["rows"] == 0


def test_the_asset_reads_the_tables_of_the_watched_metrics(warehouse: sa.Engine) -> None:
    made = derivation()
    assert (made.table, made.group) == ("metrics.anomalies", "forecast")
    assert {"metrics.repository_daily", "metrics.dora_daily", "metrics.durations_daily"} <= set(made.reads)
    assert {"raw.releases", "raw.package_releases", "raw.package_advisories", "raw.mentions"} <= set(made.reads)
    assert {"raw.events", "metrics.incidents", "ops.portfolio"} <= set(made.reads)
    assert made.run(warehouse, DAY, DAY + timedelta(days=1))["rows"] == 0
    assert made.preview is not None
    with warehouse.connect() as connection:
        assert connection.execute(sa.text(made.preview), {"day": DAY}).all() == []


def test_totals_and_sums_of_what_is_watched_itself_are_not_judged() -> None:
    watched = load_catalogue().with_anomalies()
    assert {"stars_new", "downloads", "lead_time_hours", "change_failure_rate", "review_hours"} <= set(watched)
    assert not {"stars_total", "stars_new_week", "downloads_month", "created_since_months"} & set(watched)


def test_days_further_back_than_it_looks_change_nothing(warehouse: sa.Engine) -> None:
    values = lively(400)
    figures(warehouse, values)
    find(warehouse)
    whole = everything(warehouse)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("update metrics.fed_daily set value = 1e6 where date < :day"),
            {"day": DAY - timedelta(days=LOOK_BACK)},
        )
    find(warehouse)
    assert everything(warehouse) == whole
