"""What the readers yield, and how far they have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from metrics_assets.sources.asking import Batch

# Rows of a batch: written in one transaction, and all that is in memory at a time.
ROWS = 2000
_FORM = 1

Position = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GitBatch(Batch):
    """Records to be written in one transaction.

    Attributes:
        position: how far reading has come, for the next run; only in the last batch, to be stored with it.
        departed: commits that have left the default branch (a force push): no longer `on_default_branch`.
        whole_branch: the whole default branch was read: what the warehouse has on it and git has not, has left it.
        remarks: what git cannot tell about what was read, as sentences.
    """

    position: Position | None = None
    departed: list[str] = field(default_factory=list)
    whole_branch: bool = False
    remarks: tuple[str, ...] = ()


def usable(position: Position | None, start: datetime) -> Position | None:
    """A position, unless an other version wrote it or it leaves out days that are wanted now."""
    if position is None or position.get("form") != _FORM or position["start"] > start.timestamp():
        return None
    return position


def position(start: datetime, **values: Any) -> Position:
    """How far reading has come, as JSON can hold it."""
    return {"form": _FORM, "start": start.timestamp(), **values}
