"""Who takes part in the sample organisation."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.demo.history import User

TEAMS: dict[str, list[str]] = {
    "platform": ["mira-holt", "jonas-w", "adaeze", "tomoko-s", "lev-arkin", "carla-reyes"],
    "web": ["pixel-ines", "samir-k", "noor-h", "beatriz-lm", "oskar-n", "wren-dev"],
    "payments": ["greta-v", "dmitri-o", "yusuf-a", "hanna-li"],
    "discovery": ["quentin-b", "sofia-p", "ravi-menon", "elsbeth"],
}

DEPENDABOT = User("dependabot", "Bot")
RENOVATE = User("renovate", "Bot")
REVIEWER = User("review-robot", "Bot")
DEPLOYER = User("aurora-ci", "Bot")
IMPORTED = User("old-tracker-user", "Mannequin")

_FIRST = (
    "amber", "brisk", "cedar", "dusty", "early", "fable", "grain", "hazel", "ionic", "jolly", "kite",
    "lunar", "maple", "north", "ocean", "prime", "quiet", "river", "sable", "tidal", "umber", "vivid",
    "willow", "zesty",
)  # fmt: skip
_SECOND = (
    "badger", "comet", "delta", "ember", "falcon", "garden", "harbor", "iris", "jackal", "kernel", "lantern",
    "meadow", "nebula", "otter", "pebble", "quill", "raven", "signal", "tiger", "urchin", "vector", "walrus",
)  # fmt: skip


def team(name: str) -> tuple[User, ...]:
    """The accounts of a team."""
    return tuple(User(login) for login in TEAMS[name])


def strangers(count: int, first: int = 0) -> tuple[User, ...]:
    """Accounts of people outside the organisation, each number always the same account."""
    return tuple(User(_stranger(number)) for number in range(first, first + count))


def _stranger(number: int) -> str:
    one, two = _FIRST[number * 7 % len(_FIRST)], _SECOND[number * 11 % len(_SECOND)]
    return f"{one}-{two}-{number}"


def others(people: Sequence[User], but: User | None) -> list[User]:
    """The people without one of them."""
    return [person for person in people if person != but]
