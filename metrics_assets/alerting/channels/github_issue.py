"""Issues on GitHub: one for each alert, opened, commented on and closed as the alert goes.

Every issue and comment has a marker in it that is not seen. What was written before a crash is found by it, so that
nothing is written twice. Links to acknowledge and the names of people never stand in an issue: many can read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import sqlalchemy as sa

from metrics_assets.alerting.channels.base import NotTaken, Parcel, retry_after, shortened
from metrics_assets.alerting.channels.http import json_of, reaching, refuse
from metrics_assets.alerting.channels.writing import as_markdown
from metrics_assets.settings import Channel, github_api_url, secret

_LONGEST_TITLE, _LONGEST_BODY = 250, 20_000
_PER_PAGE = 100
# An issue that is not there, or no longer: moved, not found, deleted.
_GONE = frozenset({301, 404, 410})


def send(parcel: Parcel) -> None:
    """Bring the alert's issue to what the message says."""
    token = secret(parcel.channel.token_env, f"a token that may write issues of {parcel.channel.repository}")
    with (
        reaching(parcel.name),
        httpx.Client(
            base_url=f"{github_api_url()}/repos/{parcel.channel.repository}",
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "User-Agent": "metrics_assets",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            timeout=parcel.timeout_seconds,
        ) as client,
    ):
        _Issue(parcel, client).bring_up_to_date()


def check(name: str, channel: Channel) -> str:
    """Whether there is a token."""
    secret(channel.token_env, f"a token that may write issues of {channel.repository}")
    return f"{channel.token_env} is set, issues go to {channel.repository}"


def marker(what: str, key: str) -> str:
    """A comment that nobody sees. The key cannot end it: what HTML could read is written as in addresses."""
    return f"<!-- metrics_assets:{what}:{quote(key, safe=':/#+ ')} -->"


@dataclass(slots=True)
class _Issue:
    parcel: Parcel
    client: httpx.Client

    def bring_up_to_date(self) -> None:
        event = self.parcel.message.event
        number = self._known() or self._find()
        found = self._get(number) if number is not None else None
        if found is None:
            # There is nothing to be said about the end of what was never told here.
            if event in ("opened", "escalated"):
                self._create()
            return
        if event == "opened":
            if found.get("state") == "closed":
                self._change(number, "open")
                self._comment(number)
            return
        self._comment(number)
        if event == "resolved" and found.get("state") != "closed":
            self._change(number, "closed")

    def _known(self) -> int | None:
        number = self.parcel.connection.execute(
            sa.text("select external_id from ops.alert_threads where channel = :channel and dedup_key = :dedup_key"),
            {"channel": self.parcel.name, "dedup_key": self.parcel.message.dedup_key},
        ).scalar()
        return int(number) if number is not None else None

    def _find(self) -> int | None:
        """The issue that was made before a crash kept us from noting it."""
        data = self.parcel.message.data
        # It was written after the alert began; GitHub's clock may be another.
        since = date.fromisoformat(str(data.get("since") or data["date"])[:10]) - timedelta(days=2)
        wanted = marker("alert", str(self.parcel.message.dedup_key))
        parameters = {"state": "all", "labels": ",".join(self.parcel.channel.labels), "since": f"{since}T00:00:00Z"}
        for issue in self._pages("/issues", {name: value for name, value in parameters.items() if value}):
            if wanted in str(issue.get("body") or "") and "pull_request" not in issue:
                self._note(issue)
                return int(issue["number"])
        return None

    def _get(self, number: int | None) -> dict[str, Any] | None:
        response = self.client.get(f"/issues/{number}")
        if response.status_code in _GONE:
            return None
        return self._object(response)

    def _create(self) -> None:
        message = self.parcel.message
        body = f"{self._text()}\n\n{marker('alert', str(message.dedup_key))}\n{marker('event', message.event_key)}"
        labels = self.parcel.channel.labels
        content = {"title": shortened(message.title, _LONGEST_TITLE), "body": body, "labels": labels}
        response = self.client.post("/issues", json=content)
        if response.status_code in _GONE:
            raise NotTaken(
                f"the channel '{self.parcel.name}' answered {response.status_code}: "
                f"{self.parcel.channel.repository} has no issues that this token may write"
            )
        self._note(self._object(response))

    def _note(self, issue: dict[str, Any]) -> None:
        self.parcel.connection.execute(
            sa.text(
                "insert into ops.alert_threads (channel, dedup_key, external_id, url) "
                "values (:channel, :dedup_key, :number, :url) "
                "on conflict (channel, dedup_key) do update set external_id = excluded.external_id, url = excluded.url"
            ),
            {
                "channel": self.parcel.name,
                "dedup_key": self.parcel.message.dedup_key,
                "number": str(issue["number"]),
                "url": issue.get("html_url"),
            },
        )

    def _comment(self, number: int | None) -> None:
        message = self.parcel.message
        mark = marker("event", message.event_key)
        comments = self._pages(f"/issues/{number}/comments", {})
        if any(mark in str(comment.get("body") or "") for comment in comments):
            return
        body = f"**{message.event.capitalize()}**\n\n{self._text()}\n\n{mark}"
        self._object(self.client.post(f"/issues/{number}/comments", json={"body": body}))

    def _change(self, number: int | None, state: str) -> None:
        reason = {"state_reason": "completed"} if state == "closed" else {}
        self._object(self.client.patch(f"/issues/{number}", json={"state": state, **reason}))

    def _text(self) -> str:
        return as_markdown(self.parcel.message, _LONGEST_BODY, private_links=False)

    def _pages(self, path: str, parameters: dict[str, str]) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            asked = {**parameters, "per_page": str(_PER_PAGE), "page": str(page)}
            response = self.client.get(path, params=asked)
            self._refuse(response)
            found = json_of(self.parcel.name, response)
            if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
                raise NotTaken(f"the channel '{self.parcel.name}' answered with something that is no list of issues")
            yield from found
            if len(found) < _PER_PAGE:
                return
            page += 1

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        self._refuse(response)
        found = json_of(self.parcel.name, response)
        if not isinstance(found, dict) or not isinstance(found.get("number", found.get("id")), int):
            raise NotTaken(f"the channel '{self.parcel.name}' answered with something that is no issue")
        return found

    def _refuse(self, response: httpx.Response) -> None:
        after = _rate_limit(response)
        if after is not None:
            raise NotTaken(
                f"the channel '{self.parcel.name}' answered {response.status_code}: GitHub's limit is reached",
                after_seconds=after,
            )
        refuse(self.parcel.name, response)


def _rate_limit(response: httpx.Response, clock: Callable[[], float] = time.time) -> float | None:
    """How many seconds GitHub's limits want us to wait, if that is why it refuses."""
    if response.status_code not in (403, 429):
        return None
    if (seconds := retry_after(response.headers)) is not None:
        return seconds
    reset = response.headers.get("x-ratelimit-reset", "")
    if response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return min(max(float(reset) - clock(), 0.0), 3600.0)
    return None
