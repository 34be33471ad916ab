"""Quantiles over moving windows, for many subjects and days at once.

A value is in the window of a subject from one day to another. For every subject and day the engine gives how many
values are in the window, their median and 90th percentile, and the ends of the median's 95 % interval; and, where
items still wait, the median by Kaplan and Meier, which counts them as waiting for at least so long.

The window of a day is everything that entered up to the day less everything that left before it. Both are a prefix
of a sequence, so the k-th smallest value in the window is found by halving the values again and again and counting
in both prefixes (a wavelet matrix; Claude, Navarro and Ordonez, Information Systems 47, 2015). No value is copied for
the days on which it counts: the work grows with values x log(values), and with subjects x days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics_assets.analysis.intervals import median_ranks

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_ROWS_AT_ONCE = 4_000_000
_SHORT_KEYS = 1 << 16  # numpy sorts keys of 16 bits in linear time


@dataclass(frozen=True)
class Spans:
    """Values, each with the subject that it counts for, and the first and last day on which it does.

    Days are numbered from the first day asked for; a span may reach beyond the days asked for, or hold no day.
    """

    subject: Ints
    first: Ints
    last: Ints
    value: NDArray[np.float64] | NDArray[np.int64]

    def take(self, chosen: Ints | NDArray[np.bool_]) -> Spans:
        return Spans(self.subject[chosen], self.first[chosen], self.last[chosen], self.value[chosen])

    def within(self, days: int) -> Spans:
        """The spans that hold one of the days [0, days)."""
        holds = (self.last >= self.first) & (self.last >= 0) & (self.first < days)
        return self if holds.all() else self.take(holds)


@dataclass(frozen=True)
class Quantiles:
    """What a window holds, by subject (row) and day (column); NaN where it holds nothing, or too little."""

    n: Ints
    median: Floats
    p90: Floats
    low: Floats
    high: Floats


def counts(spans: Spans, subjects: int, days: int) -> Ints:
    """How many values are in the window, by subject and day."""
    spans = spans.within(days)
    entered = _prefixes(spans.subject, np.maximum(spans.first, 0), subjects, days)
    stays = spans.last >= days - 1
    left = _prefixes(spans.subject[~stays], spans.last[~stays] + 1, subjects, days)
    return entered - left


def quantiles(spans: Spans, subjects: int, days: int) -> Quantiles:
    """Median (percentile_cont 0.5), 90th percentile and the median's 95 % interval (see `median_ranks`)."""
    spans = spans.within(days)
    n = counts(spans, subjects, days)
    result = Quantiles(n, *(np.full((subjects, days), np.nan) for _ in range(4)))
    # Subjects with about as many values together: those with few need fewer steps.
    sizes = np.bincount(spans.subject, minlength=subjects)
    steps = (np.frexp(np.maximum(sizes, 1) - 1)[1] + 3) // 4
    for step in np.unique(steps[sizes > 0]):
        chosen = np.flatnonzero((steps == step) & (sizes > 0))
        place = np.full(subjects, -1)
        place[chosen] = np.arange(len(chosen))
        part = spans.take(place[spans.subject] >= 0) if len(chosen) < subjects else spans
        found = _quantiles(Spans(place[part.subject], part.first, part.last, part.value), len(chosen), days)
        for name in ("median", "p90", "low", "high"):
            getattr(result, name)[chosen] = getattr(found, name)
    return result


