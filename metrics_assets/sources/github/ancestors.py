"""Commits that the list of the default branch does not show: what it and deployed commits stand on.

GitHub filters commits by the committer's date, so a merge can bring in commits that are older than what was asked
for; and what was deployed or tagged may be off the default branch.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from metrics_assets.sources import records
from metrics_assets.sources.asking import Batch, parse
from metrics_assets.sources.errors import BadAnswer, NotFound
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub, as_list

# Of some shas, those that the warehouse does not hold (as commits of the default branch, where it is True).
Unknown = Callable[[Iterable[str], bool], set[str]]


async def ancestors(
    github: GitHub,
    repository_id: int,
    name: str,
    *,
    start: datetime,
    parents: Iterable[str],
    deployed: Iterable[str],
    unknown: Unknown,
) -> AsyncIterator[Batch]:
    """The commits behind some parents and some deployed commits, back to `start`, that are not known yet."""
    seen: set[str] = set()
    for on_default_branch, wanted in ((True, set(parents)), (False, set(deployed))):
        for sha in sorted(unknown(wanted, on_default_branch)):
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
                yield [_commit(item, repository_id, name, on_default_branch) for item in as_list(page)]
    except NotFound:
        return
    except BadAnswer as error:
        if "No commit found" not in str(error):
            raise


def _commit(item: Any, repository_id: int, name: str, on_default_branch: bool) -> records.Commit:
    found = parse(answers.Commit, item, f"commits of {name}")
    return found.record(repository_id, on_default_branch=on_default_branch)
