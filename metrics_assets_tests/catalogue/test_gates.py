"""The files of release gates: groups, levels, shares of the score, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from metrics_assets.catalogue.gates import Criterion, Gate, load_gates, read_gates
from metrics_assets.catalogue.metrics import Catalogue, Metric
from metrics_assets.errors import CatalogueError

STARS = Metric(key="stars", title="S", definition="D", unit="count", direction="higher", fed="kpi_values")
CATALOGUE = Catalogue(metrics={"stars": STARS})
POPULAR: dict[str, Any] = {"key": "popular", "title": "Popular", "metric": "stars", "at_least": 1000, "days": 7}
AUDITED: dict[str, Any] = {"key": "audited", "title": "Audited"}
USED: dict[str, Any] = {"key": "used", "title": "Used"}


def group(*criteria: dict[str, Any], name: str = "all", **more: Any) -> dict[str, Any]:
    return {"group": name, "title": name.title(), "criteria": list(criteria), **more}


def gate(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"key": "beta", "title": "Beta", "groups": list(groups), **more}


def written(folder: Path, name: str, *gates: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(yaml.safe_dump({"gates": list(gates)}))
    return file


def test_what_is_shipped_can_be_read() -> None:
    for one in load_gates().values():
        assert sum(share for _, _, share in one.criteria()) == pytest.approx(1)


def test_groups_share_the_score_by_their_weights_and_criteria_by_theirs() -> None:
    one = Gate.model_validate(
        gate(
            group(POPULAR | {"weight": 3}, AUDITED | {"weight": 1}, name="first", weight=60),
            group(USED, name="second", weight=40, level="should"),
        )
    )
    assert [(g.level, c.key, round(share, 6)) for g, c, share in one.criteria()] == [
        ("must", "popular", 0.45),
        ("must", "audited", 0.15),
        ("should", "used", 0.4),
    ]
    equal = Gate.model_validate(gate(group(POPULAR, AUDITED, name="first"), group(USED, name="second")))
    assert [share for _, _, share in equal.criteria()] == [0.25, 0.25, 0.5]


@pytest.mark.parametrize(
    ("given", "target"),
    [
        (POPULAR, "at least 1,000 on each of the last 7 days"),
        (POPULAR | {"days": 1, "at_least": 0.9995}, "at least 0.9995"),
        (POPULAR | {"days": 1, "at_least": 10, "below": 20}, "at least 10 and below 20"),
        (AUDITED, "evidence"),
        (AUDITED | {"above": 4}, "above 4"),
    ],
)
def test_a_criterion_says_its_target_in_words(given: dict[str, Any], target: str) -> None:
    assert Criterion.model_validate(given).target == target


def test_the_users_own_gate_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    built_in = written(tmp_path / "packs", "growth.yaml", gate(group(POPULAR)))
    mine = written(tmp_path / "mine", "gates.yaml", gate(group(AUDITED), title="Mine"))
    assert read_gates([built_in], CATALOGUE)["beta"].pack == "growth"
    found = read_gates([built_in, mine], CATALOGUE, own=tmp_path / "mine")["beta"]
    assert (found.title, found.pack) == ("Mine", None)
    with pytest.raises(CatalogueError, match=r"gates.yaml, gate beta: the key stands twice \(also in growth.yaml\)"):
        read_gates([built_in, mine], CATALOGUE, own=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (gate(group(POPULAR | {"metric": "star"})), "gate beta, criterion popular: there is no metric 'star'; did you"),
        (gate(group(POPULAR | {"at_least": None})), "has a metric and no condition"),
        (gate(group(AUDITED | {"days": 3})), "has days or a subject without a metric"),
        (gate(group(POPULAR | {"subject": "acme"})), "subject_kind and subject belong together"),
        (gate(group(AUDITED, AUDITED)), "has the criterion 'audited' twice; keep one of them"),
        (gate(group(AUDITED), group(USED)), "has the group 'all' twice; keep one of them"),
        (gate(group(AUDITED, level="nice")), "has no group of level must, so that it would always pass"),
        (gate(group(AUDITED, level="maybe")), "groups.0.level: Input should be 'must', 'should' or 'nice'"),
        (gate(group(AUDITED, weight=0)), "groups.0.weight: Input should be greater than 0"),
        (gate(group(AUDITED, name="a", weight=1), group(USED, name="b")), "has some groups with a weight and some"),
        (gate(group(AUDITED | {"weight": 2}, USED)), "has some criteria of 'all' with a weight and some without"),
        (gate(), "groups: Tuple should have at least 1 item"),
        (gate(group()), "groups.0.criteria: Tuple should have at least 1 item"),
    ],
)
def test_wrong_gates_are_named(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        read_gates([written(tmp_path, "some.yaml", wrong)], CATALOGUE)
    assert said in str(caught.value)
    assert str(caught.value).startswith("some.yaml, gate beta")
