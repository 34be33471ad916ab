"""Collecting packages into PostgreSQL: side by side, with failures, yanks, deletions and the book-keeping."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.assets.packages import CollectedPackages, PackageCollector, canonical, package_assets
from metrics_assets.assets.shared import Shared, Warehouse, key_of
from metrics_assets.partitions import Days, daily
from metrics_assets.settings import Settings
from metrics_assets.sources.http import ApiClient
from metrics_assets.sources.registries.clients import user_agent
from metrics_assets.warehouse.write import PersonKeys
from metrics_assets_tests.sources.registries.asking import Registry, marked
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

NOW = datetime(2026, 8, 24, 6, tzinfo=UTC)
PEOPLE = PersonKeys(b"a secret of the test, long enough")
DAY = timedelta(days=1)

GEM = {"version": "1.0.0", "downloads": 900, "licenses": ["MIT"]}
VERSIONS = [
    {"number": "1.0.0", "created_at": "2026-01-01T00:00:00Z", "prerelease": False, "downloads_count": 800},
    {"number": "0.9.0", "created_at": "2025-12-01T00:00:00Z", "prerelease": False, "downloads_count": 100},
]
IMAGE = {"pull_count": 50, "star_count": 2, "date_registered": "2026-01-01T00:00:00Z"}
GEMS = {"/api/v1/gems/acme.json": GEM, "/api/v1/versions/acme.json": marked(VERSIONS), "/v1/query": {}}
DOCKER = {"/v2/repositories/acme/tool/": IMAGE, "/v2/repositories/acme/tool/tags": {"results": [], "next": None}}


def advisory(name: str) -> dict[str, Any]:
    return {"id": name, "published": "2026-02-01T00:00:00Z"}


def project(*yanked: str) -> dict[str, Any]:
    def files(version: str) -> list[dict[str, Any]]:
        return [{"upload_time_iso_8601": "2026-01-01T00:00:00Z", "yanked": version in yanked, "yanked_reason": "bad"}]

    return {"info": {"version": "1.0.1"}, "releases": {version: files(version) for version in ("1.0.0", "1.0.1")}}


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiClient, "_learn_clock", lambda client, response: None)


def settings_of(url: str, *packages: str, **sources: Any) -> Settings:
    everywhere = {name: {"base_url": url} for name in ("pypi", "npm", "crates", "go", "gems", "docker", "brew")}
    everywhere["pypi"]["pypistats_url"] = everywhere["npm"]["downloads_url"] = everywhere["go"]["pkg_url"] = url
    everywhere |= {"deps_dev": {"base_url": url}, "osv": {"base_url": url}, **sources}
    return Settings.model_validate(
        {
            "start": "2026-08-01",
            "repositories": [{"github": "acme/api", "packages": list(packages)}],
            "sources": everywhere,
        }
    )


def collect(
    engine: sa.Engine, settings: Settings, *, run: str = "run", now: datetime = NOW, first: date | None = None
) -> CollectedPackages:
    clock = Clock(now.timestamp())
    collector = PackageCollector(
        engine=engine,
        people=PEOPLE,
        settings=settings,
        run_id=run,
        days=Days(first or now.date() - 3 * DAY, now.date()),
        sleep=clock.sleep,
        clock=clock,
    )
    return asyncio.run(collector.collect())


def rows(engine: sa.Engine, sql: str) -> list[Any]:
    with engine.connect() as connection:
        found = connection.execute(sa.text(sql)).all()
    return [tuple(row) if len(row) > 1 else row[0] for row in found]


def test_packages_of_several_registries(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.repositories (repository_id, repository, state, is_fork, is_private, has_issues, "
                "created_at) values (7, 'Acme/API', 'active', false, false, true, now())"
            )
        )
    with Scripted(answer=Registry(GEMS | DOCKER)) as server:
        collected = collect(warehouse, settings_of(server.url, "gems:acme", "docker:acme/tool", "gems:acme"))
    assert collected.missing == []
    assert collected.packages == 2
    assert rows(warehouse, "select registry, package, state from raw.packages order by 1") == [
        ("docker", "acme/tool", "active"),
        ("gems", "acme", "active"),
    ]
    assert rows(warehouse, "select registry, repository_id, repository from ops.package_settings order by 1") == [
        ("docker", 7, "acme/api"),
        ("gems", 7, "acme/api"),
    ]
    assert rows(
        warehouse,
        "select repository, entity, outcome, source, range_start from ops.collection_log order by 1, 2",
    ) == [
        ("docker:acme/tool", "package_downloads", "complete", "registries", date(2026, 8, 21)),
        ("docker:acme/tool", "package_releases", "complete", "registries", date(2026, 8, 21)),
        ("docker:acme/tool", "packages", "complete", "registries", date(2026, 8, 21)),
        ("gems:acme", "package_advisories", "complete", "registries", date(2026, 8, 21)),
        ("gems:acme", "package_releases", "complete", "registries", date(2026, 8, 21)),
        ("gems:acme", "packages", "complete", "registries", date(2026, 8, 21)),
    ]
    assert rows(
        warehouse, "select subject, resource, requests::int, not_modified from ops.api_usage order by 1, 2"
    ) == [("docker:acme/tool", "docker", 2, 0), ("gems:acme", "gems", 2, 0), ("gems:acme", "osv", 1, 0)]


def test_a_second_run_asks_for_what_changed_and_writes_nothing_twice(warehouse: sa.Engine) -> None:
    with Scripted(answer=Registry(GEMS)) as server:
        settings = settings_of(server.url, "gems:acme")
        collect(warehouse, settings, run="first")
        before = rows(warehouse, "select * from raw.package_releases order by version")
        collected = collect(warehouse, settings, run="second")
    assert rows(warehouse, "select * from raw.package_releases order by version") == before
    assert sum(collected.rows_written.values()) == 0
    assert rows(warehouse, "select not_modified from ops.api_usage where run_id = 'second' and resource = 'gems'") == [
        1
    ]
    # A step that is tried again in the same run adds to what it cost.
    with Scripted(answer=Registry(GEMS)) as server:
        collect(warehouse, settings_of(server.url, "gems:acme"), run="second")
    assert rows(warehouse, "select requests::int from ops.api_usage where run_id = 'second' and resource = 'gems'") == [
        4
    ]


def test_validators_without_rows_are_not_believed(warehouse: sa.Engine) -> None:
    with Scripted(answer=Registry(GEMS)) as server:
        settings = settings_of(server.url, "gems:acme")
        collect(warehouse, settings, run="first")
        with warehouse.begin() as connection:
            connection.execute(sa.text("truncate raw.packages, raw.package_releases"))
        collect(warehouse, settings, run="second")
    assert rows(warehouse, "select version from raw.package_releases order by 1") == ["0.9.0", "1.0.0"]


def test_a_registry_that_is_down_fails_only_its_packages(warehouse: sa.Engine) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply({}, status=500) if "/repositories/" in asked.path else Registry(GEMS)(asked)

    with Scripted(answer=answer) as server:
        settings = settings_of(server.url, "docker:acme/tool", "docker:acme/other", "gems:acme")
        collected = collect(warehouse, settings)
    assert len(collected.missing) == 4  # pulls and tags of two images
    assert "docker:acme/other: its downloads could not be collected (GET http://127.0.0.1" in collected.missing[0]
    assert collected.missing[0].endswith("What the warehouse held of it stays.")
    assert rows(
        warehouse, "select repository, outcome from ops.collection_log where entity = 'packages' order by 1"
    ) == [
        ("docker:acme/other", "incomplete"),
        ("docker:acme/tool", "incomplete"),
        ("gems:acme", "complete"),
    ]
    assert rows(warehouse, "select count(*) from raw.package_releases where registry = 'gems'") == [2]
    assert set(rows(warehouse, "select error_class from ops.collection_log where outcome = 'incomplete'")) == {
        "Unavailable"
    }


def test_a_service_that_is_not_there_says_nothing_of_the_package(warehouse: sa.Engine) -> None:
    without = {path: answer for path, answer in GEMS.items() if path != "/v1/query"}
    with Scripted(answer=Registry(without)) as server:
        (sentence,) = collect(warehouse, settings_of(server.url, "gems:acme")).missing
    assert sentence.startswith("gems:acme: its advisories could not be collected (POST http://")
    assert sentence.endswith("Written: 5 rows of releases; what the warehouse held of it stays.")


def test_a_package_that_disappears_keeps_what_is_held(warehouse: sa.Engine) -> None:
    answers: dict[str, Any] = dict(GEMS)
    with Scripted(answer=lambda asked: Registry(answers)(asked)) as server:
        settings = settings_of(server.url, "gems:acme")
        collect(warehouse, settings, run="first")
        gone = {name: answer for name, answer in answers.items() if "gems/acme" in name or "versions" in name}
        for name in gone:
            del answers[name]
        collected = collect(warehouse, settings, run="second", now=NOW + DAY)
        assert rows(warehouse, "select state, license from raw.packages") == [("missing", "MIT")]
        assert rows(warehouse, "select count(*) from raw.package_releases where deleted_at is null") == [2]
        (sentence,) = collected.missing
        assert sentence.startswith("gems:acme does not exist; check its name in metrics.yaml (GET http://")
        assert "/api/v1/gems/acme.json: 404" in sentence
        answers |= gone
        collect(warehouse, settings, run="third", now=NOW + 2 * DAY)
    assert rows(warehouse, "select state from raw.packages") == ["active"]


def test_a_yank_is_noticed_once_and_taken_back(warehouse: sa.Engine) -> None:
    answers: dict[str, Any] = {"/v1/query": {}}
    seen = []
    with Scripted(answer=lambda asked: Registry(answers)(asked)) as server:
        settings = settings_of(server.url, "pypi:Acme_Client")
        for day, yanked in enumerate([(), ("1.0.1",), ("1.0.1",), (), ("1.0.1",)]):
            answers["/pypi/acme-client/json"] = project(*yanked)
            collect(warehouse, settings, run=f"run {day}", now=NOW + day * DAY)
            seen += rows(
                warehouse,
                "select is_yanked, yanked_reason, yanked_noticed_at::date from raw.package_releases "
                "where version = '1.0.1'",
            )
    assert seen == [
        (False, None, None),
        (True, "bad", date(2026, 8, 25)),
        (True, "bad", date(2026, 8, 25)),
        (False, None, None),
        (True, "bad", date(2026, 8, 28)),
    ]


def test_what_a_whole_list_no_longer_has_is_marked_and_may_come_back(warehouse: sa.Engine) -> None:
    answers: dict[str, Any] = dict(GEMS)
    seen, marked_at = [], []
    with Scripted(answer=lambda asked: Registry(answers)(asked)) as server:
        settings = settings_of(server.url, "gems:acme")
        for day, names in enumerate([("A", "B"), ("A",), ("A",), ("A", "B"), None]):
            answers["/v1/query"] = {"vulns": [advisory(name) for name in names] if names else "broken"}
            collect(warehouse, settings, run=f"run {day}", now=NOW + day * DAY)
            found = rows(warehouse, "select advisory_id, deleted_at from raw.package_advisories order by 1")
            seen.append([name for name, deleted_at in found if deleted_at is None])
            marked_at += [deleted_at for _, deleted_at in found if deleted_at]
    assert seen == [["A", "B"], ["A"], ["A"], ["A", "B"], ["A", "B"]]  # a broken answer deletes nothing
    assert marked_at[0] == marked_at[1]  # when it was found to be gone, not when it was last so


def test_a_batch_is_written_with_its_validators_or_not_at_all(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("alter table ops.http_validators add constraint none check (url is null)"))
    with Scripted(answer=Registry(GEMS)) as server, pytest.raises(sa.exc.IntegrityError):
        collect(warehouse, settings_of(server.url, "gems:acme"))
    assert rows(warehouse, "select version from raw.package_counters") == [""]  # the batch before
    assert rows(warehouse, "select count(*) from raw.package_releases") == [0]


def test_a_count_that_no_column_holds_is_the_registrys_mistake(warehouse: sa.Engine) -> None:
    answers = GEMS | {"/api/v1/gems/acme.json": GEM | {"downloads": 2**63}}
    with Scripted(answer=Registry(answers)) as server:
        collected = collect(warehouse, settings_of(server.url, "gems:acme"))
    assert "downloads is 9223372036854775808" in collected.missing[0]


def test_recorded_npm_downloads_reach_the_table(warehouse: sa.Engine, real_data: Path) -> None:
    recorded = json.loads((real_data / "registries" / "npm_downloads_range" / "electron.json").read_text())
    by_day = {row["day"]: row["downloads"] for row in recorded["downloads"]}

    def answer(asked: Asked) -> Reply:
        if not asked.path.startswith("/downloads/range/"):
            return Registry({"/v1/query": {}})(asked)
        first, last = (date.fromisoformat(day) for day in asked.path.split("/")[3].split(":"))
        days = [(first + number * DAY).isoformat() for number in range((last - first).days + 1)]
        return Reply({"downloads": [{"day": day, "downloads": by_day.get(day, 0)} for day in days]})

    with Scripted(answer=answer) as server:
        settings = settings_of(server.url, "npm:electron").model_copy(update={"start": date(2025, 2, 23)})
        collect(warehouse, settings, first=date(2025, 2, 23))
    found = rows(warehouse, "select count(*), sum(downloads)::bigint, min(date), max(date) from raw.package_downloads")
    assert found == [(540, sum(by_day.values()), date(2025, 2, 23), date(2026, 8, 21))]


def test_nobody_is_asked_where_no_package_is_named(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("insert into ops.package_settings (registry, package) values ('npm', 'gone')"))
    with Scripted(Reply({})) as server:
        collected = collect(warehouse, settings_of(server.url))
        assert server.asked == []
    assert (collected.packages, collected.missing) == (0, [])
    assert rows(warehouse, "select count(*) from ops.package_settings") == [0]


def test_who_asks_says_so(warehouse: sa.Engine) -> None:
    with Scripted(answer=Registry(GEMS)) as server:
        collect(warehouse, settings_of(server.url, "gems:acme"))
        agents = {asked.headers["user-agent"] for asked in server.asked}
    assert agents == {user_agent("portfolio")}
    assert user_agent("acmé (labs)\n").endswith("(portfolio: acm labs)")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pypi:Acme.Client_x", "acme-client-x"),
        ("npm:@acme/client", "@acme/client"),
        ("docker:nginx", "library/nginx"),
        ("docker:acme/tool", "acme/tool"),
        ("go:github.com/Acme/tool", "github.com/Acme/tool"),
    ],
)
def test_names_as_registries_write_them(name: str, expected: str) -> None:
    assert canonical(*name.split(":", 1)) == expected


@pytest.mark.parametrize("works", [True, False])
def test_the_asset_reports_what_is_missing(
    new_database: Callable[[str], URL], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, works: bool
) -> None:
    monkeypatch.setenv("METRICS_DATABASE_URL", new_database("packages_asset").render_as_string(hide_password=False))
    monkeypatch.setenv("METRICS_HOME", str(tmp_path))
    with Scripted(answer=Registry(GEMS if works else {"/v1/query": {}})) as server:
        settings = settings_of(server.url, "gems:acme")
        shared = Shared(settings, daily(settings))
        done = dg.materialize(package_assets(shared), partition_key="2026-08-02", resources={"warehouse": Warehouse()})
    (check,) = done.get_asset_check_evaluations()
    assert (check.passed, check.asset_key) == (works, key_of("raw.packages"))
    assert works or "gems:acme does not exist" in str(check.description)
    counts = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata[
            "dagster/row_count"
        ].value
        for event in done.get_asset_materialization_events()
        if event.asset_key
    }
    assert counts["raw/packages"] == counts["ops/package_settings"] == 1
    assert counts["raw/package_releases"] == (2 if works else 0)
