"""GitHub's flat lists: what is asked for, what is asked for again, and what the answers become."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from metrics_assets.sources import records
from metrics_assets.sources.asking import Batch
from metrics_assets.sources.errors import BadAnswer, Forbidden, TooHeavy
from metrics_assets.sources.github import flat
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.together import Questions
from metrics_assets.sources.http import ApiClient, Validator
from metrics_assets.sources.records import Account
from metrics_assets_tests.sources.scripted import Asked, Clock, Reply, Scripted

BEGIN = datetime(2025, 6, 1, tzinfo=UTC)
Answer = Callable[[Asked], Reply]


def second(number: float) -> datetime:
    return BEGIN + timedelta(seconds=number)


def zulu(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def parameters(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}


def read(answer: Answer, work: Callable[[GitHub], Any], **more: Any) -> tuple[list[Any], list[Asked]]:
    """Everything that a function of `flat` yields, and what was asked."""

    async def go(url: str) -> list[Any]:
        clock = Clock()
        async with ApiClient(url, sleep=clock.sleep, clock=clock) as client:
            return [one async for one in work(GitHub(client, **more))]

    with Scripted(answer=answer) as server:
        return asyncio.run(go(server.url)), server.asked


def rows(batches: list[Batch], kind: type[records.Record]) -> list[Any]:
    return [row for batch in batches for row in batch.records if isinstance(row, kind)]


# --- review comments ---


def comment(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    url = f"https://api.github.com/repos/acme/tool/pulls/{number % 7 + 1}"
    times = {"created_at": zulu(BEGIN), "updated_at": zulu(at)}
    return {"id": number, "pull_request_url": url, "user": {"login": "mira", "type": "User"}, **times, **more}


class Comments:
    """REST /pulls/comments: since, oldest update first, by page."""

    def __init__(self, updated: dict[int, datetime], edits: dict[int, dict[int, datetime]] | None = None) -> None:
        self.updated = updated
        self.edits = edits or {}  # what changes after which request
        self.requests = 0

    def __call__(self, asked: Asked) -> Reply:
        given = parameters(asked)
        assert (given["sort"], given["direction"], given["per_page"]) == ("updated", "asc", "100")
        since, page = datetime.fromisoformat(given["since"]), int(given["page"])
        listed = sorted((at, number) for number, at in self.updated.items() if at >= since)
        shown = [comment(number, at) for at, number in listed[(page - 1) * 100 : page * 100]]
        self.requests += 1
        self.updated |= self.edits.get(self.requests, {})
        return Reply(shown)


def comments(server: Comments, since: datetime = BEGIN) -> tuple[dict[int, datetime], list[datetime], int]:
    """The comments that came by id with their newest update, how far each page reaches, and the requests."""
    found, asked = read(server, lambda github: flat.review_comments(github, 1, "acme/tool", since))
    latest: dict[int, datetime] = {}
    for row in rows([batch for batch, _ in found], records.ReviewComment):
        latest[row.comment_id] = max(row.updated_at, latest.get(row.comment_id, BEGIN))
    assert len(asked) < 50
    return latest, [reached for _, reached in found], len(asked)


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (99, 1), (100, 2), (250, 3)])
def test_review_comments_are_paged_by_time(count: int, requests: int) -> None:
    updated = {number: second(number) for number in range(count)}
    found, reached, asked = comments(Comments(dict(updated)))
    assert found == updated
    assert asked == requests
    assert reached == sorted(reached)
    assert reached[-1] == (second(count - 1) if count else BEGIN)


def test_what_is_older_than_since_is_not_asked_for() -> None:
    found, _, _ = comments(Comments({number: second(number) for number in range(150)}), second(120))
    assert set(found) == set(range(120, 150))


@pytest.mark.parametrize("count", [100, 101, 199, 200, 201, 350])
def test_more_than_a_page_of_review_comments_in_one_second(count: int) -> None:
    updated = {number: second(10) for number in range(count)}
    updated |= {1000 + number: second(number / 10) for number in range(60)}  # before
    updated |= {2000 + number: second(20 + number) for number in range(150)}  # after
    found, _, _ = comments(Comments({number: at.replace(microsecond=0) for number, at in updated.items()}))
    assert set(found) == set(updated)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_review_comments_that_are_edited_while_they_are_read_take_nobodys_place(after: int) -> None:
    updated = {number: second(number) for number in range(320)}
    edits = {after: {number: second(1000 + number) for number in (*range(0, 300, 3), 319)}}
    server = Comments(dict(updated), edits)
    found, _, _ = comments(server)
    assert found == server.updated


def test_a_review_comment_becomes_a_row() -> None:
    reply = comment(5, second(9), in_reply_to_id=3, pull_request_review_id=8)
    (found,), _ = read(lambda asked: Reply([reply]), lambda github: flat.review_comments(github, 1, "a/b", BEGIN))
    expected = records.ReviewComment(1, 5, 3, 6, 8, Account("mira"), BEGIN, second(9))
    assert found[0].records == [expected]


# --- workflow runs ---


def run(number: int, at: datetime) -> dict[str, Any]:
    times = {"created_at": zulu(at), "updated_at": zulu(at), "run_started_at": zulu(at)}
    named = {"id": number, "name": "ci", "workflow_id": 1, "run_number": number, "event": "push", "head_sha": "a" * 40}
    return {**named, **times, "status": "completed", "conclusion": "success", "check_suite_node_id": f"CS_{number}"}


class Runs:
    """REST /actions/runs, no more than 1,000 of a query, and GraphQL's jobs of check suites."""

    def __init__(self, created: dict[int, datetime], gone: tuple[int, ...] = ()) -> None:
        self.created = created
        self.gone = gone
        self.slices: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/graphql":
            return self._jobs(asked.body["variables"]["ids"])
        given = parameters(asked)
        begin, end = map(datetime.fromisoformat, given["created"].split(".."))
        if given["page"] == "1":
            self.slices.append(given["created"])
        listed = [number for number, at in sorted(self.created.items(), reverse=True) if begin <= at <= end]
        page = int(given["page"])
        shown = listed[:1000][(page - 1) * 100 : page * 100]
        return Reply({"total_count": len(listed), "workflow_runs": [run(one, self.created[one]) for one in shown]})

    def _jobs(self, ids: list[str]) -> Reply:
        assert len(ids) <= 100
        nodes: list[Any] = []
        for suite in ids:
            number = int(suite.removeprefix("CS_"))
            job = {"id": number * 10, "name": "test", "status": "COMPLETED", "conclusion": "SUCCESS"}
            nodes.append(None if number in self.gone else {"suite_id": suite, "jobs": {"nodes": [job]}})
        errors = [{"type": "NOT_FOUND", "path": ["nodes", index]} for index, node in enumerate(nodes) if not node]
        return Reply({"data": {"nodes": nodes, "rateLimit": {"cost": 1}}, "errors": errors})


