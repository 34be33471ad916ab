"""A small warehouse for the tests of the site: two repositories, a few weeks; and its pages as a reader sees them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import sqlalchemy as sa

from metrics_assets.assets.site.building import site_info
from metrics_assets.assets.site.reading import Reading, reading_of
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.settings import Settings
from metrics_assets_tests.reporting.test_releases_page import parsed

DAY = date(2025, 12, 31)
CONFIG = """
portfolio: Aurora
start: 2025-06-01
repositories: [{github: acme/api}, {github: acme/web}]
teams: {heron: [ann, bob, cat], osprey: [dan, eve, fay]}
space: {teams: [heron]}
"""
SETTINGS = Settings.model_validate(
    {"portfolio": "Aurora", "start": "2025-06-01", "repositories": [{"github": "acme/api"}]}
)
TEAM = "heron"
PACKS = "{engineering,community,product-metrics,release-watch}"
HOSTILE = '<img src=x onerror=alert(1)> "q" \u202eעברית ' + "long" * 2500


def fill(engine: sa.Engine) -> None:
    """A portfolio of acme/api and acme/web with a figure of the newest day."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check, space_teams) "
            "values ('Aurora', '2025-06-01', 3, 3, 'x', '{heron}')"
        )
        connection.exec_driver_sql(
            "insert into raw.repositories (repository_id, repository, state, is_fork, is_private, has_issues, "
            "created_at) select number, name, 'active', false, false, true, '2025-01-01' "
            "from unnest(array['acme/api', 'acme/web']) with ordinality as names (name, number)"
        )
        connection.exec_driver_sql(
            "insert into ops.repository_settings (repository_id, repository, team, deployment_source, environment, "
            "release_tag_pattern, incident_labels, incident_maximum_gap_hours, entities) "
            "select repository_id, repository, 'heron', 'releases', 'production', '.', '{}', 24, '{}' "
            "from raw.repositories"
        )
        connection.execute(
            sa.text(
                "insert into metrics.dora_daily (subject_kind, subject, repository_id, repository, date, "
                "days_observed, deployments_succeeded, deployments_in_window, deployment_frequency, "
                "deployment_frequency_low, deployment_frequency_high) "
                "select 'repository', repository, repository_id, repository, :day, 28, 2, 20, 0.7, 0.5, 0.9 "
                "from raw.repositories"
            ),
            {"day": DAY},
        )
        connection.execute(
            sa.text(
                "insert into ops.daily_status (date, status, line, details) "
                "values (:day, 'healthy', 'All is well.', '{\"failed_checks\": []}')"
            ),
            {"day": DAY},
        )


def run(engine: sa.Engine, statement: str, **given: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement), given)


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
