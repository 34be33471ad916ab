"""A small warehouse for the tests of the site: two repositories, a few weeks."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

DAY = date(2025, 12, 31)
CONFIG = """
portfolio: Aurora
start: 2025-06-01
repositories: [{github: acme/api}, {github: acme/web}]
teams: {heron: [ann, bob, cat], osprey: [dan, eve, fay]}
space: {teams: [heron]}
"""


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
