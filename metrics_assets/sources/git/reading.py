"""A clone's repository, commits and tags as records, in batches; nothing is held but the batch.

A second reading starts from the position that the first one gave, and yields what came since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

from metrics_assets.sources import records
from metrics_assets.sources.errors import SourceError
from metrics_assets.sources.git import messages
from metrics_assets.sources.git.batch import ROWS, GitBatch, Position, position, usable
from metrics_assets.sources.git.history import Logged, directories, log, moment
from metrics_assets.sources.git.mirror import Mirror, Snapshot
from metrics_assets.sources.records import Account

Item = TypeVar("Item")


def repository(mirror: Mirror, name: str) -> records.Repository:
    """The repository as git alone knows it; what only a provider's page says is None, and there are no issues."""
    snapshot = mirror.snapshot()
    first, newest = _first_and_newest(mirror, snapshot)
    return records.Repository(
        repository_id=mirror.repository_id,
        repository=name,
        provider="git",
        state="active" if snapshot.head else "empty",
        default_branch=default_branch(mirror, snapshot),
        description=None,
        language=None,
        license=None,
        topics=[],
        is_fork=False,
        is_private=False,
        has_issues=False,
        # Nobody knows when an empty one was made; it was there when it was cloned.
        created_at=first or snapshot.first_seen_at,
        pushed_at=newest,
    )


def default_branch(mirror: Mirror, snapshot: Snapshot) -> str | None:
    """The branch that HEAD names; of a HEAD that names a commit, the one branch that stands there."""
    if snapshot.default_branch or not snapshot.head:
        return snapshot.default_branch
    there = mirror.git.ask("for-each-ref", "--points-at", snapshot.head, "--format=%(refname:lstrip=2)", "refs/heads")
    names = there.splitlines()
    return names[0] if len(names) == 1 else None


def remarks(snapshot: Snapshot) -> list[str]:
    """What is odd about the remote, as sentences."""
    found = []
    if snapshot.is_shallow:
        found.append("The server holds a shallow history: what was before its oldest commits is not known.")
    if not snapshot.head:
        found.append(
            f"The server's HEAD names the branch '{snapshot.default_branch}', which does not exist: "
            "nothing is on a default branch."
            if snapshot.default_branch
            else "The server's HEAD names no commit: there is nothing yet, or no default branch."
        )
    return found


def commits(
    mirror: Mirror,
    repository_id: int,
    start: datetime,
    known: Position | None = None,
    *,
    with_directories: bool = False,
) -> Iterator[GitBatch]:
    """Commits of the default branch, then those that only tags reach, committed since `start`.

    Args:
        known: the position of the last reading. Without it, everything is read.
        with_directories: the directories that each commit changed are read, too; also those of the commits that an
            earlier reading read without them.
    """
    snapshot = mirror.snapshot()
    known = usable(known, start)
    if known and with_directories and not known.get("with_directories"):
        known = None
    held = set(_commits_at(mirror, [known["head"] or "", *known["others"]])) if known else set()
    before: str | None = known["head"] if known and known["head"] in held else None
    others_before = [sha for sha in known["others"] if sha in held] if known and before else []
    others = _tagged_elsewhere(mirror, snapshot)

    if before:
        departed = mirror.git.stream(
            "rev-list", "--stdin", given=[before, f"^{snapshot.head}"] if snapshot.head else [before], separator=b"\n"
        )
        for shas in batched((sha.decode() for sha in departed), ROWS):
            yield GitBatch(departed=shas)
    on_branch = [snapshot.head] if snapshot.head else []
    for wanted, unwanted, on_default_branch in (
        (on_branch, [before] if before else [], True),
        (others, [*on_branch, *others_before], False),
    ):
        read = (
            (commit, touched)
            for commit, touched in _log(mirror, wanted, unwanted, with_directories)
            if commit.committed_at >= start
        )
        for several in batched(read, ROWS):
            yield GitBatch([_record(commit, repository_id, on_default_branch, touched) for commit, touched in several])
    yield GitBatch(
        position=position(start, head=snapshot.head, others=others, with_directories=with_directories),
        whole_branch=before is None,
        remarks=tuple(remarks(snapshot)),
    )


def default_branch_commits(mirror: Mirror) -> Iterator[str]:
    """The shas of everything on the default branch, whenever it was committed."""
    head = mirror.snapshot().head
    if head:
        yield from (sha.decode() for sha in mirror.git.stream("rev-list", head, separator=b"\n"))


def contributors(mirror: Mirror, repository_id: int, known: Position | None = None) -> Iterator[GitBatch]:
    """Everybody who ever committed to the default branch, merges left out: who is new does not depend on `start`.

    Args:
        known: the position of the last reading; nothing is read where the branch stands as it stood then.
    """
    head = mirror.snapshot().head
    always = moment("0")
    known = usable(known, always)
    if head and (known is None or known["head"] != head):
        counts: Counter[str] = Counter()
        people: dict[str, Account] = {}
        fields = mirror.git.stream("log", "-z", "--no-merges", "--format=tformat:%an%x00%ae", "--encoding=UTF-8", head)
        for name, address in zip(fields, fields, strict=True):
            person = messages.account(name.decode("utf-8", "replace"), address.decode("utf-8", "replace"))
            if person is not None:
                # As the warehouse tells people apart.
                counts[person.login.lower()] += 1
                people.setdefault(person.login.lower(), person)
        for logins in batched(sorted(counts), ROWS):
            yield GitBatch([records.Contributor(repository_id, people[login], counts[login]) for login in logins])
        yield GitBatch(complete_lists=(records.Contributor.TABLE,))
    yield GitBatch(position=position(always, head=head))


