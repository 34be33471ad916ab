"""Merged pull requests, as far as git shows them.

Git shows a merge by its commit: 'Merge pull request #12 from ...' with the pull request's head as a parent, or a
squash whose subject ends with '(#12)'. Where the server has the heads of pull requests (refs/pull/12/head), they
decide: a number that has no head is another repository's, and the head's own commits say when work began. Where
it has none the message is all there is.

The default branch is read in stretches of its first-parent line, oldest first, so that no more than a stretch is
in memory. A pull request that reached the default branch through another branch is looked at by itself.

Not seen: rebase merges (their commits look like any other), pull requests that are open or were closed unmerged,
and when one was opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from metrics_assets.sources import records
from metrics_assets.sources.git.batch import ROWS, GitBatch, Position, position, usable
from metrics_assets.sources.git.history import Logged, log, moment
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets.sources.git.reading import batched, default_branch, remarks
from metrics_assets.sources.git.stretch import Node, Stretch

# First-parent commits of a stretch.
_STRETCH = 2000
# What shows that a commit is the merge of a pull request, strongest first.
HEAD_IS_PARENT = "head_is_parent"
SAME_TREE = "same_tree"
SAME_CONTENTS = "same_contents"
SAME_FILES = "same_files"
NUMBER_ONLY = "number_only"  # the head exists and says nothing else
SUBJECT_ONLY = "subject_only"  # the server has no heads


@dataclass(slots=True)
class _Candidate:
    """A commit that may be the merge of a pull request, and what came in with it (None: not known)."""

    node: Node
    number: int
    evidence: str
    brought: list[Node] | None
    compare: tuple[str, str] | None = None  # the pull request's head and the commit that it began from
    head: str | None = None


@dataclass(slots=True)
class _Tally:
    """What was counted since `start`, over all readings."""

    first_parent: int = 0
    outside: int = 0
    no_such_head: int = 0


def merged_pull_requests(
    mirror: Mirror, repository_id: int, start: datetime, known: Position | None = None
) -> Iterator[GitBatch]:
    """Pull requests merged into the default branch since `start`.

    After a force push everything is read again, and the last batch says that the list is complete: what the
    warehouse holds besides was never merged.

    Args:
        known: the position of the last reading.
    """
    snapshot = mirror.snapshot()
    known = usable(known, start)
    heads = _heads(mirror)
    branch = default_branch(mirror, snapshot)
    # Heads that a server begins (or ceases) to show change what is known of every pull request.
    before: str | None = known["head"] if known and known["has_heads"] == bool(heads) else None
    stretches, before = _stretches(mirror, snapshot.head, before, start)
    taken: dict[int, str] = {}
    tally = _Tally()
    if known and before:
        taken = {number: how for how, numbers in known["taken"].items() for number in _numbers(numbers)}
        tally = _Tally(**known["tally"])

    for older, newer in stretches:
        stretch = Stretch.of(newer, log(mirror.git, [newer], [older] if older else []))
        found = _in_stretch(mirror, stretch, heads, start, taken, tally)
        for several in batched(found, ROWS):
            yield GitBatch([_record(one, repository_id, branch) for one in several])
    yield GitBatch(
        complete_lists=() if before else (records.PullRequest.TABLE,),
        position=position(
            start,
            head=snapshot.head,
            has_heads=bool(heads),
            taken={how: _ranges(number for number, by in taken.items() if by == how) for how in set(taken.values())},
            tally=asdict(tally),
        ),
        remarks=tuple(remarks(snapshot) + _remarks(tally, Counter(taken.values()))),
    )


def _stretches(
    mirror: Mirror, head: str | None, before: str | None, start: datetime
) -> tuple[list[tuple[str | None, str]], str | None]:
    """The default branch in pieces: from the last reading's head, or from `start`, to the head.

    Returns:
        For each stretch the commit before it (None: there is none) and its newest, oldest stretch first; and the
        last reading's head, unless the first-parent line no longer leads to it.
    """
    ends: list[tuple[int, str]] = []
    oldest_wanted, too_old = -1, None
    line = mirror.git.stream("log", "--first-parent", "--format=%H %ct", head, separator=b"\n") if head else iter(())
    for place, text in enumerate(line):
        sha, _, seconds = text.decode().partition(" ")
        if sha == before:
            return _between([one for _, one in ends], sha), before
        if place == oldest_wanted + 1:
            too_old = sha
        if moment(seconds) >= start:
            oldest_wanted, too_old = place, None
        if place % _STRETCH == 0:
            ends.append((place, sha))
    return _between([sha for place, sha in ends if place <= oldest_wanted], too_old), None


def _between(newest_first: list[str], before: str | None) -> list[tuple[str | None, str]]:
    oldest_first = newest_first[::-1]
    return list(zip([before, *oldest_first], oldest_first, strict=False))


def _heads(mirror: Mirror) -> dict[int, str]:
    """The head of each pull request that the server shows."""
    lines = mirror.git.stream(
        "for-each-ref", "--format=%(refname) %(objectname)", "refs/pull", "refs/merge-requests", separator=b"\n"
    )
    found = {}
    for line in lines:
        name, sha = line.decode("utf-8", "replace").split()
        number = name.split("/")[2]
        if number.isascii() and number.isdigit():
            found[int(number)] = sha
    return found


def _in_stretch(
    mirror: Mirror, stretch: Stretch, heads: dict[int, str], start: datetime, taken: dict[int, str], tally: _Tally
) -> list[_Candidate]:
    """The pull requests that a stretch of the default branch shows."""
    named = [node for node in stretch.nodes.values() if node.reference and node.committed_at >= start]
    times = _add_heads(mirror, stretch, named, heads)
    candidates = []
    for node in sorted(named, key=lambda one: (one.committed_at, one.entry)):
        candidate = _candidate(mirror, stretch, node, heads, times)
        if candidate is not None:
            candidates.append(candidate)
        elif heads and node.reference and not (node.reference.merges_only and len(node.parents) < 2):
            tally.no_such_head += 1
    _compare(mirror, candidates)
    found = _one_for_each(candidates, taken)
    on_line = [node for node in stretch.line if node.committed_at >= start]
    merges = {one.node.sha for one in found}
    tally.first_parent += len(on_line)
    tally.outside += sum(node.sha not in merges for node in on_line)
    return found


def _add_heads(mirror: Mirror, stretch: Stretch, named: list[Node], heads: dict[int, str]) -> dict[str, datetime]:
    """Add the commits of squashed pull requests to the stretch; when those were committed that they stand on."""
    wanted = {
        heads[node.reference.number]
        for node in named
        if node.reference and node.reference.number in heads and _on_line(stretch, node)
    }
    missing = sorted(wanted - stretch.nodes.keys())
    return stretch.add(log(mirror.git, missing, [stretch.line[-1].sha], "--boundary")) if missing else {}


def _candidate(
    mirror: Mirror, stretch: Stretch, node: Node, heads: dict[int, str], times: dict[str, datetime]
) -> _Candidate | None:
    """What a commit that names a pull request shows of it; None where it is not that pull request's merge."""
    named = node.reference
    if named is None or (named.merges_only and len(node.parents) < 2):
        return None
    head = heads.get(named.number)
    if heads and head is None:
        return None
    # Off the line, nothing but a number in brackets would be said of a commit of any other repository.
    if head is None and (named.is_bare or len(node.parents) < 2) and not _on_line(stretch, node):
        return None
    if len(node.parents) > 1 and (head is None or head in node.parents[1:]):
        brought = _brought_in(mirror, stretch, node)
        evidence = HEAD_IS_PARENT if head else SUBJECT_ONLY
        return _Candidate(node, named.number, evidence, brought, head=head or node.parents[1])
    if len(node.parents) > 1 and named.head_is_parent:
        return None
    if head is None:
        return _Candidate(node, named.number, SUBJECT_ONLY, None)
    own, base = _own_commits(mirror, stretch, node, head, times)
    tree = own[0].tree if own else None
    evidence = SAME_TREE if tree == node.tree else NUMBER_ONLY
    compare = (head, base) if base and evidence == NUMBER_ONLY else None
    return _Candidate(node, named.number, evidence, own, compare, head)


