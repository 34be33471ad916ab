"""What a message says: made of what is known when it is sent, the same for every channel until it is written down.

On a phone, as text:

    [critical] Change failure rate too high: acme/api
    Change failure rate: 32 % (n = 25, 95 % interval 17 to 52 %), above 25 %.
    Since 2026-01-03, for 4 days.
    28 days: ▁▁▁▁▂▂▂▂▃▃▃▃▅▅▅·▆·▆▆▇▇▇▇████ (8 to 32 %)

    On the same days
    - 2026-01-05: release v2.1.0
    - 2026-01-06: Deployments: 14, unusual (6 expected)

    Related figures
    - Lead time: 52 h (n = 12)

    What to do
    - Review the failed deployments of the last week together.

    Acknowledge: https://alerts.example.org/alerts/17?token=...
    Runbook: https://wiki.example.org/change-failure-rate
    Site: https://metrics.example.org/repo/acme.api.html#chart-change_failure_rate
    Dagster: https://dagster.example.org/assets/metrics/dora_daily?view=partitions&partition=2026-01-06
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal
from urllib.parse import quote

import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets.alerting.surroundings import Surroundings, Trend, read_surroundings
from metrics_assets.alerting.words import interval
from metrics_assets.catalogue.alerts import SEVERITIES, Rule
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.settings import Settings, Severity

_LOG = logging.getLogger(__name__)
# So many alerts of a group are told by name.
_MOST_NAMED = 10
# Names and titles come from outside; none may be longer.
_LONGEST_LINE = 400
# Marks that turn the direction of writing around can make a name look like another.
_DIRECTION_MARKS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")

Event = Literal["opened", "escalated", "acknowledged", "resolved", "message"]
AcknowledgeLink = Callable[[int], str | None]


@dataclass(frozen=True, slots=True)
class Section:
    """Some lines under a heading."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An address and what is there. A private one is for those alone who were told."""

    label: str
    url: str
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message, not yet written for a service: everything in it is plain text, each line one line.

    Attributes:
        lines: what stands under the title, one thought each.
        data: the same as facts, for webhooks.
        dedup_key: the same for all events of one alert; None of what is no alert.
        event_key: this event of that alert.
    """

    title: str
    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    links: tuple[Link, ...]
    data: Mapping[str, Any]
    event: Event
    severity: Severity
    dedup_key: str | None = None

    @property
    def event_key(self) -> str:
        level = self.data.get("level") or 0
        return f"{self.dedup_key}:{self.event}:{level}"


def compose(
    engine: sa.Engine,
    facts: Mapping[str, Any],
    rule: Rule | None,
    settings: Settings,
    acknowledge: AcknowledgeLink | None = None,
) -> Message:
    """The message of an alert's event.

    Args:
        facts: what was known when it happened (ops.alert_events.message), with event, level, alert_id and dedup_key.
        rule: None where it is gone.
        acknowledge: gives the link by which the alert is acknowledged.
    """
    event: Event = facts["event"]
    on = date.fromisoformat(facts["date"])
    around, unread = Surroundings(), tuple[str, ...]()
    if event in ("opened", "escalated"):
        around, unread = _around(engine, facts, on)
    title = f"[{_verb(facts)}] {_title(facts, rule)}: {_one_line(facts['subject'])}"
    action = _action(event, rule)
    links = _links(settings, rule, str(facts.get("metric") or ""), str(facts["subject_kind"]), on, facts["subject"])
    if acknowledge is not None and _is_open(facts) and (link := acknowledge(facts["alert_id"])):
        links = (Link("Acknowledge", link, is_private=True), *links)
    lines = [_one_line(facts["text"]), *_how_long(facts, on), *_trend_line(around.trend, facts), *unread]
    sections = [
        # Never "because": that it happened at the same time is all that is known.
        Section("On the same days", tuple(f"{one.date}: {_one_line(one.text)}" for one in around.causes)),
        Section("Related figures", tuple(_one_line(one.text) for one in around.related)),
        Section("What to do", (_one_line(action),) if action else ()),
    ]
    data = {
        **facts,
        "title": title,
        "action": action,
        "trend": _trend_data(around.trend),
        "causes": [asdict(one) for one in around.causes],
        "related": [asdict(one) for one in around.related],
        "links": [{"label": link.label, "url": link.url} for link in links],
        "alerts": [],
    }
    shown = tuple(section for section in sections if section.lines)
    return Message(title, tuple(lines), shown, links, data, event, facts["severity"], facts["dedup_key"])


def compose_group(
    facts: Sequence[Mapping[str, Any]],
    rule: Rule | None,
    settings: Settings,
    acknowledge: AcknowledgeLink | None = None,
) -> Message:
    """The message of what a rule says of many subjects at once: the worst ones by name, all of them in the data.

    Args:
        facts: and the others as of `compose`.
    """
    worst = sorted(facts, key=lambda one: (-SEVERITIES.index(one["severity"]), one["subject"]))
    first = worst[0]
    event: Event = first["event"]
    on = max(date.fromisoformat(one["date"]) for one in facts)
    kinds = Counter(one["subject_kind"] for one in facts)
    counted = " and ".join(f"{count} {_plural(kind, count)}" for kind, count in kinds.most_common())
    title = f"[{_verb(first)}] {_title(first, rule)}: {counted}"
    by_name = worst[:_MOST_NAMED]
    named = [f"{_one_line(one['subject'])} (alert {one['alert_id']}): {_one_line(one['text'])}" for one in by_name]
    if len(worst) > _MOST_NAMED:
        named.append(f"and {len(worst) - _MOST_NAMED} more")
    action = _action(event, rule)
    metrics = {str(one.get("metric") or "") for one in facts}
    metric = metrics.pop() if len(metrics) == 1 else ""
    links = _links(settings, rule, metric, str(first["subject_kind"]), on)
    if acknowledge is not None:
        found = [(one["alert_id"], acknowledge(one["alert_id"])) for one in by_name if _is_open(one)]
        own = (Link(f"Acknowledge alert {alert_id}", url, is_private=True) for alert_id, url in found if url)
        links = (*own, *links)
    data = {
        **{name: first.get(name) for name in ("event", "rule", "severity", "level")},
        "title": title,
        "date": on,
        "metric": metric,
        "text": title,
        "action": action,
        "links": [{"label": link.label, "url": link.url} for link in links],
        "alerts": list(facts),
    }
    sections = [Section("Which", tuple(named)), Section("What to do", (_one_line(action),) if action else ())]
    shown = tuple(section for section in sections if section.lines)
    return Message(title, (), shown, links, data, event, first["severity"])


def from_row(message: Mapping[str, Any]) -> Message:
    """A message that is no alert, as the outbox holds it: title, lines, sections, links, severity."""
    return Message(
        _one_line(message["title"]),
        tuple(_one_line(line) for line in message.get("lines", ())),
        tuple(
            Section(_one_line(one["heading"]), tuple(_one_line(line) for line in one["lines"]))
            for one in message.get("sections", ())
        ),
        tuple(Link(_one_line(one["label"]), one["url"]) for one in message.get("links", ())),
        {"event": "message", **message},
        "message",
        message.get("severity", "info"),
    )


def _around(engine: sa.Engine, facts: Mapping[str, Any], on: date) -> tuple[Surroundings, tuple[str, ...]]:
    """What is known around the alert, or a line that says why it is not."""
    try:
        found = read_surroundings(engine, facts.get("metric") or "", facts["subject_kind"], facts["subject"], on)
        return found, ()
    except sa.exc.SQLAlchemyError as error:
        # An alert without its surroundings is better than none.
        reason = type(getattr(error, "orig", None) or error).__name__
        _LOG.warning("What is around the alert %s of %s cannot be read: %s", facts["rule"], facts["subject"], error)
        return Surroundings(), (f"Trend and related figures could not be read ({reason}).",)


def _is_open(facts: Mapping[str, Any]) -> bool:
    """Whether there is something to acknowledge: what is told late, or is good news, may have ended."""
    return facts["event"] in ("opened", "escalated") and facts.get("state") != "resolved"


def _verb(facts: Mapping[str, Any]) -> str:
    if facts["event"] in ("resolved", "acknowledged"):
        return str(facts["event"])
    return f"{facts['severity']}, escalated" if facts["event"] == "escalated" else str(facts["severity"])


def _title(facts: Mapping[str, Any], rule: Rule | None) -> str:
    return _one_line(rule.title if rule is not None else facts["title"])


def _action(event: Event, rule: Rule | None) -> str:
    if event == "resolved":
        return "Nothing to do."
    return rule.action if rule is not None and event != "acknowledged" else ""


def _how_long(facts: Mapping[str, Any], on: date) -> Iterable[str]:
    if facts["event"] == "escalated":
        yield "Nobody has acknowledged it."
    if facts["event"] == "acknowledged":
        yield "Somebody looks after it; it is not escalated any more."
    if facts.get("since"):
        since = date.fromisoformat(str(facts["since"])[:10])
        days = (on - since).days + 1
        if days > 1:
            yield f"Since {since}, for {days} days."


def _trend_line(trend: Trend | None, facts: Mapping[str, Any]) -> Iterable[str]:
    if trend is not None:
        known = [value for value in trend.values if value is not None]
        unit = load_catalogue().metrics[facts["metric"]].unit
        yield f"{len(trend.values)} days: {trend.chart} ({interval(min(known), max(known), unit)})"


def _trend_data(trend: Trend | None) -> dict[str, Any] | None:
    return None if trend is None else {"chart": trend.chart, "first": trend.first, "values": list(trend.values)}


def _links(
    settings: Settings, rule: Rule | None, key: str, kind: str, on: date, subject: str | None = None
) -> tuple[Link, ...]:
    """Where there is more; `subject` is None of a message about many."""
    alerts, links = settings.alerts, []
    if rule is not None and rule.runbook is not None:
        links.append(Link("Runbook", rule.runbook))
    if alerts.site_url is not None:
        links.append(Link("Site", _page(alerts.site_url, key, kind, subject)))
    if (metric := load_catalogue().metrics.get(key)) is not None:
        table = metric.groups if kind in ("team", "portfolio") and metric.groups is not None else metric.stored_in
        page = f"{alerts.dagster_url}/assets/metrics/{quote(table)}?view=partitions&partition={on}"
        links.append(Link("Dagster", page))
    else:
        links.append(Link("Dagster", f"{alerts.dagster_url}/runs"))
    return tuple(links)


def _page(site: str, key: str, kind: str, subject: str | None) -> str:
    """The page of the site that shows what an alert is about: of a repository its own, at the chart of the metric."""
    if kind == "team":
        # Its page is for the team alone, and stands elsewhere.
        return site
    if kind == "repository" and subject is not None:
        chart = f"#{addresses.chart(key)}" if key else ""
        return f"{site}/{addresses.repository(subject)}{chart}"
    return f"{site}/{addresses.DATA_QUALITY if kind == 'pipeline' else addresses.ALERTS}"


def _plural(kind: str, count: int) -> str:
    if count == 1 or kind == "pipeline":
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _one_line(text: object) -> str:
    """A text from outside as one line that is not too long and hides nothing."""
    plain = _DIRECTION_MARKS.sub("", str(text))
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in plain)
    plain = " ".join(plain.split())
    return plain if len(plain) <= _LONGEST_LINE else plain[: _LONGEST_LINE - 1] + "…"
