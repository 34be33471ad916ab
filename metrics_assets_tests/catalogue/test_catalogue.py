"""The catalogue's files: what stands in them exists in the database, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.catalogue.metrics import load_catalogue, read_catalogue
from metrics_assets.catalogue.tiers import TierBand, load_tiers
from metrics_assets.errors import CatalogueError

CONTRACT = [
    "stars_new", "stars_total", "forks_new", "issues_opened", "issues_closed", "issues_open",
    "pull_requests_opened", "pull_requests_merged", "pull_requests_open", "commits", "releases",
    "active_contributors", "new_contributors", "deployments_succeeded", "deployments_failed",
    "incidents_opened", "deployment_frequency", "lead_time_hours", "pr_lead_hours", "change_failure_rate",
    "failed_deployment_recovery_hours", "mttr_hours", "rework_rate", "issue_first_response_hours",
    "pull_request_first_response_hours", "health_score",
]  # fmt: skip
METRIC = "metrics:\n  - {key: a, title: A, definition: D, unit: count, direction: higher, table: t, unknown: U"


def test_every_metric_of_the_contract_is_there() -> None:
    assert set(CONTRACT) <= set(load_catalogue().metrics)


def test_every_metric_stands_in_the_database(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        for metric in load_catalogue().metrics.values():
            parts = [metric.n, metric.low, metric.high, metric.numerator, metric.denominator]
            columns = ", ".join([metric.value_sql, "date", *(part for part in parts if part)])
            condition = f"where {metric.where}" if metric.where else ""
            for table in (metric.table, metric.groups):
                if table is not None:
                    connection.execute(sa.text(f"select {columns} from metrics.{table} {condition} limit 0"))


# How a window is called in a sentence, besides 'n days'.
_WINDOWS = {7: ("week",), 30: ("month",), 90: ("quarter",), 365: ("year",)}


def test_windows_and_definitions_agree() -> None:
    for metric in load_catalogue().metrics.values():
        assert metric.minimum_n >= 1
        assert metric.unknown
        if metric.window is not None and metric.table and metric.unit not in ("ratio", "points"):
            words = (f"{metric.window} days", *_WINDOWS.get(metric.window, ()))
            assert any(word in metric.definition for word in words), (metric.key, words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (METRIC + "}\n", None),
        (METRIC + ", colour: red}\n", "metrics.yaml, metric a: colour: Extra inputs are not permitted."),
        (METRIC.replace("unit: count", "unit: parsecs") + "}\n", "metric a: unit: Input should be 'per day'"),
        (METRIC.replace("title: A, ", "") + "}\n", "metric a: title: Field required"),
        (METRIC.replace("table: t", "table: 't; drop'") + "}\n", "metric a: table: Value error, 't; drop' must be"),
        (METRIC + ", fed: events, kind: x}\n", "metric a: entry: Value error, has table and fed; a metric is made"),
        (METRIC.replace("table: t, ", "") + "}\n", "metric a: entry: Value error, says nowhere where it comes"),
        (METRIC.replace("table: t", "fed: events") + "}\n", "fed: events and kind belong together; give both, or"),
        (METRIC.replace("table: t", "fed: kpi_values, column: x") + "}\n", "has column, expression, where or groups"),
        (METRIC + ", requirements: [S9-1]}\n", "'S9-1' is no id of a requirement; write it like S4-05"),
        (METRIC + ", bands: [{band: good, atleast: 1}]}\n", "metric a: bands.0.atleast: Extra inputs are not"),
        (METRIC + "}\n" + METRIC.removeprefix("metrics:\n") + "}\n", "metric a: the key stands twice; keep one"),
        (METRIC.replace("key: a, ", "") + "}\n", "metric 1: key: Field required"),
        ("metrics: [5]\n", "metric 1: "),
        ("metrics: []\n", "holds no metrics"),
        ("metrics: 5\n", "holds no metrics"),
        ("other: []\n", "holds no metrics"),
        ("", "holds no metrics"),
        ("metrics: [\n", "is not YAML: "),
    ],
)
def test_wrong_metrics_are_named(text: str, said: str | None, tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(text)
    if said is None:
        assert list(read_catalogue([file]).metrics) == ["a"]
        return
    with pytest.raises(CatalogueError) as caught:
        read_catalogue([file])
    assert said in str(caught.value)
    assert "metrics.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nowhere\.yaml does not exist"):
        read_catalogue([tmp_path / "nowhere.yaml"])
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"metrics: \xff")
    with pytest.raises(CatalogueError, match=r"latin\.yaml is not UTF-8 text \(byte 9\)"):
        read_catalogue([file])


TIERS_BEST_FIRST = ["elite", "high", "medium", "low"]


def bands() -> dict[tuple[str, str], list[TierBand]]:
    found: dict[tuple[str, str], list[TierBand]] = {}
    for band in load_tiers().bands:
        found.setdefault((band.tier_set, band.metric), []).append(band)
    return found


@pytest.mark.parametrize("key", sorted(bands()))
def test_bands_follow_each_other_without_gap_or_overlap(key: tuple[str, str]) -> None:
    found = bands()[key]
    # In 2024 the high level failed more often than the medium one.
    tiers = ["elite", "medium", "high", "low"] if key == ("2024", "change_failure_rate") else TIERS_BEST_FIRST
    assert [band.tier for band in found] == tiers
    assert [band.rank for band in found] == [1, 2, 3, 4]
    higher = load_catalogue().metrics[key[1]].direction == "higher"
    limits = [band.at_least if higher else band.below for band in found]
    # Each band begins where the better one ends: only one kind of limit, in order, and the last one open.
    assert all((band.below if higher else band.at_least) is None for band in found)
    assert limits[-1] is None
    inner = [limit for limit in limits if limit is not None]
    assert len(inner) == 3
    # Levels of which a report says the same share a band: the better one is given.
    assert inner == sorted(inner, reverse=higher)


@given(value=st.floats(min_value=0, max_value=1e9) | st.sampled_from([0.0, 1.0, 1 / 7, 1 / 30, 0.15, 24.0, 168.0]))
def test_every_value_has_a_tier_and_a_better_value_no_worse_one(value: float) -> None:
    def rank(found: list[TierBand], value: float) -> int:
        return next(
            band.rank
            for band in found
            if (band.at_least is None or value >= band.at_least) and (band.below is None or value < band.below)
        )

    for (_, metric), found in bands().items():
        better = value * 2 if load_catalogue().metrics[metric].direction == "higher" else value / 2
        assert rank(found, better) <= rank(found, value)


TIERS = "sets:\n  mine:\n    source: us\n    metrics:\n      lead_time_hours: "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TIERS + "[{tier: elite, below: 1}, {tier: low}]\n", None),
        (TIERS + "[{tier: best}, {tier: low}]\n", "tiers.yaml, set mine, metric lead_time_hours, band 1: tier: "),
        (TIERS + "[{tier: elite, under: 1}, {tier: low}]\n", "band 1: under: Extra inputs"),
        (TIERS + "[{tier: elite, below: 1}, {tier: low, at_least: 2}]\n", "the last band must have no bounds"),
        (TIERS + "[5]\n", "metric lead_time_hours, band 1: "),
        (TIERS + "5\n", "a list of bands is needed"),
        (TIERS.replace("lead_time_hours", "lead_time") + "[{tier: low}]\n", "there is no such metric"),
        (TIERS + "[{tier: low}]\n    year: soon\n", "set mine: year: "),
        (TIERS + "[{tier: low}]\n    recovery: healing\n", "metric healing: there is no such metric"),
        (TIERS + "[{tier: low}]\n    clusters: {elite: {recovery: {below: 1}}}\n", "cluster elite: it must say"),
        (TIERS + "[{tier: low}]\nquick_check: {year: 2025, source: us, industry: {x: {mean: 5}}}\n", "x: sd: Field"),
        ("sets: {mine: 5}\n", "set mine: it must have a 'source' and 'metrics'"),
        ("sets: []\n", "holds no tier sets"),
        ("", "holds no tier sets"),
    ],
)
def test_wrong_tiers_are_named(text: str, said: str | None, tmp_path: Path) -> None:
    file = tmp_path / "tiers.yaml"
    file.write_text(text)
    if said is None:
        assert [band.tier for band in load_tiers(file).bands] == ["elite", "low"]
        return
    with pytest.raises(CatalogueError) as caught:
        load_tiers(file)
    assert said in str(caught.value)
    assert str(caught.value).startswith("tiers.yaml")


def test_every_report_has_its_year_and_four_clusters_in_four_keys() -> None:
    tiers = load_tiers()
    assert [(one.tier_set, one.year) for one in tiers.sets] == [
        ("standard", None),
        ("2019", 2019),
        ("2021", 2021),
        ("2023", 2023),
        ("2024", 2024),
    ]
    for one in tiers.sets[1:]:
        found = [band for band in tiers.clusters if band.tier_set == one.tier_set]
        assert len(found) == 16
        assert {band.cluster for band in found} == set(TIERS_BEST_FIRST)
        assert {band.metric for band in found} == {
            "deployment_frequency", "lead_time_hours", "change_failure_rate", one.recovery_metric
        }  # fmt: skip
    assert sum(band.mean for band in tiers.industry) / 5 == pytest.approx(6.7, abs=0.05)
