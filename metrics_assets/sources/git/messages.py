"""What commit messages and addresses say: pull request numbers, reverts, people."""

from __future__ import annotations

import re
from dataclasses import dataclass

from metrics_assets.sources.records import Account

# GitHub's squash, and Gitea's; GitHub's merge where it is set to take the pull request's title.
_SUFFIX = re.compile(r"\(#([0-9]+)\)\s*$")
# GitHub's merge, and Bitbucket Server's.
_BUTTON = re.compile(r"^Merge pull request #([0-9]+) ")
_GITEA = re.compile(r"^Merge pull request '.*' \(#([0-9]+)\) from ")
_BITBUCKET = re.compile(r"^(?:Merged in .* \(pull request #([0-9]+)\)|Pull request #([0-9]+): )")
_AZURE = re.compile(r"^Merged PR ([0-9]+): ")
_GITLAB = re.compile(r"^See merge request \S*!([0-9]+)\s*$", re.MULTILINE)
_REVERTS = re.compile(r"\bThis reverts commit ([0-9a-f]{64}|[0-9a-f]{40})\b")
_NO_REPLY = re.compile(r"(?:[0-9]+\+)?([^@+]+)@users\.noreply\.github\.com", re.IGNORECASE)
_WEB_FLOW = "noreply@github.com"
# The column is PostgreSQL's integer; a greater number is nobody's pull request.
_GREATEST_NUMBER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Reference:
    """The pull request that a message names.

    Attributes:
        head_is_parent: in a merge commit of this form the pull request's head is a parent. Elsewhere the provider
            may have squashed it before it merged.
        merges_only: a commit with one parent that carries this form was copied, not merged by the provider.
    """

    number: int
    head_is_parent: bool = True
    merges_only: bool = False

    @property
    def is_bare(self) -> bool:
        """A number in brackets and nothing else: people write issues so, too."""
        return self.head_is_parent and not self.merges_only


def reference(message: str) -> Reference | None:
    """The pull request that a message names, by any provider's form."""
    subject = _subject(message)
    for pattern, head_is_parent, merges_only in (
        (_BUTTON, True, True),
        (_GITEA, True, True),
        (_BITBUCKET, False, False),
        (_AZURE, False, False),
        (_SUFFIX, True, False),
    ):
        if found := pattern.search(subject):
            number = _number(next(group for group in found.groups() if group))
            return Reference(number, head_is_parent, merges_only) if number else None
    if (found := _GITLAB.search(message)) and (number := _number(found.group(1))):
        return Reference(number, head_is_parent=False)
    return None


def pull_request_number(message: str) -> int | None:
    """The number for `records.Commit`; of GitHub's forms the same as from GitHub's own answers."""
    if found := _SUFFIX.search(_subject(message)):
        return _number(found.group(1))
    named = reference(message)
    return named.number if named else None


def reverts(message: str) -> str | None:
    """The commit that a message says it reverts."""
    found = _REVERTS.search(message)
    return found.group(1) if found else None


def title(message: str, *, is_merge: bool) -> str:
    """A pull request's title: providers write it into the body of a merge, and into the subject of a squash."""
    subject, _, body = message.partition("\n")
    if is_merge and not _SUFFIX.search(subject) and not _AZURE.match(subject):
        lines = (line.strip() for line in body.splitlines())
        for line in lines:
            if line and not _GITLAB.match(line):
                return line
    return _AZURE.sub("", _SUFFIX.sub("", subject)).strip()


def account(name: str, address: str) -> Account | None:
    """Who a commit's author is: a login where the address is GitHub's own, else the address."""
    address = address.strip()
    if not address:
        return None
    found = _NO_REPLY.fullmatch(address)
    who = found.group(1) if found else address
    is_bot = "[bot]" in address or name.strip().endswith("[bot]")
    return Account(who.removesuffix("[bot]"), is_bot=is_bot)


def committer(name: str, address: str) -> Account | None:
    """Who committed; None where the provider's web page did it for somebody whom git does not know."""
    return None if address.strip().lower() == _WEB_FLOW else account(name, address)


def _subject(message: str) -> str:
    return message.split("\n", 1)[0]


def _number(digits: str) -> int | None:
    # Whoever writes a number of a million digits does not get it converted.
    number = int(digits[:11])
    return number if 0 < number <= _GREATEST_NUMBER else None
