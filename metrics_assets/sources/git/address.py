"""Where a repository is: which addresses are taken, what identifies the repository, what messages show of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from metrics_assets.sources.errors import SourceError

_WITH_SCHEME = re.compile(
    r"(?P<scheme>https|http|ssh|git|file)://(?:[^/@\s]*@)?(?P<host>[^/@\s-][^/@\s]*)?(?P<path>/\S+)"
)
_LIKE_SCP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*@(?P<host>[A-Za-z0-9\[][^\s:/]*):(?P<path>[^\s-]\S*)")
_USUAL_PORTS = {"https": ":443", "http": ":80", "ssh": ":22", "git": ":9418"}
_SECRET = re.compile(r"(?<=://)[^/\s'\"]*@")
# Identities stay exact in JSON readers that know only floating-point numbers.
_IDENTITIES = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Address:
    """A clone address.

    Attributes:
        url: what git is given.
        scheme: how git gets there: https, http, ssh, git or file.
        place: host and path without scheme, user, usual port and '.git': the same repository has the same
            place whichever way it is reached.
    """

    url: str
    scheme: str
    place: str

    @classmethod
    def of(cls, url: str) -> Address:
        """The address of a URL.

        Raises:
            SourceError: it is none that git may be given; what git could take for an option or a program is none.
        """
        if found := _WITH_SCHEME.fullmatch(url):
            scheme, host = (
                found["scheme"],
                (found["host"] or "").lower().removesuffix(_USUAL_PORTS.get(found["scheme"], ":")),
            )
            if host or scheme == "file":
                return cls(url, scheme, f"{host}/{_plain(found['path'])}")
        elif found := _LIKE_SCP.fullmatch(url):
            return cls(url, "ssh", f"{found['host'].lower()}/{_plain(found['path'])}")
        raise SourceError(
            f"git: {shown(url)} is no address that git may be given; write https://host/owner/name.git, "
            "ssh://host/owner/name.git, git@host:owner/name.git, git://host/owner/name.git or file:///folder."
        )

    @property
    def digest(self) -> str:
        """A name for the clone's folder."""
        return hashlib.sha256(self.place.encode()).hexdigest()[:20]

    @property
    def repository_id(self) -> int:
        """The identity of a repository that only git knows: negative, at the most 53 bits, always the same."""
        number = int.from_bytes(hashlib.sha256(self.place.encode()).digest()[:8], "big")
        return -(number % _IDENTITIES) - 1


def shown(text: str) -> str:
    """A text for a message: without user and password in addresses, and without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in _SECRET.sub("", text))


def _plain(path: str) -> str:
    return path.strip("/").removesuffix(".git").rstrip("/")
