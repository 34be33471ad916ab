"""One look at the whole portfolio: what each repository is, and a sign of each of its lists.

A hundred repositories are asked for in one query; where a list's sign is the same as last time, nothing needs to
be asked about it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from metrics_assets.sources.asking import parse
from metrics_assets.sources.errors import NotFound, RateLimited, SourceError
from metrics_assets.sources.github import answers
from metrics_assets.sources.github.client import GitHub, Reply, as_list
from metrics_assets.sources.github.documents import probes

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of one repository: its probe, or why there is none.

    Attributes:
        name: as it was asked for; the probe has the present name.
        points: its share of the price.
    """

    name: str
    found: answers.Probe | None
    error: SourceError | None
    observed_at: datetime
    points: float = 0.0
    requests: float = 0.0


async def probe(github: GitHub, names: Sequence[str], at_once: int = AT_ONCE) -> AsyncIterator[Probed]:
    """Look at repositories 'owner/name', in their order; what cannot be seen comes with its error."""
    position, size = 0, at_once
    while position < len(names):
        asked = names[position : position + size]
        before = github.graphql.requests
        try:
            reply = await github.query(
                probes(len(asked)), _variables(asked), _about(asked), tries_if_heavy=6 if size == 1 else 2
            )
        except SourceError as error:
            if len(asked) > 1 and not isinstance(error, RateLimited):
                size = max(1, len(asked) // 4)
                continue
            for name in asked:
                yield Probed(name, None, error, _now(github), requests=(github.graphql.requests - before) / len(asked))
            position += len(asked)
            continue
        requests = (github.graphql.requests - before) / len(asked)
        for index, name in enumerate(asked):
            yield _probed(reply, index, name, reply.at, reply.points / len(asked), requests)
        position += len(asked)
        size = min(at_once, size * 2)


async def why_not(github: GitHub, name: str, error: SourceError) -> SourceError:
    """Why a repository cannot be seen, as REST says it: GraphQL calls what is blocked (451) not found as well."""
    try:
        await github.get(f"/repos/{name}")
    except SourceError as better:
        return better
    return error


async def organization(github: GitHub, login: str) -> list[str]:
    """The names of an organization's repositories, forks left out."""
    names = []
    async for page in github.pages(f"/orgs/{login}/repos"):
        found = [parse(answers.Repository, item, f"GET /orgs/{login}/repos") for item in as_list(page)]
        names += [one.full_name for one in found if not one.fork]
    return names


def _probed(reply: Reply, index: int, name: str, now: datetime, points: float, requests: float) -> Probed:
    alias = f"r{index}"
    content = reply.data.get(alias)
    mine = [error for error in reply.errors if error.path[:1] == (alias,)]
    if content is None:
        error = mine[0].as_source_error(f"GraphQL, {name}") if mine else NotFound(
            f"GraphQL, {name}: nothing came; check the name and that the token may see it."
        )  # fmt: skip
        return Probed(name, None, error, now, points, requests)
    try:
        found = parse(answers.Probe, content, f"probe of {name}")
    except SourceError as error:
        return Probed(name, None, error, now, points, requests)
    return Probed(name, found, None, now, points, requests)


def _variables(names: Sequence[str]) -> dict[str, str]:
    variables = {}
    for index, name in enumerate(names):
        variables[f"o{index}"], variables[f"n{index}"] = name.split("/", 1)
    return variables


def _about(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more repositories"


def _now(github: GitHub) -> datetime:
    return datetime.fromtimestamp(github.client.now(), UTC)
