"""The scores: every model of the catalogue, evaluated for every subject and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy as sa
from pydantic import TypeAdapter

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.scores import Listed, read_scores, switched_on

if TYPE_CHECKING:
    from metrics_assets.analysis.scoring import Model


@cache
def load_scores() -> dict[str, Listed[Model]]:
    """Every model of catalogue/scores and of the user's own files, by name.

    Raises:
        CatalogueError: a model is wrong; the text names file, model and key.
    """
    from metrics_assets.analysis.scoring import Model

    adapter: TypeAdapter[Model] = TypeAdapter(Model)
    return read_scores(adapter.validate_python, load_catalogue())


def derivations() -> list[Derivation]:
    """metrics.scores; it reads the tables of its models' metrics."""
    models = load_scores()
    metrics, of_packages = _wanted([listed.model for listed in models.values()])

    def run(engine: sa.Engine, start: date, end: date) -> Metadata:
        from metrics_assets.analysis.scoring import Figures, score
        from metrics_assets.warehouse.scores import read_figures, replace_scores

        on = switched_on(models, _packs(engine))
        figures = Figures(read_figures(engine, *_wanted(on), start, end))
        rows = replace_scores(engine, [score(model, figures) for model in on], start, end)
        return {"rows": rows, "models": ", ".join(model.score for model in on)}

    return [
        Derivation(
            name="scores",
            description="Scores by named, versioned models of catalogue/scores, with what each component "
            "contributed. A component that is not known drops out and the coverage says so; under the model's "
            "minimum coverage the score is unknown. Models are never blended.",
            reads=(
                *(f"metrics.{table}" for table in load_catalogue().tables([*metrics, *of_packages])),
                "ops.portfolio",
                "ops.package_settings",
            ),
            kinds=frozenset({"postgres", "pandas"}),
            run=run,
            group="evaluate",
            preview="select score, subject, round(value::numeric, 2) as value, round(coverage::numeric, 2) as coverage "
            "from metrics.scores where date = :day and subject_kind <> 'team' "
            "order by score, value desc nulls last, subject limit 20",
        )
    ]


def _wanted(models: Sequence[Model]) -> tuple[list[str], list[str]]:
    """The metrics that models read of repositories and the portfolio, and those that they read of packages."""
    parts = [part for model in models for part in model.components]
    of_packages = {part.metric for part in parts if part.subject_kind == "package"}
    return sorted({part.metric for part in parts if part.subject_kind != "package"}), sorted(of_packages)


def _packs(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(sa.text("select packs from ops.portfolio")).scalar() or ())