def runs(server: Answer, days: float = 8) -> tuple[list[tuple[Batch, datetime]], list[Asked]]:
    until = BEGIN + timedelta(days=days)

    def work(github: GitHub) -> Any:
        questions = Questions(github)
        questions.jobs.patience = 0
        return flat.workflow_runs(github, questions, 1, "acme/tool", BEGIN, until)

    return read(server, work)


def test_workflow_runs_of_a_quiet_time_take_one_slice_and_their_jobs_one_point_per_hundred() -> None:
    server = Runs({number: second(number * 60) for number in range(250)})
    found, asked = runs(server)
    assert [reached for _, reached in found] == [BEGIN + timedelta(days=8)]
    batches = [batch for batch, _ in found]
    assert {row.run_id for row in rows(batches, records.WorkflowRun)} == set(range(250))
    assert {(row.run_id, row.job_id) for row in rows(batches, records.WorkflowJob)} == {
        (number, number * 10) for number in range(250)
    }
    assert rows(batches, records.WorkflowJob)[0].conclusion == "success"
    assert len(asked) == 3 + 3


def test_slices_are_halved_until_github_shows_all_runs() -> None:
    server = Runs({number: second(number * 200) for number in range(3400)})  # eight days of 432
    found, asked = runs(server)
    batches = [batch for batch, _ in found]
    assert {row.run_id for row in rows(batches, records.WorkflowRun)} == set(range(3400))
    assert all(len(rows([batch], records.WorkflowRun)) <= 1000 for batch in batches)
    reached = [at for _, at in found]
    assert reached == sorted(reached)
    assert reached[-1] == BEGIN + timedelta(days=8)
    assert len(server.slices) <= 6
    assert len(asked) < 90


def test_after_a_busy_hour_slices_grow_back() -> None:
    server = Runs({number: second(number) for number in range(1100)})  # eighteen minutes
    found, _ = runs(server, days=2)
    assert {row.run_id for row in rows([batch for batch, _ in found], records.WorkflowRun)} == set(range(1100))
    assert len(server.slices) <= 25  # and not two days in pieces of eleven minutes


