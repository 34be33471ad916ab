"""What is read off the commit graph: which deployment of a chain shipped a commit, and what came in by merges.

The graph is walked here, as PostgreSQL would look each parent up on its own, and written back by COPY.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from metrics_assets.analysis.reachability import beside_the_line, walk
from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.warehouse.filling import first_fill

# Commits may be older than those that they stand on, when a branch was rebased or a clock was wrong.
_MARGIN = timedelta(days=31)

Parents = Mapping[str, Sequence[str]]


def derivations() -> list[Derivation]:
    """metrics.deployment_commits and metrics.side_commits."""
    return [
        Derivation(
            name="deployment_commits",
            description="The first successful deployment of a chain that contained a commit, by reachability in the "
            "commit graph. The first deployment of a chain is a baseline: it ships nothing, because nothing says when "
            "what it contains was really shipped.",
            reads=("metrics.deployments", "raw.commits"),
            kinds=frozenset({"postgres", "python"}),
            run=_ship,
        ),
        Derivation(
            name="side_commits",
            description="The commits of the default branch that came in by a merge, by day: those that are not on its "
            "first-parent line. All others are what was pushed, squashed or merged there, one after the other.",
            reads=("raw.commits", "ops.repository_settings"),
            kinds=frozenset({"postgres", "python"}),
            run=lambda engine, start, end: {"rows": find_side_commits(engine, start, end)},
        ),
    ]


def _ship(engine: sa.Engine, start: date, end: date) -> Metadata:
    shipped = ship_commits(engine, start)
    return {
        "rows": shipped.commits,
        "chains": shipped.chains,
        "deployments": shipped.deployments,
        "commits_in_baselines": shipped.baseline_commits,
    }


@dataclass(slots=True)
class Shipped:
    """What a run did."""

    chains: int = 0
    deployments: int = 0
    commits: int = 0
    baseline_commits: int = 0


@dataclass(slots=True)
class _Chain:
    """A chain with deployments to look at, oldest first: key, commit, time as PostgreSQL writes it.

    Attributes:
        previous: when the last deployment before them was; None: the first of them is the baseline.
        first: for each commit the place of the deployment that was the first to contain it.
    """

    repository_id: int
    name: str
    previous: str | None
    deployments: list[tuple[str, str, str]]
    first: dict[str, int] = field(default_factory=dict)

    def walk(self, parents: Parents) -> dict[str, int]:
        """Find `first`; the commits that were met and whose parents are not known."""
        missing: dict[str, int] = {}
        self.first = walk(parents, [(place, sha) for place, (_, sha, _) in enumerate(self.deployments)], missing)
        return missing


def ship_commits(engine: sa.Engine, start: date) -> Shipped:
    """Say for each commit which deployment contained it first, for all deployments from `start` on.

    Not only for a range: if a deployment of the past comes or goes, later ones ship other commits.
    """
    shipped = Shipped()
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('metrics.deployment_commits'))"))
        with first_fill(connection, "metrics.deployment_commits"):
            connection.execute(
                sa.text("delete from metrics.deployment_commits where deployed_at >= :start"), {"start": start}
            )
            chains = _chains(connection, start)
            unfinished = _walk_recent(connection, [chain for chain in chains if chain.previous is not None])
            unfinished += [chain for chain in chains if chain.previous is None]
            _write(connection, [chain for chain in chains if chain.first], shipped)
            # One repository at a time, so that no more than its history is in memory.
            for _, several in groupby(sorted(unfinished, key=_repository), key=_repository):
                of_repository = list(several)
                _walk_everything(connection, of_repository)
                _write(connection, of_repository, shipped)
                for chain in of_repository:
                    chain.first = {}
    shipped.chains, shipped.deployments = len(chains), sum(len(chain.deployments) for chain in chains)
    return shipped


def _repository(chain: _Chain) -> int:
    return chain.repository_id


def _chains(connection: sa.Connection, start: date) -> list[_Chain]:
    """The chains that deployed something since `start`.

    The first deployment is the baseline also where its commit is not known: that is usually older than `start`, and
    what came since is new in the second one.
    """
    rows = connection.execute(
        sa.text(
            "with recent as (select * from metrics.deployments "
            "where outcome = 'succeeded' and sha is not null and finished_at >= :start), "
            "previous as (select chains.*, (select max(finished_at) from metrics.deployments as before "
            "where before.repository_id = chains.repository_id and before.chain = chains.chain "
            "and before.finished_at < :start and before.outcome = 'succeeded' and before.sha is not null)::text as at "
            "from (select distinct repository_id, chain from recent) as chains) "
            "select repository_id, chain, deployment_key, sha, deployed_at::text as deployed_at, previous.at "
            "from recent join previous using (repository_id, chain) "
            "order by repository_id, chain, recent.deployed_at, deployment_key"
        ),
        {"start": start},
    ).all()
    chains = []
    for (repository_id, name), of_chain in groupby(rows, key=lambda row: (row.repository_id, row.chain)):
        found = list(of_chain)
        deployments = [(row.deployment_key, row.sha, row.deployed_at) for row in found]
        chains.append(_Chain(repository_id, name, found[0].at, deployments))
    return chains


def _walk_recent(connection: sa.Connection, chains: list[_Chain]) -> list[_Chain]:
    """Walk chains among the commits since their last deployment; those where that does not reach far enough."""
    if not chains:
        return []
    given = {
        "repositories": [chain.repository_id for chain in chains],
        "names": [chain.name for chain in chains],
        "since": [chain.previous for chain in chains],
    }
    unshipped = (
        "not exists (select 1 from metrics.deployment_commits as shipped "
        "where shipped.repository_id = commits.repository_id and shipped.chain = chains.name "
        "and shipped.sha = commits.sha)"
    )
    parents: list[dict[str, list[str]]] = [{} for _ in chains]
    for place, sha, above in _copy_out(
        connection,
        "select chains.place, commits.sha, array_to_string(commits.parents, ' ') "
        "from unnest(%(repositories)s::bigint[], %(names)s::text[], %(since)s::timestamptz[]) with ordinality "
        "as chains (repository_id, name, since, place) join raw.commits as commits "
        "on commits.repository_id = chains.repository_id and commits.committed_at >= chains.since - interval '7 days' "
        f"where {unshipped}",
        given,
    ):
        parents[int(place) - 1][sha] = above.split()
    met = [(place, sha) for place, chain in enumerate(chains) for sha in chain.walk(parents[place])]
    # What was met and is neither recent nor shipped: a branch that was older than that.
    rows = connection.exec_driver_sql(
        "select distinct met.place from unnest(%(places)s::int[], %(shas)s::text[]) as met (place, sha) "
        "join unnest(%(repositories)s::bigint[], %(names)s::text[]) with ordinality "
        "as chains (repository_id, name, place) on chains.place = met.place + 1 "
        "join raw.commits as commits on commits.repository_id = chains.repository_id and commits.sha = met.sha "
        f"where {unshipped}",
        {**given, "places": [place for place, _ in met], "shas": [sha for _, sha in met]},
    ).scalars()
    unfinished = [chains[place] for place in rows]
    for chain in unfinished:
        chain.first = {}
    return unfinished


def _walk_everything(connection: sa.Connection, chains: list[_Chain]) -> None:
    """Walk chains of one repository among all of its commits."""
    given: dict[str, Any] = {"repository": chains[0].repository_id}
    commits = {
        sha: above.split()
        for sha, above in _copy_out(
            connection,
            "select sha, array_to_string(parents, ' ') from raw.commits where repository_id = %(repository)s",
            given,
        )
    }
    for chain in chains:
        parents = commits
        if chain.previous is not None:
            # The walk ends at what shipped before the range, as it does where the history begins.
            shipped = _copy_out(
                connection,
                "select sha from metrics.deployment_commits where repository_id = %(repository)s and chain = %(chain)s",
                {**given, "chain": chain.name},
            )
            before = {sha for (sha,) in shipped}
            parents = {sha: above for sha, above in commits.items() if sha not in before}
        chain.walk(parents)


def _write(connection: sa.Connection, chains: list[_Chain], shipped: Shipped) -> None:
    lines: list[str] = []
    for chain in chains:
        begin = f"{chain.repository_id}\t{_escaped(chain.name)}\t"
        ends = [f"\t{_escaped(key)}\t{deployed_at}\tf\n" for key, _, deployed_at in chain.deployments]
        if chain.previous is None:
            ends[0] = ends[0].replace("\tf\n", "\tt\n")
            shipped.baseline_commits += sum(place == 0 for place in chain.first.values())
        lines += [begin + sha + ends[place] for sha, place in chain.first.items()]
    shipped.commits += len(lines)
    _copy_in(connection, "metrics.deployment_commits", "".join(lines))


def find_side_commits(engine: sa.Engine, start: date, end: date) -> int:
    """Rebuild metrics.side_commits for [start, end); how many commits were found."""
    found = 0
    with engine.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('metrics.side_commits'))"))
        connection.execute(
            sa.text("delete from metrics.side_commits where date >= :start and date < :end"),
            {"start": start, "end": end},
        )
        repositories = connection.execute(sa.text("select repository_id from ops.repository_settings order by 1"))
        lines = []
        for repository_id in repositories.scalars().all():
            by_day = _side_commits(connection, repository_id, start, end)
            lines += [f"{repository_id}\t{day}\t{{{','.join(sorted(shas))}}}\n" for day, shas in by_day.items()]
            found += sum(len(shas) for shas in by_day.values())
        _copy_in(connection, "metrics.side_commits", "".join(lines))
    return found


def _side_commits(connection: sa.Connection, repository_id: int, start: date, end: date) -> dict[str, list[str]]:
    """A repository's side commits by day. The line is followed from its end on, whatever the range's end is."""
    parents: dict[str, list[str]] = {}
    days: dict[str, str] = {}
    for sha, above, day in _copy_out(
        connection,
        "select sha, array_to_string(parents, ' '), case when committed_at >= %(start)s and committed_at < %(end)s "
        "then committed_at::date::text else '' end from raw.commits "
        "where repository_id = %(repository)s and on_default_branch and committed_at >= %(since)s",
        {"repository": repository_id, "start": start, "end": end, "since": start - _MARGIN},
    ):
        parents[sha] = above.split()
        days[sha] = day
    by_day: dict[str, list[str]] = {}
    for sha in beside_the_line(parents):
        if days[sha]:
            by_day.setdefault(days[sha], []).append(sha)
    return by_day


def _copy_out(connection: sa.Connection, query: str, given: Mapping[str, Any]) -> Iterator[list[str]]:
    """The rows of a query as texts, by COPY: several times as fast as rows of typed values. No value may be null."""
    cursor: Any = connection.connection.cursor()
    try:
        buffer = io.BytesIO()
        cursor.copy_expert(f"copy ({cursor.mogrify(query, given).decode()}) to stdout", buffer)
    finally:
        cursor.close()
    return (line.split("\t") for line in buffer.getvalue().decode().splitlines())


def _copy_in(connection: sa.Connection, table: str, lines: str) -> None:
    cursor: Any = connection.connection.cursor()
    try:
        cursor.copy_expert(f"copy {table} from stdin", io.StringIO(lines))
    finally:
        cursor.close()


def _escaped(text: str) -> str:
    """A text as COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
