"""Versions by the rules of semver.org, which npm, crates.io and Go share."""

from __future__ import annotations

import re
from typing import TypeAlias

_SEMANTIC = re.compile(
    r"v?(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)(-(?P<pre>[0-9A-Za-z.-]+))?(\+[0-9A-Za-z.-]+)?"
)
# Of a commit without a tag, as Go makes them: v0.0.0-20240102150405-abcdefabcdef.
_PSEUDO = re.compile(r"v\d+\.\d+\.\d+-(.+\.)?(0\.)?\d{14}-[0-9a-f]{12}(\+incompatible)?")

Precedence: TypeAlias = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


def precedence(version: str) -> Precedence | None:
    """A key to sort by (semver.org, item 11); None where it is no semantic version. A leading v is let pass."""
    found = _SEMANTIC.fullmatch(version)
    if found is None:
        return None
    pre = found["pre"]
    # A number stands before a word, and any pre-release before the release.
    parts = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pre.split(".")) if pre else ()
    return int(found["major"]), int(found["minor"]), int(found["patch"]), 0 if pre else 1, parts


def is_prerelease(version: str) -> bool:
    """Whether it has a hyphen part, as 1.0.0-rc.1; what is no semantic version is taken for a release."""
    found = precedence(version)
    return found is not None and found[3] == 0


def is_pseudo(version: str) -> bool:
    """Whether Go made it of a commit that has no tag: nobody released it."""
    return _PSEUDO.fullmatch(version) is not None
