"""The scores: every model of catalogue/scores, evaluated for every subject and day."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import ValidationError

from metrics_assets.assets.shared import EVALUATE, Shared, Warehouse, key_of, preview, table_metadata
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.reading import read_yaml, wrong_entry
from metrics_assets.partitions import days_of
from metrics_assets.paths import CATALOGUE
from metrics_assets.warehouse.frames import read_metric_values, replace_days

if TYPE_CHECKING:
    from metrics_assets.analysis.scoring import ScoreModel

_MODELS = ("repository_health",)


def score_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The asset metrics/scores; it depends on the tables of its models' metrics."""
    from metrics_assets.analysis.scoring import score

    models = [_model(name) for name in _MODELS]
    wanted = sorted({component.metric for model in models for component in model.components})

    @dg.asset(
        key=key_of("metrics.scores"),
        deps=[key_of(f"metrics.{table}") for table in load_catalogue().tables(wanted)],
        description="Scores from 0 to 100 by named, versioned models of catalogue/scores, with what each component "
        "contributed. A component that is not known drops out and the coverage says so; under the model's minimum "
        "coverage the score is unknown.",
        metadata=table_metadata("metrics.scores"),
        **shared.arguments(EVALUATE, {"postgres", "pandas"}),
    )
    def scores(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult[Any]:
        days = days_of(context)
        values = read_metric_values(warehouse.engine, wanted, days.start, days.end)
        rows = 0
        for model in models:
            scored = score(model, values).assign(subject_kind="repository")
            rows += replace_days(
                warehouse.engine, "metrics.scores", scored, days.start, days.end, {"score": model.score}
            )
        with warehouse.engine.connect() as connection:
            newest = preview(
                connection,
                "select subject, round(value::numeric, 1) as score, round(coverage::numeric, 2) as coverage "
                "from metrics.scores where date = :day order by value desc nulls last, subject limit 10",
                day=days.last,
            )
        return dg.MaterializeResult(metadata={"dagster/partition_row_count": rows, "newest_day": newest})

    return [scores]


def _model(name: str) -> "ScoreModel":
    """A model of catalogue/scores; a wrong file is a `CatalogueError` that names file and key."""
    from metrics_assets.analysis.scoring import ScoreModel

    path = CATALOGUE / "scores" / f"{name}.yaml"
    try:
        return ScoreModel.model_validate(read_yaml(path))
    except ValidationError as error:
        raise wrong_entry(path, f"score {name}", error) from error