def _on_line(stretch: Stretch, node: Node) -> bool:
    return 0 <= node.entry < len(stretch.line) and stretch.line[node.entry] is node


def _brought_in(mirror: Mirror, stretch: Stretch, merge: Node) -> list[Node]:
    """What a merge brought in: reachable from it, and not from its first parent."""
    if _on_line(stretch, merge):
        return stretch.brought[merge.entry]
    return [Node.of(commit) for commit in log(mirror.git, merge.parents[1:], merge.parents[:1])]


def _own_commits(
    mirror: Mirror, stretch: Stretch, squash: Node, head: str, times: dict[str, datetime]
) -> tuple[list[Node], str | None]:
    """What a head has that was not there before the squash, the head first; and the newest commit that it stands on."""
    if _on_line(stretch, squash):
        own, below = stretch.not_before(squash.entry, head)
        ages = {sha: _committed_at(stretch, times, sha) for sha in below}
    else:
        read: list[Logged] = list(log(mirror.git, [head], squash.parents[:1], "--boundary", "--topo-order"))
        own = [Node.of(commit) for commit in read if not commit.is_boundary]
        ages = {commit.sha: commit.committed_at for commit in read if commit.is_boundary}
    return own, max(ages, key=lambda sha: ages[sha], default=None)


def _committed_at(stretch: Stretch, times: dict[str, datetime], sha: str) -> datetime:
    """When a commit that pull requests stand on was committed; what is before the stretch is older than all in it."""
    node = stretch.nodes.get(sha)
    return node.committed_at if node else times.get(sha, moment("0"))


