"""Ranges of days, zeros that are none, versions, vectors, paces."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metrics_assets.sources.registries.cvss import base_score, rating
from metrics_assets.sources.registries.days import holes, slices
from metrics_assets.sources.registries.pace import Paced
from metrics_assets.sources.registries.versions import is_prerelease, is_pseudo, precedence
from metrics_assets_tests.sources.scripted import Clock

DAY = timedelta(days=1)
days = st.dates(date(2015, 1, 10), date(2030, 1, 1))


@given(first=days, length=st.integers(-3, 2000), longest=st.integers(1, 600))
def test_slices_are_the_range_once(first: date, length: int, longest: int) -> None:
    last = first + length * DAY
    found = list(slices(first, last, longest))
    covered = [start + number * DAY for start, end in found for number in range((end - start).days + 1)]
    assert covered == [first + number * DAY for number in range(length + 1)]
    assert all(0 <= (end - start).days < longest for start, end in found)
    assert all((end - start).days + 1 == longest for start, end in found[:-1])


@given(st.lists(st.sampled_from([0, 0, 1, 2, 5, 9, 11, 40]), max_size=40), st.integers(0, 39))
@example([40, 0, 1, 40, 40, 40, 40], 3)
@example([40, 0, 0, 40], 2)
@settings(max_examples=300)
def test_a_zero_that_stands_is_never_taken_back_by_later_days(counts: list[int], until: int) -> None:
    series = {date(2026, 1, 1) + number * DAY: count for number, count in enumerate(counts)}
    early = dict(list(series.items())[:until])
    began = next((day for day, count in early.items() if count), date.max)
    zeros_then = {day for day, count in early.items() if count == 0 and day > began} - holes(early)
    assert not zeros_then & holes(series)


@pytest.mark.parametrize(
    ("counts", "unknown"),
    [
        ([280, 250, 260, 0, 270, 240, 290], [3]),  # counting failed
        ([280, 250, 260, 0, 0, 270, 240], [3, 4]),  # two days in a row
        ([280, 250, 260, 0, 0], [3, 4]),  # the newest days, not counted yet
        ([3, 0, 1, 0, 0, 2, 1], []),  # a small package
        ([0, 0, 0], []),  # nothing says that there are ever any
        ([2, 1, 0, 300, 280, 310], []),  # before it became known
        ([300, 280, 310, 0, 2, 1, 0, 1], []),  # after it was replaced
        ([280, 250, 0, 260, 0, 270, 240], [2, 4]),  # twice within a week
        ([0, 280, 250], [0]),
    ],
)
def test_a_zero_between_large_neighbours_is_unknown(counts: list[int], unknown: list[int]) -> None:
    series = {date(2026, 1, 1) + number * DAY: count for number, count in enumerate(counts)}
    assert holes(series) == {date(2026, 1, 1) + number * DAY for number in unknown}


def test_the_recorded_days_on_which_npm_counted_nothing(real_data: Path) -> None:
    folder = real_data / "registries" / "npm_downloads_range"
    found = {}
    for name in ("electron", "electron-nightly", "electron-prebuilt"):
        rows = json.loads((folder / f"{name}.json").read_text())["downloads"]
        found[name] = {day.isoformat() for day in holes({date.fromisoformat(r["day"]): r["downloads"] for r in rows})}
    assert found["electron"] == {
        "2025-10-21", "2026-06-04", "2026-07-09", "2026-07-12", "2026-08-14", "2026-08-22", "2026-08-23",
    }  # fmt: skip
    assert {"2025-10-18", "2025-10-19"} <= found["electron-nightly"]
    assert "2025-10-19" in found["electron-prebuilt"]


def test_versions_have_the_order_of_semver_org() -> None:
    rising = [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
        "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0",
    ]  # fmt: skip
    ranks = [precedence(version) for version in rising]
    assert None not in ranks
    assert sorted(ranks, key=lambda rank: rank or ()) == ranks  # type: ignore[return-value,arg-type]
    assert precedence("1.0.0+build.5") == precedence("1.0.0") == precedence("v1.0.0")
    assert precedence("2024.1") is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.0.0-rc.1", True), ("1.0.0", False), ("1.0.0+exp-sha", False), ("v2.0.0+incompatible", False), ("odd", False)],
)
def test_prereleases_have_a_hyphen_part(version: str, expected: bool) -> None:
    assert is_prerelease(version) is expected


def test_versions_that_go_makes_of_commits() -> None:
    assert is_pseudo("v0.0.0-20240102150405-abcdefabcdef")
    assert is_pseudo("v1.2.4-0.20240102150405-abcdefabcdef")
    assert not is_pseudo("v1.2.4-rc.1")


@pytest.mark.parametrize(
    ("vector", "score", "word"),
    [  # from FIRST's document of examples
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, "moderate"),
        ("CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, "high"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, None),
        ("CVSS:4.0/AV:N/AC:L", None, None),
        ("CVSS:3.1/AV:N", None, None),
    ],
)
def test_vectors_have_their_published_scores(vector: str, score: float | None, word: str | None) -> None:
    assert base_score(vector) == score
    assert rating(vector) == word


def test_a_pace_holds_for_many_at_once() -> None:
    clock = Clock()
    began: list[float] = []

    async def ask(paced: Paced) -> None:
        await paced.authorization()
        began.append(clock.now)

    async def go() -> None:
        paced = Paced(1.0, clock.sleep, clock)
        await asyncio.gather(*(ask(paced) for _ in range(4)))

    asyncio.run(go())
    assert [later - earlier for earlier, later in pairwise(began)] == [1.0, 1.0, 1.0]
