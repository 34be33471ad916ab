"""Goals in the warehouse: figures in, statuses out. June 2025; the portfolio 'acme' starts on 1 June."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.derivations import derivations
from metrics_assets.assets.goals import judge_goals, months_after
from metrics_assets.assets.portfolio import _replace_settings
from metrics_assets.catalogue.goals import Goal, NorthStar, load_goals
from metrics_assets.catalogue.metrics import Band, Catalogue, Metric, load_catalogue
from metrics_assets.catalogue.packs import load_packs
from metrics_assets.settings import Settings
from metrics_assets.warehouse import migrate as migrating
from metrics_assets_tests.warehouse.tables import PEOPLE, on, table

SHARED: dict[str, Any] = {"definition": "D", "unknown": "Nobody counted.", "fed": "kpi_values"}
LIGHTS = (
    Band(band="green", below=4, means="Answered within the shift."),
    Band(band="yellow", below=24),
    Band(band="red"),
)
MARKS = (
    Band(band="great", at_least=90),
    Band(band="good", at_least=70),
    Band(band="fair", at_least=50),
    Band(band="poor"),
)
CATALOGUE = Catalogue(
    metrics={
        metric.key: metric
        for metric in (
            Metric(key="stars", title="Stars", unit="count", direction="higher", **SHARED),
            Metric(key="hours", title="Hours", unit="hours", direction="lower", minimum_n=3, bands=LIGHTS, **SHARED),
            Metric(key="mood", title="Mood", unit="points", direction="higher", grain="week", bands=MARKS, **SHARED),
        )
    }
)


def goal(key: str = "g", metric: str = "stars", target: float = 100, **more: Any) -> Goal:
    comparison = "at_most" if metric == "hours" else "at_least"
    return Goal.model_validate(
        {"key": key, "title": key, "metric": metric, "target": target, "comparison": comparison} | more
    )


def figures(
    engine: sa.Engine, *values: float | None, metric: str = "stars", since: str = "06-01", kind: str = "portfolio",
    subject: str = "acme", every: int = 1, n: int | None = None, state: str = "ok",
) -> None:  # fmt: skip
    """A value a day (or every so many days) from a day on; None is unknown."""
    rows = [
        {"date": on(since) + timedelta(days=every * at), "value": value, "state": "unknown" if value is None else state}
        for at, value in enumerate(values)
    ]
    shared = {"metric": metric, "kind": kind, "subject": subject, "n": n}
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into metrics.fed_daily (metric, subject_kind, subject, date, value, n, state) "
                "values (:metric, :kind, :subject, :date, :value, :n, :state)"
            ),
            [row | shared for row in rows],
        )


@pytest.fixture(autouse=True)
def _portfolio(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
            "values ('acme', '2025-06-01', 3, 3, 'x')"
        )


def judged(engine: sa.Engine, *goals: Goal, first: str = "06-01", last: str = "06-05") -> None:
    judge_goals(engine, on(first), on(last) + timedelta(days=1), goals, CATALOGUE)


def statuses(engine: sa.Engine, where: str = "true") -> list[tuple[Any, ...]]:
    return table(
        engine, f"select date, value, status from metrics.goals_daily where {where} order by goal, subject, date"
    )


def test_a_goal_on_its_way_and_frozen_on_its_due_day(warehouse: sa.Engine) -> None:
    figures(warehouse, 0, 25, 40, 50, 90, 120, 80)
    judged(warehouse, goal(by="2025-06-05"), last="06-07")
    assert statuses(warehouse) == [
        ("06-01", 0, "on track"),
        ("06-02", 25, "on track"),
        ("06-03", 40, "at risk"),
        ("06-04", 50, "off track"),
        ("06-05", 90, "off track"),
        ("06-06", 120, "off track"),
        ("06-07", 80, "off track"),
    ]
    assert table(warehouse, "select due_on, starts_on, base, expected, progress from metrics.goals_daily limit 3") == [
        ("06-05", "06-01", 0, 0, 0),
        ("06-05", "06-01", 0, 25, 0.25),
        ("06-05", "06-01", 0, 50, 0.4),
    ]


def test_the_base_is_the_first_known_value_once_it_is_known(warehouse: sa.Engine) -> None:
    figures(warehouse, None, 20, 60, None, 100)
    judged(warehouse, goal(by="2025-06-05"))
    assert table(warehouse, "select base, status, metric_state from metrics.goals_daily order by date") == [
        (None, "unknown", "unknown"),
        (20, "off track", "ok"),
        (20, "on track", "ok"),
        (None, "unknown", "unknown"),
        (20, "met", "ok"),
    ]


def test_one_day_at_a_time_gives_the_same_as_all_at_once(warehouse: sa.Engine) -> None:
    figures(warehouse, None, 20, 60, None, 100, 70)
    figures(warehouse, 5, None, 5, 1, subject="beta", kind="team", since="06-02")
    figures(warehouse, 10, 60, metric="mood", since="05-30", every=4)
    goals = [
        goal("due", by="2025-06-04"),
        goal("teams", subject_kind="team", by="2025-06-05", target=9),
        goal("team", subject_kind="team", subject="beta", target=2),
        goal("always", target=65),
        goal("week", "mood", target=50, by="2025-06-04"),
        goal("later", starts="2025-06-03"),
    ]
    every = "select * from metrics.goals_daily order by goal, subject_kind, subject, date"
    judged(warehouse, *goals, last="06-06")
    together = table(warehouse, every)
    for day in ("06-06", "06-03", "06-01", "06-02", "06-05", "06-04"):
        judged(warehouse, *goals, first=day, last=day)
    assert table(warehouse, every) == together
    assert len(together) == 6 + 4 + 6 + 6 + 6 + 4


def test_a_goal_begins_on_its_own_day_with_its_own_base(warehouse: sa.Engine) -> None:
    figures(warehouse, 10, 10, 10, 55)
    judged(warehouse, goal(starts="2025-06-02", by="2025-06-06", base=0), last="06-04")
    assert statuses(warehouse) == [("06-02", 10, "on track"), ("06-03", 10, "off track"), ("06-04", 55, "on track")]


def test_lower_is_better_and_few_rows_are_unknown(warehouse: sa.Engine) -> None:
    figures(warehouse, 48, 36, 30, metric="hours", n=9)
    figures(warehouse, 12, metric="hours", since="06-04", n=2, state="too_few")
    judged(
        warehouse, goal(metric="hours", target=24, by="2025-06-03"), goal("late", metric="hours", target=24, months=1)
    )
    assert statuses(warehouse, "goal = 'g'") == [
        ("06-01", 48, "on track"),
        ("06-02", 36, "on track"),
        ("06-03", 30, "off track"),
        ("06-04", 12, "off track"),
        ("06-05", None, "off track"),
    ]
    assert table(
        warehouse, "select status, reason, due_on from metrics.goals_daily where goal = 'late' and date >= '2025-06-04'"
    ) == [
        ("unknown", "Stands on 2 of 3 rows.", "07-01"),
        ("unknown", "Nobody counted.", "07-01"),
    ]


@pytest.mark.parametrize(
    ("start", "months", "due"),
    [("2025-01-31", 1, "2025-02-28"), ("2024-11-30", 3, "2025-02-28"), ("2025-06-01", 3, "2025-09-01"),
     ("2025-12-15", 12, "2026-12-15"), ("2023-12-31", 2, "2024-02-29")],
)  # fmt: skip
def test_months_are_calendar_months(start: str, months: int, due: str) -> None:
    assert months_after(date.fromisoformat(start), months) == date.fromisoformat(due)


def test_a_goal_of_all_repositories_has_a_row_where_they_have_one(warehouse: sa.Engine) -> None:
    figures(warehouse, 150, 40, kind="repository", subject="acme/api")
    figures(warehouse, 99, kind="repository", subject="acme/web", since="06-02")
    judged(warehouse, goal(subject_kind="repository"), goal("one", subject_kind="repository", subject="acme/web"))
    assert table(warehouse, "select goal, subject, date, status from metrics.goals_daily order by 1, 2, 3")[:4] == [
        ("g", "acme/api", "06-01", "met"),
        ("g", "acme/api", "06-02", "off track"),
        ("g", "acme/web", "06-02", "at risk"),
        ("one", "acme/web", "06-01", "unknown"),
    ]


def test_a_weekly_figure_stands_for_seven_days(warehouse: sa.Engine) -> None:
    figures(warehouse, 60, 40, metric="mood", since="05-30", every=7)
    judged(warehouse, goal(metric="mood", target=50), first="06-04", last="06-14")
    assert [row[1:] for row in statuses(warehouse)] == [(60, "met")] * 2 + [(40, "off track")] * 7 + [
        (None, "unknown")
    ] * 2


def test_goals_of_packs_count_where_the_pack_is_on(warehouse: sa.Engine) -> None:
    figures(warehouse, 150)
    goals = [goal(name).model_copy(update={"pack": pack}) for name, pack in
             [("growing", "growth"), ("sharing", "community"), ("mine", None)]]  # fmt: skip
    judged(warehouse, *goals, last="06-01")
    assert table(warehouse, "select goal from metrics.goals_daily order by goal") == [("mine",), ("sharing",)]
    with warehouse.begin() as connection:
        connection.exec_driver_sql("update ops.portfolio set packs = '{growth}'")
    judged(warehouse, *goals, last="06-01")
    assert table(warehouse, "select goal from metrics.goals_daily order by goal") == [("growing",), ("mine",)]


def test_before_there_is_a_portfolio_nothing_is_judged(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("delete from ops.portfolio")
    judged(warehouse, goal())
    assert statuses(warehouse) == []


# The catalogue in the database.


@pytest.fixture
def _mirrored(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    goals = {
        one.key: one
        for one in (
            goal("reach", by="2025-06-05", owner="community", title="Reach").model_copy(update={"pack": "community"}),
            goal("off", by="2025-06-05").model_copy(update={"pack": "growth"}),
            goal("waiting", starts="2026-01-01", title="Not begun"),
        )
    }
    stars = (
        NorthStar(metric="stars", why="People tell others.", pack="community"),
        NorthStar(metric="mood", why="They stay.", pack="growth"),
    )
    both = Catalogue(metrics=load_catalogue().metrics | CATALOGUE.metrics)
    monkeypatch.setattr(migrating, "load_catalogue", lambda: both)
    monkeypatch.setattr(migrating, "load_goals", lambda: goals)
    monkeypatch.setattr(migrating, "load_north_stars", lambda: stars)
    assert migrating.migrate(warehouse)
    assert not migrating.migrate(warehouse)
    figures(warehouse, 0, 25)
    judged(warehouse, *goals.values(), last="06-02")


@pytest.mark.usefixtures("_mirrored")
def test_current_goals_are_those_of_the_newest_day(warehouse: sa.Engine) -> None:
    columns = "goal, title, owner, subject, date, value, target, status"
    assert table(warehouse, f"select {columns} from metrics.current_goals order by goal") == [
        ("reach", "Reach", "community", "acme", "06-02", 25, 100, "on track"),
        ("waiting", "Not begun", None, None, None, None, 100, "unknown"),
    ]


@pytest.mark.usefixtures("_mirrored")
def test_north_stars_are_those_of_the_packs_that_are_on(warehouse: sa.Engine) -> None:
    assert table(warehouse, "select metric, title, why, pack from metrics.north_stars") == [
        ("stars", "Stars", "People tell others.", "community")
    ]
    with warehouse.begin() as connection:
        connection.exec_driver_sql("update ops.portfolio set packs = '{growth,community}'")
    assert table(warehouse, "select metric from metrics.north_stars") == [("stars",), ("mood",)]


@pytest.mark.usefixtures("_mirrored")
def test_bands_and_traffic_lights(warehouse: sa.Engine) -> None:
    values = "('hours', 3.9), ('hours', 4), ('hours', 24), ('mood', 95), ('mood', 90), ('mood', 89.9), ('mood', 50), "
    values += "('mood', 0), ('mood', null), ('stars', 5)"
    columns = "metrics.band(m, v), metrics.traffic_light(m, v), metrics.band_means(m, v)"
    assert table(warehouse, f"select {columns} from (values {values}) as given (m, v)") == [
        ("green", "green", "Answered within the shift."),
        ("yellow", "yellow", None),
        ("red", "red", None),
        ("great", "green", None),
        ("great", "green", None),
        ("good", "yellow", None),
        ("fair", "yellow", None),
        ("poor", "red", None),
        (None, None, None),
        (None, None, None),
    ]


# What is shipped.


def test_the_packs_of_metrics_yaml_are_taken_over(warehouse: sa.Engine) -> None:
    settings = Settings.model_validate(
        {"portfolio": "acme", "start": "2025-06-01", "organizations": ["acme"], "packs": ["growth", "engineering"]}
    )
    collector: Any = SimpleNamespace(engine=warehouse, settings=settings, people=PEOPLE)
    _replace_settings(collector, [])
    assert table(warehouse, "select packs from ops.portfolio") == [(["growth", "engineering"],)]


def test_every_goal_that_is_shipped_can_be_judged(warehouse: sa.Engine) -> None:
    packs = sorted(load_packs())
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.portfolio set packs = :packs"), {"packs": packs})
    derivations()["goals_daily"].run(warehouse, on("06-01"), on("06-03"))
    named = {
        key
        for key, goal in load_goals().items()
        if (goal.subject or goal.subject_kind == "portfolio") and (goal.starts or on("06-01")) <= on("06-01")
    }
    found = table(warehouse, "select goal, count(*), min(status), max(status) from metrics.goals_daily group by goal")
    assert sorted(found) == sorted((key, 2, "unknown", "unknown") for key in named)
    assert table(warehouse, "select count(*) from metrics.current_goals") == [(len(load_goals()),)]
