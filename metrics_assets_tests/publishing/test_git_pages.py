"""Publishing to a branch: one commit that is replaced, never one of somebody else's, and a token that nobody sees."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from metrics_assets.publishing import git_pages
from metrics_assets.publishing.errors import PublishingError
from metrics_assets.publishing.everywhere import publish_everywhere
from metrics_assets.publishing.git_pages import NO_JEKYLL, publish_to_branch
from metrics_assets.settings import GitHubPages, Site
from metrics_assets_tests.publishing.pages import SITE, changed, write


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository, and a user whose own configuration would change what is committed."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[core]\n\tautocrlf = true\n\texcludesFile = ~/.ignore\n[init]\n\tdefaultBranch = x\n"
    )
    (home / ".ignore").write_text("*.csv\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    folder = tmp_path / "remote.git"
    git(tmp_path, "init", "--bare", "--quiet", str(folder))
    return folder


def git(folder: Path, *arguments: str, given: str = "") -> str:
    person = {f"GIT_{who}_{what}": "ann@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=os.environ | person,
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def files(remote: Path) -> dict[str, str]:
    names = git(remote, "ls-tree", "-r", "--name-only", "gh-pages").split()
    return {name: git(remote, "show", f"gh-pages:{name}") for name in names}


def publish(build: Path, remote: Path, **options: object) -> git_pages.Published:
    return publish_to_branch(
        build,
        f"file://{remote}",
        "gh-pages",
        remote.parent / "kept",
        wait=lambda _: None,
        **options,  # type: ignore[arg-type]
    )


def test_the_branch_always_has_one_commit(tmp_path: Path, remote: Path) -> None:
    first = publish(write(tmp_path / "one", SITE), remote)
    assert (first.written, first.removed, first.unchanged) == (5, 0, 0)
    assert files(remote) == {**SITE, NO_JEKYLL: ""}
    new = changed(SITE, {"repo/b.html": None, "data/a.csv": "1\r\n2\r\n", "index.html": "new"})
    second = publish(write(tmp_path / "two", new), remote)
    assert (second.written, second.removed, second.unchanged) == (2, 1, 2)
    assert set(files(remote)) == {*new, NO_JEKYLL}
    assert git(remote, "cat-file", "-s", "gh-pages:data/a.csv").strip() == "6"  # line ends are as they were
    assert git(remote, "rev-list", "--count", "gh-pages").strip() == "1"

    commit = git(remote, "rev-parse", "gh-pages")
    third = publish(tmp_path / "two", remote)
    assert (third.written, third.removed, third.unchanged) == (0, 0, 4)
    assert git(remote, "rev-parse", "gh-pages") == commit


def test_what_is_kept_here_does_not_grow_and_may_be_lost(tmp_path: Path, remote: Path) -> None:
    for number in range(3):
        publish(write(tmp_path / str(number), changed(SITE, {"index.html": "x" * 100 + str(number)})), remote)
    kept = next((tmp_path / "kept").iterdir())
    counted = git(kept, "count-objects", "-v")
    assert int(counted.split("count: ")[1].split()[0]) <= 12  # a commit, its trees, its blobs
    subprocess.run(["rm", "-rf", str(tmp_path / "kept")], check=True)
    assert publish(write(tmp_path / "last", SITE), remote).written == 1


def test_a_branch_of_somebody_else_is_left_alone(tmp_path: Path, remote: Path) -> None:
    tree = git(remote, "mktree")
    commit = git(remote, "commit-tree", "-m", "My code", tree.strip()).strip()
    git(remote, "update-ref", "refs/heads/gh-pages", commit)
    with pytest.raises(
        PublishingError, match=r"The branch gh-pages of .* holds a commit that this program did not make"
    ):
        publish(write(tmp_path / "one", SITE), remote)
    assert git(remote, "rev-parse", "gh-pages").strip() == commit


def test_a_push_in_between_is_not_overwritten(tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(write(tmp_path / "one", SITE), remote)
    push = git_pages._Git.push

    def late(self: git_pages._Git, commit: str, before: str | None) -> None:
        theirs = git(remote, "commit-tree", "-m", "Theirs", git(remote, "mktree").strip()).strip()
        git(remote, "update-ref", "refs/heads/gh-pages", theirs)
        push(self, commit, before)

    monkeypatch.setattr(git_pages._Git, "push", late)
    with pytest.raises(PublishingError, match=r"did not make|somebody else pushed"):
        publish(write(tmp_path / "two", changed(SITE, {"index.html": "2"})), remote)
    assert git(remote, "log", "-1", "--format=%s", "gh-pages").strip() == "Theirs"


def test_pages_of_teams_stay_away_from_a_repository_that_lists_its_files(tmp_path: Path, remote: Path) -> None:
    build = write(tmp_path / "one", changed(SITE, {"team/abc.html": "ours"}))
    pages = GitHubPages(repository=f"file://{remote}", branch="gh-pages")
    done, failed = publish_everywhere(build, Site(github_pages=pages), beside=tmp_path, home=tmp_path)
    assert not failed
    assert len(done) == 1
    assert set(files(remote)) == {*SITE, NO_JEKYLL}
    open_pages = pages.model_copy(update={"team_pages": True})
    publish_everywhere(build, Site(github_pages=open_pages), beside=tmp_path, home=tmp_path)
    assert "team/abc.html" in files(remote)


def test_one_target_that_fails_does_not_keep_the_others(tmp_path: Path, remote: Path) -> None:
    site = Site(publish_to="public", github_pages=GitHubPages(repository=f"file://{tmp_path}/absent.git"))
    done, failed = publish_everywhere(
        write(tmp_path / "one", SITE), site, beside=tmp_path, home=tmp_path, wait=lambda _: None
    )
    assert [one.target for one in done] == ["public"]
    (error,) = failed
    assert "git ls-remote failed" in str(error)
    assert "check site.github_pages.repository" in str(error)


def test_the_token_reaches_git_and_nothing_else(tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git asks a program of ours; what it answers is in no argument, no file, and no error."""
    seen: list[list[str]] = []
    run = subprocess.run

    def spy(command: list[str], **options: object) -> object:
        if "ls-remote" in command:
            environment = options["env"]
            assert isinstance(environment, dict)
            seen.append(command)
            ask = Path(environment["GIT_ASKPASS"])
            assert "s3cret" not in ask.read_text()
            answers = [
                run([str(ask), prompt], env=environment, capture_output=True, text=True, check=True).stdout.strip()
                for prompt in ("Username for 'https://127.0.0.1': ", "Password for 'https://x@127.0.0.1': ")
            ]
            assert answers == ["x-access-token", "s3cret-token"]
            failed = b"fatal: Authentication failed: s3cret-token"
            return subprocess.CompletedProcess(command, 128, b"", failed)
        return run(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(git_pages.subprocess, "run", spy)
    with pytest.raises(PublishingError) as caught:
        publish_to_branch(
            write(tmp_path / "one", SITE), "https://127.0.0.1:1/a/b.git", "gh-pages", tmp_path / "kept",
            token="s3cret-token", wait=lambda _: None,
        )  # fmt: skip
    assert len(seen) == 1  # what is refused is not asked again
    assert not any("s3cret" in part for part in seen[0])
    assert "s3cret" not in str(caught.value)
    assert "site.github_pages.token_env must name a variable" in str(caught.value)
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
