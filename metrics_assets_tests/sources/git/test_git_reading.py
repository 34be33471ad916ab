"""Commits, tags and merged pull requests of repositories made by hand, friendly and hostile ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from metrics_assets.sources.git import batch, reading
from metrics_assets.sources.git.mirror import Mirror
from metrics_assets.sources.git.pull_requests import merged_pull_requests
from metrics_assets.sources.records import Account, Commit, PullRequest, Tag
from metrics_assets_tests.sources.git.building import START, Writer, empty_repository, git


def _day(number: int) -> datetime:
    return START + timedelta(days=number)


class Remote:
    """A remote repository and a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.path = empty_repository(folder / "remote.git")
        self.mirror = Mirror(f"file://{self.path}", folder / "home")

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Write, and then fetch."""
        with Writer(self.path) as write:
            yield write
        self.mirror.update()

    def commits(self, known: batch.Position | None = None) -> tuple[dict[str, Commit], list[batch.GitBatch]]:
        batches = list(reading.commits(self.mirror, 1, START, known))
        return {row.sha: row for one in batches for row in one.records if isinstance(row, Commit)}, batches

    def tags(self) -> dict[str, Tag]:
        batches = list(reading.tags(self.mirror, 1))
        assert batches[-1].complete_lists == ("raw.tags",)
        found = {row.tag: row for one in batches for row in one.records if isinstance(row, Tag)}
        assert batches[-1].total_count == len(found)
        return found

    def pulls(self, known: batch.Position | None = None) -> tuple[dict[int, PullRequest], list[batch.GitBatch]]:
        batches = list(merged_pull_requests(self.mirror, 1, START, known))
        return {row.number: row for one in batches for row in one.records if isinstance(row, PullRequest)}, batches

    def sha(self, ref: str) -> str:
        return git(self.path, "rev-parse", ref)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def test_a_commit(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first", authored_at=_day(0), committed_at=_day(1))
        write.commit(
            "2",
            "second (#3)",
            parents=["1"],
            authored_at=_day(2),
            committed_at=_day(3),
            author="B <7+b@users.noreply.github.com>",
        )
        reverted = write.sha("1")
        write.commit("3", f"third\n\nThis reverts commit {reverted}.", parents=["2"], authored_at=_day(4))
        write.ref("refs/heads/main", "3")
    commits, _ = remote.commits()
    assert list(commits) == [remote.sha("main"), remote.sha("main~1"), remote.sha("main~2")]
    assert commits[remote.sha("main~1")] == Commit(
        repository_id=1,
        sha=remote.sha("main~1"),
        parents=[remote.sha("main~2")],
        author=Account("b"),
        authored_at=_day(2),
        committed_at=_day(3),
        pull_request_number=3,
        reverts_sha=None,
        additions=None,
        deletions=None,
        on_default_branch=True,
    )
    assert commits[remote.sha("main")].reverts_sha == reverted


def test_the_directories_that_commits_changed(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first", files={"README": "", "apps/web/pages/deep/x": "", "libs/a": ""})
        write.commit("2", "side", parents=["1"], files={"libs/\x01 ü\\": "", "apps/web/pages/other/y": ""})
        write.commit("3", "main", parents=["1"], files={"apps/api/z": ""})
        write.commit("4", "nothing", parents=["3"])
        # What a merge brings is what is new to the branch that it goes to.
        write.commit("5", "merge", parents=["4", "2"], tree_of="2", files={"apps/api/z": ""})
        write.commit("6", "move", parents=["5"], tree_of="2", files={"docs/z": ""})
        write.commit("7", "many", parents=["6"], files={f"many/{n:03}/x": "" for n in range(120)})
        write.ref("refs/heads/main", "7")
        write.commit("8", "tagged", parents=["1"], files={"back/port": ""})
        write.ref("refs/tags/v1", "8")
        shas = {write.sha(str(number)): number for number in range(1, 9)}

    def read(known: batch.Position | None, with_directories: bool) -> tuple[dict[int, Any], batch.Position | None]:
        batches = list(reading.commits(remote.mirror, 1, START, known, with_directories=with_directories))
        rows = [row for one in batches for row in one.records if isinstance(row, Commit)]
        return {shas[row.sha]: row.directories for row in rows}, batches[-1].position

    plain, position = read(None, False)
    assert plain == dict.fromkeys(range(1, 9))
    # They are wanted later: what was read without them is read again, and then no more.
    found, position = read(position, True)
    assert found.pop(7) == [f"many/{n:03}" for n in range(100)]
    assert found == {
        1: ["", "apps/web/pages", "libs"],
        2: ["apps/web/pages", "libs"],
        3: ["apps/api"],
        4: [],
        5: ["apps/web/pages", "libs"],
        6: ["apps/api", "docs"],
        8: ["back"],
    }
    assert read(position, True) == ({}, position)


_HOSTILE = {
    "newlines": "\n\n\nsubject\r\nafter\n\n\n",
    "quotes": "'; drop table x; -- \" ` $(touch x) \\ %x00 %H",
    "emoji": "🎉 Ünïcödé \u202e right to left \x1b[31m red (#12)",
    "not UTF-8": b"\xff\xfe broken \xc3( (#13)",
    "empty": "",
    "long": "x" * 3_000_000,
    "like a record": f"commit {'0' * 40}\nparent {'1' * 40}\n\n-----",
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_messages(remote: Remote, name: str) -> None:
    with remote.writing() as write:
        write.commit("1", _HOSTILE[name], author=b"\xff\xfe\"' <a@b;c>")
        write.commit("2", "after", parents=["1"])
        write.ref("refs/heads/main", "2")
    commits, _ = remote.commits()
    assert set(commits) == {remote.sha("main"), remote.sha("main~1")}
    hostile = commits[remote.sha("main~1")]
    assert hostile.author == Account("a@b;c")
    assert hostile.pull_request_number == {"emoji": 12, "not UTF-8": 13}.get(name)
    pulls, _ = remote.pulls()
    assert set(pulls) == ({hostile.pull_request_number} - {None})


@pytest.mark.parametrize("branch", ["-u", "--upload-pack=touch", "--output=x", "a;b", "ü/🎉", "HEAD"])
def test_hostile_names_of_branches_and_tags(remote: Remote, branch: str) -> None:
    with remote.writing() as write:
        write.commit("1", "first")
        write.commit("2", "second")
        write.ref("refs/heads/main", "1")
        write.ref(f"refs/heads/{branch}", "1")
        write.ref(f"refs/tags/{branch}", "2")
        write.ref("refs/pull/x/head", "2")
        write.ref("refs/pull/-1/head", "2")
    git(remote.path, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    remote.mirror.update()
    commits, _ = remote.commits()
    assert {sha: row.on_default_branch for sha, row in commits.items()} == {
        remote.sha("refs/heads/main"): True,
        remote.sha(f"refs/tags/{branch}"): False,
    }
    assert list(remote.tags()) == [branch]
    assert remote.pulls()[0] == {}
    assert reading.repository(remote.mirror, "a/b").default_branch == branch


def test_times_that_are_none(remote: Remote) -> None:
    """Before 1970, after 9999 and no number at all: old importers wrote such."""
    with remote.writing() as write:
        write.commit("1", "first")
        write.ref("refs/heads/main", "1")
    tree = remote.sha("main^{tree}")
    shas = []
    for time in (b"-1 +0000", b"999999999999999 +0000", b"tomorrow", b"1704067200 +9999999"):
        body = b"tree %s\nauthor A <a@b> %s\ncommitter C <c@d> %s\n\nodd\n" % (tree.encode(), time, time)
        (remote.path / "odd").write_bytes(body)
        shas.append(git(remote.path, "hash-object", "-t", "commit", "-w", "--literally", str(remote.path / "odd")))
    for place, sha in enumerate(shas):
        git(remote.path, "update-ref", f"refs/tags/{place}", sha)
    remote.mirror.update()
    read = {
        row.sha: row
        for one in reading.commits(remote.mirror, 1, datetime(1970, 1, 1, tzinfo=UTC))
        for row in one.records
    }
    assert set(shas) <= set(read)
    assert len(remote.tags()) == 4


def test_tags(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first", files={"a": "b"}, authored_at=_day(0), committed_at=_day(1))
        write.commit("2", "second", parents=["1"], committed_at=_day(2))
        write.commit("off", "never merged", parents=["1"], committed_at=_day(3))
        write.ref("refs/heads/main", "2")
        write.ref("refs/tags/light", "1")
        write.tag("annotated", "2", _day(5))
        write.ref("refs/tags/off", "off")
    git(remote.path, "-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "of-a-tag", "annotated")
    git(remote.path, "tag", "of-a-file", "main:a")
    git(remote.path, "-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "of-a-folder", "main^{tree}")
    remote.mirror.update()
    tags = remote.tags()
    assert set(tags) == {"light", "annotated", "of-a-tag", "off"}
    assert tags["light"] == Tag(1, "light", remote.sha("main~1"), _day(1), is_annotated=False)
    assert tags["annotated"] == Tag(1, "annotated", remote.sha("main"), _day(5), is_annotated=True)
    assert (tags["of-a-tag"].sha, tags["of-a-tag"].is_annotated) == (remote.sha("main"), True)
    commits, _ = remote.commits()
    assert {sha for sha, row in commits.items() if not row.on_default_branch} == {remote.sha("off")}


def test_a_tag_that_is_moved_and_one_that_is_deleted(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first")
        write.commit("2", "second", parents=["1"])
        for ref in ("heads/main", "tags/moved", "tags/deleted"):
            write.ref(f"refs/{ref}", "2")
    assert set(remote.tags()) == {"moved", "deleted"}
    git(remote.path, "update-ref", "refs/tags/moved", remote.sha("main~1"))
    git(remote.path, "update-ref", "-d", "refs/tags/deleted")
    remote.mirror.update()
    assert {name: row.sha for name, row in remote.tags().items()} == {"moved": remote.sha("main~1")}


def test_a_force_push(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first")
        write.commit("2", "second (#2)", parents=["1"])
        write.commit("3", "third (#3)", parents=["2"])
        write.ref("refs/heads/main", "3")
    first, batches = remote.commits()
    pulls, pull_batches = remote.pulls()
    assert set(pulls) == {2, 3}
    gone = remote.sha("main")
    git(remote.path, "update-ref", "refs/heads/main", remote.sha("main~1"))
    with remote.writing() as write:
        write.commit("new", "new (#4)", authored_at=_day(1))
        write.ref("refs/heads/other", "new")
    git(remote.path, "update-ref", "refs/heads/main", remote.sha("other"))
    remote.mirror.update()

    second, again = remote.commits(batches[-1].position)
    assert set(second) == {remote.sha("main")}
    assert {sha for one in again for sha in one.departed} == set(first)
    assert gone in first
    assert not any(one.whole_branch for one in again)
    pulls, pull_batches = remote.pulls(pull_batches[-1].position)
    assert set(pulls) == {4}
    assert pull_batches[-1].complete_lists == ("raw.pull_requests",)

    # A clone that was thrown away does not have the former commits.
    for pack in remote.mirror.directory.glob("objects/pack/*"):
        pack.unlink()
    remote.mirror.directory.joinpath("metrics.json").unlink()
    remote.mirror.update()
    third, again = remote.commits(batches[-1].position)
    assert set(third) == {remote.sha("main")}
    assert again[-1].whole_branch
    assert list(reading.default_branch_commits(remote.mirror)) == [remote.sha("main")]


def test_a_second_reading_reads_only_what_is_new(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first")
        write.commit("off", "off", parents=["1"])
        write.ref("refs/heads/main", "1")
        write.ref("refs/tags/off", "off")
    read, batches = remote.commits()
    assert len(read) == 2
    assert batches[-1].whole_branch
    position = batches[-1].position
    again, batches = remote.commits(position)
    assert (again, [one.departed for one in batches], batches[-1].position) == ({}, [[]], position)
    assert not batches[-1].whole_branch

    with remote.writing() as write:
        write.commit("other", "on a branch that is not read")
        write.ref("refs/heads/other", "other")
    git(remote.path, "update-ref", "refs/heads/main", remote.sha("off"))
    remote.mirror.update()
    now_on, _ = remote.commits(position)
    assert {sha: row.on_default_branch for sha, row in now_on.items()} == {remote.sha("off"): True}
    # Earlier days than the position has: everything again.
    assert len([row for one in reading.commits(remote.mirror, 1, _day(-900), position) for row in one.records]) == 2


def test_merges_squashes_and_what_is_neither(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("0", "start", files={"a": "0", "b": "0"})
        # 1: a merge of two commits.
        write.commit(
            "1a", "work", parents=["0"], authored_at=_day(1), author="Ann <ann@example.invalid>", files={"x": "1"}
        )
        write.commit("1b", "work", parents=["1a"], authored_at=_day(2), files={"x": "2"})
        write.commit(
            "1", "Merge pull request #1 from a/b\n\nOne", parents=["0", "1b"], authored_at=_day(3), tree_of="1b"
        )
        # 2: a squash of a head that began before 1 was merged.
        write.commit("2a", "work", parents=["0"], authored_at=_day(1), committed_at=_day(4), files={"y": "1"})
        write.commit(
            "2",
            "Two (#2)",
            parents=["1"],
            authored_at=_day(1),
            committed_at=_day(5),
            files={"y": "1"},
            committer="GitHub <noreply@github.com>",
        )
        # 3 is no pull request of this repository: the server has no head of that number.
        write.commit("3", "Three (#3)", parents=["2"], authored_at=_day(6))
        # 4 is another repository's: its head is not what was merged.
        write.commit("4a", "theirs", parents=["2"], authored_at=_day(6))
        write.commit("4x", "ours", parents=["2"], authored_at=_day(6), files={"z": "z"})
        write.commit("4", "Merge pull request #4 from upstream/x", parents=["3", "4a"], authored_at=_day(7))
        # 5 has a head that has nothing to do with what its number was put on; 6 was merged by rebase.
        write.commit("5a", "work", parents=["4"], authored_at=_day(8), files={"q": "1"})
        write.commit("5", "Five (#5)", parents=["4"], authored_at=_day(9), files={"p": "1"})
        write.commit("6", "work, rebased", parents=["5"], authored_at=_day(9), committed_at=_day(10))
        write.ref("refs/heads/main", "6")
        for number, head in ((1, "1b"), (2, "2a"), (4, "4x"), (5, "5a"), (6, "0")):
            write.ref(f"refs/pull/{number}/head", head)
    pulls, batches = remote.pulls()
    assert pulls == {
        1: _pull(
            1,
            "One",
            remote.sha("main~5"),
            _day(3),
            _day(1),
            2,
            remote.sha("refs/pull/1/head"),
            "ann@example.invalid",
            "a@example.invalid",
        ),
        2: _pull(
            2,
            "Two",
            remote.sha("main~4"),
            _day(5),
            _day(1),
            1,
            remote.sha("refs/pull/2/head"),
            "a@example.invalid",
            None,
        ),
        5: _pull(
            5,
            "Five",
            remote.sha("main~1"),
            _day(9),
            _day(8),
            1,
            remote.sha("refs/pull/5/head"),
            "a@example.invalid",
            "c@example.invalid",
        ),
    }
    assert batches[-1].remarks == (
        "Of 7 commits on the default branch's first-parent line 4 belong to no pull request that git shows; "
        "rebase-merged pull requests are among them.",
        "1 of 3 pull requests are known by their number alone: what was merged is not what their head changed.",
        "2 commits name a number whose head the server does not have or has for another commit: an issue's, or "
        "another repository's pull request. They are left out.",
    )
    taken = (batches[-1].position or {})["taken"]
    assert taken == {"head_is_parent": "1", "same_contents": "2", "number_only": "5"}


def _pull(
    number: int,
    title: str,
    sha: str,
    merged: datetime,
    first: datetime | None,
    commits: int | None,
    head: str | None,
    author: str,
    by: str | None,
) -> PullRequest:
    known: dict[str, Any] = dict.fromkeys(
        ("is_draft", "created_at", "milestone", "additions", "deletions", "changed_files")
    )
    return PullRequest(
        repository_id=1,
        number=number,
        title=title,
        state="merged",
        author=Account(author),
        merged_by=Account(by) if by else None,
        updated_at=merged,
        closed_at=merged,
        merged_at=merged,
        first_commit_at=first,
        commits=commits,
        head_sha=head,
        merge_sha=sha,
        base_branch="main",
        labels=[],
        **known,
    )


def test_a_server_that_shows_no_heads(remote: Remote) -> None:
    """Then the subject is all there is: of a merge its commits are known, of a squash they are not."""
    with remote.writing() as write:
        write.commit("0", "start")
        # Brackets off the first-parent line may hold anything.
        write.commit("1a", "inner (#9)", parents=["0"], authored_at=_day(1))
        write.commit("1b", "Merge branch 'main' into b (#8)", parents=["1a", "0"], authored_at=_day(1))
        write.commit("1", "Merge pull request #1 from a/b", parents=["0", "1b"], authored_at=_day(2))
        write.commit("2", "Two (#2)", parents=["1"], authored_at=_day(3))
        write.ref("refs/heads/main", "2")
    pulls, batches = remote.pulls()
    assert {number: (row.first_commit_at, row.commits) for number, row in pulls.items()} == {
        1: (_day(1), 2),
        2: (None, None),
    }
    assert "2 pull requests are known by their commit's subject alone" in batches[-1].remarks[1]

    # Heads that appear later change what is known.
    with remote.writing() as write:
        write.commit("2a", "work", authored_at=_day(1))
        write.ref("refs/pull/2/head", "2a")
    pulls, batches = remote.pulls(batches[-1].position)
    assert set(pulls) == {2}
    assert batches[-1].complete_lists == ("raw.pull_requests",)


def test_gitlab_squashes_before_it_merges(remote: Remote) -> None:
    """The merge's second parent is the squash; the commits are at refs/merge-requests."""
    with remote.writing() as write:
        write.commit("0", "start")
        write.commit("a", "work", parents=["0"], authored_at=_day(1), files={"a": "1"})
        write.commit("b", "work", parents=["a"], authored_at=_day(2), files={"a": "2"})
        write.commit("s", "Add a", parents=["0"], authored_at=_day(3), tree_of="b")
        write.commit(
            "m",
            "Merge branch 'x' into 'main'\n\nAdd a\n\nSee merge request g/p!7",
            parents=["0", "s"],
            authored_at=_day(4),
            tree_of="b",
        )
        write.ref("refs/heads/main", "m")
        write.ref("refs/merge-requests/7/head", "b")
    pulls, batches = remote.pulls()
    assert [(row.title, row.first_commit_at, row.commits) for row in pulls.values()] == [("Add a", _day(1), 2)]
    assert (batches[-1].position or {})["taken"] == {"same_tree": "7"}


