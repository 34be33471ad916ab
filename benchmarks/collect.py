"""Collecting from the demo server, which waits 40 ms before each answer: requests, wall time, memory, lost rows.

    python benchmarks/collect.py [CASE ...]

    large      everything of one repository, against one request per 100 rows of each list
    next-day   1,000 repositories on the next day: nothing changed; 1 % of all rows changed; then, the worst that
               can be, something in every list of 100 repositories
    memory     100,000 stars and 50,000 pull requests of one repository
    hostile    a provider that fails, lies and moves items while they are read: 20 seeds

Every case has processes and a warehouse of its own: the server's work and memory are not the collector's, though
both share the machine.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from multiprocessing.connection import Connection
from typing import Any

import sqlalchemy as sa

LATENCY_MS = 40
REST_PER_MINUTE, GRAPHQL_PER_MINUTE = 900, 2000
START, LAST = date(2024, 1, 1), date(2025, 12, 31)
SEEDS = 20
HISTORIES = "large", "quiet", "huge", "hostile"
_spawn = multiprocessing.get_context("spawn")


# --- the provider, in a process of its own ---


def serve(name: str, channel: Connection) -> None:
    """Play a synthetic history until told to stop; (command, arguments) come in, answers go out."""
    from metrics_assets.demo import changes, faults, synthetic
    from metrics_assets.demo.server import DemoServer

    histories: dict[str, Callable[[], Any]] = {
        "large": lambda: synthetic.large_repository(forks=120, releases=40, deployments=300, workflow_runs=400),
        "quiet": _quiet_and_lively,
        "huge": synthetic.huge_repository,
        "hostile": lambda: synthetic.large_repository(
            120, 160, 500, 400, forks=60, releases=12, deployments=80, workflow_runs=150
        ),
    }
    history = histories[name]()
    with DemoServer(history, budget=10**6, latency_ms=LATENCY_MS if name != "hostile" else 0) as server:
        channel.send(server.url)
        while True:
            command, arguments = channel.recv()
            earlier = server.history.repositories
            if command == "stop":
                return
            if command == "next day":
                server.play(changes.next_day(server.history, **arguments))
            elif command == "hostile":
                server.play(history)
                server.faults[:] = [
                    changes.Stirring(server, history.repositories[0].full_name, seed=arguments["seed"], every=3),
                    *faults.hostile(arguments["seed"]),
                ]
            elif command == "still hostile":
                server.faults[:] = faults.hostile(arguments["seed"] + 1000)
            elif command == "friendly":
                server.faults.clear()
            changed = sum(now is not before for now, before in zip(server.history.repositories, earlier, strict=True))
            requests, minute = Counter(server.requests), dict(server.busiest_minute)
            channel.send(Told(requests, minute, server.most_at_once, _rows(server.history), changed))


@dataclass
class Told:
    """What the provider has seen so far: requests by kind, the most in a minute and at once; its lists' lengths.

    Attributes:
        rows: of the first repository.
        changed: repositories that the last command changed.
    """

    requests: Counter[str]
    busiest_minute: dict[str, int]
    most_at_once: int
    rows: dict[str, int]
    changed: int


def _quiet_and_lively() -> Any:
    """900 small, quiet repositories and 100 of a usual size."""
    from metrics_assets.demo import synthetic
    from metrics_assets.demo.dice import Dice

    quiet = synthetic.many_repositories(900)
    lively = tuple(
        synthetic.repository(
            f"lively-{number}", Dice(f"lively {number}"), pull_requests=60, issues=90, commits=300, stars=200, forks=20,
            releases=8, deployments=30, workflow_runs=60, comments=2,
        )
        for number in range(100)
    )  # fmt: skip
    return replace(quiet, repositories=(*quiet.repositories, *lively))


def _rows(history: Any) -> dict[str, int]:
    """How many rows each list of the first repository has."""
    one = history.repositories[0]
    return {
        "pull requests": len(one.pull_requests),
        "issues": len(one.issues),
        "commits": len(one.commits),
        "stars": len(one.stars),
        "forks": len(one.forks),
        "releases": len(one.releases),
        "tags": len(one.tags),
        "deployments": len(one.deployments),
        "discussions": len(one.discussions),
        "milestones": len(one.milestones),
        "review comments": len(one.review_comments),
        "workflow runs": len(one.workflow_runs),
    }


@dataclass
class Provider:
    """The server's process, from `with` to its end."""

    name: str

    def __enter__(self) -> Provider:
        self._channel, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=serve, args=(self.name, theirs), daemon=True)
        self._process.start()
        self.url: str = self._channel.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.send(("stop", {}))
        self._process.join(10)

    def tell(self, command: str, **arguments: Any) -> Told:
        """Do something at the provider, and hear what it has seen."""
        self._channel.send((command, arguments))
        told: Told = self._channel.recv()
        return told

    def sent(self, before: Told) -> int:
        """How many requests came since then."""
        return (self.tell("friendly").requests - before.requests).total()


