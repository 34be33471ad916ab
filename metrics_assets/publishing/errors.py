"""Why a site could not be published, in sentences without secrets."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from metrics_assets.errors import MetricsError

T = TypeVar("T")
Wait = Callable[[float], None]

_PAUSES = (1.0, 3.0, 10.0)  # seconds
_LONGEST = 400
_IN_ADDRESSES = re.compile(r"(?<=://)[^/\s'\"]*@")
_IN_QUERIES = re.compile(r"(?i)((?:signature|credential|token|secret|key)[\w-]*=)[^&\s'\"]+")
_SECRET_VARIABLE = re.compile(r"(?i)secret|passw|token|credential|(?<!kms_)key")
_SHORTEST_SECRET = 6


class PublishingError(MetricsError):
    """The site could not be published; the build on this machine stays, and so does what was published before."""


def said(error: BaseException | str) -> str:
    """What an error says, as one short line: without passwords in addresses and without what the environment holds as
    a secret."""
    text = str(error) or type(error).__name__
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_VARIABLE.search(name):
            text = text.replace(value, "***")
    text = _IN_QUERIES.sub(r"\1***", _IN_ADDRESSES.sub("", text))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST].rstrip(" .")


def retried(
    action: Callable[[], T],
    *,
    final: Iterable[type[BaseException]] = (),
    wait: Wait = time.sleep,
) -> T:
    """What an action returns; it is tried four times within some seconds.

    Args:
        final: errors that another try does not mend.
    """
    for pause in _PAUSES:
        try:
            return action()
        except tuple(final):
            raise
        except Exception:
            wait(pause)
    return action()
