"""GitHub's lists of a repository that are asked for through GraphQL, and the records that their rows become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from metrics_assets.sources import records
from metrics_assets.sources.asking import parse
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.github.documents import whole
from metrics_assets.sources.github.walks import ListPlan

# A deployment's status may come days after the deployment itself, which is what the list is sorted by.
STATUSES_MAY_COME_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose rows are read, and when.

    Attributes:
        observed_on: the provider's day, for running totals.
    """

    github: GitHub
    repository_id: int
    repository: str
    observed_on: date


Reader = Callable[[Place, dict[str, Any]], Awaitable[list[records.Record]]]


async def _pull_request(place: Place, item: dict[str, Any]) -> list[records.Record]:
    found = parse(answers.PullRequest, item, f"pull requests of {place.repository}")
    rows: list[records.Record] = [found.record(place.repository_id)]
    for event in await _whole_timeline(place, found.node_id, found.timeline):
        if event.event == "PullRequestReview":
            review = parse(answers.Review, event.model_dump(), f"reviews of {place.repository}#{found.number}")
            record = review.record(place.repository_id, found.number)
            rows += [record] if record else []
        else:
            rows.append(event.record(place.repository_id, found.number, records.PullRequestEvent))
    return rows


async def _issue(place: Place, item: dict[str, Any]) -> list[records.Record]:
    found = parse(answers.Issue, item, f"issues of {place.repository}")
    rows: list[records.Record] = [found.record(place.repository_id)]
    for event in await _whole_timeline(place, found.node_id, found.timeline):
        rows.append(event.record(place.repository_id, found.number, records.IssueEvent))
    return rows


async def _whole_timeline(place: Place, node_id: str, timeline: answers.Timeline) -> list[answers.TimelineItem]:
    """A timeline with what did not fit into the first hundred items that ride along with the list."""
    items, info = list(timeline.nodes), timeline.page_info
    while info.has_next_page:
        more = await _more(place, "timeline", node_id, info.end_cursor)
        rest = parse(answers.Timeline, more.get("timeline"), f"timeline of {node_id} in {place.repository}")
        items += rest.nodes
        info = rest.page_info
    return items


async def _discussion(place: Place, item: dict[str, Any]) -> list[records.Record]:
    found = parse(answers.Discussion, item, f"discussions of {place.repository}")
    rows: list[records.Record] = [found.record(place.repository_id)]
    comments, info = list(found.comments.nodes), found.comments.page_info
    while info.has_next_page:
        more = await _more(place, "discussion_comments", found.node_id, info.end_cursor)
        rest = parse(answers.DiscussionComments, more.get("comments"), f"comments of {found.node_id}")
        comments += rest.nodes
        info = rest.page_info
    for comment in comments:
        rows += comment.records(place.repository_id, found.number)
    return rows


async def _more(place: Place, query: str, node_id: str, cursor: str | None) -> dict[str, Any]:
    reply = await place.github.query(
        whole(query), {"id": node_id, "cursor": cursor}, f"{query} of {node_id} in {place.repository}"
    )
    if reply.errors:
        raise reply.errors[0].as_source_error(f"GraphQL, {query} of {node_id} in {place.repository}")
    node = reply.data.get("node")
    return node if isinstance(node, dict) else {}


async def _commit(place: Place, item: dict[str, Any]) -> list[records.Record]:
    found = parse(answers.Commit, item, f"commits of {place.repository}")
    return [found.record(place.repository_id, on_default_branch=True)]


async def _release(place: Place, item: dict[str, Any]) -> list[records.Record]:
    found = parse(answers.Release, item, f"releases of {place.repository}")
    return [found.record(place.repository_id), *found.asset_records(place.repository_id, place.observed_on)]


async def _tag(place: Place, item: dict[str, Any]) -> list[records.Record]:
    record = parse(answers.Tag, item, f"tags of {place.repository}").record(place.repository_id)
    return [record] if record else []


async def _deployment(place: Place, item: dict[str, Any]) -> list[records.Record]:
    found = parse(answers.Deployment, item, f"deployments of {place.repository}")
    statuses = [status.record(place.repository_id, found.id) for status in found.statuses]
    return [found.record(place.repository_id), *statuses]


async def _stargazer(place: Place, item: dict[str, Any]) -> list[records.Record]:
    record = parse(answers.Stargazer, item, f"stargazers of {place.repository}").record(place.repository_id)
    return [record] if record else []


async def _fork(place: Place, item: dict[str, Any]) -> list[records.Record]:
    return [parse(answers.Fork, item, f"forks of {place.repository}").record(place.repository_id)]


async def _milestone(place: Place, item: dict[str, Any]) -> list[records.Record]:
    return [parse(answers.Milestone, item, f"milestones of {place.repository}").record(place.repository_id)]


@dataclass(frozen=True, slots=True)
class GitHubList:
    """A list with its reader.

    Attributes:
        created: the column that says when a row came to be; None where the whole list is read every time.
    """

    plan: ListPlan
    read: Reader
    created: str | None = None

    @property
    def is_read_whole(self) -> bool:
        return self.created is None


def _plan(entity: str, **more: Any) -> ListPlan:
    return ListPlan(entity, f"lists/{entity}", **{"place": (entity,), **more})


LISTS: dict[str, GitHubList] = {
    "pull_requests": GitHubList(
        _plan("pull_requests", page=50, first_page=20, nested=True, time="updated_at", open_states=("OPEN",)),
        _pull_request,
        "created_at",
    ),
    "issues": GitHubList(
        _plan("issues", page=50, first_page=20, nested=True, time="updated_at", since=True, open_states=("OPEN",)),
        _issue,
        "created_at",
    ),
    "discussions": GitHubList(
        _plan("discussions", page=25, first_page=10, nested=True, time="updated_at"), _discussion, "created_at"
    ),
    "commits": GitHubList(
        _plan(
            "commits",
            place=("default_branch", "target", "commits"),
            since=True,
            front_time="committed_at",
        ),
        _commit,
        "committed_at",
    ),
    "stargazers": GitHubList(_plan("stargazers", time="starred_at"), _stargazer, "starred_at"),
    "forks": GitHubList(_plan("forks", time="created_at"), _fork, "created_at"),
    "deployments": GitHubList(
        _plan("deployments", nested=True, page=100, first_page=20, time="created_at"), _deployment, "created_at"
    ),
    "releases": GitHubList(_plan("releases", nested=True, page=100, first_page=100), _release),
    "tags": GitHubList(_plan("tags", first_page=100), _tag),
    "milestones": GitHubList(_plan("milestones", first_page=100), _milestone),
}

# Lists of which only the numbers are read, to see which rows were deleted.
NUMBERS: dict[str, ListPlan] = {
    entity: ListPlan(entity, f"numbers/{entity}", (entity,), first_page=100, time="created_at")
    for entity in ("pull_requests", "issues", "discussions")
}
