"""The asset site/pages: builds all pages, says what is wrong with them, and leaves the old site where it cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets import addresses
from metrics_assets import settings as configuration
from metrics_assets.alerting.rules import evaluate
from metrics_assets.assets.shared import Shared, Warehouse
from metrics_assets.assets.site import building, open_alerts
from metrics_assets.assets.site.asset import CHECKS, PUBLISHED, READS, SITE, site_assets, site_folder
from metrics_assets.assets.site.building import PAGES, expected_pages, site_info
from metrics_assets.assets.site.reading import Page, Reading, as_one_state, reading_of
from metrics_assets.assets.site.series import read_series
from metrics_assets.automation.jobs import main_job
from metrics_assets.catalogue import parts
from metrics_assets.definitions import build
from metrics_assets.partitions import daily
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.settings import Settings
from metrics_assets.warehouse import engine as engines
from metrics_assets_tests.assets.site_warehouse import CONFIG, DAY, fill
from metrics_assets_tests.command import url_text


@pytest.fixture
def engine(new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    (tmp_path / "metrics.yaml").write_text(CONFIG)
    monkeypatch.setenv("METRICS_CONFIG", str(tmp_path / "metrics.yaml"))
    monkeypatch.setenv("METRICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METRICS_DATABASE_URL", url_text(new_database("site")))
    engines.engine.cache_clear()
    made = engines.engine()
    fill(made)
    yield made
    made.dispose()
    engines.engine.cache_clear()


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**configuration.load().model_dump(by_alias=True), **changes})


def made(given: Settings, day: str = str(DAY)) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        site_assets(Shared(given, daily(given))),
        partition_key=day,
        resources={"warehouse": Warehouse()},
        raise_on_error=False,
    )


def checks(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, str | None]]:
    return {one.check_name: (one.passed, one.description) for one in result.get_asset_check_evaluations()}


def only(*files: tuple[str, str]) -> tuple[Page, ...]:
    """Instead of all pages some files; every page that must be there is."""

    def page(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
        written = dict.fromkeys(sorted(site.pages), "<p>page</p>") | dict(files)
        yield from written.items()
        for path in building.team_pages(reading).values():
            yield path, "<p>team</p>"

    return (page,)


def test_all_pages_are_built_and_nothing_is_wrong_with_them(engine: sa.Engine) -> None:
    result = made(settings())
    assert result.success
    found = checks(result)
    assert set(found) == set(CHECKS)
    assert {name: said for name, (passed, said) in found.items() if not passed} == {}
    (event,) = result.get_asset_materialization_events()
    metadata = {name: entry.value for name, entry in event.materialization.metadata.items()}
    folder = site_folder().joinpath("current").resolve()
    pages = list(folder.rglob("*.html"))
    assert metadata["pages"] == len(pages)
    assert metadata["path"] == str(site_folder() / "current/index.html")
    assert "address" not in metadata
    assert metadata["bytes"] > 100_000
    # Where a team's own page is, is for the team.
    assert "team/" not in str(metadata)
    assert "| index.html |" in metadata["preview"]
    badges = {path.name: path.read_text() for path in (folder / "badges/acme.api").iterdir()}
    assert "DORA: High" in badges["tier.svg"]
    assert "Deployment frequency: 4.9 per week, High" in badges["deployment_frequency.svg"]
    assert "not known" in badges["lead_time_hours.svg"]
    assert badges["health.svg"] == badges["health_score.svg"]


def test_the_pages_of_a_day_know_its_repositories_reports_and_parts_of_the_method(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for start, as_of in (("2025-11-01", "2025-11-30"), ("2025-12-01", "2026-01-01")):
            connection.execute(
                sa.text(
                    "insert into ops.reports (report, period_start, period_end, as_of, title, figures, document, "
                    "markdown, html) values ('monthly_report', :start, cast(:start as date) + 29, :as_of, 't', '{}', "
                    "'{}', '', '')"
                ),
                {"start": start, "as_of": as_of},
            )
    paths = expected_pages(reading_of(engine, settings(), DAY))
    assert {"index.html", "repo/acme.api.html", "repo/acme.web.html", addresses.method(parts.pages()[0].slug)} <= paths
    assert {path for path in paths if path.startswith("reports/")} == {"reports/monthly_report-2025-11-01.html"}
    assert not any(path.startswith("team/") for path in paths)


def test_a_page_that_cannot_be_read_fails_the_build_and_leaves_the_site(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PAGES", only(("index.html", "<p>old</p>")))
    assert made(settings()).success

    def broken(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
        yield "index.html", "<p>new</p>"
        with reading.engine.connect() as connection:
            connection.exec_driver_sql("select figure from metrics.table_that_is_gone")

    monkeypatch.setattr(building, "PAGES", (broken,))
    result = made(settings())
    assert not result.success
    assert not result.get_asset_materialization_events()
    assert (site_folder() / "current/index.html").read_text() == "<p>old</p>"


def test_what_is_wrong_with_a_page_is_a_check_that_failed(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        building,
        "PAGES",
        only(("index.html", '<a href="gone.html">'), ("goals.html", "x" * 300_001), ("surprise.html", "")),
    )
    result = made(settings())
    assert result.success
    failed = {name: said for name, (passed, said) in checks(result).items() if not passed}
    assert failed == {
        "links_lead_somewhere": "index.html links to gone.html, which is not there.",
        "pages_are_small": "goals.html has 300 KB, more than 300; show fewer rows.",
        "all_pages": "surprise.html is a page that nobody expected.",
    }


def test_it_is_published_where_metrics_yaml_says(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PAGES", only())
    given = settings(site={"publish_to": "public"}, alerts={"site_url": "https://metrics.example.org"})
    result = made(given)
    passed, said = checks(result)[PUBLISHED]
    assert (passed, (tmp_path / "public/current/index.html").exists()) == (True, True)
    assert said is not None
    assert said.startswith("public: ")
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["address"].value == "https://metrics.example.org/index.html"

    # A day that is built again is not what people shall find there.
    monkeypatch.setattr(building, "PAGES", only(("index.html", "<p>past</p>")))
    passed, said = checks(made(given, "2025-12-01"))[PUBLISHED]
    assert (passed, said) == (
        True, "This is the site of 2025-12-01; figures go on to 2025-12-31, so it stays on this machine.",
    )  # fmt: skip
    assert (tmp_path / "public/current/index.html").read_text() == "<p>page</p>"


def test_a_target_that_fails_is_a_check_and_the_site_stays(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "PAGES", only())
    result = made(settings(site={"publish_to": "/dev/null/site"}))
    assert result.success
    passed, said = checks(result)[PUBLISHED]
    assert not passed
    assert said is not None
    assert said.startswith("The site was not published to /dev/null/site: ")
    assert (site_folder() / "current/index.html").exists()


def test_what_all_pages_share(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text('update ops.daily_status set details = \'{"failed_checks": ["check x of y"]}\''))
        connection.exec_driver_sql(
            "insert into ops.collection_log (repository, entity, run_id, range_start, range_end, outcome, reason, "
            "rows_read, requests, points) values ('acme/api', 'issues', 'r', '2025-12-31', '2025-12-31', "
            "'incomplete', 'GitHub said no.', 0, 0, 0), "
            # Of a day that is still to come, and of a repository that metrics.yaml does not name any more.
            "('acme/api', 'pulls', 's', '2026-01-01', '2026-01-02', 'incomplete', 'Too late.', 0, 0, 0), "
            "('acme/gone', 'issues', 'r', '2025-12-31', '2025-12-31', 'incomplete', 'Gone.', 0, 0, 0)"
        )
    site = site_info(reading_of(engine, settings(), DAY))
    assert (site.portfolio, site.data_through) == ("Aurora", DAY)
    assert site.problems == ("Failed: check x of y.", "acme/api: issues incomplete: GitHub said no.")
    assert site.dagster_url == "http://127.0.0.1:3000"
    # On another machine that address is no use.
    assert site_info(reading_of(engine, settings(site={"publish_to": "public"}), DAY)).dagster_url is None
    past = site_info(reading_of(engine, settings(), DAY.replace(day=1)))
    assert past.problems[0].startswith("Whether the checks of ")


def test_all_pages_see_one_state_of_the_warehouse(engine: sa.Engine) -> None:
    def seen(reading: Reading) -> tuple[str, str]:
        with reading.engine.connect() as connection:
            name = connection.execute(sa.text("select portfolio from ops.portfolio")).scalar_one()
        series = read_series(reading, ["change_failure_rate"], "repository", weeks=1)
        return name, ", ".join(subject for subject, _ in series)

    reading = reading_of(engine, settings(), DAY)
    before = seen(reading)
    with as_one_state(reading) as still:
        with engine.begin() as connection:
            connection.exec_driver_sql("update ops.portfolio set portfolio = 'Other'")
            connection.exec_driver_sql("delete from metrics.dora_daily")
        assert seen(still) == before
        assert seen(reading) == ("Other", "")
    assert before[1]


def test_the_rules_are_evaluated_once_for_all_pages(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated: list[Any] = []

    def counting(*given: Any) -> Any:
        evaluated.append(given)
        return evaluate(*given)

    monkeypatch.setattr(open_alerts, "evaluate", counting)
    reading = reading_of(engine, settings(), DAY)
    site = site_info(reading)
    for page in PAGES:
        list(page(reading, site))
    assert len(evaluated) == 1
    replaced = dataclasses.replace(reading, day=DAY - timedelta(days=1))
    open_alerts.alerts_of(replaced)
    assert evaluated[1][2] == replaced.day


def test_every_table_that_pages_read_is_an_asset(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "x")
    graph = build(settings()).resolve_asset_graph()
    known = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {table.replace(".", "/") for table in READS} <= known
    assert SITE in main_job.selection.resolve(graph)
    assert len(PAGES) == 14