def tags(mirror: Mirror, repository_id: int) -> Iterator[GitBatch]:
    """All tags of commits: what the warehouse holds besides was deleted. A tag of a file or a folder is left out."""
    found: list[records.Record] = []
    listed = _tag_refs(mirror)
    targets = _commits_at(mirror, [sha for _, sha, _, _ in listed])
    times = dict(_commit_times(mirror, {target for target in targets if target is not None}))
    for (name, _, kind, tagged), target in zip(listed, targets, strict=True):
        if target is not None:
            found.append(
                records.Tag(
                    repository_id=repository_id,
                    tag=name,
                    sha=target,
                    # Git's oldest annotated tags have no tagger.
                    tagged_at=moment(tagged or times[target]),
                    is_annotated=kind == "tag",
                )
            )
    for rows in batched(found, ROWS):
        yield GitBatch(rows)
    yield GitBatch(total_count=len(found), complete_lists=(records.Tag.TABLE,))


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in lists of a size; the last one may be shorter, none is empty."""
    iterator = iter(items)
    while several := list(islice(iterator, size)):
        yield several


def _log(
    mirror: Mirror, wanted: list[str], unwanted: list[str], with_directories: bool
) -> Iterator[tuple[Logged, list[str] | None]]:
    """Commits with the directories that they changed; None where these are not wanted."""
    logged = log(mirror.git, wanted, unwanted)
    if not with_directories:
        yield from ((commit, None) for commit in logged)
        return
    for commit, (sha, touched) in zip(logged, directories(mirror.git, wanted, unwanted), strict=True):
        if sha != commit.sha:
            raise SourceError(
                f"{mirror.shown}: git lists its commits in two orders; run it again when nobody else changes the clone."
            )
        yield commit, touched


def _record(commit: Logged, repository_id: int, on_default_branch: bool, touched: list[str] | None) -> records.Record:
    return records.Commit(
        repository_id=repository_id,
        sha=commit.sha,
        parents=list(commit.parents),
        author=commit.author,
        authored_at=commit.authored_at,
        committed_at=commit.committed_at,
        pull_request_number=messages.pull_request_number(commit.message),
        reverts_sha=messages.reverts(commit.message),
        # Without the files' contents nobody can count lines.
        additions=None,
        deletions=None,
        on_default_branch=on_default_branch,
        directories=touched,
    )


def _first_and_newest(mirror: Mirror, snapshot: Snapshot) -> tuple[datetime | None, datetime | None]:
    """When the first commit of the default branch and the newest one of any branch were committed."""
    newest = mirror.git.ask(
        "for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(committerdate:unix)", "refs/heads"
    ).strip()
    first = None
    if snapshot.head:
        roots = mirror.git.ask("log", "--max-parents=0", "--format=%ct", snapshot.head).split()
        first = min((moment(seconds) for seconds in roots), default=None)
    return first, moment(newest) if newest else None


def _tagged_elsewhere(mirror: Mirror, snapshot: Snapshot) -> list[str]:
    """Tagged commits that are not on the default branch."""
    targets = {target for target in _commits_at(mirror, [sha for _, sha, _, _ in _tag_refs(mirror)]) if target}
    if not snapshot.head or not targets:
        return sorted(targets)
    lines = mirror.git.stream("rev-list", "--stdin", given=[*sorted(targets), f"^{snapshot.head}"], separator=b"\n")
    return sorted({sha for sha in (line.decode() for line in lines) if sha in targets})


def _tag_refs(mirror: Mirror) -> list[tuple[str, str, str, str]]:
    """Tags: name, the object they name, its kind, and the tagger's time in seconds ('' without a tagger)."""
    lines = mirror.git.stream(
        "for-each-ref",
        "--format=%(refname:lstrip=2)%00%(objectname)%00%(objecttype)%00%(taggerdate:unix)",
        "refs/tags",
        separator=b"\n",
    )
    found = []
    for line in lines:
        name, sha, kind, tagged = line.decode("utf-8", "replace").split("\0")
        found.append((name, sha, kind, tagged))
    return found


def _commits_at(mirror: Mirror, shas: list[str]) -> list[str | None]:
    """For each object the commit that it is or, through any number of tags, names; None where it is something else."""
    lines = mirror.git.stream(
        "cat-file",
        "--batch-check=%(objectname) %(objecttype)",
        given=[f"{sha}^{{commit}}" for sha in shas],
        separator=b"\n",
    )
    parts = (line.decode().split() for line in lines)
    return [part[0] if part[1:] == ["commit"] else None for part in parts]


def _commit_times(mirror: Mirror, shas: Iterable[str]) -> Iterator[tuple[str, str]]:
    """When commits were committed, in seconds."""
    given = sorted(shas)
    if given:
        for line in mirror.git.stream(
            "log", "--no-walk=unsorted", "--format=%H %ct", "--stdin", given=given, separator=b"\n"
        ):
            sha, _, seconds = line.decode().partition(" ")
            yield sha, seconds
