"""A list of a repository, walked page by page: what to ask for next, when to stop, where to go on after a kill.

Lists come newest first. A walk reads from the front down to what is known. What changes meanwhile moves to the
front, so the front is read again until nothing there is new: nothing that moves is lost, whether the provider's
cursors are positions or keys, and some rows are seen twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metrics_assets.sources.asking import parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.github.answers import PageInfo

SMALLEST_PAGE = 5


@dataclass(frozen=True, slots=True)
class ListPlan:
    """How a list is asked for.

    Attributes:
        entity: whose list it is; its variables in the fragment begin with this.
        document: the fragment's file below queries/.
        place: where the connection is in the answer's repository.
        page: rows per page at the most.
        first_page: rows of the first page where only a few changes are expected.
        nested: whether rows carry lists of their own, so that a page may be too heavy.
        time: the item's field that the list is ordered by; None where the list is read to its end.
        since: the provider itself leaves out what was not updated since then.
        front_time: of a list without an order by time: the field that shows how new its front is.
        open_states: values of $<entity>_states that narrow the list to what is open.
    """

    entity: str
    document: str
    place: tuple[str, ...]
    page: int = 100
    first_page: int = 50
    nested: bool = False
    time: str | None = None
    since: bool = False
    front_time: str | None = None
    open_states: tuple[str, ...] = ()


@dataclass(slots=True)
class Segment:
    """A part of a list: from a cursor (None: the front) down to a time (None: the end)."""

    after: str | None = None
    floor: datetime | None = None
    open_only: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"after": self.after, "floor": _text(self.floor), "open_only": self.open_only}

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> Segment:
        return cls(content["after"], _time(content["floor"]), bool(content["open_only"]))


@dataclass(slots=True)
class Taken:
    """What one page gave.

    Attributes:
        items: the rows that are wanted.
        holes: rows that came as null, so that they are missing.
    """

    items: list[dict[str, Any]]
    holes: int = 0


@dataclass(slots=True)
class Walk:
    """The walk over one list of one repository.

    Attributes:
        since: everything updated since then is wanted; None for the whole list.
        pending: what is still to be read, in order.
        newest: the newest time that was seen at the front.
        settled: everything from this time on was read after it had been seen at the front.
        total_count: the provider's count of the whole list when the walk began.
        resumed: it goes on where a killed run left off, so it does not see all rows itself.
    """

    plan: ListPlan
    since: datetime | None
    pending: list[Segment]
    limit: int
    few_expected: bool = False
    newest: datetime | None = None
    settled: datetime | None = None
    total_count: int | None = None
    resumed: bool = False
    pages: int = 0
    pages_since_front: int = 0
    restarts: int = 0

    @classmethod
    def begin(
        cls, plan: ListPlan, since: datetime | None, *, backlog: bool, few_expected: bool = False, limit: int = 100
    ) -> Walk:
        """A new walk; with `backlog` also over everything open, however long untouched.

        Args:
            few_expected: begin with a small page.
            limit: the most rows per page of a nested list.
        """
        pending = [Segment(floor=since if plan.time or plan.since else None)]
        if backlog and plan.open_states:
            pending.append(Segment(open_only=True))
        return cls(plan, since, pending, limit if plan.nested else 100, few_expected=few_expected)

    @classmethod
    def resume(cls, plan: ListPlan, position: dict[str, Any], *, limit: int = 100) -> Walk:
        """A walk that goes on from a stored position: first what has come since, then the rest."""
        newest, pending = _time(position["newest"]), [Segment.of_json(one) for one in position["pending"]]
        if pending[0].after is not None and (plan.time or plan.since):
            pending.insert(0, Segment(floor=newest or pending[0].floor))
        whole = limit if plan.nested else 100
        return cls(plan, _time(position["since"]), pending, whole, newest=newest, resumed=True)

    @property
    def is_done(self) -> bool:
        return not self.pending

    def position(self) -> dict[str, Any] | None:
        """Where it stands, as JSON; None when it is done, or where the list is so short that it begins anew."""
        if self.is_done or not (self.plan.time or self.plan.since):
            return None
        return {
            "since": _text(self.since),
            "newest": _text(self.newest),
            "pending": [segment.as_json() for segment in self.pending],
        }

    def variables(self, scale: float = 1.0) -> dict[str, Any]:
        """The variables of the next request; `scale` makes pages of nested lists smaller."""
        segment, name = self.pending[0], self.plan.entity
        rows = self.plan.first_page if self.few_expected and self.pages == 0 else self.plan.page
        rows = min(rows, self.limit)
        if self.plan.nested:
            rows = max(SMALLEST_PAGE, int(rows * scale))
        given: dict[str, Any] = {f"{name}_first": rows, f"{name}_after": segment.after}
        if self.plan.open_states:
            given[f"{name}_states"] = list(self.plan.open_states) if segment.open_only else None
        if self.plan.since:
            given[f"{name}_since"] = _text(segment.floor)
        return given

    def take(self, repository: Any, where: str) -> Taken:
        """Take one page out of an answer and move on.

        Raises:
            BadAnswer: the page is not there, or is not a page. The walk then stands where it stood.
        """
        found = repository
        for step in self.plan.place:
            found = found.get(step) if isinstance(found, dict) else None
        of_branch = self.plan.place[0] == "default_branch"
        if of_branch and isinstance(repository, dict) and repository.get("default_branch", "") is None:
            self.pending = []  # there is no branch, and so there are no commits
            return Taken([])
        if not isinstance(found, dict) or not isinstance(found.get("pageInfo"), dict):
            raise BadAnswer(f"{where}: the answer has no list of {self.plan.entity}; run it again later.")
        listed = found["nodes"] if "nodes" in found else found.get("edges")
        if not isinstance(listed, list):
            raise BadAnswer(f"{where}: the answer's {self.plan.entity} are a {type(listed).__name__}, not a list.")
        info, segment = parse(PageInfo, found["pageInfo"], where), self.pending[0]
        items = [item for item in listed if isinstance(item, dict)]
        field = self.plan.time or self.plan.front_time
        times = [self._time_of(item, field, where) for item in items] if field else []
        if info.has_next_page and info.end_cursor in (None, segment.after):
            raise BadAnswer(f"{where}: the list of {self.plan.entity} has more pages and does not say where.")

        self.pages += 1
        self._look_at_front(segment, times)
        total = found.get("totalCount")
        if self.total_count is None and isinstance(total, int) and not segment.open_only and not self.plan.since:
            self.total_count = total
        wanted = items
        if self.plan.time and segment.floor is not None:
            wanted = [item for item, at in zip(items, times, strict=True) if at >= segment.floor]
        # Many rows may have the newest time, more than a page holds: they are read again once, not for ever.
        at_front = segment.after is None and segment.floor is not None
        unchanged = at_front and segment.floor == self.newest == self.settled
        if unchanged or len(wanted) < len(items) or not info.has_next_page:
            self._finish_segment()
        else:
            segment.after = info.end_cursor
        return Taken(wanted, holes=len(listed) - len(items))

    def _look_at_front(self, segment: Segment, times: list[datetime]) -> None:
        if segment.after is None and not segment.open_only:
            self.pages_since_front = 0
            self.newest = max([*times, *([self.newest] if self.newest else [])], default=None)
        else:
            self.pages_since_front += 1

    def _finish_segment(self) -> None:
        finished = self.pending.pop(0)
        if not finished.open_only and finished.floor == self.newest:
            self.settled = self.newest
        # Where the front showed no time at all (rows that came as null), there is nothing to read down to again.
        if not self.pending and self.plan.time and self.pages_since_front and self.newest is not None:
            # What came or moved while the pages behind the front were read.
            self.pending.append(Segment(floor=self.newest))

    def _time_of(self, item: dict[str, Any], field: str, where: str) -> datetime:
        value = item.get(field)
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            raise BadAnswer(f"{where}: {field} of a row of {self.plan.entity} is {value!r:.40}.") from None

    def begin_again(self) -> None:
        """Forget the cursors, which the provider does not know any more."""
        self.restarts += 1
        self.pending = [Segment(floor=segment.floor, open_only=segment.open_only) for segment in self.pending]


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
