"""A message to give to channels, one with hostile names in it, and giving it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metrics_assets.alerting.channels import NotTaken, send
from metrics_assets.alerting.channels.base import Parcel
from metrics_assets.alerting.messages import Link, Message, Section
from metrics_assets.settings import Channel
from metrics_assets_tests.alerting.receiving import (
    DAY,
)  # fmt: skip

DATA: dict[str, Any] = {
    "event": "opened", "rule": "failures_high", "subject_kind": "repository", "subject": "acme/api",
    "date": str(DAY), "metric": "change_failure_rate", "value": 0.32, "n": 25, "low": 0.17, "high": 0.52,
    "reference": 0.25, "since": "2026-01-03", "text": "32 %, above 25 %.", "action": "Look.", "level": 0,
}  # fmt: skip
MESSAGE = Message(
    title="[critical] Change failure rate too high: acme/api",
    lines=("Change failure rate: 32 % (n = 25), above 25 %.", "28 days: ▁▂▃·▅▆▇█ (8 % to 32 %)"),
    sections=(
        Section("On the same days", ("2026-01-05: release v2.1.0", "2026-01-06: Stars: 14, unusual (6 expected)")),
        Section("What to do", ("Look.",)),
    ),
    links=(
        Link("Acknowledge", "https://a.example/alerts/1?token=t0ken", is_private=True),
        Link("Site", "https://s.example"),
    ),
    data=DATA,
    event="opened",
    severity="critical",
    dedup_key="metrics_assets:failures_high:acme/api:1",
)
# What a repository, a segment or a release may be called.
NASTY = "<!channel> @everyone [x](http://evil.example) *b* <b onload='x'>`c` https://evil.example/a_b & #12 -->"
HOSTILE = replace(
    MESSAGE, title=f"[critical] High: {NASTY}", lines=(NASTY,), sections=(Section(NASTY, (NASTY, "- 1. item")),)
)


def give(channel: Channel, message: Message = MESSAGE, mention: str | None = None, connection: Any = None) -> None:
    send(Parcel("it", channel, message, "event:1:it", mention, connection, 1.0))


def said(channel: Channel, message: Message = MESSAGE, connection: Any = None) -> NotTaken:
    with pytest.raises(NotTaken) as caught:
        give(channel, message, connection=connection)
    return caught.value
