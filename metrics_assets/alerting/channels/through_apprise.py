"""Sending through apprise: the address read, its logs kept from telling secrets, and the reason of a failure found.

apprise says in its logs alone why something failed, and its debug logs hold whole addresses. So its records are read
here while it sends, and none of them goes any further.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from metrics_assets.alerting.channels.base import NotTaken, Parcel, variable
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Channel, Severity

if TYPE_CHECKING:
    from apprise import Apprise

_TYPES: dict[Severity, str] = {"info": "info", "warning": "warning", "critical": "failure"}
_RECORDS: ContextVar[list[str] | None] = ContextVar("records of apprise", default=None)
# What says why, from the most telling to the least.
_REASONS = (
    (re.compile(r"error=(\d{3})\b"), "answered {}"),
    (re.compile(r"timed out|TimeoutError"), "did not answer in time"),
    (re.compile(r"Caused by (\w+)"), "cannot be reached ({})"),
    (re.compile(r"\[Errno -?\d+\] ([A-Za-z ]+)"), "cannot be reached ({})"),
    (re.compile(r"\((\d{3}), b?['\"]"), "answered {}"),
    (re.compile(r"was refused: (\d{3})"), "answered {}"),
    (re.compile(r"SSL|certificate", re.IGNORECASE), "cannot be reached (its certificate is not trusted)"),
    (re.compile(r"Connection (aborted|unexpectedly closed)"), "closed the connection"),
)


class _Confidential(logging.Filter):
    """Keeps what apprise says for us; outside of a sending, what could hold an address is dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        records = _RECORDS.get()
        if records is not None:
            records.append(record.getMessage())
            return False
        return record.name != "apprise" or record.levelno > logging.DEBUG


for _name in ("apprise", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Confidential())
# Why a connection failed is said on this level; the filter lets none of it out.
logging.getLogger("apprise").setLevel(logging.DEBUG)


@contextmanager
def _listening() -> Iterator[list[str]]:
    records: list[str] = []
    token = _RECORDS.set(records)
    try:
        yield records
    finally:
        _RECORDS.reset(token)


@cache
def _apprise() -> type[Apprise]:
    """apprise with all its services."""
    with warnings.catch_warnings():
        # On Python 3.11 one of them loads a module that Python has given up.
        warnings.simplefilter("ignore", DeprecationWarning)
        from apprise import Apprise

        Apprise.instantiate("json://localhost")
    return Apprise


def plugin(name: str, channel: Channel, schemas: Collection[str] | None, example: str) -> Any:
    """The service that the channel's variable names, a NotifyBase of apprise's.

    Args:
        schemas: of the services that fit the channel's kind; None for all.
        example: of what the variable may hold.

    Raises:
        ConfigurationError: the variable is not set, or holds something else. The text does not repeat it.
    """
    address = os.environ.get(variable(channel), "").strip()
    if not address:
        raise ConfigurationError(
            f"channels.{name}.url_env names {channel.url_env}, which is not set; export it, for example as {example}."
        )
    with _listening():
        service: Any = _apprise().instantiate(address, suppress_exceptions=True)
    if not service:
        raise ConfigurationError(
            f"channels.{name}.url_env names {channel.url_env}, which holds no address of {_service(channel)}; "
            f"write it as {example}."
        )
    found = sorted(service.schemas())
    if schemas is not None and not set(found) & set(schemas):
        raise ConfigurationError(
            f"channels.{name} has kind {channel.kind}, but {channel.url_env} holds the address of another service "
            f"({found[0]}); write one as {example}, or change the kind."
        )
    return service


def _service(channel: Channel) -> str:
    return "a service that apprise knows" if channel.kind == "apprise" else f"kind {channel.kind}"


def send(parcel: Parcel, service: Any, title: str, body: str, body_format: str, **more: Any) -> None:
    """Send a body that is already written as the service reads it.

    A service that limits how often it is asked answers 429; it is not waited for here, where a row is locked.

    Raises:
        NotTaken: the service did not take it.
    """
    from apprise import NotifyFormat, NotifyType

    service.socket_connect_timeout = service.socket_read_timeout = parcel.timeout_seconds
    service.throttle = _do_not_wait
    with _listening() as records:
        taken = service.send(
            body=body,
            title=title,
            notify_type=NotifyType(_TYPES[parcel.message.severity]),
            body_format=NotifyFormat(body_format),
            **more,
        )
    if not taken:
        raise NotTaken(f"the channel '{parcel.name}' {reason(records)}")


def notify(parcel: Parcel, service: Any, title: str, body: str) -> None:
    """Send a plain text to any service: apprise brings it into the service's form.

    Raises:
        NotTaken: as `send`.
    """
    from apprise import NotifyFormat, NotifyType

    service.socket_connect_timeout = service.socket_read_timeout = parcel.timeout_seconds
    service.throttle = _do_not_wait
    with _listening() as records:
        taken = service.notify(
            body=body,
            title=title,
            notify_type=NotifyType(_TYPES[parcel.message.severity]),
            body_format=NotifyFormat.TEXT,
        )
    if not taken:
        raise NotTaken(f"the channel '{parcel.name}' {reason(records)}")


def _do_not_wait(*args: Any, **more: Any) -> None:
    """In place of apprise's pauses, one of which is as long as the other side says."""


def reason(records: list[str]) -> str:
    """Why a service did not take a message, of apprise's log records: a status or a kind of error, never their text."""
    for pattern, words in _REASONS:
        for record in records:
            if (found := pattern.search(record)) is not None:
                return words.format(*(part.strip() for part in found.groups()))
    return "did not take the message, and apprise does not say why"
