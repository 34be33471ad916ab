"""Collecting platforms into a warehouse: what is kept, logged and paid, and what never gets into a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from metrics_assets.assets.platforms import CollectedPlatforms, PlatformCollector, platform_assets
from metrics_assets.assets.shared import Shared, Warehouse
from metrics_assets.partitions import Days, daily
from metrics_assets.settings import Settings
from metrics_assets.sources.asking import Asker, Batch
from metrics_assets.sources.http import ApiClient, Validator
from metrics_assets.sources.platforms import Platform, ScoreText, Timing
from metrics_assets.sources.platforms.base import counters
from metrics_assets.warehouse.write import PersonKeys
from metrics_assets_tests.sources.platforms import bodies
from metrics_assets_tests.sources.platforms.listening import WORDS, path, query, seconds
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

DAYS = Days(date(2025, 6, 1), date(2025, 6, 8))
PEOPLE = PersonKeys(b"the secret of these tests")
CREDENTIALS = ("YOUTUBE_API_KEY", "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "X_BEARER_TOKEN")
COMMUNITIES = {
    "stack_exchange": ["stackoverflow:httpx"],
    "hacker_news": ["httpx"],
    "discord": ["abc"],
    "youtube": ["UC1"],
    "reddit": ["python"],
    "x": ["project"],
}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)


def world(asked: Asked) -> Reply:
    """All platforms, at one address."""
    asks_totals = query(asked).get("filter") == "total"
    found = {
        "/2.3/questions": {"total": 40}
        if asks_totals
        else bodies.wrapper(
            bodies.question(1, "06-02", answer_count=1), bodies.question(3, "06-03", is_answered=False)
        ),
        "/2.3/questions/no-answers": {"total": 8},
        "/2.3/questions/1/answers": bodies.wrapper(bodies.answer(2, 1, "06-02 12:00")),
        "/api/v1/search": bodies.found(number=1),
        "/api/v1/search_by_date": bodies.found(
            bodies.hit(5, seconds("06-03")), bodies.hit(6, seconds("06-04"), "comment")
        ),
        "/about.json": bodies.about_forum(),
        "/latest.json": bodies.latest(bodies.topic(7, "06-05 10:00")),
        "/api/v10/invites/abc": bodies.INVITE,
        "/youtube/v3/channels": bodies.channel(),
        "/youtube/v3/playlistItems": bodies.uploads(("v", "06-06 10:00")),
        "/youtube/v3/videos": bodies.statistics("v"),
        "/2/users/by/username/project": bodies.x_user(),
        "/2/tweets/counts/recent": bodies.x_counts(("06-02 00:00", "06-03 00:00", 5)),
    }.get(path(asked))
    return Reply(found) if found is not None else Reply({"message": "nothing here"}, status=404)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted(answer=world) as running:
        yield running


def configured(url: str, **platforms: list[str]) -> Settings:
    names = ("stack_exchange", "hacker_news", "discord", "youtube", "reddit", "x")
    return Settings.model_validate(
        {
            "start": "2025-06-01",
            "end": "2025-06-07",
            "repositories": [{"github": "acme/api"}],
            "platforms": platforms,
            "sources": {name: {"base_url": url} for name in names},
        }
    )


def collector(warehouse: sa.Engine, settings: Settings, **more: Any) -> PlatformCollector:
    clock = Clock()
    given: dict[str, Any] = {"score_text": lambda text: (0.5, "test 1"), "timing": Timing(clock.sleep, clock)} | more
    return PlatformCollector(warehouse, PEOPLE, settings, "run-1", DAYS, **given)


def collect(warehouse: sa.Engine, settings: Settings, **more: Any) -> CollectedPlatforms:
    return asyncio.run(collector(warehouse, settings, **more).collect())


def rows(warehouse: sa.Engine, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]


def test_everything_that_is_on_is_collected(
    warehouse: sa.Engine, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "yt-123")
    monkeypatch.setenv("X_BEARER_TOKEN", "x-123")
    settings = configured(server.url, **COMMUNITIES, discourse=[server.url])
    collected = collect(warehouse, settings)
    assert collected.missing == {}
    assert collected.off == {"reddit:python": "off: export REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"}
    assert rows(warehouse, "select platform, kind, count(*) from raw.mentions group by 1, 2 order by 1, 2") == [
        ("discourse", "topic", 1),
        ("hacker_news", "comment", 1),
        ("hacker_news", "story", 1),
        ("stack_exchange", "answer", 1),
        ("stack_exchange", "question", 2),
        ("youtube", "video", 1),
    ]
    assert rows(warehouse, "select value from raw.platform_counters where counter = 'members' order by 1") == [
        (120,),
        (1234,),
    ]
    assert len(rows(warehouse, "select * from ops.platform_settings")) == 7
    logged = "select repository, outcome, reason from ops.collection_log where source = 'platforms' "
    assert rows(warehouse, logged + "and outcome <> 'complete'") == [
        ("reddit:python", "skipped", "off: export REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET")
    ]
    assert rows(warehouse, "select count(*) from ops.collection_log where outcome = 'complete'") == [(6,)]
    usage = rows(warehouse, "select subject, requests from ops.api_usage where resource = 'stack_exchange'")
    assert usage == [("stack_exchange:stackoverflow:httpx", 4)]
    again = collect(warehouse, settings)
    assert again.rows_read == collected.rows_read
    assert again.rows_written["raw.mentions"] == 0


def test_no_words_no_names_and_no_secrets_in_any_table(
    warehouse: sa.Engine, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "yt-123")
    monkeypatch.setenv("X_BEARER_TOKEN", "x-123")
    collect(warehouse, configured(server.url, **COMMUNITIES, discourse=[server.url]))
    assert rows(warehouse, "select count(*) from raw.mentions where author_key is not null")[0][0] >= 4
    with warehouse.connect() as connection:
        tables = connection.execute(
            sa.text(
                "select schemaname || '.' || tablename from pg_tables where schemaname in ('raw', 'ops', 'metrics')"
            )
        ).scalars()
        everything = "\n".join(
            str(row) for table in list(tables) for row in connection.execute(sa.text(f"select t::text from {table} t"))
        )
    assert "stackoverflow:httpx" in everything  # the search finds what is there
    for private in (WORDS, WORDS[:20], bodies.LOGIN, "stackoverflow:77", "yt-123", "x-123"):
        assert private not in everything


def test_one_that_fails_is_reported_and_does_not_stop_the_others(warehouse: sa.Engine) -> None:
    def answer(asked: Asked) -> Reply:
        if path(asked) == "/latest.json":
            return Reply({"message": "log in first"}, status=403)
        return Reply({}, status=500) if path(asked) == "/api/v1/search" else world(asked)

    with Scripted(answer=answer) as server:
        settings = configured(
            server.url, hacker_news=["httpx", "other"], discord=["abc", "gone"], discourse=[server.url]
        )
        collected = collect(warehouse, settings)
    forum = f"discourse:{server.url}"
    assert set(collected.missing) == {"hacker_news:httpx", "hacker_news:other", "discord:gone", forum}
    assert f"{server.url}/api/v1/search: the provider answered 500" in collected.missing["hacker_news:httpx"]
    assert f"GET {server.url}/api/v10/invites/gone: 404 nothing here" in collected.missing["discord:gone"]
    assert collected.missing[forum].endswith(
        "give the token the permission for this. 3 rows that came before are kept."
    )
    logged = "select repository, outcome, error_class, rows_read from ops.collection_log order by repository"
    assert rows(warehouse, logged) == [
        ("discord:abc", "complete", None, 2),
        ("discord:gone", "incomplete", "NotFound", 0),
        (forum, "incomplete", "Forbidden", 3),
        ("hacker_news:httpx", "incomplete", "Unavailable", 0),
        ("hacker_news:other", "incomplete", "Unavailable", 0),
    ]
    assert rows(warehouse, "select count(*) from raw.platform_counters where platform = 'discourse'") == [(3,)]


def test_a_refused_token_stops_its_platform_alone(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "x-123")

    def answer(asked: Asked) -> Reply:
        return Reply({"message": "Unauthorized"}, status=401) if path(asked).startswith("/2/") else world(asked)

    with Scripted(answer=answer) as server:
        collected = collect(warehouse, configured(server.url, x=["project"], discord=["abc"]))
    assert list(collected.missing) == ["x:project"]
    assert "the token of X_BEARER_TOKEN was refused" in collected.missing["x:project"]
    assert "x-123" not in collected.missing["x:project"]


def test_communities_of_one_platform_share_its_limits(warehouse: sa.Engine) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(bodies.wrapper(quota_remaining=0) | {"total": 1})

    with Scripted(answer=answer) as server:
        tags = ["stackoverflow:a", "stackoverflow:b", "stackoverflow:c"]
        collected = collect(warehouse, configured(server.url, stack_exchange=tags))
    assert len(server.asked) == 1
    assert len(collected.missing) == 3
    assert rows(warehouse, "select distinct error_class from ops.collection_log") == [("RateLimited",)]


def test_a_backoff_holds_for_all_communities_of_the_platform(warehouse: sa.Engine) -> None:
    clock, times = Clock(), list[float]()

    def answer(asked: Asked) -> Reply:
        times.append(clock.now)
        return Reply(bodies.wrapper(backoff=17 if len(times) == 1 else 0) | {"total": 1})

    with Scripted(answer=answer) as server:
        settings = configured(server.url, stack_exchange=["stackoverflow:a", "stackoverflow:b"])
        assert collect(warehouse, settings, timing=Timing(clock.sleep, clock)).missing == {}
    assert len(times) == 6
    assert times[1] - times[0] == pytest.approx(17, abs=0.5)


def test_rows_and_validators_are_written_together_or_not_at_all(warehouse: sa.Engine) -> None:
    seen: list[Validator | None] = []

    async def marked(
        asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
    ) -> AsyncIterator[Batch]:
        seen.append(asker.known("https://example.org/list"))
        marks = {"https://example.org/list": Validator('"v1"', None)}
        too_large = 2**63 if community == "broken" else 7
        yield Batch([*counters(asker, "discord", community, {"members": too_large})], marks)

    def connect(sources: Any, community: str, timing: Timing) -> ApiClient:
        return ApiClient("http://127.0.0.1:9", sleep=timing.sleep, clock=timing.clock)

    played = {"discord": Platform("discord", connect, marked)}
    with pytest.raises(ExceptionGroup):
        collect(warehouse, configured("http://127.0.0.1:9", discord=["broken"]), platforms=played)
    assert rows(warehouse, "select * from ops.http_validators") == []
    for _ in range(2):
        collect(warehouse, configured("http://127.0.0.1:9", discord=["good"]), platforms=played)
    assert rows(warehouse, "select url, etag from ops.http_validators") == [("https://example.org/list", '"v1"')]
    assert seen == [None, None, Validator('"v1"', None)]


def test_what_metrics_yaml_no_longer_names_has_no_figures(warehouse: sa.Engine, server: Scripted) -> None:
    collect(warehouse, configured(server.url, discord=["abc"]))
    assert collect(warehouse, configured(server.url)).communities == 0
    assert rows(warehouse, "select * from ops.platform_settings") == []
    assert rows(warehouse, "select count(*) from raw.platform_counters") == [(2,)]


def materialize(warehouse: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dg.ExecuteInProcessResult:
    monkeypatch.setattr(Warehouse, "engine", property(lambda self: warehouse))
    monkeypatch.setattr(Warehouse, "people", lambda self, settings: PEOPLE)
    return dg.materialize(
        platform_assets(Shared(settings, daily(settings))),
        resources={"warehouse": Warehouse()},
        tags={
            "dagster/asset_partition_range_start": "2025-06-01",
            "dagster/asset_partition_range_end": "2025-06-07",
        },
        raise_on_error=True,
    )


def test_the_asset_says_what_it_did(warehouse: sa.Engine, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured(server.url, hacker_news=["httpx"], reddit=["python"])
    result = materialize(warehouse, settings, monkeypatch)
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.asset_key.path) == (True, ["raw", "mentions"])
    done = {
        event.asset_key.path[-1]: event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert set(done) == {"mentions", "platform_counters", "platform_settings"}
    assert done["mentions"]["rows_read"].value == 2
    assert "REDDIT_CLIENT_SECRET" in str(done["mentions"]["off"].value)
    assert rows(warehouse, "select range_start, range_end from ops.collection_log limit 1") == [(DAYS.start, DAYS.end)]
    scored = rows(warehouse, "select distinct sentiment_method from raw.mentions")
    assert scored == [("developer-text logistic 1",)]


def test_the_asset_fails_its_check_where_something_is_missing(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(Reply({"message": "Unknown Invite"}, status=404)) as server:
        result = materialize(warehouse, configured(server.url, discord=["gone"]), monkeypatch)
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert "discord:gone" in (check.description or "")
    assert "404 Unknown Invite" in (check.description or "")


def test_an_off_platform_is_no_failure(warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(warehouse, configured("http://127.0.0.1:9", x=["project"]), monkeypatch)
    (check,) = result.get_asset_check_evaluations()
    assert check.passed


def test_errors_that_are_nobodys_are_not_swallowed(warehouse: sa.Engine) -> None:
    async def defective(
        asker: Asker, community: str, since: datetime, until: datetime, score_text: ScoreText
    ) -> AsyncIterator[Batch]:
        yield Batch([*counters(asker, "discord", community, {"members": 1 // len(community[3:])})])

    def connect(sources: Any, community: str, timing: Timing) -> ApiClient:
        return ApiClient("http://127.0.0.1:9")

    played = {"discord": Platform("discord", connect, defective)}
    with pytest.raises(ExceptionGroup):
        collect(warehouse, configured("http://127.0.0.1:9", discord=["abc"]), platforms=played)
