"""Running git: a clean environment, no prompts, no hooks, no shell, and every failure as a SourceError's sentence.

There are two kinds of runs. `talk` speaks with the remote: it keeps what the user has configured (credential
helpers, proxies, keys) and ends at a time limit. `ask` and `stream` read the clone: they see no configuration but
the clone's and cannot reach any network, so that a missing object is an error and never a download.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from metrics_assets.sources.errors import BadAnswer, Forbidden, NotFound, SourceError, Unavailable
from metrics_assets.sources.git.address import shown

_PIECE_BYTES = 1 << 18
_LONGEST_ANSWER = 400
# Variables by which the environment of a git hook or a developer's shell would change what a command works on.
_MISLEADING = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
)
_HARMLESS = {
    # A fetch that lacks an object would fetch it by another fetch, which lacks it, too.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# Nothing but these is ever executed or contacted, also where a redirect or a submodule asks for it.
_PROTOCOLS = "https:ssh:git:file"
_NOTHING_EXECUTED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.interactive=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "transfer.bundleURI=false",
    # A connection that gives less than this for two minutes is dead.
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=120",
)


class BrokenMirror(SourceError):
    """The clone itself is damaged or belongs to another history; a new one helps."""


# What git says (in its untranslated messages), the class of that failure, and what helps. The first match counts.
_FAILURES: tuple[tuple[re.Pattern[str], type[SourceError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, remedy)
    for pattern, kind, remedy in (
        (r"no space left|disk quota exceeded", SourceError, "make room where METRICS_HOME is and run it again"),
        (
            r"transport '[^']*' not allowed|strange (host|path)name",
            SourceError,
            "use an https, ssh, git or file address",
        ),
        (
            r"dubious ownership",
            Forbidden,
            "let the repository belong to the user who runs this, or name it in git's safe.directory",
        ),
        (
            r"authentication failed|could not read (username|password)|permission denied|prompts (have been )?disabled"
            r"|returned error: 40[13]|host key verification failed|access rights to|publickey",
            Forbidden,
            "give git a credential helper or a key that may read it, and try `git ls-remote` with the same user",
        ),
        (
            r"could not resolve|connection (refused|reset|timed out)|timed out|early eof|hung up|rpc failed"
            r"|unexpected disconnect|network is unreachable|no route to host|returned error: (429|5\d\d)"
            r"|failed to connect|couldn't connect|couldn't resolve|could not connect|unable to connect"
            r"|operation too slow",
            Unavailable,
            "run it again later, or check the network between here and the host",
        ),
        (
            r"repository not exported|repository .* not found|returned error: 4(04|10)|does not appear to be a git repo"
            r"|no such file or directory|repository .* does not exist|could not be found|not found",
            NotFound,
            "check the address and that the repository still exists and may be read by this user",
        ),
        (
            r"bad object|missing object|corrupt|unable to (read|create|write)|bad config|not a git repository"
            r"|necessary objects|unresolved delta|loose object|cannot lock ref|mismatched algorithms"
            r"|invalid (sha1|index)|packfile|index-pack failed|bad (revision|tree object|ref)",
            BrokenMirror,
            "a new clone is made by the next run; if it happens again, try `git clone` with the same address",
        ),
    )
)


@dataclass(slots=True)
class Git:
    """Git on one bare clone.

    Attributes:
        directory: the clone.
        repository: its address as messages show it.
        on_broken: called where reading shows that the clone is damaged.
    """

    directory: Path
    repository: str
    on_broken: Callable[[], None] = field(default=lambda: None, repr=False)
    _talking: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def talk(
        self,
        *arguments: str,
        settings: Iterable[str] = (),
        seconds: float,
        insecure: bool = False,
        inherit: int | None = None,
        trace: Path | None = None,
    ) -> str:
        """What a command that speaks with the remote answers.

        Args:
            settings: git settings as 'key=value'.
            seconds: after this long the command is ended.
            insecure: http without encryption is allowed, too.
            inherit: a file that stays open as long as the command runs: the lock, should this process be killed.
            trace: a file for what the two sides tell each other.

        Raises:
            SourceError: it failed; the class says how (see `sources.errors`).
        """
        environment = _environment() | {"GIT_ALLOW_PROTOCOL": _PROTOCOLS + (":http" if insecure else "")}
        if trace is not None:
            environment["GIT_TRACE_PACKET"] = str(trace)
        # A window that asks for a password would wait for somebody who is not there.
        environment.setdefault("GIT_ASKPASS", "")
        command = self._command(arguments, (*_NOTHING_EXECUTED, *settings))
        process = _start(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if inherit is None else (inherit,),
            # Without a terminal of its own ssh cannot ask either; and the whole group can be ended.
            start_new_session=True,
        )
        self._talking = process
        try:
            output, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.abort()
            process.communicate()
            raise Unavailable(
                f"{self.repository}: git {_name(arguments)} was ended after {seconds:g} s; "
                "run it again when the host answers faster, or allow more time."
            ) from None
        finally:
            if process.poll() is None:
                self.abort()
                process.wait()
            self._talking = None
        if process.returncode:
            raise self._failure(arguments, process.returncode, said.decode("utf-8", "replace"))
        return output.decode("utf-8", "replace")

    def abort(self) -> None:
        """End the command that is speaking with the remote, if there is one."""
        if self._talking is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._talking.pid, signal.SIGKILL)

    def ask(self, *arguments: str, given: Iterable[str] = ()) -> str:
        """The whole, small answer of a command that reads the clone."""
        return b"".join(self._pieces(arguments, given)).decode("utf-8", "replace")

    def stream(self, *arguments: str, given: Iterable[str] = (), separator: bytes = b"\0") -> Iterator[bytes]:
        """The parts of an answer, one after the other as git writes them; what follows the last separator is left out.

        Args:
            given: lines for the command's standard input.
        """
        rest = b""
        for piece in self._pieces(arguments, given):
            *parts, rest = (rest + piece).split(separator)
            yield from parts

    def _pieces(self, arguments: tuple[str, ...], given: Iterable[str]) -> Iterator[bytes]:
        environment = _environment() | {
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        environment.pop("GIT_CONFIG_COUNT", None)
        environment.pop("GIT_CONFIG_PARAMETERS", None)
        # Files instead of pipes on both other sides: git may write before it has read all, and say much.
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
            asked.writelines(line.encode("utf-8", "surrogateescape") + b"\n" for line in given)
            asked.seek(0)
            process = _start(
                self._command(arguments, ("core.hooksPath=/dev/null",)),
                env=environment,
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=said,
            )
            try:
                while piece := _read(process.stdout):
                    yield piece
                process.wait()
            finally:
                process.kill()
                process.communicate()
            if process.returncode:
                said.seek(0)
                failure = self._failure(arguments, process.returncode, said.read().decode("utf-8", "replace"))
                if isinstance(failure, BrokenMirror):
                    self.on_broken()
                raise failure

    def _command(self, arguments: tuple[str, ...], settings: Iterable[str]) -> list[str]:
        options = [part for setting in settings for part in ("-c", setting)]
        return ["git", "--no-pager", *options, f"--git-dir={self.directory}", *arguments]

    def _failure(self, arguments: tuple[str, ...], code: int, said: str) -> SourceError:
        kind: type[SourceError] = BadAnswer
        remedy = "try the same with git on the command line"
        for pattern, match, help_ in _FAILURES:
            if pattern.search(said):
                kind, remedy = match, help_
                break
        ending = f"was ended by signal {-code}" if code < 0 else "failed"
        return kind(f"{self.repository}: git {_name(arguments)} {ending}: {_said(said)}; {remedy}.")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _MISLEADING} | _HARMLESS


def _start(command: list[str], **options: object) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, **options)  # type: ignore[call-overload, no-any-return]
    except (FileNotFoundError, PermissionError):
        raise SourceError(
            "git is not installed or may not be run; install git 2.32 or newer where this runs."
        ) from None


def _read(pipe: IO[bytes] | None) -> bytes:
    assert pipe is not None
    # read1: what is there now, so that a slow command's first commits are not held back.
    return pipe.read1(_PIECE_BYTES)  # type: ignore[attr-defined, no-any-return]


def _name(arguments: tuple[str, ...]) -> str:
    return arguments[0]


def _said(text: str) -> str:
    """What git said, as one short line without secrets; of much, the lines that name the failure."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("warning:")]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:", "remote:"))] or lines[-3:]
    return shown(" ".join(telling))[:_LONGEST_ANSWER].rstrip(" .") or "it said nothing"
