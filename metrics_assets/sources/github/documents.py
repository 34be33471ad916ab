"""The GraphQL documents: fragments of queries/, put together for what is asked for.

A fragment's head says which variables it needs:

    # variables: $issues_first: Int!, $issues_after: String
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

QUERIES = Path(__file__).with_name("queries")
_VARIABLES = re.compile(r"^# variables: (.+)$", re.MULTILINE)
_FRAGMENT = re.compile(r"^fragment (\w+) on Repository", re.MULTILINE)
_SPREAD = re.compile(r"\.\.\.TimelineItem\b")
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


@cache
def text(name: str) -> str:
    """A file of queries/, without its comments."""
    return _COMMENT.sub("", (QUERIES / f"{name}.graphql").read_text(encoding="utf-8"))


@cache
def variables(name: str) -> str:
    """The variables that a fragment needs, as a query declares them."""
    found = _VARIABLES.search((QUERIES / f"{name}.graphql").read_text(encoding="utf-8"))
    return found.group(1) if found else ""


def lists_of_a_repository(names: Sequence[str]) -> str:
    """One query for several lists of one repository, for example ['lists/issues', 'numbers/discussions']."""
    declared = ", ".join(["$owner: String!", "$name: String!", *map(variables, names)])
    spreads = " ".join(f"...{_fragment(name)}" for name in names)
    return _with_timeline(
        f"query Lists({declared}) {{ repository(owner: $owner, name: $name) {{ {spreads} }} "
        "rateLimit { cost remaining resetAt } }\n" + "\n".join(map(text, names))
    )


def probes(count: int) -> str:
    """One query for the signs of `count` repositories, which it calls r0, r1, ..."""
    declared = ", ".join(f"$o{i}: String!, $n{i}: String!" for i in range(count))
    asked = " ".join(f"r{i}: repository(owner: $o{i}, name: $n{i}) {{ ...Probe }}" for i in range(count))
    return f"query Probes({declared}) {{ {asked} rateLimit {{ cost remaining resetAt }} }}\n" + text("probe")


# The lists of which only numbers are asked for, by GitHub's names.
_NUMBERED = {"pull_requests": "pullRequests", "issues": "issues", "discussions": "discussions"}


def numbers_of(lists: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """One query for the numbers of several short lists, given as (entity, 'owner/name'), and its variables."""
    declared = ", ".join(f"$o{i}: String!, $n{i}: String!" for i in range(len(lists)))
    asked = " ".join(
        f"r{i}: repository(owner: $o{i}, name: $n{i}) {{ listed: {_NUMBERED[entity]}(first: 100) "
        "{ totalCount nodes { number } } }"
        for i, (entity, _) in enumerate(lists)
    )
    variables = {}
    for i, (_, repository) in enumerate(lists):
        variables[f"o{i}"], variables[f"n{i}"] = repository.split("/", 1)
    return f"query Numbers({declared}) {{ {asked} rateLimit {{ cost remaining resetAt }} }}", variables


def whole(name: str) -> str:
    """A query that stands in a file as it is sent."""
    return _with_timeline(text(name))


def _fragment(name: str) -> str:
    found = _FRAGMENT.search(text(name))
    if found is None:
        raise ValueError(f"queries/{name}.graphql has no fragment on Repository")
    return found.group(1)


def _with_timeline(document: str) -> str:
    return document + text("timeline_item") if _SPREAD.search(document) else document
