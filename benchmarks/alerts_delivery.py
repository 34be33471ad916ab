"""Whether alerts arrive whatever happens: processes killed, a channel down, ticks doubled, the clock set back.

    python benchmarks/alerts_delivery.py [--days 4] [--subjects 20] [--kills 40] [--seed 1]

Two workers evaluate, escalate and deliver at the same time, a tick every simulated 15 minutes and new figures every
simulated hour, against a real PostgreSQL and real receivers on loopback: a webhook and PagerDuty. Workers are killed at
random moments and right before a receiver's answer is heard; the webhook is down for a simulated hour each day; the
clock is set back by two hours and by a day. At the end there is as much quiet time as it takes to empty the outbox.
Prints for each channel how many notifications had to arrive, how many were lost, how many were doubled as a receiver
sees it that knows idempotency keys, and how many raw repeats there were. Exits with 1 if any was lost or doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from warehouses import warehouse

from metrics_assets.alerting import outbox, states
from metrics_assets.alerting.conditions import Condition
from metrics_assets.catalogue.alerts import Escalation, Rule, ThresholdRule
from metrics_assets.settings import Settings
from metrics_assets.warehouse.engine import create_engine

FIRST = date(2026, 1, 1)
BEGUN = datetime(2026, 1, 2, 1, tzinfo=UTC)
TICK = timedelta(minutes=15)
TICKS_A_DAY = 96
DOWN = range(40, 44)  # ticks of each day in which the webhook is down
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
RULES: dict[str, Rule] = {
    key: ThresholdRule(
        key=key,
        title=f"Rule {key}",
        kind="threshold",
        metric="change_failure_rate",
        above=0.25,
        severity="critical",
        action="Look.",
        escalate=(Escalation(after_minutes=30), Escalation(after_minutes=120)),
    )
    for key in ("first", "second")
}
# An event of an alert, as a receiver knows it.
Told = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with warehouse() as engine, Receivers() as receivers:
        begun = time.perf_counter()
        chaos = Chaos(engine.url.render_as_string(hide_password=False), receivers, arguments)
        chaos.run(engine)
        good = report(engine, receivers, chaos, time.perf_counter() - begun)
    sys.exit(0 if good else 1)


def settings_of(address: str) -> Settings:
    """A webhook that groups and PagerDuty, both at an address."""
    return Settings.model_validate(
        {
            "repositories": [{"github": "acme/api"}],
            "channels": {
                "hook": {"url_env": "CHAOS_HOOK"},
                "pager": {"kind": "pagerduty", "url_env": "CHAOS_KEY", "base_url": address},
            },
        }
    )


def conditions_on(day: date, subjects: int) -> list[Condition]:
    """Each rule holds for each subject in a rhythm of its own."""
    number = (day - FIRST).days
    return [
        Condition(
            rule=rule,
            metric="change_failure_rate",
            subject_kind="repository",
            subject=f"acme/{subject}",
            date=day,
            verdict="breached" if (number + subject + position) % (2 + subject % 3) == 0 else "fine",
            value=0.3,
            reference=0.25,
            n=25,
            low=None,
            high=None,
            severity="critical",
            text="30 %, above 25 %.",
        )
        for position, rule in enumerate(RULES)
        for subject in range(subjects)
    ]


def work(url: str, address: str, subjects: int, pipe: Any) -> None:
    """A worker: each time that it is told comes through the pipe."""
    os.environ.update(CHAOS_HOOK=f"{address}/hook", CHAOS_KEY=ROUTING_KEY)
    engine, settings = create_engine(make_url(url)), settings_of(address)
    while True:
        try:
            now: datetime = pipe.recv()
        except EOFError:
            return
        # Each hour has figures of its own, so that there is enough to tell.
        day = FIRST + timedelta(days=(now - BEGUN) // timedelta(hours=1))
        states.record(engine, RULES, conditions_on(day, subjects), settings, now, day)
        states.escalate(engine, RULES, settings, now)
        outbox.deliver(engine, settings, lambda now=now: now, rules=RULES)  # type: ignore[misc]
        pipe.send("done")


@dataclass(slots=True)
class Receivers:
    """A webhook and PagerDuty on one server; what they got, by idempotency key or what stands for it."""

    got: dict[str, list[tuple[str, tuple[Told, ...]]]] = field(default_factory=lambda: {"hook": [], "pager": []})
    is_down: bool = False
    refused: int = 0
    # Called before an answer is sent.
    before_answer: Any = None
    address: str = ""
    _server: Any = None

    def __enter__(self) -> Receivers:
        owner, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                channel = "hook" if self.path == "/hook" else "pager"
                status = 202
                with lock:
                    if channel == "hook" and owner.is_down:
                        owner.refused, status = owner.refused + 1, 503
                    else:
                        owner.got[channel].append(_heard(channel, body, self.headers.get("idempotency-key")))
                        if owner.before_answer is not None:
                            owner.before_answer()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _heard(channel: str, body: Any, key: str | None) -> tuple[str, tuple[Told, ...]]:
    """The key of a message, and the events that it tells."""
    if channel == "pager":
        # An escalation triggers the incident once more; PagerDuty adds it to the same one.
        told = (body["dedup_key"], body["event_action"])
        return f"{told}", (told,)
    alerts = body["alerts"] or [body]
    return str(key), tuple((one["dedup_key"], f"{one['event']}:{one['level']}") for one in alerts)


@dataclass(slots=True)
class Chaos:
    """The ticks, and what goes wrong."""

    url: str
    receivers: Receivers
    arguments: argparse.Namespace
    kills: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    quiet_ticks: int = 0
    waited: timedelta = timedelta()  # the longest that anything waited after the end of the chaos

    def run(self, engine: sa.Engine) -> None:
        dice = random.Random(self.arguments.seed)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["metrics_assets.alerting.outbox", "metrics_assets.alerting.states"])
        workers: list[Any] = [None, None]
        now = BEGUN
        ticks = self.arguments.days * TICKS_A_DAY
        back = {ticks // 3: timedelta(hours=2), 2 * ticks // 3: timedelta(days=1)}
        deadly = Counter(dice.choices(range(ticks), k=self.arguments.kills))
        for tick in range(ticks):
            now -= back.get(tick, timedelta())
            self.receivers.is_down = tick % TICKS_A_DAY in DOWN
            self._tick(context, workers, now, dice, deadly[tick])
            now += TICK
        self.receivers.is_down = False
        ended = now
        while outbox.due(engine, now) or _pending(engine):
            self._tick(context, workers, now, dice, 0)
            now, self.quiet_ticks = now + TICK, self.quiet_ticks + 1
            if now - ended > timedelta(days=3):
                break
        self.waited = now - ended
        for process, pipe in filter(None, workers):
            pipe.close()
            process.kill()
            process.join()

    def _tick(self, context: Any, workers: list[Any], now: datetime, dice: random.Random, kills: int) -> None:
        """The same tick in both workers; some of them are killed at it, and nobody comes in their place at once."""
        self.ticks += 1
        for position, worker in enumerate(workers):
            if worker is None or not worker[0].is_alive():
                if worker is not None and worker[0].exitcode != -signal.SIGKILL:
                    raise SystemExit("A worker failed by itself; its traceback stands above.")
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=work, args=(self.url, self.receivers.address, self.arguments.subjects, theirs), daemon=True
                )
                process.start()
                theirs.close()
                workers[position] = (process, ours)
            with contextlib.suppress(BrokenPipeError):  # killed just now
                workers[position][1].send(now)
        for _ in range(kills):
            process = dice.choice(workers)[0]
            if dice.random() < 0.5:
                self._kill_before_the_next_answer(workers)
            else:
                time.sleep(dice.uniform(0, 0.4))
                self._kill(process, "at random")
        for process, pipe in workers:
            try:
                while process.is_alive() and not pipe.poll(0.05):
                    pass
                if pipe.poll():
                    pipe.recv()
            except (EOFError, ConnectionResetError):
                pass  # killed
        self.receivers.before_answer = None

    def _kill_before_the_next_answer(self, workers: list[Any]) -> None:
        """Kills both: it cannot be seen whose message it is that is answered."""

        def kill() -> None:
            self.receivers.before_answer = None
            for process, _ in workers:
                self._kill(process, "before an answer was heard")

        self.receivers.before_answer = kill

    def _kill(self, process: Any, how: str) -> None:
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            self.kills[how] += 1


def _pending(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        query = "select count(*) from ops.notifications where state = 'pending'"
        return int(connection.execute(sa.text(query)).scalar_one())


def report(engine: sa.Engine, receivers: Receivers, chaos: Chaos, seconds: float) -> bool:
    """Print what had to arrive and what did; whether nothing was lost or doubled."""
    print(f"{chaos.ticks} ticks of two workers in {seconds:.0f} s; killed: {dict(chaos.kills)}; refused while down: "
          f"{receivers.refused}; outbox empty {chaos.waited} after the chaos, {_pending(engine)} pending")  # fmt: skip
    print(
        f"{'channel':<10}{'expected':>10}{'lost':>8}{'doubled':>9}{'raw repeats':>13}{'dropped':>9}"
        f"{'told though dropped':>21}"
    )
    good = _pending(engine) == 0
    for channel, got in receivers.got.items():
        expected, sent, dropped = _expected(engine, channel)
        by_key = dict(got)
        told = Counter(one for events in by_key.values() for one in events)
        lost = len(expected - set(told))
        doubled = sum(count - 1 for count in told.values())
        # Their answer was not heard, and the alert had ended before they could be sent again.
        anyway = len(set(told) - expected)
        raw = len(got) - (len(by_key) if channel == "hook" else sent)
        print(f"{channel:<10}{sent:>10}{lost:>8}{doubled:>9}{raw:>13}{dropped:>9}{anyway:>21}")
        good = good and lost == 0 and doubled == 0
    return good


def _expected(engine: sa.Engine, channel: str) -> tuple[set[Told], int, int]:
    """What a channel must have heard, and how many notifications were sent and dropped."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select 'metrics_assets:' || rule || ':' || subject || ':' || alert_id as key, event, level, "
                "notifications.state from ops.notifications as notifications join ops.alert_events using (event_id) "
                "join ops.alerts using (alert_id) where channel = :channel"
            ),
            {"channel": channel},
        ).all()
    actions = {"opened": "trigger", "escalated": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
    names = {row: actions[row.event] if channel == "pager" else f"{row.event}:{row.level}" for row in rows}
    sent = [(row.key, names[row]) for row in rows if row.state != "dropped"]
    return set(sent), len(sent), len(rows) - len(sent)


if __name__ == "__main__":
    main()
