"""Lists in a fixed order, and the cursors that GitHub's connections hand out for them.

A cursor of a sorted list holds the value that the list is sorted by and the item's number, so that it stays
where it is while other items come, go and move. Nothing here sorts or copies a whole list per request.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Key = tuple[Any, Any]  # the value of the order field and the item's number or name

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST_PAGE = 100


class RefusalError(Exception):
    """An error that GitHub names by a type, such as NOT_FOUND."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Ordered(Generic[T]):
    """Items sorted by a key; `start` is the position of the first that counts."""

    __slots__ = ("items", "keys", "start")

    def __init__(self, items: Iterable[T], key: Callable[[T], Key]) -> None:
        pairs = sorted(((key(item), item) for item in items), key=lambda pair: pair[0])
        self.keys: list[Key] = [key for key, _ in pairs]
        self.items: list[T] = [item for _, item in pairs]
        self.start = 0

    def __len__(self) -> int:
        return len(self.items) - self.start

    def since(self, time: datetime) -> Ordered[T]:
        """The same list from the first item on whose value is not before a time."""
        part: Ordered[T] = object.__new__(Ordered)
        part.keys, part.items, part.start = self.keys, self.items, bisect_left(self.keys, (time,))
        return part

    def page(self, size: int, after: str | None, *, descending: bool) -> tuple[Sequence[T], dict[str, Any]]:
        """At most `size` items that follow a cursor, and the pageInfo."""
        low, high = self.start, len(self.items)
        if descending:
            end = max(low, bisect_left(self.keys, self._key(after))) if after is not None else high
            begin = max(low, end - size)
            shown, positions = self.items[begin:end][::-1], (end - 1, begin)
            more, before = begin > low, end < high
        else:
            begin = max(low, bisect_right(self.keys, self._key(after))) if after is not None else low
            end = min(high, begin + size)
            shown, positions = self.items[begin:end], (begin, end - 1)
            more, before = end < high, begin > low
        return shown, {
            "hasNextPage": more,
            "hasPreviousPage": before,
            "startCursor": cursor(self.keys[positions[0]]) if shown else None,
            "endCursor": cursor(self.keys[positions[1]]) if shown else None,
        }

    def _key(self, text: str) -> Key:
        given = key_of(text)
        expected = self.keys[0] if self.keys else given
        if [type(part) for part in given] != [type(part) for part in expected]:
            raise invalid_cursor(text)
        return given


def cursor(key: Key) -> str:
    """A key as the text that goes out."""
    value, number = key
    shown = ["at", value.isoformat(), number] if isinstance(value, datetime) else ["is", value, number]
    return base64.b64encode(f"cursor:v2:{json.dumps(shown)}".encode()).decode()


def key_of(text: str) -> Key:
    """The key that `cursor` made a text of."""
    try:
        kind, value, number = json.loads(_content(text))
        if kind == "at":
            value = datetime.fromisoformat(value)
            value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, TypeError) as error:
        raise invalid_cursor(text) from error
    return value, number


def position_cursor(position: int) -> str:
    """A cursor of a list that GitHub counts through, such as labels or refs."""
    return base64.b64encode(f"cursor:v2:{position}".encode()).decode()


def position_of(text: str) -> int:
    """The position that `position_cursor` made a text of."""
    try:
        position = int(_content(text))
    except ValueError as error:
        raise invalid_cursor(text) from error
    if position < 0:
        raise invalid_cursor(text)
    return position


def invalid_cursor(text: str) -> RefusalError:
    """GitHub's refusal of a cursor that makes no sense."""
    return RefusalError("INVALID_CURSOR_ARGUMENTS", f"`{text}` does not appear to be a valid cursor.")


def _content(text: str) -> str:
    try:
        content = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_cursor(text) from error
    if not content.startswith("cursor:v2:"):
        raise invalid_cursor(text)
    return content.removeprefix("cursor:v2:")
