"""The files of correlations: what they say, who replaces whom, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics_assets.catalogue.correlations import load_correlations, read_correlations
from metrics_assets.catalogue.metrics import Catalogue, read_catalogue
from metrics_assets.errors import CatalogueError

METRICS = """
metrics:
  - {key: stars, title: Stars, definition: D, unit: count, direction: higher, fed: kpi_values}
  - {key: hours, title: Hours, definition: D, unit: hours, direction: lower, fed: kpi_values}
  - {key: mood, title: Mood, definition: D, unit: score, direction: higher, fed: kpi_values, grain: week}
  - {key: rent, title: Rent, definition: D, unit: dollars, direction: lower, fed: kpi_values, grain: month}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    file = tmp_path / "metrics.yaml"
    file.write_text(METRICS)
    return read_catalogue([file])


def written(folder: Path, *entries: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "some.yaml"
    file.write_text("correlations:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))
    return file


def test_the_pairs_of_the_requirement_are_shipped() -> None:
    pairs = {(pair.x, pair.y) for pair in load_correlations().values() if "S4-45" in pair.requirements}
    assert pairs == {
        ("deployment_frequency", "lead_time_hours"),
        ("lead_time_hours", "change_failure_rate"),
        ("space_focus_hours", "space_bugs_per_1000_lines"),
        ("space_meeting_hours", "space_satisfaction"),
    }
    assert {pair.pack for pair in load_correlations().values()} == {None}


def test_what_an_entry_may_leave_out(tmp_path: Path, catalogue: Catalogue) -> None:
    (pair,) = read_correlations([written(tmp_path / "c", "key: p, x: stars, y: mood, why: W")], catalogue).values()
    assert (pair.max_lag_days, pair.days, pair.grain, pair.pack) == (0, 180, "week", None)


def test_a_user_s_own_pair_takes_the_place_of_a_built_in_one(tmp_path: Path, catalogue: Catalogue) -> None:
    built_in = written(tmp_path / "built_in", "key: p, x: stars, y: hours, why: W")
    own = written(tmp_path / "own", "key: p, x: hours, y: stars, why: Ours", "key: q, x: mood, y: stars, why: W")
    pairs = read_correlations([built_in, own], catalogue, own=tmp_path / "own")
    assert {key: pair.x for key, pair in pairs.items()} == {"p": "hours", "q": "mood"}


def test_a_pair_of_a_pack_says_so(tmp_path: Path, catalogue: Catalogue) -> None:
    (pair,) = read_correlations([written(tmp_path / "packs", "key: p, x: stars, y: hours, why: W")], catalogue).values()
    assert pair.pack == "some"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("key: p, x: stars, y: stars, why: W", "x and y are both stars"),
        ("key: p, x: stars, y: hour, why: W", "correlation p: there is no metric 'hour'; did you mean 'hours'?"),
        (
            "key: p, x: stars, y: rent, why: W",
            "rent has one value a month, the pair one a week; choose a metric of days",
        ),
        (
            "key: p, x: stars, y: mood, why: W, grain: day",
            "mood has one value a week, the pair one a day; say grain: week",
        ),
        ("key: p, x: stars, y: hours, why: W, max_lag_days: 10", "give a multiple of 7"),
        ("key: p, x: stars, y: hours, why: W, max_lag_days: 35, days: 90", "give at most a third of days"),
        ("key: p, x: stars, y: hours, why: W, days: 20", "days: Input should be greater than or equal to 28"),
        ("key: p, x: stars, y: hours", "why: Field required"),
        ("key: p, x: stars, y: hours, why: W, lag: 7", "lag: Extra inputs are not permitted"),
        ("key: p, x: stars, y: hours, why: W, requirements: [S9]", "'S9' is no id of a requirement"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, catalogue: Catalogue, entry: str, problem: str) -> None:
    with pytest.raises(CatalogueError, match=r"some\.yaml, correlation p") as error:
        read_correlations([written(tmp_path / "c", entry)], catalogue)
    assert problem in str(error.value)


def test_a_key_stands_once(tmp_path: Path, catalogue: Catalogue) -> None:
    entry = "key: p, x: stars, y: hours, why: W"
    with pytest.raises(CatalogueError, match="correlation p: the key stands twice; keep one entry"):
        read_correlations([written(tmp_path / "c", entry, entry)], catalogue)
