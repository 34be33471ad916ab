"""Quantiles over moving windows, against the plain computation of each window for itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metrics_assets.analysis import windows
from metrics_assets.analysis.windows import Spans, counts, expanded, quantiles, survival_medians

SUBJECTS, DAYS = 3, 9
HOUR, DAY = 3_600_000_000, 24 * 3_600_000_000


def spans(rows: list[tuple[int, int, int, float]], kind: Any = float) -> Spans:
    """Rows of subject, first day, last day and value."""
    subject, first, last = (np.array([row[part] for row in rows], dtype=np.int64) for part in range(3))
    return Spans(subject, first, last, np.array([row[3] for row in rows], dtype=kind))


SPAN = st.tuples(
    st.integers(0, SUBJECTS - 1),
    st.integers(-5, DAYS + 2),
    st.integers(-5, DAYS + 6),
    st.sampled_from([0.0, 1.5, 2.0, 7.25, 7.25, 100.0]) | st.floats(0, 1000, allow_nan=False),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(SPAN, max_size=40), st.booleans())
def test_every_window_is_what_it_holds(rows: list[tuple[int, int, int, float]], same_length: bool) -> None:
    if same_length:  # as most windows are: what comes first leaves first
        rows = [(subject, first, first + 3, value) for subject, first, _, value in rows]
    given_spans = spans(rows)
    found = quantiles(given_spans, SUBJECTS, DAYS)
    assert np.array_equal(found.n, counts(given_spans, SUBJECTS, DAYS))
    for subject in range(SUBJECTS):
        for day in range(DAYS):
            held = sorted(row[3] for row in rows if row[0] == subject and row[1] <= day <= row[2])
            place = (subject, day)
            assert found.n[place] == len(held)
            if not held:
                assert np.isnan(found.median[place])
                assert np.isnan(found.p90[place])
                continue
            assert found.median[place] == pytest.approx(np.quantile(held, 0.5))
            assert found.p90[place] == pytest.approx(np.quantile(held, 0.9))
            rank = int(stats.binom.ppf(0.025, len(held), 0.5))
            ends = (held[rank - 1], held[-rank]) if rank else (np.nan, np.nan)
            assert (found.low[place], found.high[place]) == pytest.approx(ends, nan_ok=True)


def test_subjects_of_very_different_size_do_not_touch_each_other() -> None:
    draw = np.random.default_rng(7)
    subject = np.where(draw.random(6000) < 0.99, 0, draw.integers(1, SUBJECTS, 6000))
    first = draw.integers(-4, DAYS, 6000)
    every = Spans(subject, first, first + draw.integers(0, 5, 6000), draw.exponential(10, 6000))
    together = quantiles(every, SUBJECTS, DAYS)
    for one in range(SUBJECTS):
        part = every.take(every.subject == one)
        alone = quantiles(Spans(np.zeros_like(part.subject), part.first, part.last, part.value), 1, DAYS)
        assert np.array_equal(together.median[one], alone.median[0])
        assert np.array_equal(together.high[one], alone.high[0], equal_nan=True)


def test_nothing_at_all() -> None:
    found = quantiles(spans([]), SUBJECTS, DAYS)
    assert found.n.sum() == 0
    assert np.isnan(found.median).all()
    assert np.isnan(survival_medians(spans([], int), spans([], int), SUBJECTS, DAYS, 0)).all()


# Kaplan and Meier


def kaplan_meier(events: list[int], censored: list[int]) -> float:
    """The first duration at which half or less survives, from the textbook."""
    survival = 1.0
    for duration in sorted(set(events)):
        at_risk = sum(one >= duration for one in [*events, *censored])
        survival *= 1 - events.count(duration) / at_risk
        if survival <= 0.5 + 1e-9:
            return duration / HOUR
    return float("nan")


ITEM = st.tuples(
    st.integers(0, SUBJECTS - 1),
    st.integers(-2 * 24, DAYS * 24 - 1),  # opened, hours from the first midnight
    st.none() | st.integers(0, 150),  # answered after so many hours
)


@settings(deadline=None, max_examples=200)
@given(st.lists(ITEM, max_size=30), st.integers(1, 5), st.sampled_from([1, 20, 10_000]))
def test_survival_is_the_textbooks(items: list[tuple[int, int, int | None]], window: int, rows: int) -> None:
    answered, waiting = [], []
    for subject, opened, after in items:
        first, last = opened // 24, opened // 24 + window - 1
        ended = (opened + after) // 24 if after is not None else DAYS + 100
        answered.append((subject, max(first, ended), last, (after or 0) * HOUR))
        waiting.append((subject, first, min(ended - 1, last), opened * HOUR))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "_ROWS_AT_ONCE", rows)  # so that it is done in blocks
        found = survival_medians(spans(answered, np.int64), spans(waiting, np.int64), SUBJECTS, DAYS, 0)
    for subject in range(SUBJECTS):
        for day in range(DAYS):
            events, censored = [], []
            for of, opened, after in items:
                if of == subject and day - window < opened // 24 <= day:
                    if after is not None and opened + after < (day + 1) * 24:
                        events.append(after * HOUR)
                    else:
                        censored.append(((day + 1) * 24 - opened) * HOUR)
            assert found[subject, day] == pytest.approx(kaplan_meier(events, censored), nan_ok=True)


def test_the_textbooks_example() -> None:
    """Ten items of which four wait: 0.9 after 1 hour, 0.7875 after 3, 0.65625 after 5, then nothing after 9."""
    # Events at 1, 3, 5, 9, 9, 9 hours; censored at 2, 4, 6, 8 hours.
    events, censored = [1, 3, 5, 9, 9, 9], [2, 4, 6, 8]
    answered = spans([(0, 0, 0, hours * HOUR) for hours in events], np.int64)
    waiting = spans([(0, 0, 0, DAY - hours * HOUR) for hours in censored], np.int64)
    assert survival_medians(answered, waiting, 1, 1, 0)[0, 0] == 9


def test_things_count_for_every_subject_that_they_belong_to() -> None:
    members = [np.array([0, 2]), np.array([], dtype=np.int64), np.array([1])]
    which, subject = expanded(np.array([2, 0, 1]), members)
    assert list(zip(which.tolist(), subject.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2)]
    assert expanded(np.array([], dtype=np.int64), [])[0].size == 0
