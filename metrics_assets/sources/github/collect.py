"""One function per entity: (GitHub, repository, since) to a stream of batches of records.

Every function asks for what was updated since a time and yields what came, page by page; it may yield a row
twice, never leave one out. Writing, resuming and reporting are somebody else's business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from metrics_assets.sources import records
from metrics_assets.sources.errors import BadAnswer, Empty, NotFound
from metrics_assets.sources.github import answers
from metrics_assets.sources.asking import answered_at, parse
from metrics_assets.sources.github.client import GitHub, Page

# A deployment's status may come days after the deployment itself, which is what the list is sorted by.
STATUSES_MAY_COME_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one page held: records of one or several tables, and the provider's count of the whole list."""

    records: list[records.Record] = field(default_factory=list)
    total_count: int | None = None


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """'owner/name' in its two parts, as the queries want it."""

    owner: str
    name: str

    @classmethod
    def of(cls, repository: str) -> RepositoryName:
        owner, name = repository.split("/", 1)
        return cls(owner, name)

    def variables(self) -> dict[str, str]:
        return {"owner": self.owner, "name": self.name}


async def repository(github: GitHub, name: str) -> list[records.Record]:
    """The repository and its counters of now. GitHub follows a rename; the record has the present name."""
    answer = await github.get(f"/repos/{name}")
    found = parse(answers.Repository, answer.json, f"GET /repos/{name}")
    state = "archived" if found.archived else "active"
    if found.size == 0 and await _is_empty(github, found.full_name):
        state = "empty"
    return [found.record(state), found.counters(answered_at(answer))]


async def _is_empty(github: GitHub, name: str) -> bool:
    try:
        await github.get(f"/repos/{name}/commits", {"per_page": 1})
    except Empty:
        return True
    return False


async def organization(github: GitHub, login: str) -> list[str]:
    """The names of an organization's repositories, forks left out."""
    names = []
    async for page in github.pages(f"/orgs/{login}/repos"):
        found = [parse(answers.Repository, item, f"GET /orgs/{login}/repos") for item in page]
        names += [one.full_name for one in found if not one.fork]
    return names


async def pull_requests(
    github: GitHub, repository_id: int, name: str, since: datetime, *, backlog: bool
) -> AsyncIterator[Batch]:
    """Pull requests updated since a time, with first commit, reviews and events.

    Args:
        backlog: also every open one, however long untouched; without them the first day's open count is wrong.
    """
    variables = RepositoryName.of(name).variables()
    async for page in _updated_since(github, "pull_requests", since, states=None, **variables):
        yield await _pull_request_batch(github, repository_id, name, page)
    if backlog:
        async for page in github.connection("pull_requests", states=["OPEN"], **variables):
            yield await _pull_request_batch(github, repository_id, name, page)


async def _pull_request_batch(github: GitHub, repository_id: int, name: str, page: Page) -> Batch:
    rows: list[records.Record] = []
    for item in page.items:
        found = parse(answers.PullRequest, item, f"pull requests of {name}")
        rows.append(found.record(repository_id))
        for event in await _whole_timeline(github, found.node_id, found.timeline):
            if event.event == "PullRequestReview":
                review = parse(answers.Review, event.model_dump(), f"reviews of {name}#{found.number}")
                record = review.record(repository_id, found.number)
                rows += [record] if record else []
            else:
                rows.append(event.record(repository_id, found.number, records.PullRequestEvent))
    return Batch(rows, page.total_count)


async def issues(
    github: GitHub, repository_id: int, name: str, since: datetime, *, backlog: bool
) -> AsyncIterator[Batch]:
    """Issues updated since a time, with their events.

    Args:
        backlog: also every open one, however long untouched.
    """
    variables = RepositoryName.of(name).variables()
    async for page in _updated_since(github, "issues", since, states=None, **variables):
        yield await _issue_batch(github, repository_id, name, page)
    if backlog:
        async for page in github.connection("issues", states=["OPEN"], since=None, **variables):
            yield await _issue_batch(github, repository_id, name, page)


async def _issue_batch(github: GitHub, repository_id: int, name: str, page: Page) -> Batch:
    rows: list[records.Record] = []
    for item in page.items:
        found = parse(answers.Issue, item, f"issues of {name}")
        rows.append(found.record(repository_id))
        for event in await _whole_timeline(github, found.node_id, found.timeline):
            rows.append(event.record(repository_id, found.number, records.IssueEvent))
    return Batch(rows, page.total_count)


async def _whole_timeline(github: GitHub, node_id: str, timeline: answers.Timeline) -> list[answers.TimelineItem]:
    """A timeline with what did not fit into the list's answer."""
    items = list(timeline.nodes)
    info = timeline.page_info
    while info.has_next_page:
        data = await github.query("timeline", id=node_id, cursor=info.end_cursor)
        more = parse(answers.Timeline, (data.get("node") or {}).get("timeline"), f"timeline of {node_id}")
        items += more.nodes
        info = more.page_info
    return items


async def _updated_since(github: GitHub, query: str, since: datetime, **variables: Any) -> AsyncIterator[Page]:
    """The pages of a list, newest update first, back to `since`.

    An item that is updated while we read moves to the front, behind us. So after more than one page the front is
    read again, until nothing there is newer than what was seen.
    """
    floor = since
    while True:
        newest, pages = floor, 0
        extra = {"since": floor.isoformat()} if query == "issues" else {}
        async for page in github.connection(query, **variables, **extra):
            pages += 1
            times = [parse(answers.Updated, item, f"{query} of {variables['name']}").updated_at for item in page.items]
            fresh = [item for item, at in zip(page.items, times, strict=True) if at >= floor]
            newest = max([newest, *times])
            if fresh:
                yield Page(fresh, page.total_count, page.info)
            if len(fresh) < len(times):
                break
        if pages <= 1 or newest <= floor:
            return
        floor = newest


