"""How much may be asked, and when: each limit against a plain model of what it promises."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.sources.governor import (
    LONGEST_PAUSE_SECONDS,
    Allowance,
    Breaker,
    Budget,
    Busy,
    HourlyCap,
    PerMinute,
)

NOW = 1_000_000.0


def says(remaining: object, reset: object, limit: object = 100) -> dict[str, str]:
    """The headers of an answer."""
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


def budget(share: float, *answers: dict[str, str]) -> Budget:
    """A budget that has read some answers."""
    found = Budget(share)
    for headers in answers:
        found.learn(headers)
    return found


# --- Budget ---


@pytest.mark.parametrize(
    ("share", "remaining", "in_flight", "wait"),
    [
        (1.0, 1, 0, 0),
        (1.0, 0, 0, 601),
        (0.8, 21, 0, 0),
        (0.8, 20, 0, 601),  # twenty are left to others
        (0.8, 25, 4, 0),
        (0.8, 25, 5, 601),  # those on their way are spent
        (0.5, 50, 0, 601),
    ],
)
def test_a_share_is_left_to_others(share: float, remaining: int, in_flight: int, wait: float) -> None:
    found = budget(share, says(remaining, NOW + 600))
    found.in_flight = in_flight
    assert found.wait_seconds(NOW) == wait


def test_nothing_is_waited_for_where_nothing_is_known_or_the_hour_is_over() -> None:
    assert budget(0.5).wait_seconds(NOW) == 0
    used_up = budget(1.0, says(0, NOW + 600))
    assert used_up.wait_seconds(NOW + 599) == 2
    assert used_up.wait_seconds(NOW + 600) == 0


def test_no_wait_is_longer_than_an_hour() -> None:
    assert budget(1.0, says(0, NOW + 1e9)).wait_seconds(NOW) == LONGEST_PAUSE_SECONDS


@given(st.permutations(range(40, 60)))
def test_within_an_hour_the_lowest_figure_is_the_newest_in_whatever_order_answers_come(order: list[int]) -> None:
    assert budget(1.0, *(says(remaining, NOW + 600) for remaining in order)).remaining == 40


def test_answers_of_the_hour_before_say_nothing_of_this_one_and_a_new_hour_begins_anew() -> None:
    found = budget(1.0, says(5, NOW + 600), says(99, NOW + 4200), says(0, NOW + 600))
    assert (found.remaining, found.reset_at) == (99, NOW + 4200)


def test_a_reset_that_wavers_by_seconds_is_the_same_hour() -> None:
    assert budget(1.0, says(50, NOW + 600), says(60, NOW + 605), says(45, NOW + 595)).remaining == 45


@pytest.mark.parametrize(
    "headers", [{}, says("many", NOW), says(5, "never"), says(5, NOW, ""), {"x-ratelimit-remaining": "0"}]
)
def test_headers_that_say_nothing_are_passed_over(headers: dict[str, str]) -> None:
    assert budget(1.0, headers).wait_seconds(NOW) == 0


# --- windows ---

steps = st.lists(st.floats(0, 90), max_size=60)


@given(steps=steps, limit=st.integers(1, 8))
def test_never_more_requests_a_minute_than_allowed(steps: list[float], limit: int) -> None:
    pace, now, sent = PerMinute(limit), NOW, list[float]()
    for step in steps:
        now += step
        while (wait := pace.wait_seconds(now)) > 0:
            assert wait <= 60
            now += wait
        pace.sent.append(now)
        sent.append(now)
    for moment in sent:
        assert sum(moment - 60 < other <= moment for other in sent) <= limit


def test_a_pace_waits_no_longer_than_it_must() -> None:
    pace = PerMinute(2, deque([NOW, NOW + 10]))
    assert pace.wait_seconds(NOW + 15) == 45
    assert pace.wait_seconds(NOW + 60) == 0


@given(
    work=st.lists(st.tuples(st.floats(0, 30), st.floats(0.001, 25)), max_size=60),
    limit=st.floats(1, 90),
)
def test_no_request_begins_while_a_minutes_work_is_spent(work: list[tuple[float, float]], limit: float) -> None:
    """How long an answer takes is known when it is there: a minute holds the limit and the last answer at most."""
    busy, now, answered = Busy(limit), NOW, list[tuple[float, float]]()
    for step, seconds in work:
        now += step
        while (wait := busy.wait_seconds(now)) > 0:
            assert wait <= 60
            now += wait
        assert sum(took for at, took in answered if now - 60 < at) <= limit + 1e-6
        now += seconds
        busy.add(now, seconds)
        answered.append((now, seconds))
    for moment, last in answered:
        assert sum(took for at, took in answered if moment - 60 < at <= moment) <= limit + last + 1e-6


def test_busy_waits_until_enough_is_a_minute_old_and_no_longer() -> None:
    busy = Busy(10)
    for at, seconds in ((0, 4.0), (10, 4.0), (20, 4.0)):
        busy.add(NOW + at, seconds)
    assert busy.wait_seconds(NOW + 20) == 40  # without the first, 8 are left
    busy.add(NOW + 20, 2.0)
    assert busy.wait_seconds(NOW + 20) == 50  # without the first, ten are left, and ten are all there is
    assert busy.wait_seconds(NOW + 80) == 0
    assert (busy.total, list(busy.answered)) == (0, [])


@given(
    uses=st.lists(st.tuples(st.floats(0, 1500), st.integers(1, 30)), max_size=40),
    limit=st.integers(30, 100),
    earlier=st.integers(0, 150),
)
def test_never_more_an_hour_than_metrics_yaml_allows(uses: list[tuple[float, int]], limit: int, earlier: int) -> None:
    cap, now = HourlyCap(limit, deque([(NOW, float(earlier))] if earlier else [])), NOW
    used = [(NOW, float(earlier))]
    for step, amount in uses:
        now += step
        while (wait := cap.wait_seconds(now)) > 0:
            assert wait <= 3600
            now += wait
        assert sum(one for at, one in used if now - 3600 < at) < limit
        cap.add(now, amount)
        used.append((now, float(amount)))


def test_what_an_earlier_run_used_counts_until_it_is_an_hour_old() -> None:
    cap = HourlyCap(100, deque([(NOW - 3000, 100.0)]))
    assert cap.wait_seconds(NOW) == 600
    assert cap.wait_seconds(NOW + 600) == 0


# --- Breaker ---


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def test_the_circuit_opens_after_five_failures_in_a_row() -> None:
    time = Time()
    breaker = Breaker(time)
    for _ in range(4):
        breaker.failed()
        assert not breaker.is_open()
    breaker.failed()
    assert breaker.is_open()


def test_a_success_between_failures_begins_the_count_anew() -> None:
    breaker = Breaker(Time())
    for _ in range(3):
        for _ in range(4):
            breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open()


def test_after_a_minute_one_may_try_and_closes_or_opens_it() -> None:
    time = Time()
    breaker = Breaker(time)
    for _ in range(5):
        breaker.failed()
    time.now += 59
    assert breaker.is_open()
    time.now += 1
    assert not breaker.is_open()
    breaker.failed()  # one is enough now
    assert breaker.is_open()
    time.now += 60
    assert not breaker.is_open()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()
    assert not breaker.is_open()


# --- Allowance ---


def test_of_all_limits_the_longest_wait_counts() -> None:
    allowance = Allowance(1.0, {"core": 1}, {"core": 5.0})
    assert allowance.wait_seconds("core", NOW) == 0
    allowance.paces["core"].sent.append(NOW - 50)
    assert allowance.wait_seconds("core", NOW) == 10
    allowance.busy["core"].add(NOW - 30, 9.0)
    assert allowance.wait_seconds("core", NOW) == 30
    allowance.budget("core").learn(says(0, NOW + 99))
    assert allowance.wait_seconds("core", NOW) == 100


def test_each_resource_has_limits_of_its_own() -> None:
    allowance = Allowance(1.0, {"core": 1}, {})
    allowance.budget("core").learn(says(0, NOW + 99))
    allowance.paces["core"].sent.append(NOW)
    assert allowance.wait_seconds("graphql", NOW) == 0
    assert allowance.wait_seconds("core", NOW) == 100


def test_what_is_left_is_told_as_a_share() -> None:
    allowance = Allowance(1.0, {}, {})
    assert allowance.left("core") == 1
    allowance.budget("core").learn(says(60, NOW + 99))
    allowance.budget("core").in_flight = 10
    assert allowance.left("core") == 0.5
    allowance.budget("core").learn(says(0, NOW + 9999, limit=0))
    assert allowance.left("core") == 1
