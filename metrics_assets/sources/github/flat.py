"""GitHub's flat lists, which only REST has: comments on lines, workflow runs, contributors, advisories, traffic.

Each function yields `Batch`es. Where GitHub marks an answer with an ETag, its validator goes with the rows, and the
next time nothing is sent that did not change; such answers are free.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from metrics_assets.sources import records
from metrics_assets.sources.asking import Batch, answered_at, parse
from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub, as_list
from metrics_assets.sources.github.together import Questions
from metrics_assets.sources.http import Answer

# More workflow runs than these a query does not give, whatever the pages.
_MOST_RUNS_OF_A_QUERY = 1000


async def review_comments(
    github: GitHub, repository_id: int, name: str, since: datetime
) -> AsyncIterator[tuple[Batch, datetime]]:
    """Comments on lines of pull requests, updated since a time, oldest update first; and how far this reaches.

    The next page begins where the last one ended in time, not in number: a comment that is edited while we read
    moves to the end and takes no other's place.
    """
    page, seen = 1, set[tuple[int, datetime]]()
    while True:
        asked: dict[str, str | int] = {
            "since": _z(since),
            "sort": "updated",
            "direction": "asc",
            "per_page": 100,
            "page": page,
        }
        answer = await github.get(f"/repos/{name}/pulls/comments", asked)
        found = [parse(answers.ReviewComment, item, f"review comments of {name}") for item in as_list(answer)]
        new = [one for one in found if (one.id, one.updated_at) not in seen]
        seen = {(one.id, one.updated_at) for one in found}
        reached = max([since, *(one.updated_at for one in found)])
        yield Batch([one.record(repository_id) for one in new]), reached
        if len(found) < 100:
            return
        # A hundred comments of one second would be asked for again and again: then the page's number counts.
        page = page + 1 if reached == since else 1
        since = reached


async def workflow_runs(
    github: GitHub, questions: Questions, repository_id: int, name: str, since: datetime, until: datetime
) -> AsyncIterator[tuple[Batch, datetime]]:
    """Workflow runs created between two times with their jobs, oldest slice of days first; and how far this reaches.

    GitHub gives no more than 1,000 runs of a query, so days with more are cut into smaller slices.
    """
    begin, length = since, until - since
    while begin < until:
        end = min(begin + length, until)
        total, first = await _runs_page(github, name, begin, end, 1)
        if total > _MOST_RUNS_OF_A_QUERY and length > timedelta(minutes=1):
            length = max(length / 2, timedelta(minutes=1))
            continue
        pages = [first]
        for page in range(2, -(-min(total, _MOST_RUNS_OF_A_QUERY) // 100) + 1):
            pages.append((await _runs_page(github, name, begin, end, page))[1])
        runs = {run.id: run for page_of_runs in pages for run in page_of_runs}
        rows: list[records.Record] = [run.record(repository_id) for run in runs.values()]
        run_of = {run.check_suite_node_id: run.id for run in runs.values() if run.check_suite_node_id}
        for suite, found in (await questions.jobs.of(list(run_of)) if run_of else {}).items():
            rows += [job.record(repository_id, run_of[suite]) for job in found.jobs]
        yield Batch(rows), end
        begin = end
        if total <= _MOST_RUNS_OF_A_QUERY / 2:
            length *= 2
        if total > _MOST_RUNS_OF_A_QUERY:
            raise BadAnswer(
                f"workflow runs of {name}: {total} in the minute before {_z(begin)}, and GitHub shows "
                f"{_MOST_RUNS_OF_A_QUERY}; the rest is missing."
            )


async def _runs_page(
    github: GitHub, name: str, begin: datetime, end: datetime, page: int
) -> tuple[int, list[answers.WorkflowRun]]:
    created = f"{_z(begin)}..{_z(end)}"
    answer = await github.get(f"/repos/{name}/actions/runs", {"created": created, "per_page": 100, "page": page})
    found = parse(answers.WorkflowRuns, answer.json, f"workflow runs of {name}")
    return found.total_count, found.workflow_runs


async def contributors(github: GitHub, repository_id: int, name: str) -> AsyncIterator[Batch]:
    """Everybody who ever committed, with the number of commits (GitHub names the 500 with the most)."""

    def read(item: Any) -> records.Record | None:
        return parse(answers.Contributor, item, f"contributors of {name}").record(repository_id)

    async for batch in _whole_list(github, f"/repos/{name}/contributors", {"anon": 1}, "raw.contributors", read):
        yield batch


async def security_advisories(github: GitHub, repository_id: int, name: str) -> AsyncIterator[Batch]:
    """The repository's own security advisories that this token may see."""

    def read(item: Any) -> records.Record | None:
        return parse(answers.SecurityAdvisory, item, f"security advisories of {name}").record(repository_id)

    path = f"/repos/{name}/security-advisories"
    async for batch in _whole_list(github, path, {}, "raw.security_advisories", read):
        yield batch


