"""Several lists of one repository in one request after another, until each walk is done.

Pages that GitHub finds too heavy get smaller and grow back. A list that fails for good is given up alone; the
others go on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metrics_assets.sources.errors import BadAnswer, RateLimited, SourceError, TooHeavy
from metrics_assets.sources.github.client import GitHub, GraphQLError, InvalidCursor, Reply
from metrics_assets.sources.github.documents import lists_of_a_repository
from metrics_assets.sources.github.walks import Taken, Walk
from metrics_assets.sources.http import Spent

_SMALLEST_SCALE = 0.1
_GOOD_PAGES_BEFORE_GROWING = 4
_TRIES_OF_A_PAGE = 8
_RESTARTS_OF_A_LIST = 3


@dataclass(frozen=True, slots=True)
class Page:
    """What one request gave of one list: a page, or the reason why there will be no more.

    Attributes:
        spent: the list's share of the request.
    """

    walk: Walk
    taken: Taken | None
    error: SourceError | None
    spent: Spent


async def pull(github: GitHub, repository: str, walks: Sequence[Walk]) -> AsyncGenerator[list[Page], None]:
    """All pages of all walks; the pages of one request together."""
    owner, name = repository.split("/", 1)
    active = [walk for walk in walks if not walk.is_done]
    scale, good, setbacks = 1.0, 0, 0
    owed = Spent()  # what requests cost that gave no page
    alone: list[Walk] = []  # asked for one by one after the whole was too heavy
    while True:
        # Whoever takes the pages may have given a walk up meanwhile.
        active = [walk for walk in active if not walk.is_done]
        alone = [walk for walk in alone if not walk.is_done]
        asked = active or alone[:1]
        if not asked:
            return
        variables: dict[str, Any] = {"owner": owner, "name": name}
        for walk in asked:
            variables |= walk.variables(scale)
        what = f"{', '.join(walk.plan.entity for walk in asked)} of {repository}"
        account = github.accounted()
        try:
            # A page that is too heavy stays so: rather ask for a smaller one than again for the same.
            reply = await account.query(
                lists_of_a_repository([walk.plan.document for walk in asked]),
                variables,
                what,
                tries_if_heavy=2 if scale > _SMALLEST_SCALE else 6,
            )
        except SourceError as error:
            github.graphql.add(account.graphql)
            owed.add(account.graphql)
            if isinstance(error, InvalidCursor) and all(walk.restarts < _RESTARTS_OF_A_LIST for walk in asked):
                for walk in asked:
                    walk.begin_again()
                continue
            if isinstance(error, TooHeavy) and scale > _SMALLEST_SCALE:
                scale, good = scale / 2, 0
                continue
            if len(asked) > 1 and not isinstance(error, RateLimited):
                # One of them may be the reason; alone, the others come through.
                active, alone = [], [*alone, *asked]
                continue
            active = [walk for walk in active if walk not in asked]
            alone = [walk for walk in alone if walk not in asked]
            yield [Page(walk, None, error, _share(owed, len(asked))) for walk in asked]
            owed = Spent()
            continue
        github.graphql.add(account.graphql)
        owed.add(account.graphql)
        pages, again = _pages(reply, asked, what)
        if again:
            setbacks += 1
            scale, good = max(scale / 2, _SMALLEST_SCALE), 0
            if setbacks > _TRIES_OF_A_PAGE:
                pages += [Page(walk, None, error, Spent()) for walk, error in again]
        else:
            setbacks, good = 0, good + 1
            if good % _GOOD_PAGES_BEFORE_GROWING == 0:
                scale = min(1.0, scale * 2)
        failed = [page.walk for page in pages if page.error]
        active = [walk for walk in active if walk not in failed]
        alone = [walk for walk in alone if walk not in failed]
        if pages:
            share, owed = _share(owed, len(pages)), Spent()
            yield [replace(page, spent=share) for page in pages]


def _pages(reply: Reply, asked: Sequence[Walk], what: str) -> tuple[list[Page], list[tuple[Walk, SourceError]]]:
    """The pages of an answer, and the walks whose page has to be asked for again."""
    pages: list[Page] = []
    again: list[tuple[Walk, SourceError]] = []
    repository = reply.data.get("repository")
    for walk in asked:
        error = _error_of(reply.errors, walk)
        if error is None:
            try:
                pages.append(Page(walk, walk.take(repository, what), None, Spent()))
            except BadAnswer as bad:
                again.append((walk, bad))
        elif error.passes:
            again.append((walk, error.as_source_error(f"GraphQL, {walk.plan.entity} in {what}")))
        else:
            source_error = error.as_source_error(f"GraphQL, {walk.plan.entity} in {what}")
            if isinstance(source_error, InvalidCursor) and walk.restarts < _RESTARTS_OF_A_LIST:
                walk.begin_again()
                again.append((walk, source_error))
            else:
                pages.append(Page(walk, None, source_error, Spent()))
    return pages, again


def _error_of(errors: Sequence[GraphQLError], walk: Walk) -> GraphQLError | None:
    """The error that concerns a list: one without a path concerns all of them."""
    for error in errors:
        path = [step for step in error.path if isinstance(step, str)]
        if path[:1] != ["repository"] or len(path) == 1 or path[1] == walk.plan.place[0]:
            return error
    return None


def _share(spent: Spent, lists: int) -> Spent:
    share = Spent()
    share.add(spent, 1 / lists)
    return share
