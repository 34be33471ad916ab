"""Publishing to a branch that is served as pages (GitHub Pages, and hosts that do alike).

The branch always has one commit without a parent, which each publishing replaces: the site is made anew every day, and
a history of it would make the repository grow without end, where it is the warehouse that holds the history. The branch
is replaced only while it is what this program left there (a push with a lease), and only if this program made it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from metrics_assets.publishing.errors import PublishingError, Wait, retried, said
from metrics_assets.publishing.storage import Published, files_of

NO_JEKYLL = ".nojekyll"  # without it GitHub leaves out files whose names begin with _
_MADE_BY = "Made-by: metrics_assets"
_SECONDS = 900.0
_TOKEN = "METRICS_SITE_TOKEN"  # within git's own environment alone
# Git asks this program, which reads the environment: the token stands in no address, no argument and no file.
_ASKED = f'#!/bin/sh\ncase "$1" in Username*) echo x-access-token ;; *) printf "%s\\n" "${_TOKEN}" ;; esac\n'
_MISLEADING = re.compile(
    r"GIT_(ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|DIR|INDEX_FILE|NAMESPACE|OBJECT_DIRECTORY|PREFIX|QUARANTINE_PATH"
    r"|SHALLOW_FILE|TEMPLATE_DIR|WORK_TREE|TRACE\w*|CURL_VERBOSE|CONFIG_PARAMETERS)"
)
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    # A token goes to the host that metrics.yaml names and to no other.
    "http.followRedirects=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=120",
)
_LOCAL = ("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")  # where a token may be sent


class _Refused(PublishingError):
    """Another try does not mend it."""


def publish_to_branch(
    build: Path,
    repository: str,
    branch: str,
    home: Path,
    *,
    token: str | None = None,
    without: Sequence[str] = (),
    wait: Wait = time.sleep,
) -> Published:
    """Publish the files of a finished build as the one commit of a branch.

    Args:
        home: a folder to keep what was pushed last, so that only what is new is sent.
        token: one that may push by https; else git's own credential helpers and keys.
        without: beginnings of paths that stay away.

    Raises:
        PublishingError: it failed; the branch is as it was.
    """
    git = _Git(home / f"{hashlib.sha256(repository.encode()).hexdigest()[:20]}.git", repository, branch, token)
    names = [name for name in files_of(build) if not name.startswith(tuple(without))]
    try:
        git.prepare()
        return retried(lambda: _publish(git, build, names), final=(_Refused,), wait=wait)
    except PublishingError:
        raise
    except (OSError, ValueError) as error:
        raise PublishingError(f"The site was not published to {said(repository)}: {said(error)}.") from None


def _publish(git: _Git, build: Path, names: Sequence[str]) -> Published:
    before = git.remote_tip()
    if before is not None:
        git.fetch(before)
        if _MADE_BY not in git.run("log", "-1", "--format=%B", before):
            raise _Refused(
                f"The branch {git.branch} of {said(git.repository)} holds a commit that this program did not make; "
                "name a branch for the site alone in site.github_pages.branch, or delete that one."
            )
    tree = git.tree(build, names)
    old = git.files(before) if before is not None else {}
    new = git.files(tree)
    written = sum(old.get(name) != blob for name, blob in new.items())
    removed = len(old.keys() - new.keys())
    if written or removed or before is None:
        git.push(git.commit(tree), before)
    return Published(f"{said(git.repository)} ({git.branch})", written, removed, len(new) - written)


@dataclass(slots=True)
class _Git:
    """Git on a bare repository of our own, which holds what was pushed last."""

    directory: Path
    repository: str
    branch: str
    token: str | None = field(repr=False)

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def prepare(self) -> None:
        if self.token and not self.repository.startswith(_LOCAL):
            self.token = None  # ssh and files know no token, and unencrypted it is sent to nobody
        if not (self.directory / "HEAD").exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self.run("init", "--bare", "--quiet", "--initial-branch=site", ".")
        self.run("check-ref-format", self._ref)

    def remote_tip(self) -> str | None:
        """The commit that the branch is at; None where there is no such branch."""
        answer = self.run("ls-remote", "--heads", "--", self.repository, self._ref, talks=True)
        found = [line.split("\t")[0] for line in answer.splitlines() if line.endswith(f"\t{self._ref}")]
        return found[0] if found else None

    def fetch(self, commit: str) -> None:
        """Have the branch's commit here: mostly it is what was pushed last, and nothing is sent."""
        self.run(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", self.repository,
            f"+{self._ref}:refs/site/published", talks=True,
        )  # fmt: skip
        self.run("cat-file", "-e", commit)

    def tree(self, build: Path, names: Sequence[str]) -> str:
        """Write the files as a tree; only their bytes count, whatever git's configuration says of lines and modes."""
        blobs = self.run(
            "hash-object", "-w", "--no-filters", "--stdin-paths", given=[str(build / name) for name in names]
        ).split()
        nothing = self.run("hash-object", "-w", "--no-filters", "--stdin", given=[]).strip()
        entries = [f"100644 {blob}\t{name}" for blob, name in zip(blobs, names, strict=True)]
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run(
                "update-index", "--add", "-z", "--index-info", environment=index,
                given=[*entries, f"100644 {nothing}\t{NO_JEKYLL}"], end="\0",
            )  # fmt: skip
            return self.run("write-tree", environment=index).strip()

    def files(self, tree: str) -> dict[str, str]:
        """The blobs of a tree, or of a commit's, by their paths."""
        entries = [entry.partition("\t") for entry in self.run("ls-tree", "-r", "-z", tree).split("\0") if entry]
        return {name: about.split()[2] for about, _, name in entries if name != NO_JEKYLL}

    def commit(self, tree: str) -> str:
        person = {"NAME": "metrics_assets", "EMAIL": "metrics@localhost"}
        people = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in person.items()}
        return self.run("commit-tree", "-m", "The site", "-m", _MADE_BY, tree, environment=people).strip()

    def push(self, commit: str, before: str | None) -> None:
        self.run(
            "push", "--quiet", "--no-verify", f"--force-with-lease={self._ref}:{before or ''}", "--", self.repository,
            f"{commit}:{self._ref}", talks=True,
        )  # fmt: skip
        self.run("update-ref", "refs/site/published", commit)
        self.run("prune", "--expire=now")  # what was pushed before

    def run(
        self,
        *arguments: str,
        given: Iterable[str] | None = None,
        end: str = "\n",
        environment: dict[str, str] | None = None,
        talks: bool = False,
    ) -> str:
        """What git answers.

        Raises:
            PublishingError: it failed.
        """
        options = [part for setting in _SETTINGS for part in ("-c", setting)]
        with self._asking() if talks else _nothing() as asking:
            try:
                done = subprocess.run(
                    ["git", "--no-pager", *options, *arguments],
                    cwd=self.directory,
                    env=_environment() | asking | (environment or {}),
                    input="".join(f"{line}{end}" for line in given or ()).encode(),
                    capture_output=True,
                    timeout=_SECONDS,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise _Refused("git is not installed; site.github_pages needs it where this runs.") from None
            except subprocess.TimeoutExpired:
                raise PublishingError(
                    f"The site was not published to {said(self.repository)}: git {arguments[0]} was ended after "
                    f"{_SECONDS:g} s; run `metrics site publish` when the host answers faster."
                ) from None
        if done.returncode:
            raise self._failure(arguments[0], done.stderr.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "surrogateescape")

    @contextmanager
    def _asking(self) -> Iterator[dict[str, str]]:
        """The environment in which git gets the token, or asks its own helpers, and never a person."""
        if not self.token:
            yield {"GIT_ASKPASS": ""}
            return
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            program = Path(folder) / "ask"
            program.write_text(_ASKED)
            program.chmod(0o700)
            # Without the user's helpers, which would keep the token.
            yield {
                "GIT_ASKPASS": str(program), _TOKEN: self.token,
                "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": "",
            }  # fmt: skip

    def _failure(self, command: str, text: str) -> PublishingError:
        if self.token:
            text = text.replace(self.token, "***")  # before it is cut, which might leave a part
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("warning:", "hint:"))]
        telling = said(" ".join(lines))
        where = f"The site was not published to {said(self.repository)}: git {command} failed: {telling}"
        if re.search(r"stale info|non-fast-forward|fetch first", text):
            return PublishingError(f"{where}; somebody else pushed to {self.branch} meanwhile, run it again.")
        if re.search(r"(?i)not found|does not appear|redirect|not a valid", text):
            return _Refused(f"{where}; check site.github_pages.repository and .branch.")
        if re.search(
            r"(?i)authentication|could not read (username|password)|permission|denied|returned error: 40[13]|publickey",
            text,
        ):
            return _Refused(
                f"{where}; site.github_pages.token_env must name a variable with a token that may push there, or git "
                "needs a credential helper or a key."
            )
        return PublishingError(f"{where}; `metrics site publish` tries it again.")


@contextmanager
def _nothing() -> Iterator[dict[str, str]]:
    yield {"GIT_ALLOW_PROTOCOL": "none"}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not _MISLEADING.fullmatch(name)}
    # What else git could be made to run or to ask is nothing that a site is published to.
    allowed = {"GIT_ALLOW_PROTOCOL": "https:ssh:git:file:http"}
    return kept | allowed | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "SSH_ASKPASS": "", "GIT_NO_LAZY_FETCH": "1"}