async def dependabot_alerts(github: GitHub, repository_id: int, name: str) -> AsyncIterator[Batch]:
    """Alerts about vulnerable dependencies; they need a token that may see them."""

    def read(item: Any) -> records.Record | None:
        return parse(answers.DependabotAlert, item, f"Dependabot alerts of {name}").record(repository_id)

    path = f"/repos/{name}/dependabot/alerts"
    async for batch in _whole_list(github, path, {}, "raw.dependabot_alerts", read):
        yield batch


async def _whole_list(
    github: GitHub, path: str, params: dict[str, str | int], table: str, read: Any
) -> AsyncIterator[Batch]:
    """All pages of a list that is short; nothing where it is as it was.

    Only a list of one page is asked for conditionally: an ETag says nothing about the pages behind it.
    """
    rows: list[records.Record] = []
    validators = {}
    async for answer in github.pages(path, params, conditional=True):
        if answer.not_modified:
            return
        if not rows and answer.validator and 'rel="next"' not in answer.headers.get("link", ""):
            validators[github.address(path, {**params, "per_page": 100})] = answer.validator
        # An empty repository has no contributors and no JSON either (204).
        rows += [row for item in (as_list(answer) if answer.json is not None else []) if (row := read(item))]
    yield Batch(rows, validators, complete_lists=(table,))


async def traffic(github: GitHub, repository_id: int, name: str) -> AsyncIterator[Batch]:
    """Views and clones of the last 14 days, and where visitors came from; today, which is not over, left out."""
    views = await github.get(f"/repos/{name}/traffic/views")
    clones = await github.get(f"/repos/{name}/traffic/clones")
    today = answered_at(views).date()
    viewed = {day.timestamp.date(): day for day in parse(answers.Views, views.json, f"views of {name}").views}
    cloned = {day.timestamp.date(): day for day in parse(answers.Clones, clones.json, f"clones of {name}").clones}
    rows: list[records.Record] = []
    # GitHub leaves days out on which nothing happened; within its window they are zeros. The first day of the
    # window is cut off by the hour, so its figure is only a lower bound.
    for age in range(1, 14):
        day = today - timedelta(days=age)
        view, clone = viewed.get(day), cloned.get(day)
        rows.append(
            records.TrafficDay(
                repository_id=repository_id,
                date=day,
                views=view.count if view else 0,
                unique_visitors=view.uniques if view else 0,
                clones=clone.count if clone else 0,
                unique_cloners=clone.uniques if clone else 0,
            )
        )
    rows += await _popular(github, repository_id, name, answered_at(views))
    yield Batch(rows)


async def _popular(github: GitHub, repository_id: int, name: str, now: datetime) -> list[records.Record]:
    referrers: Answer = await github.get(f"/repos/{name}/traffic/popular/referrers")
    paths: Answer = await github.get(f"/repos/{name}/traffic/popular/paths")
    found = [
        *(("referrer", one.referrer, one) for one in _each(answers.Referrer, referrers, f"referrers of {name}")),
        *(
            ("path", without_people(one.path), one)
            for one in _each(answers.PopularPath, paths, f"popular paths of {name}")
        ),
    ]
    # Several paths may be one without their people.
    views: Counter[tuple[str, str]] = Counter()
    visitors: Counter[tuple[str, str]] = Counter()
    # An entry may come twice; each counts once.
    once = {(kind, one.referrer if kind == "referrer" else one.path): (kind, label, one) for kind, label, one in found}
    for kind, label, one in once.values():
        views[kind, label] += one.count
        visitors[kind, label] += one.uniques
    return [
        records.TrafficSource(
            repository_id=repository_id,
            observed_on=now.astimezone(UTC).date(),
            kind=kind,
            name=label,
            views=views[kind, label],
            unique_visitors=visitors[kind, label],
        )
        for kind, label in views
    ]


# What of a repository's page is about a person: pull requests and issues by author, commits by author.
_ABOUT_PEOPLE = re.compile(r"^(/[^/]+/[^/]+/(?:pulls|issues|commits|assigned|created_by))/(?!\d+(?:/|$)).*$")


def without_people(path: str) -> str:
    """A popular path without what may name a person: search words, and pages of one author's work."""
    return _ABOUT_PEOPLE.sub(r"\1", path.split("?", 1)[0])


def _each(model: Any, answer: Answer, where: str) -> list[Any]:
    return [parse(model, item, where) for item in as_list(answer)]


def _z(time: datetime) -> str:
    """A time as GitHub's REST parameters want it."""
    return time.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