# --- the collector, in a process of its own ---


@dataclass
class Measured:
    """What one collection took."""

    seconds: float
    requests: float
    points: float
    peak_megabytes: float
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)


def collect(home: str, url: str, names: list[str], last: date, pace: str) -> Measured:
    """Collect repositories over [START, last] into the warehouse of a home, which is made where it is not there.

    Args:
        pace: 'limits' as in production; 'free' without them; 'hurried' as 'free', and waiting takes no time.
    """
    os.environ["METRICS_HOME"] = home
    from metrics_assets.assets.collecting import Collector
    from metrics_assets.assets.portfolio import collect_repositories
    from metrics_assets.assets.shared import _AT_ONCE, _BUSY_SECONDS, _PER_MINUTE
    from metrics_assets.partitions import Days
    from metrics_assets.settings import ENTITIES, Settings
    from metrics_assets.sources.github.client import GitHub
    from metrics_assets.sources.http import ApiClient, Token
    from metrics_assets.warehouse.collection import Book
    from metrics_assets.warehouse.engine import engine
    from metrics_assets.warehouse.migrate import migrate
    from metrics_assets.warehouse.write import PersonKeys

    database = engine()
    migrate(database)
    days = Days(START if last == LAST else last - timedelta(days=3), last + timedelta(days=1))
    settings = Settings.model_validate({"start": START, "repositories": [{"github": name} for name in names]})
    clock = _Hurried()
    paces: dict[str, dict[str, Any]] = {
        "limits": {"at_once": _AT_ONCE, "per_minute": _PER_MINUTE, "busy_seconds": _BUSY_SECONDS},
        "free": {"at_once": _AT_ONCE},
        "hurried": {"at_once": _AT_ONCE, "sleep": clock.sleep, "clock": clock},
    }

    async def work() -> Measured:
        async with ApiClient(url, credentials=[Token("benchmark", "benchmark")], **paces[pace]) as client:
            collector = Collector(
                engine=database,
                github=GitHub(client),
                people=PersonKeys(b"a secret of the benchmark"),
                settings=settings,
                book=Book(database, f"run {time.time()}", days.start, days.end),
                days=days,
            )
            began = time.monotonic()
            portfolio = await collect_repositories(collector)
            entities = await collector.collect(ENTITIES)
            return Measured(
                time.monotonic() - began,
                portfolio.requests + entities.requests,
                portfolio.points + entities.points,
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                {**portfolio.missing, **entities.missing},
                {name: count for name, count in entities.deleted.items() if count},
            )

    try:
        return asyncio.run(work())
    finally:
        database.dispose()


class _Hurried:
    """Time that passes by sleeping, without waiting: the hostile provider wants minutes of it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.ahead += seconds


def contents(home: str) -> dict[str, dict[str, str]]:
    """Everything that was collected: table, key and row as texts; what depends on the day of looking left out."""
    os.environ["METRICS_HOME"] = home
    from metrics_assets.warehouse.engine import engine

    database = engine()
    found: dict[str, dict[str, str]] = {}
    with database.connect() as connection:
        inspector = sa.inspect(connection)
        for table in sorted(inspector.get_table_names(schema="raw")):
            if table.endswith("counters"):
                continue
            key = inspector.get_pk_constraint(table, schema="raw")["constrained_columns"]
            rows = connection.execute(
                sa.text(
                    f"select ({', '.join(key)})::text, (to_jsonb(t) - 'deleted_at')::text, "
                    f"to_jsonb(t) ? 'deleted_at' and to_jsonb(t) ->> 'deleted_at' is not null from raw.{table} as t"
                )
            )
            found[table] = {row[0]: row[1] for row in rows if not row[2]}
    database.dispose()
    return found


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something in a process of its own and return what it returns."""
    with _spawn.Pool(1) as pool:
        return pool.apply(work, arguments)


# --- the cases ---


def large(home: str) -> None:
    with Provider("large") as provider:
        done: Measured = apart(collect, home, provider.url, ["synthetic/large"], LAST, "limits")
        told = provider.tell("friendly")
    rows, sent = told.rows, told.requests.total()
    floor = sum(math.ceil(count / 100) for count in rows.values())
    rest, graphql = told.requests["rest"], told.requests["graphql"]
    allowed = 60 * max(rest / REST_PER_MINUTE, graphql / GRAPHQL_PER_MINUTE)
    print(f"everything of one repository: {', '.join(f'{n} {name}' for name, n in rows.items() if n)}")
    print(f"  requests            {sent:>8}   floor {floor}, that is {sent / floor:.2f} times the floor")
    print(f"  GraphQL points      {done.points:>8.0f}")
    print(f"  wall seconds        {done.seconds:>8.1f}   the floor at 15 requests a second takes {floor / 15:.1f} s: "
          f"{done.seconds / (floor / 15):.2f} times")  # fmt: skip
    print(f"                               these requests at the limits' pace take {allowed:.1f} s")
    print(f"  in any minute       {told.busiest_minute}   limits: {REST_PER_MINUTE} REST, {GRAPHQL_PER_MINUTE} GraphQL")
    print(f"  at once             {told.most_at_once:>8}   limit 100")
    print(f"  missing             {done.missing or 'nothing'}")


