"""The files of goals, north stars and packs: what they say, who replaces whom, and what is wrong is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from metrics_assets.catalogue.goals import load_goals, load_north_stars, read_goals, read_north_stars
from metrics_assets.catalogue.metrics import Catalogue, read_catalogue
from metrics_assets.catalogue.packs import load_packs
from metrics_assets.errors import CatalogueError

METRICS = """
metrics:
  - {key: stars, title: Stars, definition: D, unit: count, direction: higher, fed: kpi_values}
  - {key: hours, title: Hours, definition: D, unit: hours, direction: lower, fed: kpi_values}
  - {key: size, title: Size, definition: D, unit: count, direction: neutral, fed: kpi_values}
"""
GOAL = "{key: g, title: G, metric: stars, target: 5"


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    file = tmp_path / "metrics.yaml"
    file.write_text(METRICS)
    return read_catalogue([file])


def written(folder: Path, name: str, *entries: str, kind: str = "goals") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"{kind}:\n" + "".join(f"  - {entry}\n" for entry in entries))
    return file


def test_what_is_shipped_can_be_read() -> None:
    assert {goal.key for goal in load_goals().values()} == set(load_goals())
    assert all(star.why for star in load_north_stars())
    assert all(pack.pack == name for name, pack in load_packs().items())


def test_a_goal_takes_its_comparison_from_the_metric(tmp_path: Path, catalogue: Catalogue) -> None:
    file = written(
        tmp_path / "goals",
        "some.yaml",
        GOAL + "}",
        "{key: fast, title: F, metric: hours, target: 24, from: 2025-01-01, by: 2025-06-30, base: 48, owner: team}",
        "{key: small, title: S, metric: size, target: 24, comparison: below}",
    )
    goals = read_goals([file], catalogue)
    assert [goal.comparison for goal in goals.values()] == ["at_least", "at_most", "below"]
    assert [goal.has_a_date for goal in goals.values()] == [False, True, False]
    assert (goals["fast"].starts, goals["fast"].by) == (date(2025, 1, 1), date(2025, 6, 30))
    assert {goal.pack for goal in goals.values()} == {None}


def test_a_pack_is_known_by_its_folder(tmp_path: Path, catalogue: Catalogue) -> None:
    file = written(tmp_path / "packs", "growth.yaml", GOAL + "}")
    assert read_goals([file], catalogue)["g"].pack == "growth"


def test_the_users_own_goal_takes_the_place_of_a_built_in_one(tmp_path: Path, catalogue: Catalogue) -> None:
    built_in = written(tmp_path / "packs", "growth.yaml", GOAL + "}", "{key: h, title: H, metric: hours, target: 2}")
    mine = written(tmp_path / "mine", "goals.yaml", "{key: g, title: My own, metric: stars, target: 9}")
    goals = read_goals([built_in, mine], catalogue, own=tmp_path / "mine")
    assert [(goal.key, goal.target, goal.pack) for goal in goals.values()] == [("g", 9, None), ("h", 2, "growth")]


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("goals", "packs"), "b.yaml, goal g: the key stands twice (also in a.yaml); keep one entry."),
        (("mine", "mine"), "b.yaml, goal g: the key stands twice (also in a.yaml); keep one entry."),
    ],
)
def test_two_of_the_same_kind_are_an_error(
    folders: tuple[str, str], said: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    files = [written(tmp_path / folder, f"{name}.yaml", GOAL + "}") for folder, name in zip(folders, "ab", strict=True)]
    with pytest.raises(CatalogueError) as caught:
        read_goals(files, catalogue, own=tmp_path / "mine")
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (GOAL + ", colour: red}", "some.yaml, goal g: colour: Extra inputs are not permitted."),
        (GOAL.replace("target: 5", "target: many") + "}", "goal g: target: Input should be a valid number"),
        (GOAL.replace("key: g, ", "") + "}", "some.yaml, goal stars: key: Field required"),
        (GOAL.replace("stars", "star") + "}", "goal g: there is no metric 'star'; did you mean 'stars'?"),
        (GOAL.replace("stars", "zzz") + "}", "there is no metric 'zzz'; use a key of catalogue/metrics."),
        (GOAL.replace("stars", "size") + "}", "size is better neither higher nor lower; say comparison"),
        (GOAL + ", by: 2025-06-01, months: 3}", "has by and months; keep one of them"),
        (GOAL + ", base: 3}", "has a base and no day by which it is reached"),
        (GOAL + ", by: 2025-01-01, from: 2025-01-01}", "let it begin before it is due"),
        (GOAL + ", subject_kind: planet}", "goal g: subject_kind: Input should be 'repository'"),
        (GOAL + ", requirements: [X-1]}", "'X-1' is no id of a requirement; write it like S4-05"),
        ("5", "goal 1: "),
    ],
)
def test_wrong_goals_are_named(entry: str, said: str, tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError) as caught:
        read_goals([written(tmp_path, "some.yaml", entry)], catalogue)
    assert said in str(caught.value)
    assert "some.yaml" in str(caught.value)


def test_north_stars_say_why(tmp_path: Path, catalogue: Catalogue) -> None:
    stars = "{metric: stars, why: People tell others.}"
    file = written(tmp_path / "packs", "growth.yaml", stars, kind="north_stars")
    (star,) = read_north_stars([file], catalogue)
    assert (star.metric, star.why, star.pack) == ("stars", "People tell others.", "growth")
    for wrong, said in [
        ("{metric: stars}", "north star stars: why: Field required"),
        ("{metric: hour, why: W}", "north star hour: there is no metric 'hour'; did you mean 'hours'?"),
    ]:
        with pytest.raises(CatalogueError, match="growth") as caught:
            read_north_stars([written(tmp_path / "packs", "growth.yaml", wrong, kind="north_stars")], catalogue)
        assert said in str(caught.value)
    with pytest.raises(CatalogueError, match=r"north star stars: it stands twice; keep one entry\."):
        read_north_stars([written(tmp_path / "packs", "growth.yaml", stars, stars, kind="north_stars")], catalogue)


def test_packs_have_a_head_of_their_own(tmp_path: Path) -> None:
    text = "pack: growth\ntitle: Growth\ndescription: D\nnot_covered: {S0-16: Nobody publishes it.}\n"
    text += "elsewhere: {S0-17: [page goals]}\n"
    (tmp_path / "growth.yaml").write_text(text)
    pack = load_packs(tmp_path)["growth"]
    assert (pack.metrics, pack.not_covered) == ((), {"S0-16": "Nobody publishes it."})
    assert pack.elsewhere == {"S0-17": ("page goals",)}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("growth", "pack: engineering\ntitle: T\ndescription: D\n", "name the file engineering.yaml."),
        ("mine", "pack: mine\ntitle: T\ndescription: D\n", "the pack (one of engineering, community"),
        ("growth", "pack: growth\ntitle: T\ndescription: D\nelsewhere: {S9-1: [a]}\n", "'S9-1' is no id of a"),
        ("growth", "pack: growth\ntitle: T\ndescription: D\npages: []\n", "pages: Extra inputs are not permitted"),
    ],
)
def test_wrong_packs_are_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(CatalogueError) as caught:
        load_packs(tmp_path)
    assert said in str(caught.value)
    assert f"{name}.yaml" in str(caught.value)
