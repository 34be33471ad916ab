"""Score models of the catalogue, of packs and of users: which count, and what is wrong with one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from metrics_assets.analysis.scoring import CriticalityModel, Model, ScoreModel
from metrics_assets.assets.scores import load_scores
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.scores import Listed, read_scores, switched_on
from metrics_assets.errors import CatalogueError

NAMED = "score: {name}\nversion: {version}\ntitle: T\nminimum_coverage: 0.5\ncomponents:\n  - {part}\n"
PART = "{key: a, metric: commits, weight: 1, zero: 0, hundred: 10}"


def one(name: str, version: int = 1, part: str = PART) -> str:
    return NAMED.replace("{name}", name).replace("{version}", str(version)).replace("{part}", part)


def listed(text: str) -> str:
    """A model as it stands in a list."""
    return "scores:\n- " + text.replace("\n", "\n  ").rstrip() + "\n"


def read(folder: Path, **texts: str) -> dict[str, Listed[Model]]:
    """The models of some files; 'scores__a' is scores/a.yaml of the catalogue."""
    files = []
    for name, text in texts.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        files.append(path)
    adapter: TypeAdapter[Model] = TypeAdapter(Model)
    return read_scores(adapter.validate_python, load_catalogue(), files, built_in=folder)


def test_the_three_health_models_are_apart_and_criticality_has_both_formulas() -> None:
    models = {name: listed.model for name, listed in load_scores().items()}
    assert {"repository_health", "community_health", "product_success"} <= set(models)
    assert {name for name, model in models.items() if isinstance(model, CriticalityModel)} == {
        "criticality",
        "criticality_paper",
    }
    weights = {name: model.categories for name, model in models.items() if isinstance(model, ScoreModel)}
    assert list(weights["community_health"].values()) == [25, 20, 15, 20, 10, 10]
    assert weights["product_success"] == {"performance": 40, "adoption": 30, "quality": 20, "business": 10}
    assert sum(part.weight for part in models["repository_health"].components if isinstance(part.weight, float)) == 100


def test_every_figure_of_a_built_in_model_exists() -> None:
    known = load_catalogue().metrics
    for name, listed in load_scores().items():
        assert {part.metric for part in listed.model.components} <= set(known), name


def test_every_model_has_a_metric_of_its_own() -> None:
    conditions = {metric.where for metric in load_catalogue().metrics.values() if metric.table == "scores"}
    assert {f"score = '{name}'" for name in load_scores()} <= conditions


def test_a_pack_switches_a_model_on(tmp_path: Path) -> None:
    models = read(
        tmp_path, scores__a=one("a"), scores__b=one("b"), packs__community="scores: [b]\n", packs__launch="scores: [b]"
    )
    assert [model.score for model in switched_on(models, set())] == ["a"]
    assert [model.score for model in switched_on(models, {"launch"})] == ["a", "b"]


def test_a_user_s_own_model_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    models = read(
        tmp_path,
        scores__a=one("a"),
        scores__b=one("b"),
        packs__community="scores: [b]\n",
        own__mine=listed(one("b", version=7)),
    )
    assert [(model.score, model.version) for model in switched_on(models, set())] == [("a", 1), ("b", 7)]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"scores__a": one("a", part=PART.replace("zero: 0", "zero: 10"))}, "a.yaml, score a: .*two different values"),
        ({"scores__a": one("a", part=PART.replace("weight", "wieght"))}, r"a.yaml, score a: .*wieght: Extra inputs"),
        (
            {"scores__a": one("a"), "own__x": listed(one("b")), "own__y": listed(one("b"))},
            r"y.yaml, score b: the model stands twice \(also in x.yaml\)",
        ),
        ({"scores__a": one("a"), "packs__p": "scores: [c]"}, "p.yaml, scores: there is no score 'c'; the models are a"),
        (
            {"scores__a": one("a", part=PART.replace("commits", "comits"))},
            "a.yaml, score a: the component 'a' reads the metric 'comits', which does not exist",
        ),
        ({"own__x": "scores: []"}, "x.yaml holds no scores"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    with pytest.raises(CatalogueError, match=said):
        read(tmp_path, **texts)
