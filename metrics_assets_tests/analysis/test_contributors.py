"""People over trailing windows, each worked by hand, and the factors' golden vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.analysis import contributors
from metrics_assets.analysis.contributors import Contributions, absence_factor, people_windows

CHAOSS = [1000, 202, 90, 33, 332, 343, 42, 433]


def made(rows: list[tuple[int, int, int]], organisation: list[int], seen: tuple[int, ...] = ()) -> Contributions:
    """Contributions of (person, day, how many), no issues among them."""
    person, day, count = (np.array([row[place] for row in rows], dtype=np.int64) for place in range(3))
    before = np.isin(np.arange(len(organisation)), seen)
    return Contributions(person, day, count, np.zeros_like(count), np.array(organisation), before, before.copy())


@pytest.mark.parametrize(
    ("counts", "factor"),
    [(CHAOSS, 2), ([5], 1), ([1, 1], 1), ([1, 1, 1], 2), ([3, 1, 1, 1], 1), ([2, 1, 1, 1], 2), ([7, 0, 0], 1)],
)
def test_the_fewest_who_make_half(counts: list[int], factor: int) -> None:
    assert absence_factor(counts).tolist() == [factor]


def test_of_nothing_there_is_no_factor() -> None:
    assert np.isnan(absence_factor([[0, 0], [0, 0]])).all()
    assert np.isnan(absence_factor(np.zeros((2, 0)))).all()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_half_is_reached_with_the_factor_and_not_with_one_less(counts: list[int]) -> None:
    (factor,) = absence_factor(counts)
    if not sum(counts):
        assert math.isnan(factor)
        return
    most = sorted(counts, reverse=True)
    assert 2 * sum(most[: int(factor)]) >= sum(counts) > 2 * sum(most[: int(factor) - 1])


def test_windows_of_30_and_90_days() -> None:
    # Person 0 on day 0 (three times) and day 90, person 1 on day 0 once, person 2 on the day before the range.
    figures = people_windows(made([(0, 0, 3), (0, 90, 1), (1, 0, 1), (2, -1, 2)], [-1, -1, -1], seen=(2,)), 181)

    def at(day: int, *names: str) -> list[float]:
        return [figures[name][day] for name in names]

    assert at(0, "active_contributors", "contributions", "people_seen_first") == [2, 4, 2]
    assert at(1, "active_contributors", "contributions", "people_seen_first") == [0, 0, 0]
    assert [figures["active_contributors_month"][day] for day in (0, 28, 29, 30, 90)] == [3, 3, 2, 0, 1]
    windows = ("contributors_in_window", "contributors_in_previous_window", "contributors_retained")
    assert at(88, *windows) == [3, 0, 0]
    assert at(89, *windows) == [2, 1, 0]
    assert at(90, *windows, "inactive_contributors") == [1, 3, 1, 2]
    assert at(180, *windows) == [0, 1, 0]
    assert at(0, "occasional_contributors", "contributions_in_window", "contributor_absence_factor") == [1, 6, 1]
    assert np.isnan(figures["contributor_absence_factor"][180])


def test_the_elephant_factor_counts_organisations() -> None:
    rows = [(person, 0, count) for person, count in enumerate(CHAOSS)]
    figures = people_windows(made(rows, list(range(8))), 1)
    assert (figures["elephant_factor"][0], figures["organisations"][0]) == (2, 8)
    figures = people_windows(made(rows, [0, 1, 1, 1, 1, 1, 1, 1]), 1)  # 1000 against 1475
    assert (figures["elephant_factor"][0], figures["organisations"][0]) == (1, 2)


def test_organisations_are_unknown_where_under_half_of_the_work_is_known() -> None:
    rows = [(0, 0, 5), (1, 0, 5)]
    assert people_windows(made(rows, [0, -1]), 1)["elephant_factor"][0] == 1
    figures = people_windows(made([*rows, (1, 0, 1)], [0, -1]), 1)
    assert np.isnan(figures["elephant_factor"][0])
    assert figures["contributions_by_members_of_organisations"][0] == 5


def test_a_long_range_is_counted_in_stretches_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(7)
    rows = [(int(p), int(d), 1) for p, d in zip(dice.integers(0, 9, 300), dice.integers(-179, 200, 300), strict=True)]
    given_rows = made(rows, [0, 0, 1, 1, 2, 2, -1, -1, 3], seen=(0, 1))
    whole = people_windows(given_rows, 200)
    monkeypatch.setattr(contributors, "_CELLS", 9 * (contributors.LEAD + 7))
    parts = people_windows(given_rows, 200)
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values, name)


def test_nobody_is_zero_people() -> None:
    figures = people_windows(made([], []), 3)
    assert figures["active_contributors"].tolist() == [0, 0, 0]
    assert np.isnan(figures["contributor_absence_factor"]).all()