def _quantiles(spans: Spans, subjects: int, days: int) -> Quantiles:
    sorted_values, rank, beginning = _ranked(spans, subjects)
    order = np.lexsort((spans.last, spans.first, spans.subject))
    entering, leaving_day, subject = rank[order], spans.last[order] + 1, spans.subject[order]
    entered = _prefixes(subject, np.maximum(spans.first[order], 0), subjects, days)
    leaves = leaving_day < days
    left = _prefixes(subject[leaves], leaving_day[leaves], subjects, days)
    n = entered - left

    # The ranks asked for, in the windows that hold something.
    window = np.flatnonzero(n.ravel())
    size = n.ravel()[window]
    lower = median_ranks(size)
    low_middle, middle_share = _place(size, 0.5)
    low_ninety, ninety_share = _place(size, 0.9)
    wanted = np.concatenate(
        [
            low_middle,
            np.minimum(low_middle + 1, size - 1),
            low_ninety,
            np.minimum(low_ninety + 1, size - 1),
            np.maximum(lower - 1, 0),
            size - np.maximum(lower, 1),
        ]
    )
    base = beginning[window // days]
    ends = base + entered.ravel()[window]
    in_order = bool(np.all((np.diff(leaving_day) >= 0) | (np.diff(subject) > 0)))
    if in_order:  # what left is the beginning of what entered
        sequence = entering
        bounds = [base + left.ravel()[window], ends]
    else:
        going = np.lexsort((leaving_day[leaves], subject[leaves]))
        sequence = np.concatenate([entering, entering[leaves][going]])
        gone = np.bincount(subject[leaves], minlength=subjects)
        gone_base = (len(entering) + np.cumsum(gone) - gone)[window // days]
        bounds = [base, ends, gone_base, gone_base + left.ravel()[window]]
    times = len(wanted) // max(len(window), 1)
    found = _select(sequence, [np.tile(bound, times) for bound in bounds], wanted)
    value = sorted_values[np.tile(base, times) + found].reshape(times, -1)

    def spread(values: Floats) -> Floats:
        whole = np.full(subjects * days, np.nan)
        whole[window] = values
        return whole.reshape(subjects, days)

    return Quantiles(
        n,
        spread(value[0] + (value[1] - value[0]) * middle_share),
        spread(value[2] + (value[3] - value[2]) * ninety_share),
        spread(np.where(lower > 0, value[4], np.nan)),
        spread(np.where(lower > 0, value[5], np.nan)),
    )


def _place(size: Ints, share: float) -> tuple[Ints, Floats]:
    """Between which order statistics (from 0) a quantile lies, and how far from the lower one, as percentile_cont."""
    place = share * (size - 1)
    lower = np.floor(place).astype(np.int64)
    return lower, place - lower


def _ranked(spans: Spans, subjects: int) -> tuple[Floats, NDArray[np.int32], Ints]:
    """The values sorted by subject and value; each span's rank in its subject; where the subjects begin."""
    by_value = np.argsort(spans.value, kind="stable")
    order = by_value[np.argsort(_short(spans.subject[by_value], subjects), kind="stable")]
    sizes = np.bincount(spans.subject, minlength=subjects).astype(np.int64)
    beginning = np.cumsum(sizes) - sizes
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order)) - np.repeat(beginning, sizes)
    return spans.value[order].astype(np.float64), rank, beginning


def _short(keys: Ints, bound: int) -> NDArray[np.uint16] | Ints:
    return keys.astype(np.uint16) if bound <= _SHORT_KEYS else keys


def _prefixes(subject: Ints, day: Ints, subjects: int, days: int) -> Ints:
    """How many lie at or before each day, by subject."""
    found = np.bincount(subject * days + day, minlength=subjects * days).astype(np.int64)
    return np.cumsum(found.reshape(subjects, days), axis=1)


def _select(sequence: NDArray[np.int32], bounds: list[Ints], wanted: Ints) -> Ints:
    """The `wanted`-th smallest of sequence[b0:b1] less sequence[b2:b3], for arrays of bounds; a bit at a time."""
    places = [bound.astype(np.int32) for bound in bounds]
    wanted = wanted.astype(np.int32)
    found = np.zeros(len(wanted), dtype=np.int64)
    for bit in reversed(range(int(sequence.max(initial=0)).bit_length())):
        is_low = (sequence >> bit) & 1 == 0
        low_before = np.zeros(len(sequence) + 1, dtype=np.int32)
        np.cumsum(is_low, out=low_before[1:])
        lows = [low_before[place] for place in places]
        low = lows[1] - lows[0]
        if len(lows) > 2:
            low -= lows[3] - lows[2]
        is_high = wanted >= low
        wanted = np.where(is_high, wanted - low, wanted)
        found |= is_high.astype(np.int64) << bit
        # The low ones come first in the next round, the high ones after them, both in their order.
        places = [
            np.where(is_high, low_before[-1] + place - before, before)
            for place, before in zip(places, lows, strict=True)
        ]
        sequence = np.concatenate([sequence[is_low], sequence[~is_low]])
    return found


