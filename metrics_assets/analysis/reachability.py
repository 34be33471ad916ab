"""Which deployment shipped which commit: reachability in the commit graph, not dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def first_containing(
    parents: Mapping[str, Sequence[str]],
    deployments: Iterable[tuple[str, str]],
) -> dict[str, str]:
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
    first: dict[str, str] = {}
    for deployment, deployed in deployments:
        pending = [deployed]
        while pending:
            commit = pending.pop()
            if commit in first or commit not in parents:
                continue
            first[commit] = deployment
            pending.extend(parents[commit])
    return first
