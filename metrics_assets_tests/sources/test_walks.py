"""Walking a list that changes while it is read, with kills at any page: nothing is lost, and it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.github.walks import SMALLEST_PAGE, ListPlan, Segment, Walk

BEGIN = datetime(2025, 6, 1, tzinfo=UTC)
UPDATED = ListPlan("things", "lists/things", ("things",), page=7, first_page=5, nested=True, time="updated_at",
                   open_states=("OPEN",))  # fmt: skip
SINCE = replace(UPDATED, since=True)
CREATED = replace(UPDATED, time="created_at", open_states=())
WHOLE = ListPlan("things", "lists/things", ("things",), page=7, first_page=7)
COMMITS = ListPlan(
    "commits", "lists/commits", ("default_branch", "target", "commits"), page=7, since=True, front_time="committed_at"
)
# More pages than any of these lists could need.
ENDLESS = 250


def second(number: int) -> datetime:
    return BEGIN + timedelta(seconds=number)


@dataclass(frozen=True)
class Row:
    """A row at one time of its life."""

    id: int
    at: int  # the second of its last update, or of its creation
    open: bool = True
    version: int = 0


@dataclass
class Provider:
    """A list ordered by time, newest first, that is served in pages."""

    rows: dict[int, Row]
    cursors: str  # keys | positions
    now: int
    plan: ListPlan
    fronts: list[dict[int, Row]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)

    def page(self, variables: dict[str, Any]) -> dict[str, Any]:
        first, after = variables["things_first"], variables["things_after"]
        states, since = variables.get("things_states"), variables.get("things_since")
        if after is None and not states:
            self.fronts.append(dict(self.rows))
        listed = sorted(self.rows.values(), key=lambda row: (-row.at, -row.id))
        listed = [row for row in listed if row.open or not states]
        listed = [row for row in listed if since is None or second(row.at) >= datetime.fromisoformat(since)]
        start = self._start(listed, after)
        shown = listed[start : start + first]
        end = f"{start + len(shown)}" if self.cursors == "positions" else ""
        if self.cursors == "keys" and shown:
            end = f"{shown[-1].at},{shown[-1].id}"
        info = {"hasNextPage": start + len(shown) < len(listed), "endCursor": end or None}
        nodes = [{self.plan.time: second(row.at).isoformat(), "row": row} for row in shown]
        return {"things": {"totalCount": len(self.rows), "pageInfo": info, "nodes": nodes}}

    def _start(self, listed: list[Row], after: str | None) -> int:
        if after is None:
            return 0
        if self.cursors == "positions":
            return int(after)
        at, number = map(int, after.split(","))
        return sum((row.at, row.id) >= (at, number) for row in listed)

    def act(self, action: str, pick: int) -> None:
        """Something happens to the list."""
        some = sorted(self.rows)
        if action == "insert" or not some:
            number = max([*some, *self.gone], default=0) + 1
            self.rows[number] = Row(number, self.now)
            return
        row = self.rows[some[pick % len(some)]]
        if action == "update":
            self.rows[row.id] = replace(row, at=self.now, version=row.version + 1)
        elif action == "close":
            self.rows[row.id] = replace(row, at=self.now, version=row.version + 1, open=not row.open)
        elif action == "delete":
            self.gone.add(row.id)
            del self.rows[row.id]


@dataclass
class Reader:
    """Reads a list to its end, through kills, and remembers what it saw and stored."""

    provider: Provider
    walk: Walk
    stored: dict[int, Row] = field(default_factory=dict)
    position: Any = None
    pages: int = 0

    def step(self, scale: float) -> None:
        self.pages += 1
        assert self.pages < ENDLESS, "this walk never ends"
        for item in self.walk.take(self.provider.page(self.walk.variables(scale)), "things of acme/tool").items:
            self.stored[item["row"].id] = item["row"]
        self.position = json.loads(json.dumps(self.walk.position()))

    def kill(self, again: Any) -> None:
        """The run ends here; another goes on from what was stored, or begins anew."""
        plan = self.walk.plan
        self.walk = Walk.resume(plan, self.position, limit=self.walk.limit) if self.position else again()


PLANS = {"updated": UPDATED, "since": SINCE, "created": CREATED}
actions = st.tuples(st.sampled_from(["insert", "update", "update", "close", "delete"]), st.integers(0, 99))
between = st.tuples(
    st.lists(actions, max_size=3), st.sampled_from([1.0, 1.0, 0.1]), st.sampled_from(["", "", "kill", "kill, lost"])
)


@given(
    kind=st.sampled_from(sorted(PLANS)),
    cursors=st.sampled_from(["keys", "positions"]),
    times=st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40),
    since=st.none() | st.integers(0, 22),
    backlog=st.booleans(),
    few=st.booleans(),
    story=st.lists(between, max_size=14),
)
def test_nothing_is_lost_while_a_list_changes_and_runs_are_killed(
    kind: str,
    cursors: str,
    times: list[tuple[int, bool]],
    since: int | None,
    backlog: bool,
    few: bool,
    story: list[tuple[list[tuple[str, int]], float, str]],
) -> None:
    plan = PLANS[kind]
    rows = {number: Row(number, at, is_open) for number, (at, is_open) in enumerate(times)}
    provider = Provider(dict(rows), cursors, 21, plan)

    def begin() -> Walk:
        return Walk.begin(
            plan, second(since) if since is not None else None, backlog=backlog, few_expected=few, limit=50
        )

    reader = Reader(provider, begin())
    for happens, scale, end in story:
        if reader.walk.is_done:
            break
        if end == "kill, lost":  # the page came and was not written
            fronts = len(provider.fronts)
            reader.walk.take(provider.page(reader.walk.variables(scale)), "things")
            del provider.fronts[fronts:]
            reader.kill(begin)
        else:
            reader.step(scale)
            if end and not reader.walk.is_done:
                reader.kill(begin)
        provider.now += 1  # a request takes a second; what happens in between happens at once
        for action, pick in happens:
            if allowed(action, kind, cursors, backlog):
                provider.act(action, pick)
    while not reader.walk.is_done:
        reader.step(1.0)
    check(reader, since, backlog and bool(plan.open_states), rows)


def allowed(action: str, kind: str, cursors: str, backlog: bool) -> bool:
    """Positions lose a row where another one leaves the list before it; no walk can mend that."""
    if action in ("update", "close") and kind == "created":
        return False
    if action == "delete":
        return cursors == "keys"
    return action != "close" or cursors == "keys" or not backlog


def check(reader: Reader, since: int | None, backlog: bool, before: dict[int, Row]) -> None:
    """What was there when the front was read last, was stored as it was then."""
    provider = reader.provider
    for row in provider.fronts[-1].values():
        if row.id in provider.gone:
            continue
        open_throughout = row.open and row.id in before and row == before[row.id]
        if since is None or row.at >= since or (backlog and open_throughout):
            assert row.id in reader.stored, (row, "was never seen")
            assert reader.stored[row.id].version >= row.version, (row, "was seen before it changed only")
    assert reader.pages < ENDLESS


@given(st.integers(0, 60), st.booleans(), st.sampled_from(["keys", "positions"]))
def test_a_quiet_list_is_read_once_and_its_front_again(count: int, backlog: bool, cursors: str) -> None:
    rows = {number: Row(number, number) for number in range(count)}
    reader = Reader(Provider(rows, cursors, 99, UPDATED), Walk.begin(UPDATED, None, backlog=backlog))
    while not reader.walk.is_done:
        reader.step(1.0)
    assert reader.stored == rows
    pages = max(1, -(-count // 7))
    assert reader.pages <= (2 if backlog else 1) * pages + 1


@pytest.mark.parametrize("cursors", ["keys", "positions"])
@pytest.mark.parametrize("count", [5, 7, 8, 30])
def test_many_rows_of_the_same_second_do_not_keep_a_walk_forever(cursors: str, count: int) -> None:
    """A bulk edit, or an import, gives more rows than a page holds one and the same time."""
    rows = {number: Row(number, 5) for number in range(count)} | {99: Row(99, 1)}
    reader = Reader(Provider(rows, cursors, 99, UPDATED), Walk.begin(UPDATED, second(3), backlog=False))
    while not reader.walk.is_done:
        reader.step(1.0)
    assert set(reader.stored) == set(range(count))
    assert reader.pages <= 3 * (-(-(count + 1) // 7))


def test_few_changes_are_asked_for_with_a_small_page() -> None:
    walk = Walk.begin(UPDATED, second(10), backlog=True, few_expected=True)
    assert walk.variables() == {"things_first": 5, "things_after": None, "things_states": None}
    walk = Walk.begin(SINCE, second(10), backlog=True)
    given = {"things_first": 7, "things_after": None, "things_states": None, "things_since": second(10).isoformat()}
    assert walk.variables() == given


def test_pages_of_nested_lists_alone_get_smaller_and_never_smaller_than_five() -> None:
    nested = Walk.begin(replace(UPDATED, page=50), None, backlog=False)
    assert [nested.variables(scale)["things_first"] for scale in (1, 0.5, 0.25, 0.1, 0.01)] == [50, 25, 12, 5, 5]
    flat = Walk.begin(WHOLE, None, backlog=False, limit=3)
    assert flat.variables(0.01)["things_first"] == 7
    assert Walk.begin(replace(UPDATED, page=50), None, backlog=False, limit=20).variables()["things_first"] == 20
    assert SMALLEST_PAGE == 5


def test_the_backlog_is_what_is_open_however_long_untouched() -> None:
    rows = {number: Row(number, number, open=number % 3 == 0) for number in range(30)}
    reader = Reader(Provider(rows, "keys", 99, SINCE), Walk.begin(SINCE, second(25), backlog=True))
    while not reader.walk.is_done:
        reader.step(1.0)
    assert set(reader.stored) == {number for number in range(30) if number >= 25 or number % 3 == 0}


def test_a_list_without_states_has_no_backlog() -> None:
    assert len(Walk.begin(CREATED, second(5), backlog=True).pending) == 1


# --- lists that are read whole ---


def whole_page(first: int, count: int, total: int) -> dict[str, Any]:
    nodes = [{"id": number} for number in range(first, min(first + count, total))]
    end = first + len(nodes)
    info = {"hasNextPage": end < total, "endCursor": str(end)}
    return {"things": {"totalCount": total, "pageInfo": info, "nodes": nodes}}


@pytest.mark.parametrize("total", [0, 1, 7, 8, 50])
def test_a_list_without_a_time_is_read_to_its_end_and_begun_anew_after_a_kill(total: int) -> None:
    walk, seen = Walk.begin(WHOLE, second(3), backlog=True), list[int]()
    while not walk.is_done:
        assert walk.position() is None
        given = walk.variables()
        taken = walk.take(whole_page(int(given["things_after"] or 0), given["things_first"], total), "things")
        seen += [item["id"] for item in taken.items]
    assert seen == list(range(total))
    assert walk.total_count == total


# --- commits ---


def commits_page(*seconds: int, following: str | None = None) -> dict[str, Any]:
    nodes = [{"sha": f"{at}", "committed_at": second(at).isoformat()} for at in seconds]
    info = {"hasNextPage": following is not None, "endCursor": following}
    return {"default_branch": {"target": {"commits": {"pageInfo": info, "nodes": nodes}}}}


def test_commits_come_as_the_provider_orders_them_and_go_on_behind_a_kill() -> None:
    walk = Walk.begin(COMMITS, second(2), backlog=True)
    assert walk.variables()["commits_since"] == second(2).isoformat()
    # Not in order of time, as commits of a merged branch are; the provider leaves out what is older.
    walk.take(commits_page(50, 10, 60, following="a"), "commits")
    position = json.loads(json.dumps(walk.position()))
    assert position["newest"] == second(60).isoformat()
    walk = Walk.resume(COMMITS, position)
    assert walk.variables() | {"commits_first": 0} == {
        "commits_first": 0, "commits_after": None, "commits_since": second(60).isoformat(),
    }  # fmt: skip
    walk.take(commits_page(70, 60), "commits")
    assert walk.variables()["commits_after"] == "a"
    walk.take(commits_page(5), "commits")
    assert walk.is_done
    assert walk.position() is None


def test_a_repository_without_a_branch_has_no_commits() -> None:
    walk = Walk.begin(COMMITS, None, backlog=False)
    assert walk.take({"default_branch": None}, "commits").items == []
    assert walk.is_done


def test_a_repository_without_a_branch_may_have_issues() -> None:
    """Both lists are asked for in one request, so the issues' walk sees the missing branch too."""
    walk = Walk.begin(WHOLE, None, backlog=False)
    assert walk.take({"default_branch": None, **whole_page(0, 7, 20)}, "things").items == [{"id": n} for n in range(7)]
    assert not walk.is_done