def _compare(mirror: Mirror, candidates: list[_Candidate]) -> None:
    """Compare which files squashes and their pull requests changed, and to what; contents are not needed for it."""
    asked = [one for one in candidates if one.compare]
    pairs: dict[str, str] = {}
    for one in asked:
        assert one.compare is not None
        pairs.setdefault(*one.compare)
        pairs.setdefault(one.node.sha, one.node.parents[0] if one.node.parents else "")
    changed = _changed(mirror, pairs)
    for one in asked:
        assert one.compare is not None
        head, base = one.compare
        squashed, proposed = changed.get(one.node.sha), changed.get(head)
        if not squashed or not proposed or pairs[head] != base:
            continue
        if squashed == proposed:
            one.evidence = SAME_CONTENTS
        elif squashed.keys() == proposed.keys():
            one.evidence = SAME_FILES


def _changed(mirror: Mirror, pairs: dict[str, str]) -> dict[str, dict[bytes, bytes]]:
    """For each commit, compared with another: its changed paths and the ids of their new contents."""
    found: dict[str, dict[bytes, bytes]] = {}
    parts = mirror.git.stream(
        "diff-tree",
        "--stdin",
        "-r",
        "-z",
        "--raw",
        "--no-renames",
        "--full-index",
        given=[f"{sha} {base}" for sha, base in pairs.items() if base],
    )
    files: dict[bytes, bytes] = {}
    for part in parts:
        if part.startswith(b":"):
            # ':<mode> <mode> <old id> <new id> <letter>', and the path in the next part.
            files[next(parts)] = part.split(b" ")[3]
        else:
            files = found.setdefault(part.strip().decode(), {})
    return found


def _one_for_each(candidates: list[_Candidate], taken: dict[int, str]) -> list[_Candidate]:
    """One merge for each pull request: the first whose head is a parent, else the first squash."""
    found: dict[int, _Candidate] = {}
    for one in candidates:
        held = taken.get(one.number)
        if held == HEAD_IS_PARENT or (held and one.evidence != HEAD_IS_PARENT):
            continue
        taken[one.number] = one.evidence
        found[one.number] = one
    return list(found.values())


def _record(one: _Candidate, repository_id: int, branch: str | None) -> records.Record:
    node, is_merge = one.node, len(one.node.parents) > 1
    work = [commit for commit in one.brought or [] if len(commit.parents) < 2]
    first = min(work, key=lambda commit: commit.authored_at, default=None)
    return records.PullRequest(
        repository_id=repository_id,
        number=one.number,
        title=node.title,
        state="merged",
        is_draft=None,
        # Who merged is the author of the merge; a squash keeps the author of the work.
        author=(first.author if first else None) if is_merge else node.author,
        merged_by=node.author if is_merge else node.committer,
        created_at=None,
        updated_at=node.committed_at,
        closed_at=node.committed_at,
        merged_at=node.committed_at,
        first_commit_at=first.authored_at if first else None,
        commits=len(one.brought) if one.brought else None,
        head_sha=one.head,
        merge_sha=node.sha,
        base_branch=branch,
        labels=[],
        milestone=None,
        additions=None,
        deletions=None,
        changed_files=None,
    )


def _remarks(tally: _Tally, evidence: Counter[str]) -> list[str]:
    """What git cannot tell of the pull requests, with the counts that show how much it is."""
    merged = evidence.total()
    found = [
        f"Of {tally.first_parent} commits on the default branch's first-parent line {tally.outside} belong to no pull "
        "request that git shows; rebase-merged pull requests are among them."
    ]
    if alone := evidence[SUBJECT_ONLY]:
        found.append(
            f"{alone} pull requests are known by their commit's subject alone: the server does not show their heads. "
            "When work on a squashed one began is unknown."
        )
    if unproven := evidence[NUMBER_ONLY]:
        found.append(
            f"{unproven} of {merged} pull requests are known by their number alone: what was merged is not what "
            "their head changed."
        )
    if tally.no_such_head:
        found.append(
            f"{tally.no_such_head} commits name a number whose head the server does not have or has for another "
            "commit: an issue's, or another repository's pull request. They are left out."
        )
    return found


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as '1-3,7', which stays short where most of them follow each other."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _numbers(ranges: str) -> Iterator[int]:
    for run in ranges.split(",") if ranges else []:
        first, _, last = run.partition("-")
        yield from range(int(first), int(last or first) + 1)