def test_more_runs_in_a_minute_than_github_shows_are_reported() -> None:
    server = Runs({number: second(100 * 60 + number // 100) for number in range(1500)})
    with pytest.raises(BadAnswer, match=r"1500 in the minute before 2025-06-01T01:4.*the rest is missing"):
        runs(server, days=1)


def test_runs_whose_suite_is_gone_have_no_jobs() -> None:
    found, _ = runs(Runs({number: second(number) for number in range(5)}, gone=(2, 3)))
    batches = [batch for batch, _ in found]
    assert len(rows(batches, records.WorkflowRun)) == 5
    assert {row.run_id for row in rows(batches, records.WorkflowJob)} == {0, 1, 4}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"data": {"nodes": None}}, BadAnswer),
        ({"data": {"nodes": [None]}, "errors": [{"type": "FORBIDDEN", "path": ["nodes", 0]}]}, Forbidden),
        ({"data": {"nodes": [None]}, "errors": [{"message": "Timeout", "path": ["nodes", 0]}]}, TooHeavy),
    ],
)
def test_jobs_that_did_not_come_are_an_error(answer: Any, kind: type[Exception]) -> None:
    server = Runs({1: BEGIN})
    with pytest.raises(kind):
        runs(lambda asked: Reply(answer) if asked.path == "/graphql" else server(asked))


# --- short lists ---


def whole(function: Any, answer: Answer, **more: Any) -> tuple[list[Batch], list[Asked]]:
    return read(answer, lambda github: function(github, 1, "acme/tool"), **more)


def test_contributors_with_and_without_an_account() -> None:
    listed = [
        {"login": "mira", "type": "User", "contributions": 9},
        {"login": "dependabot[bot]", "type": "Bot", "contributions": 5},
        {"type": "Anonymous", "email": "mira@example.org", "name": "Mira", "contributions": 3},
        {"type": "Anonymous", "email": "5+mira@users.noreply.github.com", "contributions": 2},
        {"login": "ghost", "type": "User", "contributions": 1},
    ]
    (batch,), asked = whole(flat.contributors, lambda asked: Reply(listed))
    assert batch.records == [
        records.Contributor(1, Account("mira"), 9),
        records.Contributor(1, Account("dependabot", is_bot=True), 5),
        records.Contributor(1, Account("mira@example.org"), 3),
        records.Contributor(1, Account("mira"), 2),
    ]
    assert batch.complete_lists == ("raw.contributors",)
    assert parameters(asked[0])["anon"] == "1"


def test_an_empty_repository_has_no_contributors() -> None:
    (batch,), _ = whole(flat.contributors, lambda asked: Reply(b"", status=204))
    assert (batch.records, batch.complete_lists) == ([], ("raw.contributors",))


def test_contributors_that_did_not_change_are_not_read_again() -> None:
    stored: dict[str, Validator] = {}

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("if-none-match") == '"1"':
            return Reply(b"", status=304)
        return Reply([{"login": "mira", "contributions": 9}], headers={"ETag": '"1"'})

    async def twice(github: GitHub) -> Any:
        async for batch in flat.contributors(github, 1, "acme/tool"):
            stored.update(batch.validators)
            yield batch
        async for batch in flat.contributors(github, 1, "acme/tool"):
            yield batch

    batches, asked = read(answer, twice, known=stored.get)
    assert len(batches) == 1  # nothing at the second time, so that nothing is marked as gone either
    assert len(asked) == 2
    assert list(stored.values()) == [Validator('"1"')]


def test_a_list_of_several_pages_is_not_asked_for_conditionally() -> None:
    """An ETag is of one page; the others may have changed."""

    def answer(asked: Asked) -> Reply:
        page = int(parameters(asked).get("page", 1))
        link = {"Link": '<http://x/y?page=2>; rel="next", <http://x/y?page=2>; rel="last"'} if page == 1 else {}
        return Reply([{"login": f"m{page}", "contributions": 1}], headers={"ETag": f'"{page}"', **link})

    (batch,), asked = whole(flat.contributors, answer)
    assert [row.person.login for row in batch.records] == ["m1", "m2"]  # type: ignore[attr-defined]
    assert batch.validators == {}
    assert len(asked) == 2


