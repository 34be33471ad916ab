"""Real receivers on loopback: HTTP, GitHub's issues, SMTP. And alerts to tell them of."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from metrics_assets.alerting import outbox
from metrics_assets.alerting.conditions import Condition
from metrics_assets.alerting.events import EventName, Told
from metrics_assets.catalogue.alerts import Rule, ThresholdRule
from metrics_assets.settings import Settings, Severity

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)  # a Wednesday
DAY = date(2026, 1, 6)
RULE = ThresholdRule(
    key="failures_high", title="Change failure rate too high", kind="threshold", metric="change_failure_rate",
    above=0.25, severity="warning", action="Review the failed deployments together.",
)  # fmt: skip
RULES: dict[str, Rule] = {RULE.key: RULE}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content) if self.content else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answers."""

    status: int = 200
    content: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False  # close the connection without a word
    silent_seconds: float = 0


@dataclass(slots=True)
class Receiver:
    """A server that answers in turn, the last answer for ever; or as a function says."""

    url: str
    answers: list[Answer]
    answer: Callable[[Asked], Answer] | None
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def next(self, asked: Asked) -> Answer:
        with self.lock:
            self.asked.append(asked)
            if self.answer is not None:
                return self.answer(asked)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def bodies(self) -> list[Any]:
        return [asked.body for asked in self.asked]


