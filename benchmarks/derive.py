"""How long the derived tables take: a year of a large portfolio, and one more day of it.

    python benchmarks/derive.py [--repositories 100]

Makes an embedded PostgreSQL in a temporary folder, fills it by SQL alone (per repository: 10,000 commits, a fifth of
them on branches that were merged, 1,000 pull requests with a review and comments, 1,500 issues with comments, 3,000
stars, 400 deployments, 365 counts by the provider), and prints a table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date, timedelta

import sqlalchemy as sa
from warehouses import warehouse

from metrics_assets.assets.derivations import derivations

START, DAYS = date(2025, 1, 1), 365
END = START + timedelta(days=DAYS)

# r is the repository, n the number of the row in it.
GENERATOR = f"""
create function pg_temp.sha(kind text, r bigint, n bigint) returns text immutable language sql
    return md5(kind || r || ':' || n) || substr(md5(n || kind || r), 1, 8);
create function pg_temp.person(r bigint, n bigint) returns text immutable language sql
    return md5('person' || r || ':' || (n * n % 211)::text);

create function pg_temp.moment(share numeric) returns timestamptz immutable language sql
    return timestamptz '2025-01-01 00:00+00' + interval '365 days' * share::double precision;

insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check)
values ('benchmark', '2025-01-01', 3, 3, 'x');

insert into raw.repositories (repository_id, repository, state, default_branch, is_fork, is_private, has_issues,
                              created_at)
select r, 'acme/' || r, 'active', 'main', false, false, true, '2023-01-01'
from generate_series(1, :repositories) as r;

insert into ops.repository_settings
select r, 'acme/' || r, null, 'auto', 'production', '^v?\\d+\\.\\d+(\\.\\d+){{0,2}}$', array['incident'], 24,
       array['pull_requests','issues','commits','releases','tags','deployments','stargazers','forks']
from generate_series(1, :repositories) as r;

insert into ops.collection_state (repository_id, entity, days)
select repository_id, entity, '{{[2025-01-01,2026-01-01)}}'
from ops.repository_settings cross join unnest(entities) as entity;

insert into raw.commits
select r, pg_temp.sha('m', r, n),
       case when n = 1 then '{{}}' when n % 4 = 0 then array[pg_temp.sha('m', r, n - 1), pg_temp.sha('s', r, n / 4)]
            else array[pg_temp.sha('m', r, n - 1)] end,
       pg_temp.person(r, n), n % 10 = 9, pg_temp.moment(n / 8001.0) - interval '1 hour',
       pg_temp.moment(n / 8001.0), null,
       case when n % 501 = 500 then pg_temp.sha('m', r, n - 20) end, true
from generate_series(1, :repositories) as r, generate_series(1, 8000) as n;

insert into raw.commits
select r, pg_temp.sha('s', r, n), array[pg_temp.sha('m', r, n * 4 - 2)], pg_temp.person(r, n), false,
       pg_temp.moment((n * 4 - 1.5) / 8001.0), pg_temp.moment((n * 4 - 1.5) / 8001.0), null, null, true
from generate_series(1, :repositories) as r, generate_series(1, 2000) as n;

insert into raw.pull_requests (repository_id, number, state, author_key, author_is_bot, created_at, updated_at,
                               closed_at, merged_at, first_commit_at, merge_sha)
select r, n, case when n % 10 = 0 then 'open' else 'merged' end, pg_temp.person(r, n), n % 7 = 0,
       made, made + interval '2 days', merged, merged, made - interval '9 hours', pg_temp.sha('m', r, n * 8)
from generate_series(1, :repositories) as r, generate_series(1, 1000) as n,
     lateral (select pg_temp.moment(n * 8 / 8001.0) as made) as at,
     lateral (select case when n % 10 > 0 then made end as merged) as ended;
update raw.pull_requests set created_at = created_at - interval '30 hours';

insert into raw.reviews
select repository_id, 'r' || number, number, pg_temp.person(repository_id, number + 1), false, 'approved',
       created_at + interval '5 hours'
from raw.pull_requests;

