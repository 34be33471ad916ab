"""Asking over HTTP without a secret in a log line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from metrics_assets.alerting.channels.base import NotTaken, retry_after


class _HostOnly(logging.Filter):
    """Cuts addresses in httpx's log lines down to the host: the path of a webhook is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(part.host if isinstance(part, httpx.URL) else part for part in record.args)
        return True


logging.getLogger("httpx").addFilter(_HostOnly())


@contextmanager
def reaching(name: str) -> Iterator[None]:
    """Says which channel cannot be reached, and how.

    Raises:
        NotTaken: instead of httpx's errors, whose texts may hold the address.
    """
    try:
        yield
    except httpx.HTTPError as error:
        raise NotTaken(f"the channel '{name}' cannot be reached ({type(error).__name__})") from None
    except (httpx.InvalidURL, UnicodeError):  # the latter from a host name that cannot be one
        raise NotTaken(f"the address of the channel '{name}' is not valid") from None


def post(name: str, url: str, content: str, headers: dict[str, str], timeout_seconds: float) -> None:
    """Post JSON; a redirect is not followed with it, and what the receiver says beyond the status is not read.

    Raises:
        NotTaken: it did not answer, or not with 2xx.
    """
    headers = {"Content-Type": "application/json", **headers}
    with (
        reaching(name),
        httpx.Client(timeout=timeout_seconds) as client,
        client.stream("POST", url, content=content.encode(), headers=headers) as response,
    ):
        refuse(name, response)


def refuse(name: str, response: httpx.Response, why: str = "") -> None:
    """Raises NotTaken unless the answer is 2xx."""
    if not response.is_success:
        raise NotTaken(
            f"the channel '{name}' answered {response.status_code}{why}",
            after_seconds=retry_after(response.headers) if response.status_code in (429, 503) else None,
            this_one=response.status_code in (400, 413, 422),
        )


def json_of(name: str, response: httpx.Response) -> Any:
    """The answer's JSON.

    Raises:
        NotTaken: it is none.
    """
    try:
        return response.json()
    except ValueError:
        raise NotTaken(f"the channel '{name}' answered {response.status_code} with something that is no JSON") from None
