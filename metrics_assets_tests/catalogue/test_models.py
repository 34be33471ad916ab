"""CHAOSS's models: the built-in ones are whole, and what is wrong with a file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.models import load_models, read_models
from metrics_assets.errors import CatalogueError

MODEL = "model: m\ntitle: M\nsource: S\nmetrics: [commits"


def test_the_models_name_metrics_that_exist_and_say_what_is_missing() -> None:
    models = load_models()
    assert set(models) >= {"starter_project_health", "viability_starter"}
    for model in models.values():
        assert set(model.metrics) <= set(load_catalogue().metrics)
    assert [missing.metric for missing in models["viability_starter"].missing] == ["Libyears", "OSI Approved Licenses"]
    assert models["viability_starter"].rows()[1] == {
        "model": "viability_starter", "position": 2, "metric": "elephant_factor",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MODEL + ", comits]\n", "m.yaml, model m: there is no metric 'comits'"),
        (MODEL + ", commits]\n", "m.yaml, model m: entry: Value error, names commits twice"),
        (MODEL + "]\ncolour: red\n", "m.yaml, model m: colour: Extra inputs"),
        ("model: m\n", "m.yaml, model m: title: Field required"),
    ],
)
def test_wrong_models_are_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        read_models([file])
    assert said in str(caught.value)


def test_a_model_stands_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(MODEL + "]\n")
    with pytest.raises(CatalogueError, match=r"b\.yaml, model m: the model stands twice"):
        read_models(sorted(tmp_path.glob("*.yaml")))
