"""The sentences at the head of pages are right whatever there is: nothing known, one repository, none active."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.reporting import verdict
from metrics_assets.reporting.data import FOUR_KEYS, TIERS, Series
from metrics_assets.reporting.pages.delivery_words import delivery_sentences
from metrics_assets.reporting.pages.repositories import list_sentences
from metrics_assets.reporting.pages.summaries import Summary

from . import sample


def keys(*ends: float | str | None) -> list[Series]:
    return [sample.series(key, end) for key, end in zip(FOUR_KEYS, ends, strict=True)]


def overview(summaries: Sequence[Summary], of_keys: Sequence[Series], goals: Sequence[verdict.Goal] = ()) -> str:
    return " ".join(verdict.overview_sentences(of_keys, summaries, goals, sample.metrics()))


def test_nothing_known_is_said_and_not_rated() -> None:
    said = overview(sample.summaries()[5:6], keys(None, None, None, None))
    assert said.startswith("None of the four keys is known: each has no figure, or stands on too few rows.")
    assert "No goal is set." in said
    assert "Against" not in said
    assert not re.search(r"Elite|High|Medium|Low", said)


def test_a_library_that_nobody_deploys_is_told_so() -> None:
    said = verdict.repository_sentences("active", None, keys(None, None, None, None), 0, 0)
    assert "nothing says when it ships" in said[0]
    shipped = verdict.repository_sentences("active", "releases", keys(0.1, None, None, None), 0, 0)
    assert shipped[0].startswith("Deployment frequency needs attention: ")
    assert shipped[0].endswith(", Medium.")


def test_good_keys_are_counted_and_the_missing_ones_named() -> None:
    assert verdict.standing(keys(2.0, 5.0, 0.01, 0.5)) == "All four keys are High or better."
    assert (
        verdict.standing(keys(2.0, 5.0, 0.01, None))
        == "Three of four keys are High or better; failed deployment recovery time is not known."
    )


def test_the_worst_key_comes_first() -> None:
    said = verdict.standing(keys(0.1, 9000.0, 0.01, 0.5))
    assert said == "Lead time for changes and deployment frequency need attention."


@pytest.mark.parametrize(
    ("weeks", "said"),
    [
        ([10.0, 10.0, 900.0], "It is new: a week before it was Elite."),
        ([10.0, 900.0, 900.0, 900.0], "It has been Medium or Low for 2 weeks, since 6 Nov 2026."),
        ([None, 900.0, 900.0], "It has been Medium or Low in every week that is known, since 13 Nov 2026."),
        ([10.0, None, 900.0, 900.0], "It has been Medium or Low for 1 week at least, since 13 Nov 2026."),
        ([900.0], None),
        ([None, 900.0], None),
        ([10.0, 10.0], None),
    ],
)
def test_new_and_lasting_are_told_apart(weeks: list[float | None], said: str | None) -> None:
    found = verdict.lasting(sample.weeks_of("lead_time_hours", weeks))
    found = found.replace("\u00a0", " ").replace("That is new", "It is new") if found else found
    assert found == said


def test_the_change_is_from_then_to_now_and_says_which_way_is_better() -> None:
    shorter = sample.weeks_of("lead_time_hours", [40.0, 30.0, 30.0, 30.0, 20.0])
    rarer = sample.weeks_of("deployment_frequency", [4.0, 3.0, 3.0, 3.0, 2.0])
    same = sample.weeks_of("change_failure_rate", [0.1, 0.1, 0.1, 0.1, 0.1])
    said = (verdict.against_before([shorter, rarer, same]) or "").replace("\u00a0", " ")
    assert said == (
        "Against 28 days before, deployment frequency (4 per day to 2 per day) got worse; "
        "lead time for changes (1.7 d to 20 h) got better; the rest is about the same."
    )
    assert verdict.against_before([same]) == "Against 28 days before, all is about the same."
    unknown_then = sample.weeks_of("lead_time_hours", [None, 30.0, 30.0, 30.0, 20.0])
    assert verdict.against_before([unknown_then]) is None


def test_goals_say_how_far_behind() -> None:
    goals = [
        sample.goal("a", 30.0, "at risk"),
        sample.goal("b", 96.0, "off track", subject_kind="repository", subject="aurora/billing"),
        sample.goal("c", 3.0, "met"),
        sample.goal("d", None, "unknown"),
    ]
    said = verdict.goals_sentence(goals, sample.metrics()).replace("\u00a0", " ")
    assert said == (
        "Behind in 2 of 3 goals (1 off track and 1 at risk); furthest is “B” in aurora/billing: 4 d, "
        "the goal is under 1 d."
    )
    assert verdict.goals_sentence(goals[2:3], sample.metrics()) == "The goal is met or on track."
    assert verdict.goals_sentence(goals[3:], sample.metrics()) == "1 goal is set; none can be judged yet."
    assert verdict.goals_sentence([], sample.metrics()) == "No goal is set."


def test_where_names_the_worst_and_counts_only_rated_ones() -> None:
    metric = sample.metrics()["lead_time_hours"]
    said = (verdict.where(sample.summaries(), metric) or "").replace("\u00a0", " ")
    assert said == (
        "It is Medium or Low in aurora/design-system (11 d) and aurora/billing (8.2 d), 2 of 5 rated repositories."
    )
    assert verdict.where(sample.summaries()[:1], metric) is None
    only = verdict.where(sample.summaries()[1:2], metric)
    assert only is not None
    assert only.startswith("The one repository that is rated is aurora/billing")


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((), "There is no repository yet: metrics.yaml names none, or none was collected."),
        (("archived",), "The one repository is archived."),
        (("archived", "archived"), "All 2 repositories are archived."),
        (("archived", "gone"), "None of the 2 repositories is active: 1 archived and 1 gone."),
    ],
)
def test_a_portfolio_without_active_repositories_is_not_rated(states: tuple[str, ...], said: str) -> None:
    summaries = [sample.summary(f"a/{n}", (), state=state) for n, state in enumerate(states)]
    # What the archived ones shipped in the window is no news of the present.
    assert overview(summaries, keys(0.001, 9000.0, 0.9, 900.0)).startswith(said)
    assert list_sentences(summaries) == (said,)
    assert delivery_sentences(keys(0.001, 9000.0, 0.9, 900.0), [], summaries) == (said,)


def test_states_of_a_repository_are_sentences() -> None:
    for state in ("archived", "gone", "blocked", "empty"):
        (said,) = verdict.repository_sentences(state, None, keys(None, None, None, None), 3, 3)
        assert said.endswith(".")


ends = st.none() | st.just("2") | st.floats(0.0001, 50_000, allow_nan=False)
one_summary = st.builds(
    lambda name, state, values, critical: replace(
        sample.summary(f"a/{name}", values, state=state), critical=critical, warning=critical
    ),
    st.text("abc", min_size=1, max_size=3),
    st.sampled_from(["active", "active", "archived", "empty", "gone", "blocked"]),
    st.lists(ends, min_size=8, max_size=8),
    st.integers(0, 2),
)
a_goal = st.builds(
    sample.goal,
    st.text("xyz", min_size=1, max_size=2),
    st.none() | st.floats(0, 1000),
    st.sampled_from(["met", "on track", "at risk", "off track", "unknown"]),
)


@given(
    st.lists(one_summary, max_size=5, unique_by=lambda one: one.repository),
    st.lists(ends, min_size=4, max_size=4),
    st.lists(a_goal, max_size=4),
)
def test_sentences_hold_for_every_portfolio(
    summaries: list[Summary], of_portfolio: list[float | str | None], goals: list[verdict.Goal]
) -> None:
    of_keys = keys(*of_portfolio)
    active = [one for one in summaries if one.state == "active"]
    for sentences in (
        verdict.overview_sentences(of_keys, summaries, goals, sample.metrics()),
        delivery_sentences(of_keys, [], summaries),
        list_sentences(summaries),
        *(verdict.repository_sentences(one.state, one.ships_by, of_keys, one.critical, 0) for one in summaries),
    ):
        assert sentences
        for sentence in sentences:
            assert sentence[0].isupper() or sentence[0].isdigit()
            assert sentence.endswith(".")
            assert not re.search(
                r"None[^a-z ]|nan|\(\)|  |, ,| 0 of | 0 goals|\b1 (goals|weeks|repositories)\b", sentence
            )
    said = " ".join(verdict.overview_sentences(of_keys, summaries, goals, sample.metrics()))
    if active:
        weak = [one for one in of_keys if one.tier in verdict.WEAK]
        assert ("need attention" in said or "needs attention" in said) == bool(weak)
    else:
        # Nothing is said of delivery where nothing is active.
        assert not any(tier.title() in said for tier in TIERS)
    for one in summaries:
        if one.state != "active" and goals == []:
            assert not re.search(rf"{one.repository}\b", said)
