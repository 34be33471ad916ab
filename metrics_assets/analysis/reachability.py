"""Which deployment shipped which commit, and what a branch's own line is: the commit graph, not dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence, Set
from typing import TypeVar

Deployment = TypeVar("Deployment")


def first_containing(
    parents: Mapping[str, Sequence[str]],
    deployments: Iterable[tuple[Deployment, str]],
) -> dict[str, Deployment]:
    """For every commit, the first deployment that contains it.

    A deployment contains its own commit and everything that commit stands on. Each commit is visited once,
    because what stands under a shipped commit has been shipped too.

    Args:
        parents: the parents of each known commit; the history may begin anywhere, for example after what had
            been shipped before.
        deployments: pairs of deployment and deployed commit, oldest first.

    Returns:
        commit: deployment, for the commits that one of `deployments` was the first to contain.
    """
    return walk(parents, deployments, {})


def walk(
    parents: Mapping[str, Sequence[str]],
    deployments: Iterable[tuple[Deployment, str]],
    missing: MutableMapping[str, Deployment],
) -> dict[str, Deployment]:
    """`first_containing`, and in `missing` the commits that were met and whose parents are not known."""
    first: dict[str, Deployment] = {}
    for deployment, deployed in deployments:
        pending = [deployed]
        while pending:
            commit = pending.pop()
            if commit in first:
                continue
            above = parents.get(commit)
            if above is None:
                missing.setdefault(commit, deployment)
                continue
            first[commit] = deployment
            pending += above
    return first


def beside_the_line(parents: Mapping[str, Sequence[str]]) -> Set[str]:
    """The commits of a branch that are not on its first-parent line: what it got by merges.

    Args:
        parents: the parents of each commit of the branch, from some time on. A commit that no other stands on is
            a head; where the history has holes there are several.
    """
    inner = {above for several in parents.values() for above in several}
    line: set[str] = set()
    for head in parents.keys() - inner:
        commit = head
        while commit not in line and (above := parents.get(commit)) is not None:
            line.add(commit)
            if not above:
                break
            commit = above[0]
    return parents.keys() - line
