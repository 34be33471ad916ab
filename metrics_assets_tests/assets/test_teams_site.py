"""The pages about teams, built from a warehouse with hostile names: what stands in the bytes of the whole site."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site import teams as pages
from metrics_assets.assets.site.building import site_files, site_info
from metrics_assets.assets.site.reading import Reading, reading_of
from metrics_assets.settings import Settings
from metrics_assets_tests.warehouse.tables import fill

DAY = date(2025, 12, 31)
SUNDAYS = [date(2025, 12, 28) - timedelta(weeks=weeks) for weeks in range(20)]
# Each has a part that stands nowhere else, escaped or not: "Qx1" and so on.
HOSTILE = (
    'Qx1 <script>alert("x")</script>',
    "=Qx2+cmd|' /C calc'!A0",
    "../../Qx3",
    "Qx4 {{ site }} & 'quoted' ](http://evil.example)",
)
MARKS = {name: found.group() for name in HOSTILE if (found := re.search(r"Qx\d", name))}


@pytest.fixture(autouse=True)
def _a_home_with_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METRICS_PERSON_KEY", "a secret of the tests that is long enough")
    monkeypatch.setenv("METRICS_HOME", str(tmp_path))


def settings_of(names: Sequence[str], minimum_group: int = 3) -> Settings:
    return Settings.model_validate(
        {
            "portfolio": "acme",
            "start": "2025-06-01",
            "repositories": [{"github": "acme/api", "team": names[0]} if names else {"github": "acme/api"}],
            "teams": {name: [f"person-{position}" for position in range(5)] for name in names},
            "space": {"teams": list(names)},
            "privacy": {"minimum_group": minimum_group},
        }
    )


def write(engine: sa.Engine, values: Mapping[str, float], *, people: Mapping[str, int | None] | None = None) -> None:
    """Teams with a figure each: every dimension of SPACE and of delivery is made of it, so that they can be told apart.

    `people`: by team how many were active in each week; None is hidden by the derivation.
    """
    fill(engine)
    people = people or {}
    with engine.begin() as connection:
        connection.execute(sa.text("update ops.portfolio set space_teams = :names"), {"names": list(values)})
        for name, value in values.items():
            active = people.get(name, 5)
            reason = "fewer than 3 people were active in the week" if active is None else None
            for on in SUNDAYS:
                given = {"team": name, "on": on, "reason": reason, "people": active, "value": value}
                shown = {**given, "value": None if reason else value, "count": None if reason else round(value * 10)}
                for statement in _SPACE:
                    connection.execute(sa.text(statement), shown)
            for days in range(90):
                connection.execute(
                    sa.text(
                        "insert into metrics.dora_daily (subject_kind, subject, date, days_observed, "
                        "deployment_frequency, deployments_in_window, change_failure_rate, "
                        "deployments_finished_in_window) "
                        "values ('team', :team, :on, 28, :value, 40, :value / 10, 40)"
                    ),
                    {"team": name, "on": DAY - timedelta(days=days), "value": value},
                )


_SPACE = (
    "insert into metrics.space_activity (subject_kind, subject, date, reason, people, repositories, "
    "repositories_known, commits, pull_requests_created, pull_requests_reviewed) "
    "values ('team', :team, :on, :reason, :people, 1, 1, :count, :count, :count)",
    "insert into metrics.space_satisfaction (subject_kind, subject, date, reason, satisfaction, responses, members) "
    "values ('team', :team, :on, :reason, :value, :people, 5)",
    "insert into metrics.space_performance (subject_kind, subject, date, reason, people, coverage) "
    "values ('team', :team, :on, :reason, :people, :value / 10)",
    "insert into metrics.space_collaboration (subject_kind, subject, date, reason, people, cross_team_pull_requests, "
    "reviews_given) values ('team', :team, :on, :reason, :people, :count, :count)",
    "insert into metrics.space_efficiency (subject_kind, subject, date, reason, people, members, deep_work_share) "
    "values ('team', :team, :on, :reason, :people, 5, :value / 10)",
)


def everywhere(engine: sa.Engine, names: Sequence[str]) -> None:
    """Rows of teams in every table that a page may read."""
    with engine.begin() as connection:
        for name in names:
            for statement in _ELSEWHERE:
                connection.execute(sa.text(statement), {"team": name, "on": DAY, "text": f"{name} is unusual"})


_ELSEWHERE = (
    "insert into metrics.anomalies (metric, subject_kind, subject, date, value, n, state, kind, expected, severity, "
    "explanation, methods) values ('deployment_frequency', 'team', :team, :on, 3, 9, 'anomaly', 'spike', 1, "
    "'critical', :text, '{}')",
    "insert into metrics.forecasts (metric, subject_kind, subject, date, horizon, target_on, p10, p50, p90, method, n) "
    "values ('deployment_frequency', 'team', :team, :on, 30, cast(:on as date) + 30, 1, 2, 3, 'pooled', 40)",
    "insert into metrics.forecast_paths (metric, subject_kind, subject, date, p10, p50, p90) values "
    "('deployment_frequency', 'team', :team, :on, array_fill(1.0, array[90]), array_fill(2.0, array[90]), "
    "array_fill(3.0, array[90]))",
    "insert into metrics.insights (insight, subject_kind, subject, date, topic, weight, sentence, evidence) "
    "values ('risk', 'team', :team, :on, 'risk', 9, :text, '{}')",
    "insert into metrics.goals_daily (goal, subject_kind, subject, date, metric, value, metric_state, target, "
    "comparison, status, reason) values ('deploy_daily', 'team', :team, :on, 'deployment_frequency', 1, 'ok', 2, "
    "'at_least', 'at risk', :text)",
    "insert into ops.alerts (rule, metric, subject_kind, subject, severity, state, opened_on, "
    "last_evaluated_on, breaches, recoveries, escalation_level, fired_at, value, n, text) "
    "values ('change_failure_rate_high', 'change_failure_rate', 'team', :team, 'critical', 'firing', :on, :on, "
    "1, 0, 0, cast(:on as timestamp), 0.9, 40, :text)",
)


def site_of(engine: sa.Engine, names: Sequence[str]) -> dict[str, str]:
    """The text of every file of the whole site."""
    reading = reading_of(engine, settings_of(names), DAY)
    found: dict[str, str] = {}
    for path, content in site_files(reading, site_info(reading)):
        assert path not in found, path
        found[path] = content if isinstance(content, str) else content.decode("utf-8", "replace")
    return found


def team_files_of(engine: sa.Engine, names: Sequence[str], minimum_group: int = 3) -> Iterator[tuple[str, str]]:
    reading = reading_of(engine, settings_of(names, minimum_group), DAY)
    for path, content in pages.files(reading, site_info(reading)):
        assert isinstance(content, str)
        yield path, content


def test_a_team_s_name_and_address_stand_on_its_own_page_alone(warehouse: sa.Engine) -> None:
    write(warehouse, dict(zip(HOSTILE, (1.25, 2.5, 3.75, 4.5), strict=True)))
    everywhere(warehouse, HOSTILE)
    site = site_of(warehouse, HOSTILE)
    paths = pages.team_pages(reading_of(warehouse, settings_of(HOSTILE), DAY))
    assert list(paths) == list(HOSTILE)
    for name, mark in MARKS.items():
        own = {paths[name], paths[name].replace(".html", ".csv")}
        assert own <= set(site)
        named = {path for path, text in site.items() if mark in text or mark.lower() in text.lower()}
        assert named == own
        digest = Path(paths[name]).stem
        assert {path for path, text in site.items() if digest in text} == {paths[name]}
        assert not any(mark.lower() in path.lower() for path in site)


def test_hostile_names_do_nothing_on_their_own_page(warehouse: sa.Engine) -> None:
    write(warehouse, dict(zip(HOSTILE, (1.25, 2.5, 3.75, 4.5), strict=True)))
    files = dict(team_files_of(warehouse, HOSTILE))
    paths = pages.team_pages(reading_of(warehouse, settings_of(HOSTILE), DAY))
    for name, path in paths.items():
        text = files[path]
        assert "<script>alert" not in text
        assert "</script>alert" not in text
        assert name in unescape(text)
        assert re.fullmatch(r"team/[0-9a-f]{32}\.html", path)
        rows = files[path.replace(".html", ".csv")].splitlines()[1:]
        assert not any(row.split(",")[2].startswith(("=", '"=')) for row in rows)


def test_the_address_needs_the_installation_s_key(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(warehouse)
    reading = reading_of(warehouse, settings_of(HOSTILE), DAY)
    before = pages.team_pages(reading)
    assert before == pages.team_pages(reading)
    monkeypatch.setenv("METRICS_PERSON_KEY", "another secret of the tests, long enough too")
    assert not set(before.values()) & set(pages.team_pages(reading).values())


def _marks(text: str) -> int:
    return text.count('class="peer"')


NAMES = ("a", "b", "c", "d", "e", "f")
VALUES = dict(zip(NAMES, (1.1, 1.7, 2.3, 2.9, 3.5, 4.1), strict=True))


def test_all_that_may_be_shown_is(warehouse: sa.Engine) -> None:
    write(warehouse, VALUES)
    files = dict(team_files_of(warehouse, NAMES))
    text = files["teams.html"]
    # Six marks each of deployment frequency, change failure rate and the five dimensions; no lead time is known.
    assert _marks(text) == 6 * 7
    own = files[pages.team_pages(reading_of(warehouse, settings_of(NAMES), DAY))["a"]]
    assert _marks(own) == 5 * 7
    assert own.count('class="own"') == 7


def test_too_few_people_in_one_team_hide_its_whole_group(warehouse: sa.Engine) -> None:
    write(warehouse, VALUES, people={"b": None})
    files = dict(team_files_of(warehouse, NAMES))
    assert _marks(files["teams.html"]) == 3 * 7
    paths = pages.team_pages(reading_of(warehouse, settings_of(NAMES), DAY))
    hidden, beside, other = (files[paths[name]] for name in ("b", "a", "f"))
    assert "so its delivery is not shown" in hidden
    assert _marks(hidden) == 0
    assert 'class="tile"' not in hidden
    # The team beside it sees the others that are shown, and its own mark.
    assert _marks(beside) == 3 * 7
    assert _marks(other) == 2 * 7


def test_a_larger_minimum_asks_for_more_people_and_more_teams(warehouse: sa.Engine) -> None:
    write(warehouse, VALUES, people={"b": 4})
    assert _marks(dict(team_files_of(warehouse, NAMES, 5))["teams.html"]) == 0
    text = dict(team_files_of(warehouse, NAMES, 4))["teams.html"]
    assert _marks(text) == 0  # two of the six wait for others, and the first four with them
    assert "2 more to opt in, and the last group is shown." in text
    assert _marks(dict(team_files_of(warehouse, NAMES[:4], 4))["teams.html"]) == 4 * 7


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b")])
def test_under_three_teams_nothing_is_compared(warehouse: sa.Engine, names: tuple[str, ...]) -> None:
    write(warehouse, {name: VALUES[name] for name in names})
    files = dict(team_files_of(warehouse, names))
    assert _marks(files["teams.html"]) == 0
    assert len([path for path in files if path.startswith("team/")]) == 2 * len(names)
    text = unescape(files["teams.html"])
    assert ("No team has opted in" if not names else "Nothing is compared: that takes at least 3 teams") in text


def test_no_value_of_a_hidden_team_stands_in_any_byte_but_its_own(warehouse: sa.Engine) -> None:
    """The hidden one's figure is such that no other number holds it."""
    write(warehouse, {**VALUES, "b": 7.77}, people={"b": 2})
    site = site_of(warehouse, NAMES)
    own = pages.team_pages(reading_of(warehouse, settings_of(NAMES), DAY))["b"]
    spelt = re.compile(r"(?<![\d.])(7\.77|0\.777)(?!\d)")
    assert spelt.search(site[own.replace(".html", ".csv")])
    assert [path for path, text in site.items() if spelt.search(text) and not path.startswith(own[:-5])] == []


def test_a_past_day_knows_nothing_of_later_weeks(warehouse: sa.Engine) -> None:
    write(warehouse, VALUES)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update metrics.space_satisfaction set satisfaction = 5 where date = '2025-12-28'"))
    reading = dataclasses.replace(reading_of(warehouse, settings_of(NAMES), DAY), day=date(2025, 12, 27))
    assert isinstance(reading, Reading)
    files = {path: content for path, content in pages.files(reading, site_info(reading)) if isinstance(content, str)}
    for path in pages.team_pages(reading).values():
        assert "2025-12-28" not in files[path.replace(".html", ".csv")]
        assert "week to 21\u00a0Dec\u00a02025" in files[path]
