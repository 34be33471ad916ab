"""The page of teams: what an attacker with every page of every day, and sums from elsewhere, can tell of a team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from metrics_assets.reporting.pages.teams_comparison import blocks, compare, rounded, shown_teams

Day = Mapping[str, float | None]

NAMES = [f"team-{letter}" for letter in "abcdefghijklm"]
VALUES = st.sampled_from([0.0, 0.1, 0.101, 0.25, 1.0, 3.0, 12.0, 470.0])


@st.composite
def days_of_teams(draw: st.DrawFn) -> tuple[Sequence[str], int, list[Day]]:
    """Teams with a value each that stays the same, and on each day some that are hidden: the worst case."""
    teams = NAMES[: draw(st.integers(0, len(NAMES)))]
    minimum = draw(st.integers(1, 5))
    steady = {team: draw(VALUES) for team in teams}
    hidden = draw(st.lists(st.sets(st.sampled_from(teams), max_size=3), max_size=5)) if teams else []
    days: list[Day] = [{team: None if team in out else value for team, value in steady.items()} for out in hidden]
    return teams, minimum, days


def _can_be_told(rows: list[list[float]], position: int, width: int) -> bool:
    """Whether the unknown at a position follows from linear equations."""
    known = np.array(rows, dtype=float).reshape(-1, width)
    wanted = np.eye(width)[position]
    return bool(np.linalg.matrix_rank(np.vstack([known, wanted])) == np.linalg.matrix_rank(known))


@given(days_of_teams())
def test_no_team_can_solve_for_another_s_value(example: tuple[Sequence[str], int, list[Day]]) -> None:
    """Known: the sum over all teams, the sum of what each day shows, and one's own value."""
    teams, minimum, days = example
    assume(len(teams) > 2)  # of two teams a sum over all says the other's, whatever is shown here
    shown = [shown_teams(day, teams, minimum) for day in days]
    for own in range(len(teams)):
        equations = [[1.0] * len(teams), [float(place == own) for place in range(len(teams))]]
        equations += [[float(team in day) for team in teams] for day in shown]
        for other in range(len(teams)):
            if other != own:
                assert not _can_be_told(equations, other, len(teams)), (teams[own], teams[other], shown)


@given(days_of_teams())
def test_what_one_does_not_know_of_a_difference_of_days_is_never_one_value(
    example: tuple[Sequence[str], int, list[Day]],
) -> None:
    """The marks that come or go between two days are of three teams or more, and of two values without one's own."""
    teams, minimum, days = example
    seen = [frozenset[str](), *(shown_teams(day, teams, minimum) for day in days)]
    values = {team: value for day in days for team, value in day.items() if value is not None}
    for one in seen:
        for other in seen:
            for part in (one - other, one & other):
                assert not part or len(part) >= max(3, minimum)
                for own in part:
                    assert len({rounded(values[team]) for team in part - {own}}) >= 2


@given(days_of_teams())
def test_what_is_shown_is_sorted_rounded_and_of_teams_that_are_known(
    example: tuple[Sequence[str], int, list[Day]],
) -> None:
    teams, minimum, days = example
    for day in days:
        values = compare(day, teams, minimum)
        assert list(values) == sorted(values)
        assert len(values) == len(shown_teams(day, teams, minimum))
        assert len(values) in {0, *range(max(3, minimum), len(teams) + 1)}
        known = [rounded(value) for value in day.values() if value is not None]
        assert all(values.count(value) <= known.count(value) for value in values)


@pytest.mark.parametrize(
    ("number", "minimum", "sizes"),
    [(0, 3, ()), (2, 3, ()), (3, 3, (3,)), (5, 3, ()), (6, 3, (3, 3)), (8, 3, (3,)), (3, 1, (3,)), (9, 4, (4,))],
)
def test_blocks_hold_the_minimum_and_who_does_not_fill_one_waits_with_the_last(
    number: int, minimum: int, sizes: tuple[int, ...]
) -> None:
    assert tuple(len(block) for block in blocks(NAMES[:number], minimum)) == sizes


@given(st.integers(0, len(NAMES)), st.integers(0, len(NAMES)), st.integers(1, 5))
def test_a_team_that_opts_in_is_never_the_difference_of_two_days(before: int, after: int, minimum: int) -> None:
    first = {team for block in blocks(NAMES[:before], minimum) for team in block}
    second = {team for block in blocks(NAMES[:after], minimum) for team in block}
    assert len(first ^ second) == 0 or len(first ^ second) >= max(3, minimum)


def test_a_hidden_team_takes_its_block_with_it_and_no_other() -> None:
    values: dict[str, float | None] = {team: float(number) for number, team in enumerate(NAMES[:6])}
    assert compare(values, NAMES[:6], 3) == (0, 1, 2, 3, 4, 5)
    values["team-b"] = None
    assert compare(values, NAMES[:6], 3) == (3, 4, 5)
    del values["team-b"]
    assert compare(values, NAMES[:6], 3) == (3, 4, 5)


@pytest.mark.parametrize("values", [(0, 0, 0), (0, 0, 5), (5, 0.1, 0.1), (0.1001, 0.1002, 7)])
def test_values_that_would_say_each_one_s_are_not_shown(values: tuple[float, ...]) -> None:
    """Whoever has the third value would know the other two."""
    assert compare(dict(zip(NAMES, values, strict=False)), NAMES[:3], 3) == ()


def test_of_four_two_may_be_the_same() -> None:
    assert compare(dict(zip(NAMES, (0, 0, 1, 2), strict=False)), NAMES[:4], 4) == (0, 0, 1, 2)


def test_values_have_two_figures() -> None:
    assert compare(dict(zip(NAMES, (1.234, 56789, 0.00456), strict=False)), NAMES[:3], 3) == (0.0046, 1.2, 57000)