def next_day(home: str) -> None:
    names = [f"synthetic/quiet-{n}" for n in range(900)] + [f"synthetic/lively-{n}" for n in range(100)]
    with Provider("quiet") as provider:
        first: Measured = apart(collect, home, provider.url, names, LAST, "free")
        print(f"1,000 repositories, first collection: {first.requests:.0f} requests, {first.points:.0f} points, "
              f"{first.seconds:.0f} s, missing {first.missing or 'nothing'}")  # fmt: skip
        days: tuple[tuple[str, dict[str, Any]], ...] = (
            ("nothing changed", {"share": 0, "seed": 1}),
            ("1 % of all rows changed", {"share": 0.01, "seed": 2, "spread": True}),
            ("something in every list of 100 repositories", {"share": 0.01, "seed": 3, "repositories": names[900:]}),
        )
        for number, (what, change) in enumerate(days, 1):
            before = provider.tell("next day", **change)
            done: Measured = apart(collect, home, provider.url, names, LAST + timedelta(days=number), "limits")
            sent = provider.sent(before)
            each = f", that is {sent / before.changed:.2f} per changed repository" if before.changed else ""
            print(f"  day {number}, {what}: {before.changed} repositories changed, {sent} requests{each}; "
                  f"{done.points:.0f} points, {done.seconds:.1f} s, deleted {done.deleted}, "
                  f"missing {done.missing or 'nothing'}")  # fmt: skip


def memory(home: str) -> None:
    with Provider("huge") as provider:
        done: Measured = apart(collect, home, provider.url, ["synthetic/huge"], LAST, "free")
    print(f"100,000 stars, 50,000 pull requests, 10,000 issues, 20,000 commits: peak {done.peak_megabytes:.0f} MB, "
          f"{done.seconds:.0f} s, {done.requests:.0f} requests, {done.points:.0f} points, "
          f"missing {done.missing or 'nothing'}")  # fmt: skip


def hostile(home: str) -> None:
    lost = doubled = different = failed = requests = 0
    name = "synthetic/large"
    with Provider("hostile") as provider:
        for seed in range(SEEDS):
            there, undisturbed = f"{home}/h{seed}", f"{home}/u{seed}"
            before = provider.tell("hostile", seed=seed)
            apart(collect, there, provider.url, [name], LAST, "hurried")
            # What moved after its list was read is the next collection's business.
            provider.tell("still hostile", seed=seed)
            done: Measured = apart(collect, there, provider.url, [name], LAST, "hurried")
            requests += provider.sent(before)
            apart(collect, undisturbed, provider.url, [name], LAST, "hurried")
            ours, truth = apart(contents, there), apart(contents, undisturbed)
            failed += bool(done.missing)
            for entity, problems in done.missing.items():
                print(f"  seed {seed}, {entity}: {'; '.join(problems.values())}")
            for table, expected in truth.items():
                found = ours[table]
                lost += len(expected.keys() - found.keys())
                doubled += len(found.keys() - expected.keys())
                different += sum(found[key] != row for key, row in expected.items() if key in found)
            _stop(there)
            _stop(undisturbed)
    print(f"hostile provider, {SEEDS} seeds: {lost} rows lost, {doubled} too many, {different} not as they are; "
          f"{failed} collections incomplete at the end; {requests / SEEDS:.0f} requests per seed")  # fmt: skip


def _stop(home: str) -> None:
    from pathlib import Path

    from metrics_assets.warehouse import embedded

    embedded.stop(Path(home))


CASES = {"large": large, "next-day": next_day, "memory": memory, "hostile": hostile}


def main() -> None:
    chosen = sys.argv[1:] or list(CASES)
    if unknown := set(chosen) - set(CASES):
        sys.exit(f"There is no case {sorted(unknown)[0]}; there are: {', '.join(CASES)}.")
    with tempfile.TemporaryDirectory(prefix="ma-", ignore_cleanup_errors=True) as folder:
        for name in chosen:
            CASES[name](f"{folder}/{name}")
            _stop(f"{folder}/{name}")


if __name__ == "__main__":
    main()
