"""A stretch of the default branch: its first-parent line, and what each commit of it brought in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from metrics_assets.sources.git import messages
from metrics_assets.sources.git.history import Logged
from metrics_assets.sources.git.messages import Reference
from metrics_assets.sources.records import Account

OFF_BRANCH = -1


@dataclass(slots=True)
class Node:
    """What is kept of a commit; `entry` is the place on the line of the commit that brought it in."""

    sha: str
    parents: tuple[str, ...]
    tree: str
    author: Account | None
    authored_at: datetime
    committer: Account | None
    committed_at: datetime
    reference: Reference | None
    title: str | None
    entry: int = OFF_BRANCH

    @classmethod
    def of(cls, commit: Logged) -> Node:
        named = messages.reference(commit.message)
        return cls(
            sha=commit.sha,
            parents=commit.parents,
            tree=commit.tree,
            author=commit.author,
            authored_at=commit.authored_at,
            committer=commit.committer,
            committed_at=commit.committed_at,
            reference=named,
            title=messages.title(commit.message, is_merge=len(commit.parents) > 1) if named else None,
        )


@dataclass(slots=True)
class Stretch:
    """The commits that the default branch got between two of its first-parent commits.

    Attributes:
        nodes: all of them by sha, and heads of pull requests that were added.
        line: the first-parent line, oldest first.
        brought: for each place on the line what came in with it, itself left out.
    """

    nodes: dict[str, Node]
    line: list[Node] = field(default_factory=list)
    brought: list[list[Node]] = field(default_factory=list)

    @classmethod
    def of(cls, newest: str, commits: Iterable[Logged]) -> Stretch:
        """Of everything reachable from the newest commit and not from the one before the stretch."""
        stretch = cls({commit.sha: Node.of(commit) for commit in commits})
        sha: str | None = newest
        while sha in stretch.nodes:
            node = stretch.nodes[sha]
            stretch.line.append(node)
            sha = node.parents[0] if node.parents else None
        stretch.line.reverse()
        for entry, node in enumerate(stretch.line):
            node.entry = entry
            stretch.brought.append(stretch._enter(node, entry))
        return stretch

    def _enter(self, merge: Node, entry: int) -> list[Node]:
        """Everything that is reachable from a commit of the line and was not from the one before it."""
        found: list[Node] = []
        waiting = list(merge.parents[1:])
        while waiting:
            node = self.nodes.get(waiting.pop())
            if node is None or node.entry != OFF_BRANCH:
                continue
            node.entry = entry
            found.append(node)
            waiting += node.parents
        return found

    def add(self, commits: Iterable[Logged]) -> dict[str, datetime]:
        """Add commits that are not on the default branch; when those were committed that they stand on."""
        times: dict[str, datetime] = {}
        for commit in commits:
            if commit.is_boundary:
                times[commit.sha] = commit.committed_at
            else:
                self.nodes.setdefault(commit.sha, Node.of(commit))
        return times

    def not_before(self, entry: int, head: str) -> tuple[list[Node], list[str]]:
        """What a head has that the default branch did not have just before a place on its line.

        Returns:
            Those commits, and the commits of the branch that they stand on.
        """
        found: list[Node] = []
        below: list[str] = []
        seen = {head}
        waiting = [head]
        while waiting:
            sha = waiting.pop()
            node = self.nodes.get(sha)
            if node is None or OFF_BRANCH < node.entry < entry:
                below.append(sha)
                continue
            found.append(node)
            waiting += [parent for parent in node.parents if parent not in seen]
            seen.update(node.parents)
        return found, below
