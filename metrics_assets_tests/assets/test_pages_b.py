"""Community, goals, releases: tables in, pages out, as of a day."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site import community, goals, releases
from metrics_assets.assets.site.building import reading_of, site_info
from metrics_assets.assets.site.community_waiting import provider_site, read_waiting
from metrics_assets.assets.site.goals import feed_words, goals_data
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.releases import releases_data
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.settings import Settings
from metrics_assets_tests.assets.site_warehouse import DAY, fill
from metrics_assets_tests.reporting.test_releases_page import parsed

SETTINGS = Settings.model_validate(
    {"portfolio": "Aurora", "start": "2025-06-01", "repositories": [{"github": "acme/api"}]}
)
HOSTILE = '<img src=x onerror=alert(1)> "q" \u202eעברית ' + "long" * 2500
TEAM = "heron"
END = f"{DAY} 23:59:00+00"
NEXT = f"{DAY + timedelta(days=1)} 08:00:00+00"


def insert(engine: sa.Engine, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    with engine.begin() as connection:
        for row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            given = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}
            connection.execute(sa.text(f"insert into {table} ({names}) values ({values})"), given)


def run(engine: sa.Engine, statement: str, **given: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement), given)


@pytest.fixture
def filled(warehouse: sa.Engine) -> sa.Engine:
    fill(warehouse)
    run(warehouse, "update ops.portfolio set packs = '{engineering,community,product-metrics,release-watch}'")
    return warehouse


def read(engine: sa.Engine, day: date = DAY) -> tuple[Reading, SiteInfo]:
    reading = reading_of(engine, SETTINGS, day)
    return reading, site_info(reading)


def words(engine: sa.Engine, page: Any, day: date = DAY) -> str:
    """The text of a page's HTML, in which neither a script nor a team's name is."""
    reading, site = read(engine, day)
    files = {
        path: content if isinstance(content, str) else content.decode() for path, content in page.files(reading, site)
    }
    html = next(content for path, content in files.items() if path.endswith(".html"))
    for path, content in files.items():
        assert TEAM not in content, f"{path} names a team"
    found = parsed(html)
    assert [attributes for tag, attributes in found.tags if tag == "script"] == [{"src": "site.js"}]
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert len(html.encode()) < 300_000
    return re.sub(r"\s+", " ", found.text)


# --- nothing known ---------------------------------------------------------------------------------------------


def test_pages_of_a_warehouse_that_knows_nothing(filled: sa.Engine) -> None:
    said = words(filled, community)
    assert "Nothing that is known waits for a first answer. " in said
    assert "Nothing is said of 2 repositories whose lists of the day are not complete." in said
    assert "Not fed: Active members of the community," in said
    said = words(filled, releases)
    assert "Of 5 candidates 5 are for review." in said
    assert "It was not evaluated yet." in said
    assert "No release is known of the last 30 days." in said
    assert "Not known on the day: Crashes," in said
    said = words(filled, goals)
    assert re.search(r"None of \d+ goals can be judged: their figures are not known\.", said)
    assert "Feed kpi_values.csv" in said
    assert "Performance-weighted adoption" in said  # a north star


# --- goals ------------------------------------------------------------------------------------------------------


def judged(goal: str, day: date, **more: Any) -> dict[str, Any]:
    return {
        "goal": goal,
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "date": day,
        "metric": "stars_total",
        "value": 900,
        "metric_state": "ok",
        "target": 12_000,
        "comparison": "at_least",
        "due_on": date(2026, 3, 31),
        "starts_on": date(2025, 6, 1),
        "base": 100,
        "expected": 8000,
        "progress": 0.07,
        "status": "off track",
        "reason": "900, behind the line to at least 12,000 by 2026-03-31 (8,000 expected)",
        **more,
    }


def test_goals_are_those_of_the_day(filled: sa.Engine) -> None:
    insert(
        filled,
        "metrics.goals_daily",
        [
            judged("stars_2025_q4", DAY - timedelta(days=1), value=100, status="at risk", reason="A day before."),
            judged("stars_2025_q4", DAY),
            judged("stars_2025_q4", DAY + timedelta(days=1), value=99_999, status="met", reason="A day after."),
            judged("excellent_satisfaction", DAY, subject_kind="team", subject=TEAM, metric="developer_satisfaction"),
        ],
    )
    forecast = {
        "goal": "stars_2025_q4",
        "subject_kind": "portfolio",
        "subject": "Aurora",
        "metric": "stars_total",
        "target": 12_000,
        "comparison": "at_least",
        "due_on": date(2026, 3, 31),
        "state": "ok",
        "looked_until": date(2026, 6, 29),
    }
    insert(
        filled,
        "metrics.goal_forecasts",
        [
            {
                **forecast,
                "date": DAY - timedelta(days=2),
                "p50_on": date(2026, 2, 3),
                "p10_on": date(2026, 1, 10),
                "p90_on": date(2026, 4, 5),
                "probability": 0.62,
            },
            {**forecast, "date": DAY + timedelta(days=1), "probability": 1.0},
        ],
    )
    reading, site = read(filled)
    found = next(goal for goal in goals_data(reading, site).goals if goal.goal == "stars_2025_q4")
    assert (found.value, found.status, found.outlook and found.outlook.probability) == (900, "off track", 0.62)
    assert goals_data(reading, site).of_teams
    said = words(filled, goals)
    assert "900, behind the line to at least 12,000 by 31 Mar 2026 (8,000 expected)." in said
    assert "reached about 3 Feb 2026 (between 10 Jan 2026 and 5 Apr 2026), odds 62 % by the due day" in said
    assert "A day before" not in said
    assert "A day after" not in said
    assert "Goals of teams stand on each team's own page." in said
    # A day before its row of the day is made, the newest one of the week stands.
    assert "A day before." in words(filled, goals, DAY - timedelta(days=1))
    assert "A day before." not in words(filled, goals, DAY - timedelta(days=9))


def test_values_that_are_too_few_are_no_numbers(filled: sa.Engine) -> None:
    insert(
        filled,
        "metrics.goals_daily",
        [judged("stars_2025_q4", DAY, metric_state="too_few", status="unknown", value=4711)],
    )
    reading, site = read(filled)
    found = next(goal for goal in goals_data(reading, site).goals if goal.goal == "stars_2025_q4")
    assert found.value is None
    assert "4,711" not in words(filled, goals)


def test_an_owner_that_is_a_team_is_not_named(filled: sa.Engine) -> None:
    run(filled, "update metrics.goal_catalogue set owner = 'Heron' where goal = 'stars_2025_q4'")
    insert(filled, "metrics.goals_daily", [judged("stars_2025_q4", DAY)])
    reading, site = read(filled)
    found = next(goal for goal in goals_data(reading, site).goals if goal.goal == "stars_2025_q4")
    assert (found.pack, found.area) == ("Community", "")


def test_hostile_goals(filled: sa.Engine) -> None:
    run(filled, "update metrics.goal_catalogue set title = :title where goal = 'stars_2025_q4'", title=HOSTILE)
    insert(filled, "metrics.goals_daily", [judged("stars_2025_q4", DAY, reason=HOSTILE)])
    assert "<img src=x onerror=alert(1)>" in words(filled, goals)


def test_what_to_feed() -> None:
    metrics = load_catalogue().metrics
    assert feed_words("community_satisfaction", metrics) == "kpi_values.csv: metric community_satisfaction (quarterly)"
    assert feed_words("awards", metrics) == "events.csv: kind award"
    assert feed_words("stars_total", metrics) == ""
    assert feed_words("performance_multiple", metrics) == (
        "kpi_values.csv: metric requests_per_second (daily), metric competitor_requests_per_second (weekly)"
    )


# --- releases ---------------------------------------------------------------------------------------------------


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
        [
            evaluation(DAY, "failed", succeed, page),
            evaluation(DAY + timedelta(days=1), "passed"),
            evaluation(DAY, "failed", subject_kind="team", subject=TEAM),
        ],
    )
    insert(
        filled,
        "metrics.gate_verdicts",
        [
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
        ],
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
    insert(engine, "metrics.deployments", [row])


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
        [
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
        ],
    )
    ship(filled, "release:1", f"{DAY - timedelta(days=29)} 00:00:00+00")
    ship(filled, "release:2", END)
    ship(filled, "release:3", NEXT)
    ship(filled, "run:9", END, "failed", source="workflow_runs")
    failure = {"repository_id": 1, "chain": "", "repository": "acme/api", "signal": "incident", "failed_at": END}
    insert(
        filled,
        "metrics.deployment_failures",
        [
            {**failure, "deployment_key": "release:1", "evidence": "1", "detected_at": END},
            {**failure, "deployment_key": "release:2", "evidence": "2", "detected_at": NEXT},  # known a day later
        ],
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
        [
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
        ],
    )
    fed = {"metric": "crash_share", "date": DAY, "state": "ok", "value": 0.004}
    insert(
        filled,
        "metrics.fed_daily",
        [
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
        ],
    )
    said = words(filled, releases)
    assert "1.0.1" in said
    assert "1.0.2" not in said
    assert "1 version withdrawn" in said
    assert "Crashes" in said
    assert "fish" in said
    run(filled, "update ops.portfolio set packs = '{engineering}'")
    assert "After the release" not in words(filled, releases)


# --- community --------------------------------------------------------------------------------------------------


def collected(engine: sa.Engine, *entities: str, until: date = DAY + timedelta(days=1), repository: int = 1) -> None:
    for entity in entities:
        run(
            engine,
            "insert into ops.collection_state (repository_id, entity, days) "
            "values (:repository, :entity, datemultirange(daterange('2025-06-01', :until)))",
            repository=repository,
            entity=entity,
            until=until,
        )


def issue(number: int, at: str, **more: Any) -> dict[str, Any]:
    return {
        "repository_id": 1,
        "number": number,
        "title": f"Issue {number}",
        "state": "open",
        "author_key": "a",
        "author_is_bot": False,
        "created_at": at,
        "updated_at": at,
        "comments": 0,
        **more,
    }


def test_what_waits_at_the_end_of_the_day(filled: sa.Engine) -> None:
    early, late = "2025-12-01 10:00:00+00", "2025-12-20 10:00:00+00"
    collected(filled, "issues", "pull_requests", "discussions")
    insert(
        filled,
        "raw.issues",
        [
            issue(1, late, title=HOSTILE),
            issue(2, early),  # answered by another person
            issue(3, early),  # only its author and a bot spoke
            issue(4, early, closed_at=END, state="closed"),
            issue(5, early, closed_at=NEXT, state="closed"),  # was open at the day's end
            issue(6, NEXT),
            issue(7, early, author_is_bot=True),
            issue(8, "2025-05-01 10:00:00+00"),  # its answers may not have been collected
            issue(9, early, deleted_at=END),
            issue(10, early),  # answered a day later
        ],
    )
    said = {"repository_id": 1, "event": "commented", "actor_is_bot": False}
    insert(
        filled,
        "raw.issue_events",
        [
            {**said, "event_id": "1", "number": 2, "actor_key": "b", "created_at": late},
            {**said, "event_id": "2", "number": 3, "actor_key": "a", "created_at": late},
            {**said, "event_id": "3", "number": 3, "actor_key": "bot", "created_at": late, "actor_is_bot": True},
            {**said, "event_id": "4", "number": 10, "actor_key": "b", "created_at": NEXT},
        ],
    )
    pull = {
        "repository_id": 1,
        "title": "Pull",
        "state": "open",
        "author_key": "a",
        "author_is_bot": False,
        "created_at": late,
        "updated_at": late,
    }
    insert(
        filled,
        "raw.pull_requests",
        [{**pull, "number": 20}, {**pull, "number": 21}, {**pull, "number": 22, "is_draft": True}],
    )
    insert(
        filled,
        "raw.reviews",
        [
            {
                "repository_id": 1,
                "review_id": "r",
                "number": 21,
                "author_key": "b",
                "author_is_bot": False,
                "state": "approved",
                "submitted_at": late,
            }
        ],
    )
    talk = {
        "repository_id": 1,
        "title": None,
        "category": "Q&A",
        "is_answerable": True,
        "author_key": "a",
        "author_is_bot": False,
        "created_at": late,
        "updated_at": late,
        "upvotes": 0,
        "comments": 0,
    }
    insert(filled, "raw.discussions", [{**talk, "number": 30}, {**talk, "number": 31}])
    insert(
        filled,
        "raw.discussion_comments",
        [
            {
                "repository_id": 1,
                "comment_id": "c",
                "number": 31,
                "author_key": "b",
                "author_is_bot": False,
                "is_answer": False,
                "created_at": late,
            }
        ],
    )
    reading, _ = read(filled)
    waiting, totals, missing = read_waiting(reading)
    assert [(one.kind, one.number) for one in waiting] == [
        ("issue", 3),
        ("issue", 5),
        ("issue", 10),
        ("discussion", 30),
        ("issue", 1),
        ("pull request", 20),
    ]
    assert totals == {"discussion": 1, "issue": 4, "pull request": 1}
    assert missing == 1  # acme/web: nothing was collected
    assert (waiting[0].days, waiting[0].opened_on) == (30, date(2025, 12, 1))
    page = words(filled, community)
    assert "1 discussion, 4 issues and 1 pull request wait for a first answer by another person." in page
    assert "<img src=x onerror=alert(1)>" in page
    # Of a day whose list is not complete nothing is said.
    assert read_waiting(read(filled, DAY + timedelta(days=1))[0])[:2] == ((), {})
    run(filled, "update raw.repositories set state = 'archived' where repository_id = 1")
    assert read_waiting(reading)[0] == ()


@pytest.mark.parametrize(
    ("api", "site"),
    [
        (None, "https://github.com"),
        ("https://github.example.com/api/v3", "https://github.example.com"),
        ("http://127.0.0.1:8081", None),
    ],
)
def test_links_lead_where_people_look(monkeypatch: pytest.MonkeyPatch, api: str | None, site: str | None) -> None:
    monkeypatch.delenv("GITHUB_API_URL", raising=False)
    if api is not None:
        monkeypatch.setenv("GITHUB_API_URL", api)
    assert provider_site() == site


def test_repositories_packages_platforms_and_what_was_fed(filled: sa.Engine) -> None:
    day = {"date": DAY}
    insert(
        filled,
        "metrics.durations_daily",
        [
            {
                **day,
                "subject_kind": "repository",
                "subject": "acme/api",
                "repository_id": 1,
                "issue_first_response_business_hours": 30,
                "issue_first_response_business_n": 12,
                "issue_first_response_hours": 90,
                "issue_first_response_n": 12,
                "issue_first_response_open": 7,
                "pull_request_first_response_open": 2,
            },
            {
                **day,
                "subject_kind": "repository",
                "subject": "acme/web",
                "repository_id": 2,
                "issue_first_response_business_hours": 1,
                "issue_first_response_business_n": 12,
                "issue_first_response_open": 0,
                "pull_request_first_response_open": 0,
            },
        ],
    )
    run(
        filled,
        "insert into ops.package_settings (registry, package, repository) values ('crates', 'aurora', 'acme/api')",
    )
    run(filled, "insert into ops.platform_settings (platform, community) values ('reddit', :name)", name=HOSTILE[:60])
    insert(
        filled,
        "metrics.package_daily",
        [
            {
                **day,
                "registry": "crates",
                "package": "aurora",
                "downloads": 100,
                "downloads_method": "published",
                "downloads_total": 123_456,
                "downloads_week": 700,
                "downloads_week_n": 7,
                "downloads_month": 3000,
                "downloads_month_n": 30,
                "advisories_open": 1,
            }
        ],
    )
    versions = (("", DAY, 100), ("2.0.0", DAY, 60), ("1.9.0", DAY, 30), ("3.0.0", DAY + timedelta(days=1), 900))
    insert(
        filled,
        "raw.package_downloads",
        [
            {"registry": "crates", "package": "aurora", "version": version, "date": on, "downloads": number}
            for version, on, number in versions
        ],
    )
    insert(
        filled,
        "metrics.platform_daily",
        [
            {
                **day,
                "platform": "reddit",
                "community": HOSTILE[:60],
                "days_collected": 28,
                "mentions_week": 11,
                "mentions_week_n": 7,
                "sentiment": 0.9,
                "sentiment_n": 2,
                "sentiment_people": 2,
            }
        ],
    )
    fed = {"metric": "community_satisfaction", "subject_kind": "portfolio", "subject": "Aurora", "state": "ok"}
    insert(
        filled,
        "metrics.fed_daily",
        [
            {
                **fed,
                **day,
                "value": 8.6,
                "period_end": DAY - timedelta(days=1),
                "source_url": "https://example.org/survey",
            },
            {**fed, "date": DAY - timedelta(days=92), "value": 8.0},
            {**fed, **day, "metric": "pain_points", "subject_kind": "segment", "subject": HOSTILE, "value": 5},
            {**fed, **day, "subject_kind": "team", "subject": TEAM, "value": 1.0},
        ],
    )
    components = [
        {
            "key": "growth",
            "metric": "stars_growth_month",
            "state": "unknown",
            "value": None,
            "n": None,
            "points": None,
            "weight": None,
            "contribution": None,
        },
        {
            "key": "churn",
            "metric": "contributor_retention",
            "state": "ok",
            "value": 0.5,
            "n": 9,
            "points": 71.0,
            "weight": 100.0,
            "contribution": 71.0,
        },
    ]
    insert(
        filled,
        "metrics.scores",
        [
            {
                **day,
                "score": "community_health",
                "version": 1,
                "subject_kind": "portfolio",
                "subject": "Aurora",
                "value": 71.0,
                "coverage": 0.6,
                "components": json.dumps(components),
            }
        ],
    )
    said = words(filled, community)
    for sentence in (
        "✕ 1.2 d red, n 12; 3.8 d by the clock",
        "7 issues 2 pull requests",
        "✓ 1 h green, n 12",
        "123,456",
        "100 a day",
        "published by day",
        "Versions of crates:aurora, 7 days",
        "2.0.0 60 %",
        "other versions 10 %",
        "8.6",
        "▲ 7.5 %",
        "better, against a quarter before",
        "Pain points",
        "Community health 71 of 100",
        "60 % of what it is made from is known",
        "Starter Project Health",
        "Repositories with a licence ! 0 of 2",
    ):
        assert sentence in said, sentence
    assert "3.0.0" not in said
    assert "too few" in said  # two people's sentiment is no number
    assert "+0.90" not in said
    assert said.index("acme/api", said.index("Repositories by need")) < said.index(
        "acme/web", said.index("Repositories by need")
    )
