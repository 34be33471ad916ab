"""Which values of teams may stand side by side without names, so that nobody can say whose a value is.

Somebody of one team knows the team's own values, reads every page of every day, and may know sums over all teams from
elsewhere. Five rules keep the other teams' values from them:

- Teams stand in fixed blocks of the minimum group (three or more), in the order in which they opted in. A block is
  shown whole or not at all, so that the difference of two days is never about fewer than a block, of which a reader
  knows one value at the most. A single team that must be hidden takes the others of its block with it (complementary
  suppression).
- Teams that do not fill a block yet wait for others, and the last whole block waits with them: had they joined it, they
  would be the difference of two days; were it shown without them, they would be that of a sum over all teams and what
  is shown.
- A block whose values would say each one's is not shown: one in which all values but one may be equal.
- Values are rounded to two significant figures, and sorted anew for each figure: no mark of one figure can be told
  from the marks of another.
- A reason for hiding never says which of the rules it was.

What is published of repositories is no secret of a team's: who knows which repositories are a team's can add those up
without any page about teams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metrics_assets.reporting.data import MetricInfo

FEWEST = 3  # whatever a caller asks for


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of teams side by side.

    `values` are those that may be seen, sorted; empty where none may. `period` says of which days they are.
    """

    metric: MetricInfo
    period: str
    values: tuple[float, ...]


def compare(values: Mapping[str, float | None], teams: Sequence[str], minimum: int) -> tuple[float, ...]:
    """The values of a figure that may be shown without names, rounded and sorted.

    Args:
        values: by team its value; None, or no entry: not known, or too few people stand behind it.
        teams: those that opted in, in the order in which they did.
        minimum: fewest teams side by side; never under three.
    """
    shown = shown_teams(values, teams, minimum)
    return tuple(sorted(rounded(value) for team in shown if (value := values[team]) is not None))


def shown_teams(values: Mapping[str, float | None], teams: Sequence[str], minimum: int) -> frozenset[str]:
    """The teams whose values may be shown without names: whole blocks."""
    shown: set[str] = set()
    for block in blocks(teams, minimum):
        known = [rounded(value) for team in block if (value := values.get(team)) is not None]
        if len(known) == len(block) and _is_mixed(known):
            shown |= set(block)
    return frozenset(shown)


def blocks(teams: Sequence[str], minimum: int) -> tuple[tuple[str, ...], ...]:
    """The teams in whole blocks of the minimum, without those that wait for others."""
    size, names = max(minimum, FEWEST), tuple(dict.fromkeys(teams))
    whole = len(names) // size - (1 if len(names) % size else 0)
    return tuple(names[size * block : size * (block + 1)] for block in range(whole))


def rounded(value: float) -> float:
    """A value with two significant figures: as much as a strip shows, and too little to find it again elsewhere."""
    return float(f"{value:.2g}")


def _is_mixed(values: Sequence[float]) -> bool:
    """Whether the values that remain still differ for whoever knows any one of them."""
    return all(len(set(values) - {own} if values.count(own) == 1 else set(values)) > 1 for own in values)