def survival_medians(answered: Spans, waiting: Spans, subjects: int, days: int, midnight: int) -> Floats:
    """Median durations by Kaplan and Meier, of answered items and such that still wait, by subject and day.

    An item that waits at the end of a day has lasted at least until then (censored there); what is answered at that
    same duration comes before it. The median is the first duration at which half or less is expected to wait.

    Args:
        answered: spans with the duration in microseconds.
        waiting: spans of the days at whose end the item waits, with the moment it was opened at, in microseconds.
        midnight: the moment at which day 0 begins, in the same count.

    Returns:
        Hours; NaN where nothing is in the window, and where the curve does not come down to a half.
    """
    answered, waiting = answered.within(days), waiting.within(days)
    answered = answered.take(np.argsort(answered.value, kind="stable"))
    waiting = waiting.take(np.argsort(-waiting.value, kind="stable"))
    result = np.full((subjects, days), np.nan)
    rows = sum(int(np.sum(_lengths(spans, 0, days))) for spans in (answered, waiting))
    block = max(1, min(_SHORT_KEYS // max(subjects, 1), days * _ROWS_AT_ONCE // max(rows, 1), days))
    for begin in range(0, days, block):
        end = min(begin + block, days)
        result[:, begin:end] = _survival(answered, waiting, subjects, begin, end, midnight)
    return result


def _lengths(spans: Spans, begin: int, end: int) -> Ints:
    """On how many of the days [begin, end) each counts."""
    length = np.minimum(spans.last, end - 1) - np.maximum(spans.first, begin) + 1
    found: Ints = np.maximum(length, 0)
    return found


def _by_window(spans: Spans, subjects: int, begin: int, end: int) -> tuple[Ints, Ints, Ints]:
    """Each span once for every day of [begin, end) on which it counts, by subject and day: (window, which, day)."""
    lengths = _lengths(spans, begin, end)
    which = np.repeat(np.arange(len(lengths)), lengths)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    day = np.maximum(spans.first, begin)[which] + offset
    window = spans.subject[which] * (end - begin) + day - begin
    order = np.argsort(_short(window, subjects * (end - begin)), kind="stable")
    return window[order], which[order], day[order]


def _survival(answered: Spans, waiting: Spans, subjects: int, begin: int, end: int, midnight: int) -> Floats:
    windows = subjects * (end - begin)
    window, which, _ = _by_window(answered, subjects, begin, end)
    duration = answered.value[which].astype(np.int64)
    waits_in, waits, wait_day = _by_window(waiting, subjects, begin, end)
    lasted = midnight + (wait_day + 1) * _DAY - waiting.value[waits].astype(np.int64)

    answers = np.bincount(window, minlength=windows)
    everything = answers + np.bincount(waits_in, minlength=windows)
    # One number that sorts by window, then by duration; durations are cut where no window reaches.
    longest = int(max(duration.max(initial=0), lasted.max(initial=0))) + 1
    width = 1 << longest.bit_length()
    if windows * width >= 1 << 62:
        raise OverflowError(f"durations of {longest / _DAY:.0f} days in {windows} windows are too many at once")
    censored_before = np.searchsorted(waits_in * width + lasted, window * width + duration)
    waits_count = np.bincount(waits_in, minlength=windows)
    censored_before -= (np.cumsum(waits_count) - waits_count)[window]
    answered_before = np.arange(len(window)) - (np.cumsum(answers) - answers)[window]
    at_risk = everything[window] - answered_before - censored_before

    with np.errstate(divide="ignore"):
        step = np.maximum(np.log1p(-1.0 / at_risk), -5.0)  # under a half in any case
    survival = np.cumsum(step)
    earlier = np.concatenate([[0.0], survival])[np.cumsum(answers) - answers]
    crossed = np.flatnonzero(survival - earlier[window] <= np.log(0.5) + 1e-9)
    result = np.full(windows, np.nan)
    # The first crossing of a window is written last.
    result[window[crossed[::-1]]] = duration[crossed[::-1]] / _HOUR
    return result.reshape(subjects, end - begin)


def expanded(codes: Ints, members: list[Ints]) -> tuple[Ints, Ints]:
    """For things with codes, and the subjects of each code: (which thing, which subject), once for every pair."""
    if not members:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    sizes = np.array([len(one) for one in members])
    subjects = np.concatenate(members)
    beginning = np.cumsum(sizes) - sizes
    lengths = sizes[codes]
    which = np.repeat(np.arange(len(codes)), lengths)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return which, subjects[beginning[codes][which] + offset]