def test_security_advisories() -> None:
    listed = [{"ghsa_id": "GHSA-1", "severity": "high", "summary": "s", "state": "draft", "updated_at": zulu(BEGIN)}]
    (batch,), asked = whole(flat.security_advisories, lambda asked: Reply(listed))
    assert batch.records == [records.SecurityAdvisory(1, "GHSA-1", "high", "draft", "s", None, BEGIN, None)]
    assert batch.complete_lists == ("raw.security_advisories",)
    assert urlsplit(asked[0].path).path == "/repos/acme/tool/security-advisories"


def test_dependabot_alerts_are_followed_by_cursor() -> None:
    def alert(number: int) -> dict[str, Any]:
        return {
            "number": number,
            "state": "open",
            "dependency": {"package": {"ecosystem": "pip", "name": "jinja2"}},
            "security_advisory": {"ghsa_id": "GHSA-2", "severity": "low"},
            "created_at": zulu(BEGIN),
            "updated_at": zulu(BEGIN),
        }

    def answer(asked: Asked) -> Reply:
        if "after" in parameters(asked):
            return Reply([alert(2)])
        return Reply([alert(1)], headers={"Link": f'<http://{asked.headers["host"]}{asked.path}&after=a>; rel="next"'})

    (batch,), _ = whole(flat.dependabot_alerts, answer)
    alerts = [
        records.DependabotAlert(1, number, "open", "low", "pip", "jinja2", "GHSA-2", BEGIN, BEGIN, None, None)
        for number in (1, 2)
    ]
    assert batch.records == alerts
    assert batch.complete_lists == ("raw.dependabot_alerts",)


@pytest.mark.parametrize("function", [flat.dependabot_alerts, flat.security_advisories, flat.traffic])
def test_what_the_token_may_not_see_is_forbidden(function: Any) -> None:
    with pytest.raises(Forbidden, match="give the token the permission"):
        whole(function, lambda asked: Reply({"message": "Must have push access"}, status=403))


# --- traffic ---

TODAY = datetime(2025, 6, 20, 3, 4, 5, tzinfo=UTC)


def traffic(views: dict[int, int], clones: dict[int, int]) -> Answer:
    """Views and clones by how many days ago."""

    def days(counts: dict[int, int]) -> list[dict[str, Any]]:
        midnight = TODAY.replace(hour=0, minute=0, second=0)
        return [
            {"timestamp": zulu(midnight - timedelta(days=age)), "count": count, "uniques": count // 2}
            for age, count in sorted(counts.items(), reverse=True)
        ]

    answers = {
        "views": {"count": 1, "uniques": 1, "views": days(views)},
        "clones": {"count": 1, "uniques": 1, "clones": days(clones)},
        "referrers": [{"referrer": "Google", "count": 4, "uniques": 3}],
        "paths": [{"path": "/acme/tool", "title": "t", "count": 6, "uniques": 5}],
    }
    date = {"Date": format_datetime(TODAY, usegmt=True)}
    return lambda asked: Reply(answers[urlsplit(asked.path).path.rpartition("/")[2]], headers=date)


def test_traffic_is_of_the_days_that_are_over_and_days_left_out_are_zeros() -> None:
    (batch,), _ = whole(flat.traffic, traffic({0: 100, 1: 40, 13: 8, 14: 6}, {0: 50, 2: 20}))
    found = {row.date: (row.views, row.unique_visitors, row.clones, row.unique_cloners)
             for row in rows([batch], records.TrafficDay)}  # fmt: skip
    expected = {TODAY.date() - timedelta(days=age): (0, 0, 0, 0) for age in range(1, 14)}
    expected[TODAY.date() - timedelta(days=1)] = (40, 20, 0, 0)
    expected[TODAY.date() - timedelta(days=13)] = (8, 4, 0, 0)
    expected[TODAY.date() - timedelta(days=2)] = (0, 0, 20, 10)
    assert found == expected


def test_traffic_has_its_sources() -> None:
    (batch,), _ = whole(flat.traffic, traffic({}, {}))
    assert rows([batch], records.TrafficSource) == [
        records.TrafficSource(1, TODAY.date(), "referrer", "Google", 4, 3),
        records.TrafficSource(1, TODAY.date(), "path", "/acme/tool", 6, 5),
    ]


def test_the_window_of_fourteen_days_is_not_cut_by_our_clock() -> None:
    """The day is the provider's, also where ours stands in 1970."""
    (batch,), _ = whole(flat.traffic, traffic({1: 2}, {}))
    assert max(row.date for row in rows([batch], records.TrafficDay)) == TODAY.date() - timedelta(days=1)