@contextmanager
def receiving(*answers: Answer, answer: Callable[[Asked], Answer] | None = None) -> Iterator[Receiver]:
    """A server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = receiver.next(Asked(self.command, self.path, headers, content))
            if reply.silent_seconds:
                receiver.closing.wait(reply.silent_seconds)
            if reply.drop or reply.silent_seconds:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            if reply.status != 204:
                self.wfile.write(reply.content)

        do_GET = do_POST = do_PATCH = respond  # noqa: N815  # http.server's own way of naming

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 100

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}", list(answers) or [Answer()], answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(slots=True)
class GitHub:
    """The issues of a repository as GitHub's API serves them."""

    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    # What to do before a request is served: an answer is given instead.
    before: Callable[[Asked], Answer | None] = lambda asked: None
    # As before, but after the request was served: its answer is lost.
    after: Callable[[Asked], Answer | None] = lambda asked: None

    def __call__(self, asked: Asked) -> Answer:
        return self.before(asked) or self._lost(asked, self._serve(asked))

    def _lost(self, asked: Asked, answer: Answer) -> Answer:
        return self.after(asked) or answer

    def _serve(self, asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        if asked.headers.get("authorization") != "Bearer token-of-a-bot":
            return Answer(401, b'{"message": "Bad credentials"}')
        if url.path == "/repos/acme/alerts/issues":
            return self._list(parse_qs(url.query)) if asked.method == "GET" else self._create(asked.body)
        found = re.fullmatch(r"/repos/acme/alerts/issues/(\d+)(/comments)?", url.path)
        number = int(found[1]) if found else 0
        if number not in self.issues:
            return Answer(404, b'{"message": "Not Found"}')
        if found and found[2]:
            return self._comment(number, asked, parse_qs(url.query))
        if asked.method == "PATCH":
            self.issues[number].update(asked.body)
        return _json(200, self.issues[number])

    def _list(self, query: dict[str, list[str]]) -> Answer:
        labels = set(query["labels"][0].split(","))
        wanted = [issue for issue in self.issues.values() if labels <= {one["name"] for one in issue["labels"]}]
        wanted = [issue for issue in wanted if query["state"][0] in ("all", issue["state"])]
        return _json(200, _page(list(reversed(wanted)), query))

    def _create(self, body: dict[str, Any]) -> Answer:
        number = len(self.issues) + 1
        labels = [{"name": name} for name in body["labels"]]
        self.issues[number] = {**body, "number": number, "state": "open", "labels": labels, "html_url": f"#{number}"}
        self.comments[number] = []
        return _json(201, self.issues[number])

    def _comment(self, number: int, asked: Asked, query: dict[str, list[str]]) -> Answer:
        if asked.method == "GET":
            return _json(200, _page(self.comments[number], query))
        self.comments[number].append({"id": len(self.comments[number]) + 1, **asked.body})
        return _json(201, self.comments[number][-1])


def _page(rows: list[Any], query: dict[str, list[str]]) -> list[Any]:
    size, page = int(query["per_page"][0]), int(query["page"][0])
    return rows[(page - 1) * size : page * size]


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


@dataclass(slots=True)
class Mail:
    """What a mail server got, and what it answers: '250 OK', '451 Try again', '550 No such user'."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=lambda: ["250 OK"])

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if said.startswith("250"):
            self.got.append(message_from_bytes(envelope.content, policy=modern))  # type: ignore[arg-type]
        return said


@contextmanager
def receiving_mail(*answers: str) -> Iterator[Mail]:
    """A mail server on loopback."""
    from aiosmtpd.controller import Controller

    class AnyPort(Controller):
        def _trigger_server(self) -> None:
            """It asks its own server once, and has to know on which port it listens."""
            assert self.server is not None
            self.port = mail.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    mail = Mail(answers=list(answers) or ["250 OK"])
    controller = AnyPort(mail, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


# --- what there is to tell ---


def settings_with(channels: Mapping[str, Any], **alerts: Any) -> Settings:
    """Settings with some channels, and keys of `alerts`."""
    hours = {"business_hours": alerts.pop("business_hours")} if "business_hours" in alerts else {}
    return Settings.model_validate(
        {"repositories": [{"github": "acme/api"}], "channels": channels, "alerts": alerts, **hours}
    )


def condition(subject: str = "acme/api", severity: Severity = "warning", rule: str = RULE.key) -> Condition:
    """A breached rule."""
    return Condition(
        rule, "change_failure_rate", "repository", subject, DAY, "breached", 0.32, 0.25, 25, 0.17, 0.52, severity,
        "Change failure rate: 32 % (n = 25, 95 % interval 17 to 52 %), above 25 %.",
    )  # fmt: skip


def happen(
    engine: sa.Engine,
    settings: Settings,
    event: EventName = "opened",
    subjects: Sequence[str] = ("acme/api",),
    *,
    now: datetime = NOON,
    rule: Rule | None = RULE,
    severity: Severity = "warning",
    level: int = 0,
    batch: str = "one",
    **facts: Any,
) -> list[int]:
    """What alerts.states writes when alerts open, are escalated or acknowledged, or end; the ids of the events."""
    state = {"opened": "firing", "escalated": "firing"}.get(event, event)
    key = rule.key if rule is not None else "gone"
    ids = []
    with engine.begin() as connection:
        for subject in subjects:
            about = condition(subject, severity, key)
            known = {"rule": key, "subject": subject, "state": state, "severity": severity, "day": DAY, "event": event}
            alert_id = connection.execute(
                sa.text(
                    "update ops.alerts set state = :state where rule = :rule and subject = :subject "
                    "and state <> 'resolved' returning alert_id"
                ),
                known,
            ).scalar()
            if alert_id is None:
                alert_id = connection.execute(
                    sa.text(
                        "insert into ops.alerts (rule, subject_kind, subject, severity, state, opened_on, "
                        "last_evaluated_on) values (:rule, 'repository', :subject, :severity, :state, :day, :day) "
                        "returning alert_id"
                    ),
                    known,
                ).scalar_one()
            said = {
                "title": rule.title if rule is not None else "Gone", "rule": key, "severity": severity,
                "subject_kind": "repository", "subject": subject, "metric": about.metric, "date": str(DAY),
                "value": about.value, "n": about.n, "low": about.low, "high": about.high,
                "reference": about.reference, "text": about.text, "event": event,
                "since": str(DAY - timedelta(days=3)), **facts,
            }  # fmt: skip
            event_id = connection.execute(
                sa.text(
                    "insert into ops.alert_events (alert_id, event, date, message, level, created_at) "
                    "values (:alert_id, :event, :day, cast(:said as jsonb), :level, :now) returning event_id"
                ),
                {**known, "alert_id": alert_id, "said": json.dumps(said), "level": level, "now": now},
            ).scalar_one()
            outbox.enqueue_events(connection, [Told(event_id, event, rule, about, level)], batch, settings, now)
            ids.append(event_id)
    return ids


def deliver(engine: sa.Engine, settings: Settings, now: datetime = NOON, **more: Any) -> outbox.Delivered:
    """Deliver at a moment."""
    more.setdefault("rules", RULES)
    return outbox.deliver(engine, settings, lambda: now, timeout_seconds=2, **more)


def rows(engine: sa.Engine) -> list[Any]:
    """The outbox, oldest first."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                sa.text(
                    "select notifications.*, events.event, alerts.subject from ops.notifications as notifications "
                    "left join ops.alert_events as events using (event_id) "
                    "left join ops.alerts as alerts using (alert_id) order by notification_id"
                )
            )
        )