async def commits(
    github: GitHub,
    repository_id: int,
    name: str,
    since: datetime,
    *,
    start: datetime,
    branch: str | None,
    deployed: Iterable[str],
    unknown: Callable[[Iterable[str], bool], set[str]],
) -> AsyncIterator[Batch]:
    """Commits of the default branch since a time, and whatever they and the deployed commits stand on.

    GitHub filters by the committer's date, so a merge can bring in commits that are older than `since`: parents
    that nobody knows are asked for by their sha, back to `start`.

    Args:
        deployed: commits that were deployed, released or tagged; they may be off the default branch.
        unknown: of some shas, those that the warehouse does not hold (as commits of the default branch, where
            the second argument is true).
    """
    seen: set[str] = set()
    parents: set[str] = set()
    parameters: dict[str, str | int] = {"since": since.isoformat().replace("+00:00", "Z")}
    if branch:
        parameters["sha"] = branch
    async for page in github.pages(f"/repos/{name}/commits", parameters):
        rows = [_commit(item, repository_id, name, on_default_branch=True) for item in page]
        seen |= {row.sha for row in rows}
        parents |= {parent for row in rows for parent in row.parents}
        yield Batch(list(rows))
    for on_default_branch, wanted in ((True, parents), (False, set(deployed))):
        for sha in sorted(unknown(wanted - seen, on_default_branch)):
            if sha in seen:
                continue
            # In one batch: half a history would pass for a whole one when the next run looks for its commits.
            history: list[records.Record] = []
            waiting = {sha}
            while waiting:
                asked = min(waiting)
                seen.add(asked)
                async with aclosing(_history(github, repository_id, name, asked, start, on_default_branch)) as pages:
                    async for rows in pages:
                        new = {row.sha: row for row in rows if row.sha not in seen or row.sha == asked}
                        fresh = unknown(new, on_default_branch)
                        seen |= set(new)
                        history += new.values()
                        waiting |= {parent for sha in fresh for parent in new[sha].parents}
                        if not fresh:
                            break
                # Pages come by date. On a branch that took in the default branch, unknown commits stand behind
                # pages of known ones, so the walk goes on from parents instead of from page to page.
                waiting = unknown(waiting - seen, on_default_branch)
            yield Batch(history)


async def _history(
    github: GitHub, repository_id: int, name: str, sha: str, start: datetime, on_default_branch: bool
) -> AsyncGenerator[list[records.Commit], None]:
    """The commits that a commit stands on, itself first, back to `start`; nothing where it no longer exists."""
    since = start.isoformat().replace("+00:00", "Z")
    try:
        async with aclosing(github.pages(f"/repos/{name}/commits", {"sha": sha, "since": since})) as pages:
            async for page in pages:
                yield [_commit(item, repository_id, name, on_default_branch=on_default_branch) for item in page]
    except NotFound:
        return
    except BadAnswer as error:
        if "No commit found" not in str(error):
            raise


def _commit(item: Any, repository_id: int, name: str, *, on_default_branch: bool) -> records.Commit:
    found = parse(answers.Commit, item, f"commits of {name}")
    return found.record(repository_id, on_default_branch=on_default_branch)


async def releases(github: GitHub, repository_id: int, name: str) -> AsyncIterator[Batch]:
    """All releases: a release may be published, withdrawn or edited at any time after it was made."""
    async for page in github.pages(f"/repos/{name}/releases"):
        found = [parse(answers.Release, item, f"releases of {name}") for item in page]
        yield Batch([one.record(repository_id) for one in found])


async def tags(github: GitHub, repository_id: int, name: str) -> AsyncIterator[Batch]:
    """All tags: a new tag may stand for an old commit."""
    async for page in github.connection("tags", **RepositoryName.of(name).variables()):
        found = [parse(answers.Tag, item, f"tags of {name}").record(repository_id) for item in page.items]
        yield Batch([one for one in found if one is not None], page.total_count)


async def deployments(github: GitHub, repository_id: int, name: str, since: datetime) -> AsyncIterator[Batch]:
    """Deployments made since a time (or shortly before), with all their statuses."""
    floor = since - STATUSES_MAY_COME_WITHIN
    async for page in github.connection("deployments", **RepositoryName.of(name).variables()):
        found = [parse(answers.Deployment, item, f"deployments of {name}") for item in page.items]
        rows: list[records.Record] = []
        for one in found:
            rows.append(one.record(repository_id))
            rows += [status.record(repository_id, one.id) for status in one.statuses]
        yield Batch(rows, page.total_count)
        if any(one.created_at < floor for one in found):
            return


async def stargazers(github: GitHub, repository_id: int, name: str, since: datetime) -> AsyncIterator[Batch]:
    """Stars given since a time."""
    async for page in github.connection("stargazers", **RepositoryName.of(name).variables()):
        found = [parse(answers.Stargazer, item, f"stargazers of {name}") for item in page.items]
        rows = [one.record(repository_id) for one in found]
        yield Batch([row for row in rows if row is not None], page.total_count)
        if any(one.starred_at < since for one in found):
            return


async def forks(github: GitHub, repository_id: int, name: str, since: datetime) -> AsyncIterator[Batch]:
    """Forks made since a time."""
    async for page in github.connection("forks", **RepositoryName.of(name).variables()):
        found = [parse(answers.Fork, item, f"forks of {name}") for item in page.items]
        yield Batch([one.record(repository_id) for one in found], page.total_count)
        if any(one.created_at < since for one in found):
            return