def test_an_octopus_merge(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("0", "start")
        write.commit("a", "work", parents=["0"], authored_at=_day(2))
        write.commit("b", "work", parents=["0"], authored_at=_day(1))
        write.commit("m", "Merge pull request #1 from a/b", parents=["0", "a", "b"], authored_at=_day(3))
        write.ref("refs/heads/main", "m")
        write.ref("refs/pull/1/head", "b")
    pulls, _ = remote.pulls()
    assert (pulls[1].first_commit_at, pulls[1].commits, pulls[1].head_sha) == (
        _day(1),
        2,
        remote.sha("refs/pull/1/head"),
    )
    commits, _ = remote.commits()
    assert len(commits[remote.sha("main")].parents) == 3


def test_the_first_squash_of_a_number_counts_and_a_merge_before_all(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("0", "start")
        write.commit("1", "One (#1)", parents=["0"], authored_at=_day(1))
        write.commit("again", "One (#1)", parents=["1"], authored_at=_day(2))
        write.commit("2", "Two (#2)", parents=["again"], authored_at=_day(3))
        write.commit("2a", "work", parents=["2"], authored_at=_day(4))
        write.commit("2m", "Merge pull request #2 from a/b", parents=["2", "2a"], authored_at=_day(5))
        write.ref("refs/heads/main", "again")
        write.ref("refs/heads/later", "2m")
        write.ref("refs/pull/1/head", "1")
        write.ref("refs/pull/2/head", "2a")
    pulls, batches = remote.pulls()
    assert {number: row.merged_at for number, row in pulls.items()} == {1: _day(1)}
    git(remote.path, "update-ref", "refs/heads/main", remote.sha("later"))
    remote.mirror.update()
    later, batches = remote.pulls(batches[-1].position)
    assert {number: row.merged_at for number, row in later.items()} == {2: _day(5)}
    assert {number: row.merged_at for number, row in remote.pulls()[0].items()} == {1: _day(1), 2: _day(5)}


def test_the_line_that_no_longer_leads_to_where_reading_ended(remote: Remote) -> None:
    """Somebody merged the default branch into a branch and pushed that: its first parents are others now."""
    with remote.writing() as write:
        write.commit("0", "start")
        write.commit("1", "One (#1)", parents=["0"], authored_at=_day(1))
        write.commit("x", "feature", parents=["0"], authored_at=_day(1))
        write.commit("fox", "Merge branch 'main'", parents=["x", "1"], authored_at=_day(2))
        write.ref("refs/heads/main", "1")
        write.ref("refs/heads/later", "fox")
        write.ref("refs/pull/1/head", "1")
    _, batches = remote.pulls()
    git(remote.path, "update-ref", "refs/heads/main", remote.sha("later"))
    remote.mirror.update()
    pulls, batches = remote.pulls(batches[-1].position)
    assert set(pulls) == {1}
    assert batches[-1].complete_lists == ("raw.pull_requests",)


def test_a_repository_of_git_alone(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first", authored_at=_day(0), committed_at=_day(1))
        write.commit("2", "second", parents=["1"], committed_at=_day(2))
        write.commit("3", "elsewhere", parents=["2"], committed_at=_day(3))
        write.ref("refs/heads/main", "2")
        write.ref("refs/heads/other", "3")
    record = reading.repository(remote.mirror, "acme/tool")
    assert (record.repository_id, record.repository, record.provider) == (
        remote.mirror.repository_id,
        "acme/tool",
        "git",
    )
    assert (record.state, record.default_branch, record.has_issues) == ("active", "main", False)
    assert (record.created_at, record.pushed_at) == (_day(1), _day(3))


def test_contributors(remote: Remote) -> None:
    with remote.writing() as write:
        write.commit("1", "first", author="Ann <Ann@example.invalid>")
        write.commit("2", "second", parents=["1"], author="Ann <ann@example.invalid>")
        write.commit(
            "b", "elsewhere", parents=["1"], author="dependabot[bot] <1+dependabot[bot]@users.noreply.github.com>"
        )
        write.commit("m", "merge", parents=["2", "b"], author="Bob <bob@example.invalid>")
        write.commit("never", "never merged", parents=["1"], author="Eve <eve@example.invalid>")
        write.ref("refs/heads/main", "m")
        write.ref("refs/heads/other", "never")
    batches = list(reading.contributors(remote.mirror, 1))
    found = [row for one in batches for row in one.records]
    assert [(row.person.login.lower(), row.person.is_bot, row.commits) for row in found] == [
        ("ann@example.invalid", False, 2),
        ("dependabot", True, 1),
    ]
    assert [name for one in batches for name in one.complete_lists] == ["raw.contributors"]
    again = list(reading.contributors(remote.mirror, 1, batches[-1].position))
    assert again == [batches[-1]]


def test_batches_are_small_and_a_reader_can_stop(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS", 3)
    with remote.writing() as write:
        for place in range(10):
            write.commit(str(place), "x", parents=[str(place - 1)] if place else [])
        write.ref("refs/heads/main", "9")
    reader = reading.commits(remote.mirror, 1, START)
    assert [len(one.records) for one in reader] == [3, 3, 3, 1, 0]
    reader = reading.commits(remote.mirror, 1, START)
    next(reader)
    reader.close()
