"""The page of the community read from a warehouse: what waits, what there is and what was fed, as of a day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.assets.site import community
from metrics_assets.assets.site.community_waiting import provider_site, read_waiting
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
    said = words(filled, community)
    assert "Nothing that is known waits for a first answer. " in said
    assert "Nothing is said of 2 repositories whose lists of the day are not complete." in said
    assert "Not fed: Active members of the community," in said


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
        issue(1, late, title=HOSTILE),
        issue(2, early),  # answered by another person
        issue(3, early),  # only its author and a bot spoke
        issue(4, early, closed_at=END, state="closed"),
        issue(5, early, closed_at=NEXT, state="closed"),  # was open at the day's end
        issue(6, NEXT),
        issue(7, early, author_is_bot=True),
        issue(8, "2025-05-01 10:00:00+00"),  # its answers may not have been collected
        issue(9, early, deleted_at=END),
        issue(10, early),  # answered a day later,
    )
    said = {"repository_id": 1, "event": "commented", "actor_is_bot": False}
    insert(
        filled,
        "raw.issue_events",
        {**said, "event_id": "1", "number": 2, "actor_key": "b", "created_at": late},
        {**said, "event_id": "2", "number": 3, "actor_key": "a", "created_at": late},
        {**said, "event_id": "3", "number": 3, "actor_key": "bot", "created_at": late, "actor_is_bot": True},
        {**said, "event_id": "4", "number": 10, "actor_key": "b", "created_at": NEXT},
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
        {**pull, "number": 20},
        {**pull, "number": 21},
        {**pull, "number": 22, "is_draft": True},
    )
    insert(
        filled,
        "raw.reviews",
        {
            "repository_id": 1,
            "review_id": "r",
            "number": 21,
            "author_key": "b",
            "author_is_bot": False,
            "state": "approved",
            "submitted_at": late,
        },
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
    insert(filled, "raw.discussions", {**talk, "number": 30}, {**talk, "number": 31})
    insert(
        filled,
        "raw.discussion_comments",
        {
            "repository_id": 1,
            "comment_id": "c",
            "number": 31,
            "author_key": "b",
            "author_is_bot": False,
            "is_answer": False,
            "created_at": late,
        },
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
    )
    run(
        filled,
        "insert into ops.package_settings (registry, package, repository) values ('crates', 'aurora', 'acme/api')",
    )
    run(filled, "insert into ops.platform_settings (platform, community) values ('reddit', :name)", name=HOSTILE[:60])
    insert(
        filled,
        "metrics.package_daily",
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
        },
    )
    versions = (("", DAY, 100), ("2.0.0", DAY, 60), ("1.9.0", DAY, 30), ("3.0.0", DAY + timedelta(days=1), 900))
    insert(
        filled,
        "raw.package_downloads",
        *(
            {"registry": "crates", "package": "aurora", "version": version, "date": on, "downloads": number}
            for version, on, number in versions
        ),
    )
    insert(
        filled,
        "metrics.platform_daily",
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
        },
    )
    fed = {"metric": "community_satisfaction", "subject_kind": "portfolio", "subject": "Aurora", "state": "ok"}
    insert(
        filled,
        "metrics.fed_daily",
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
        {
            **day,
            "score": "community_health",
            "version": 1,
            "subject_kind": "portfolio",
            "subject": "Aurora",
            "value": 71.0,
            "coverage": 0.6,
            "components": json.dumps(components),
        },
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
