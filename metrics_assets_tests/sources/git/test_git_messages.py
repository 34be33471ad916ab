"""What messages and addresses say, by every provider's form."""

from __future__ import annotations

import pytest

from metrics_assets.sources.git.messages import (
    Reference,
    account,
    committer,
    pull_request_number,
    reference,
    reverts,
    title,
)
from metrics_assets.sources.records import Account

_SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Add a thing (#12)", Reference(12)),
        ("Add a thing (#12)  \n\nbody (#13)", Reference(12)),
        ("Merge pull request #12 from acme/fix", Reference(12, merges_only=True)),
        ("Merge pull request #12 in ACME/tool from fix to main", Reference(12, merges_only=True)),
        ("Merge pull request 'Add a thing' (#12) from acme/fix into main", Reference(12, merges_only=True)),
        ("Merge branch 'fix' into main (#12)", Reference(12)),
        ("Merged in fix/a (pull request #12)\n\nAdd a thing", Reference(12, head_is_parent=False)),
        ("Pull request #12: Add a thing\n\nMerge in ACME/tool", Reference(12, head_is_parent=False)),
        ("Merged PR 12: Add a thing", Reference(12, head_is_parent=False)),
        (
            "Merge branch 'fix' into 'main'\n\nAdd\n\nSee merge request acme/tool!12",
            Reference(12, head_is_parent=False),
        ),
        ("Merge branch 'fix' into 'main'\n\nSee merge request !12\n", Reference(12, head_is_parent=False)),
        ('Revert "Add a thing (#12)"', None),
        ('Revert "Add a thing (#12)" (#13)', Reference(13)),
        ("Fixes #12", None),
        ("Add (#12) a thing", None),
        ("Merge branch 'main' into fix", None),
        ("(#0)", None),
        ("(#2147483647)", Reference(2147483647)),
        ("(#2147483648)", None),
        (f"(#{'9' * 100_000})", None),
        ("(#１２)", None),
        ("", None),
    ],
)
def test_pull_requests_that_messages_name(message: str, expected: Reference | None) -> None:
    assert reference(message) == expected
    assert pull_request_number(message) == (expected.number if expected else None)


def test_a_branch_that_ends_like_a_squash() -> None:
    """The record says what GitHub's own answers say; the merge is that of the pull request it names first."""
    message = "Merge pull request #12 from acme/fix(#7)"
    assert pull_request_number(message) == 7
    assert reference(message) == Reference(12, merges_only=True)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f'Revert "x"\n\nThis reverts commit {_SHA}.', _SHA),
        (f"This reverts commit {_SHA}, reversing\nchanges made to {_SHA[::-1]}.", _SHA),
        (f"This reverts commit {_SHA}{_SHA[:24]}.", _SHA + _SHA[:24]),
        (f"This reverts commit {_SHA[:12]}.", None),
        (f"This reverts commit {_SHA}0.", None),
        ('Revert "x"', None),
    ],
)
def test_reverts(message: str, expected: str | None) -> None:
    assert reverts(message) == expected


@pytest.mark.parametrize(
    ("message", "is_merge", "expected"),
    [
        ("Add a thing (#12)\n\nbody", False, "Add a thing"),
        ("Add a thing (#12)\n\nbody", True, "Add a thing"),
        ("Merge pull request #12 from a/b\n\nAdd a thing\n", True, "Add a thing"),
        ("Merge pull request #12 from a/b", True, "Merge pull request #12 from a/b"),
        ("Merge branch 'x' into 'y'\n\nSee merge request a/b!1", True, "Merge branch 'x' into 'y'"),
        ("Merged PR 12: Add a thing", True, "Add a thing"),
    ],
)
def test_titles(message: str, is_merge: bool, expected: str) -> None:
    assert title(message, is_merge=is_merge) == expected


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("Ann", "12345+ann-b@users.noreply.github.com", Account("ann-b")),
        ("Ann", "ann-b@users.noreply.github.com", Account("ann-b")),
        ("Ann", "Ann-B@Users.NoReply.GitHub.com", Account("Ann-B")),
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com", Account("dependabot", is_bot=True)),
        ("renovate[bot]", "bot@renovate.example", Account("bot@renovate.example", is_bot=True)),
        ("Ann", " ann@example.invalid ", Account("ann@example.invalid")),
        ("Ann", "ann@users.noreply.github.com.evil.example", Account("ann@users.noreply.github.com.evil.example")),
        ("Ann", "", None),
    ],
)
def test_people(name: str, address: str, expected: Account | None) -> None:
    assert account(name, address) == expected


def test_what_a_web_page_committed_was_committed_by_nobody_known() -> None:
    assert committer("GitHub", "noreply@github.com") is None
    assert committer("Ann", "ann@example.invalid") == Account("ann@example.invalid")