insert into raw.pull_request_events
select repository_id, number || ':' || k, number,
       case k when 1 then 'commented' when 2 then 'labeled' else 'closed' end,
       pg_temp.person(repository_id, number + k), false, null,
       case when k = 3 then closed_at else created_at + k * interval '1 hour' end
from raw.pull_requests, generate_series(1, 3) as k where k < 3 or closed_at is not null;

insert into raw.issues
select r, 100000 + n, 'issue', 'closed', null, pg_temp.person(r, n), n % 9 = 0, made, made + interval '9 days',
       case when n % 5 > 0 then made + interval '9 days' end,
       case when n % 50 = 7 then array['incident', 'severity: major'] else array['bug'] end, 2,
       case when n % 100 = 7 then array['sha:' || pg_temp.sha('m', r, n * 5), 'number:' || n / 2] else '{{}}' end
from generate_series(1, :repositories) as r, generate_series(1, 1500) as n,
     lateral (select pg_temp.moment(n / 1501.0) as made) as at;

insert into raw.issue_events
select repository_id, number || ':' || k, number, case when k = 4 then 'closed' else 'commented' end,
       pg_temp.person(repository_id, number + k), false, null,
       case when k = 4 then closed_at else created_at + k * interval '7 hours' end
from raw.issues, generate_series(1, 4) as k where k < 4 or closed_at is not null;

insert into raw.deployments
select r, n, pg_temp.sha('m', r, n * 20 - case when n % 40 = 39 then 40 else 0 end), 'main', 'production', 'deploy',
       null, null, made, made
from generate_series(1, :repositories) as r, generate_series(2, 400) as n,
     lateral (select pg_temp.moment(n * 20 / 8001.0) as made) as at;

insert into raw.deployment_statuses
select repository_id, deployment_id || ':' || k, deployment_id,
       case when k = 1 then 'in_progress' when deployment_id % 25 = 0 then 'failure' else 'success' end,
       created_at + k * interval '3 minutes'
from raw.deployments, generate_series(1, 2) as k;

insert into raw.stargazers
select r, md5('star' || n), false, pg_temp.moment(n / 3001.0)
from generate_series(1, :repositories) as r, generate_series(1, 3000) as n;

insert into raw.forks
select r, n, md5('fork' || n), false, pg_temp.moment(n / 201.0)
from generate_series(1, :repositories) as r, generate_series(1, 200) as n;

insert into raw.repository_counters
select r, date '2025-01-01' + n, date '2025-01-01' + n + interval '90 minutes', n * 8 + 900, n / 2 + 30, 5, 12
from generate_series(1, :repositories) as r, generate_series(1, {DAYS}) as n;
"""


def main() -> None:
    """Fill a warehouse, derive a year and the year's last day, and print how long each table took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=100)
    repositories: int = parser.parse_args().repositories
    with warehouse() as engine:
        filling = _seconds(lambda: _fill(engine, repositories))
        print(f"{repositories} repositories, filled in {filling:.0f} s")
        year, rows = _derive(engine, START)
        day, _ = _derive(engine, END - timedelta(days=1))
    print(f"{'table':<22}{'rows':>10}{'365 days, s':>14}{'last day, s':>14}")
    for name, seconds in year.items():
        print(f"{name:<22}{rows[name]:>10}{seconds:>14.1f}{day[name]:>14.2f}")
    print(f"{'all':<32}{sum(year.values()):>14.1f}{sum(day.values()):>14.2f}")


def _fill(engine: sa.Engine, repositories: int) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(GENERATOR.replace(":repositories", str(repositories)).replace("%", "%%"), {})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def _derive(engine: sa.Engine, first: date) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds and rows by table, in the order in which the tables are made."""
    seconds = {name: _seconds(lambda step=step: step.run(engine, first, END)) for name, step in derivations().items()}  # type: ignore[misc]
    with engine.connect() as connection:
        counts = {name: sa.text(f"select count(*) from metrics.{name}") for name in seconds}
        rows = {name: connection.execute(count).scalar_one() for name, count in counts.items()}
    return seconds, rows


def _seconds(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