# --- what does not fit ---


def page_of(walk: Walk, *rows: Row | None, following: str | None = None) -> dict[str, Any]:
    nodes = [row and {"updated_at": second(row.at).isoformat(), "row": row} for row in rows]
    return {"things": {"pageInfo": {"hasNextPage": following is not None, "endCursor": following}, "nodes": nodes}}


def test_rows_that_came_as_null_are_counted() -> None:
    walk = Walk.begin(UPDATED, second(0), backlog=False)
    taken = walk.take(page_of(walk, Row(1, 9), None, Row(2, 8), None, following="a"), "things")
    assert ([item["row"].id for item in taken.items], taken.holes) == ([1, 2], 2)
    assert not walk.is_done
    taken = walk.take(page_of(walk, None, None, None), "things")
    assert (taken.items, taken.holes) == ([], 3)


def test_a_front_of_holes_does_not_keep_a_walk_forever() -> None:
    walk, pages = Walk.begin(UPDATED, None, backlog=False), 0
    while not walk.is_done:
        pages += 1
        assert pages < 20, "this walk never ends"
        front = walk.pending[0].after is None
        walk.take(page_of(walk, None, None, following="a") if front else page_of(walk, Row(1, 1)), "things")


@pytest.mark.parametrize(
    "repository",
    [
        None, [], {}, {"things": None}, {"things": []}, {"things": {"nodes": []}},
        {"things": {"nodes": [], "pageInfo": None}}, {"things": {"nodes": None, "pageInfo": {}}},
        {"things": {"nodes": {}, "pageInfo": {}}}, {"things": {"pageInfo": {}}},
        {"things": {"nodes": [], "pageInfo": {"hasNextPage": "perhaps"}}},
        {"things": {"nodes": [], "pageInfo": {"hasNextPage": True}}},
        {"things": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}},
        {"things": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "here"}}},
        {"things": {"nodes": [{"updated_at": "soon"}], "pageInfo": {}}},
        {"things": {"nodes": [{}], "pageInfo": {}}},
    ],
)  # fmt: skip
def test_a_page_that_is_none_is_an_error_and_leaves_the_walk_where_it_stood(repository: Any) -> None:
    walk = Walk(UPDATED, second(0), [Segment("here", second(0))], 50, newest=second(9))
    before = (walk.position(), walk.variables(), walk.pages, walk.pages_since_front)
    with pytest.raises(BadAnswer):
        walk.take(repository, "things of acme/tool")
    assert (walk.position(), walk.variables(), walk.pages, walk.pages_since_front) == before


def test_a_walk_begins_again_where_its_cursors_are_unknown_by_now() -> None:
    rows = {number: Row(number, number, open=number % 2 == 0) for number in range(40)}
    reader = Reader(Provider(rows, "keys", 99, UPDATED), Walk.begin(UPDATED, second(10), backlog=True))
    for _ in range(6):
        reader.step(1.0)
    reader.walk.begin_again()
    assert all(segment.after is None for segment in reader.walk.pending)
    while not reader.walk.is_done:
        reader.step(1.0)
    assert set(reader.stored) == {number for number in range(40) if number >= 10 or number % 2 == 0}
