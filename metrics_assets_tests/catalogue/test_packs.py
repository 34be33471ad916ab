"""The packs: what they bring is about figures that exist, and every requirement is covered or says why it is not."""

from __future__ import annotations

import csv
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from metrics_assets import settings
from metrics_assets.assets.scores import load_scores
from metrics_assets.catalogue.alerts import Rule, load_rules
from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.goals import load_goals, load_north_stars
from metrics_assets.catalogue.metrics import Metric, load_catalogue
from metrics_assets.catalogue.packs import PACKS, load_packs
from metrics_assets.cli import commands
from metrics_assets.definitions import build
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.reporting import pages
from metrics_assets.reporting.reports import DOCUMENTS
from metrics_assets.settings import ChannelKind, Pack
from metrics_assets.sources.files.layouts import LAYOUTS
from metrics_assets.sources.records import PlatformCounter, Record, RepositoryCounters
from metrics_assets.warehouse.derived import for_driver
from metrics_assets_tests.warehouse.tables import at, counters, derive, fill, issue, on, record, star, table

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / ".." / "shared" / "reference" / "requirements.csv"
PACK_OF_DOCUMENT = {
    "S0": "community",
    "S1": "product-metrics",
    "S2": "release-watch",
    "S3": "growth",
    "S4": "engineering",
}
# Tables with the columns subject_kind and subject have rows of all of these.
GROUPS = {"repository", "team", "portfolio"}
KINDS = ("metrics", "targets", "scores", "gates", "predictions", "alerts", "elsewhere")


def required() -> list[str]:
    if not REQUIREMENTS.exists():
        pytest.skip(f"{REQUIREMENTS.name} is not shipped; it stands beside the checkout where the project is built")
    with REQUIREMENTS.open(encoding="utf-8", newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


def covered() -> dict[str, set[str]]:
    """Every requirement that an entry names, and as what."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for metric in load_catalogue().metrics.values():
        for id_ in metric.requirements:
            found[id_].add("scores" if metric.table == "scores" else "metrics")
    for goal in load_goals().values():
        for id_ in goal.requirements:
            found[id_].add("targets")
    for north_star in load_north_stars():
        for id_ in north_star.requirements:
            found[id_].add("targets")
    for gate in load_gates().values():
        criteria = [id_ for _, criterion, _ in gate.criteria() for id_ in criterion.requirements]
        for id_ in [*gate.requirements, *criteria]:
            found[id_].add("gates")
    for rule in load_rules().values():
        for id_ in rule.requirements:
            found[id_].add("alerts")
    for pack in load_packs().values():
        for id_ in pack.predictions:
            found[id_].add("predictions")
        for id_ in pack.alerts:
            found[id_].add("alerts")
        for id_ in pack.elsewhere:
            found[id_].add("elsewhere")
    return found


def test_every_pack_of_the_settings_is_there() -> None:
    assert set(load_packs()) == set(get_args(Pack))


def test_every_requirement_is_covered_or_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    ids = required()
    by_kind = covered()
    not_covered = {id_: name for name, pack in load_packs().items() for id_ in pack.not_covered}
    elsewhere = {id_: name for name, pack in load_packs().items() for id_ in pack.elsewhere}
    predicted = {id_: name for name, pack in load_packs().items() for id_ in pack.predictions}
    alerted = {id_: name for name, pack in load_packs().items() for id_ in pack.alerts}
    named = ((not_covered, "not_covered"), (elsewhere, "elsewhere"), (predicted, "predictions"), (alerted, "alerts"))
    for stands_in, what in named:
        for id_, name in stands_in.items():
            assert PACK_OF_DOCUMENT[id_[:2]] == name, f"{id_} stands in {what} of {name}"

    assert set(by_kind) | set(not_covered) == set(ids)
    twice = set(by_kind) & set(not_covered)
    assert not twice, f"covered and not covered: {sorted(twice)}"

    with capsys.disabled():
        sys.stdout.write(counted(ids, by_kind, set(not_covered)))


def counted(ids: list[str], by_kind: dict[str, set[str]], not_covered: set[str]) -> str:
    """What pytest shows: how many requirements of each pack are covered, and as what."""
    lines = [
        f"\n\n{len(ids)} requirements: {len(by_kind)} covered (one may be a metric and a target at once), "
        f"{len(not_covered)} not covered",
        f"{'pack':<17}{'rows':>6}{''.join(f'{kind:>12}' for kind in KINDS)}{'covered':>10}{'not':>5}",
    ]
    for document, name in PACK_OF_DOCUMENT.items():
        rows = {id_ for id_ in ids if id_.startswith(document)}
        kinds = "".join(f"{sum(kind in by_kind.get(id_, ()) for id_ in rows):>12}" for kind in KINDS)
        rest = f"{len(rows & set(by_kind)):>10}{len(rows & not_covered):>5}"
        lines.append(f"{name:<17}{len(rows):>6}{kinds}{rest}")
    return "\n".join(lines) + "\n"


def test_what_predictions_cover_stands_in_tables_that_there_are(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        for pack in load_packs().values():
            for id_, tables in pack.predictions.items():
                assert tables, id_
                for name in tables:
                    assert name.startswith("metrics."), id_
                    assert connection.scalar(sa.select(sa.func.to_regclass(name))) is not None, f"{id_}: {name}"


def test_what_alerts_cover_names_what_there_is(warehouse: sa.Engine) -> None:
    fields = set.intersection(*(set(kind.model_fields) for kind in get_args(Rule)))
    with warehouse.connect() as connection:
        for pack in load_packs().values():
            for id_, names in pack.alerts.items():
                assert names, id_
                for name in names:
                    where, _, what = name.partition(".")
                    if where == "ops":
                        assert connection.scalar(sa.select(sa.func.to_regclass(name))) is not None, f"{id_}: {name}"
                    else:
                        known = {"rules": fields, "channels": set(get_args(ChannelKind))}
                        assert what in known[where], f"{id_}: {name}"


def test_what_else_answers_a_requirement_is_there(warehouse: sa.Engine) -> None:
    definitions = build(settings.load(DEMO_CONFIG))
    named = {
        "page": {path.stem for path in Path(pages.__path__[0]).glob("*.py")},
        "report": set(DOCUMENTS),
        "asset": {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()},
        "schedule": {schedule.name for schedule in definitions.schedules or ()},
        "sensor": {sensor.name for sensor in definitions.sensors or ()},
        "command": set(commands.commands),
        "feed": {f"{layout.name}.csv" for layout in LAYOUTS},
    }
    with warehouse.connect() as connection:
        for pack in load_packs().values():
            for id_, references in pack.elsewhere.items():
                assert references, id_
                for reference in references:
                    kind, _, name = reference.partition(" ")
                    match kind:
                        case "table":
                            found = connection.scalar(sa.select(sa.func.to_regclass(name))) is not None
                        case "function":
                            found = bool(connection.scalar(_FUNCTIONS, {"name": name}))
                        case "file":
                            found = (ROOT / name).is_file()
                        case "setting":
                            found = is_setting(name)
                        case _:
                            found = name in named[kind]
                    assert found, f"{id_}: {reference}"


_FUNCTIONS = sa.text("select count(*) from pg_proc where proname = :name")


def is_setting(path: str) -> bool:
    """Whether metrics.yaml may have the key, as privacy.minimum_group."""
    model: Any = settings.Settings
    for part in path.split("."):
        if part not in model.model_fields:
            return False
        annotation = model.model_fields[part].annotation
        models = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in models if issubclass(kind, BaseModel)), model)
    return True


def test_a_reason_is_a_sentence() -> None:
    for pack in load_packs().values():
        for id_, reason in pack.not_covered.items():
            assert len(reason.split()) > 5, id_
            assert reason.endswith("."), id_


def targets() -> Iterator[tuple[str, Metric, float, str]]:
    """Every number that a figure is held against: where it stands, the metric, the number and how they compare."""
    metrics = load_catalogue().metrics
    for goal in load_goals().values():
        yield f"goal {goal.key}", metrics[goal.metric], goal.target, str(goal.comparison)
    for gate in load_gates().values():
        for _, criterion, _ in gate.criteria():
            if criterion.metric:
                for name, bound in criterion.bounds.items():
                    yield f"gate {gate.key}, {criterion.key}", metrics[criterion.metric], bound, name


def test_targets_are_plausible_for_their_units() -> None:
    for name, metric, target, _ in targets():
        if metric.key.endswith("_multiple"):
            assert 1 <= target <= 100, name
        elif metric.unit == "ratio":
            assert 0 <= target <= (1 if metric.key.endswith(("_share", "_coverage", "_rate")) else 5), name
        elif metric.unit == "points":
            assert 0 <= target <= 100, name
        elif metric.unit == "score":
            assert 0 < target <= 10, name
        elif metric.unit == "yes or no":
            assert target in (0, 1), name
        elif metric.unit in ("rank", "hours", "days", "milliseconds", "megabytes", "dollars", "per second", "per week"):
            assert target > 0, name
        else:
            assert target >= 0, name


def test_targets_ask_for_what_is_better() -> None:
    for name, metric, _, comparison in targets():
        if metric.direction != "neutral":
            assert (comparison in ("at_least", "above")) == (metric.direction == "higher"), name


def kinds_of(metric: Metric) -> set[str]:
    """The kinds of subjects that a figure has rows of."""
    metrics = load_catalogue().metrics
    if metric.fed:
        return (
            {"portfolio", "repository", "team", "package", "segment"} if metric.fed == "kpi_values" else {"portfolio"}
        )
    if metric.sql:
        return set(re.findall(r"'(\w+)' as subject_kind", (PACKS / metric.sql).read_text(encoding="utf-8")))
    if metric.table is None:
        parts = [
            {"portfolio"} if total else kinds_of(metrics[key])
            for total, key in re.findall(r"(total\()?\b([a-z]\w*)", metric.formula or "")
            if key in metrics
        ]
        return set.intersection(*parts)
    of_tables = {"package_daily": "package", "platform_daily": "community", "repository_daily": "repository"}
    tables = [name for name in (metric.table, metric.groups) if name]
    return set().union(*({of_tables[name]} if name in of_tables else GROUPS for name in tables))


def test_targets_are_about_subjects_that_their_figures_have() -> None:
    metrics = load_catalogue().metrics
    for goal in load_goals().values():
        assert goal.subject_kind in kinds_of(metrics[goal.metric]), goal.key
    for gate in load_gates().values():
        for _, criterion, _ in gate.criteria():
            if criterion.metric:
                assert (criterion.subject_kind or gate.subject_kind) in kinds_of(metrics[criterion.metric]), (
                    criterion.key
                )
    for north_star in load_north_stars():
        assert "portfolio" in kinds_of(metrics[north_star.metric])


def test_bands_leave_no_gap_and_stand_best_first() -> None:
    for metric in load_catalogue().metrics.values():
        if not metric.bands:
            continue
        rising = metric.bands if metric.direction == "lower" else metric.bands[::-1]
        assert rising[0].at_least is None, metric.key
        assert rising[-1].below is None, metric.key
        for lower, upper in pairwise(rising):
            assert lower.below == upper.at_least, f"{metric.key}: {lower.band} and {upper.band}"


@pytest.mark.parametrize(
    ("metric", "pack", "wanted"),
    [
        # by a day, from the target before
        (
            "stars_total",
            "community",
            [
                (date(2025, 3, 31), 2_000),
                (date(2025, 6, 30), 5_000),
                (date(2025, 9, 30), 8_000),
                (date(2025, 12, 31), 12_000),
                (date(2026, 12, 31), 25_000),
            ],
        ),
        # by months after the start
        ("stars_total", "product-metrics", [(3, 5_000), (6, 15_000), (12, 25_000)]),
        ("forks_total", "product-metrics", [(3, 500), (6, 1_500), (12, 3_000)]),
        ("production_deployments", "product-metrics", [(6, 100), (12, 1_000), (18, 5_000)]),
        ("annual_recurring_revenue", "product-metrics", [(12, 1_000_000), (24, 5_000_000)]),
        ("deployment_frequency", "engineering", [(3, 1)]),
        ("change_failure_rate", "engineering", [(3, 0.15)]),
    ],
)
def test_dated_targets_are_those_that_were_asked_for(
    metric: str, pack: str, wanted: list[tuple[date | int, float]]
) -> None:
    goals = [goal for goal in load_goals().values() if goal.pack == pack and goal.metric == metric]
    assert [(goal.by or goal.months, goal.target) for goal in goals] == wanted


def test_weights_of_the_gates() -> None:
    shares: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for gate in load_gates().values():
        for group, _, share in gate.criteria():
            shares[gate.key][group.group] += share
    rounded = {gate: {group: round(share * 100) for group, share in of.items()} for gate, of in shares.items()}
    assert rounded["mvp"] == {"performance": 60, "community": 30, "quality": 10}
    assert rounded["alpha"] == {"performance": 50, "adoption": 35, "ecosystem": 15}
    assert rounded["beta"] == {"production": 40, "enterprise": 35, "market": 25}
    assert rounded["general_availability"] == {"market": 50, "business": 30, "technical": 20}


def test_packs_switch_on_scores_that_exist() -> None:
    models = load_scores()
    for pack in load_packs().values():
        assert set(pack.scores) <= set(models)


# The packs' own SELECTs.


def calculated(engine: sa.Engine, name: str, first: str, last: str) -> list[tuple[object, ...]]:
    """The rows of a SELECT of the packs over the days [first, last]."""
    sql = for_driver((PACKS / f"{name}.sql").read_text(encoding="utf-8"))
    end = date.fromordinal(on(last).toordinal() + 1)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(sql, {"start": on(first), "end": end}).mappings().all()
    return sorted(
        (row["subject_kind"], row["subject"], row["date"].strftime("%m-%d"), float(row["value"]), row.get("n"))
        for row in rows
    )


def platform(platform: str, community: str, counter: str, *counted: tuple[str, int]) -> list[Record]:
    return [
        PlatformCounter(platform, community, counter, on(when), at(f"{when} 03:00"), value) for when, value in counted
    ]


def test_watchers_are_those_of_the_days_on_which_somebody_looked(warehouse: sa.Engine) -> None:
    looked = [
        record(RepositoryCounters, observed_on=on(day), observed_at=day, stars=9, forks=1, watchers=watchers)
        for day, watchers in (("06-02", 4), ("06-03", None), ("06-04", 5))
    ]
    fill(warehouse, looked)
    assert calculated(warehouse, "watchers", "06-02", "06-03") == [("repository", "acme/api", "06-02", 4, None)]


def test_days_on_the_front_page_count_once_each_and_for_a_year(warehouse: sa.Engine) -> None:
    counted = platform("hacker_news", "acme", "front_page_stories", ("06-02", 2), ("06-03", 0), ("06-04", 1))
    year_before = PlatformCounter("hacker_news", "acme", "front_page_stories", date(2024, 6, 4), at("06-04"), 1)
    fill(warehouse, counted, year_before)
    found = calculated(warehouse, "hacker_news_front_page_days", "06-03", "06-04")
    # On 3 June the days from 4 June 2024 on count, on 4 June those from 5 June 2024 on.
    assert found == [
        ("community", "hacker_news:acme", "06-03", 2, 3),
        ("community", "hacker_news:acme", "06-04", 2, 3),
    ]


def test_views_of_a_year_are_a_difference_of_totals(warehouse: sa.Engine) -> None:
    totals = platform("youtube", "UC1", "views_total", ("06-02", 5_300), ("06-08", 5_500))
    year_before = PlatformCounter("youtube", "UC1", "views_total", date(2024, 5, 31), at("06-01"), 1_200)
    fill(warehouse, totals, year_before)
    # Of 8 June 2024 and the three days before it no total is known.
    found = calculated(warehouse, "video_views_year", "06-01", "06-30")
    assert found == [("community", "youtube:UC1", "06-02", 4_100, None)]


def test_posts_of_a_forum_are_counted_by_the_forum(warehouse: sa.Engine) -> None:
    fill(warehouse, platform("discourse", "forum.acme.org", "posts_30_days", ("06-02", 321), ("06-09", 400)))
    found = calculated(warehouse, "forum_posts_month", "06-02", "06-08")
    assert found == [("community", "discourse:forum.acme.org", "06-02", 321, None)]


def test_referred_views_leave_out_paths(warehouse: sa.Engine) -> None:
    fill(warehouse)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "insert into raw.traffic_sources (repository_id, observed_on, kind, name, views, unique_visitors) values "
            "(1, '2025-06-02', 'referrer', 'news', 70, 50), (1, '2025-06-02', 'referrer', 'search', 30, 20), "
            "(1, '2025-06-02', 'path', '/acme/api', 500, 90), (1, '2025-06-03', 'referrer', 'news', 1, 1)"
        )
    found = calculated(warehouse, "referred_views", "06-02", "06-02")
    assert found == [("repository", "acme/api", "06-02", 100, 2)]


def test_collections_are_judged_by_the_lists_that_were_asked_for(warehouse: sa.Engine) -> None:
    fill(warehouse)
    with warehouse.begin() as connection:
        for run, entity, outcome, finished in (
            ("a", "issues", "complete", "2025-06-02 01:00"),
            ("a", "commits", "complete", "2025-06-02 01:10"),
            ("a", "forks", "incomplete", "2025-06-02 01:30"),
            ("a", "traffic", "skipped", "2025-06-02 01:31"),
            ("b", "issues", "complete", "2025-06-02 05:00"),
            ("c", "issues", "incomplete", "2025-06-03 00:00"),
        ):
            connection.execute(
                sa.text(
                    "insert into ops.collection_log (repository_id, repository, entity, run_id, range_start, "
                    "range_end, outcome, rows_read, requests, points, finished_at) values "
                    "(1, 'acme/api', :entity, :run, '2025-06-01', '2025-06-02', :outcome, 0, 0, 0, "
                    "cast(:finished as timestamp) at time zone 'UTC')"
                ),
                {"run": run, "entity": entity, "outcome": outcome, "finished": finished},
            )
    # Three of the four lists came whole; run a took longest, its last list (a skipped one) half an hour.
    assert calculated(warehouse, "collections_complete_share", "06-02", "06-02") == [
        ("portfolio", "acme", "06-02", 0.75, 4)
    ]
    ((*_, hours, runs),) = calculated(warehouse, "collection_hours", "06-02", "06-02")
    assert (hours, runs) == (pytest.approx(31 / 60), 2)


def test_formulas_of_the_packs_on_figures_that_people_fed(warehouse: sa.Engine) -> None:
    fill(warehouse, star("ann", "06-01 10:00"), star("bob", "06-02 10:00"), counters("06-03 03:00", stars=2))
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "insert into raw.kpi_values (metric, period_start, period_end, value) values "
            "('requests_per_second', '2025-06-01', '2025-06-01', 5000000), "
            "('competitor_requests_per_second', '2025-05-26', '2025-06-01', 250000)"
        )
    derive(warehouse, on("06-02"))
    found = dict(
        table(
            warehouse,
            "select metric, value from metrics.metric_values "
            "where subject_kind = 'portfolio' and date = '2025-06-02' and value is not null and metric in "
            "('performance_weighted_adoption', 'performance_multiple', 'performance_lead_share', 'market_share')",
        )
    )
    # 5,000,000 / 250,000 = 20; 2 stars x 20. Nobody fed the competitors' downloads, so no share is known.
    assert found == {
        "performance_weighted_adoption": 40,
        "performance_multiple": 20,
        "performance_lead_share": 19,
    }


def test_p1_issues_are_counted_on_days_of_which_the_issues_are_known(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        issue(1, "06-02 10:00", labels=["P1"]),
        issue(2, "06-02 11:00", "06-02 12:00", labels=["type: bug"]),
        issue(3, "06-02 12:00", labels=["regression", "bug"]),
        issue(4, "06-02 13:00", labels=["enhancement"]),
        issue(5, "06-04 10:00", labels=["P1"]),
    )
    derive(warehouse, on("06-03"))
    # Of 4 June nothing is derived, so nothing is known of it.
    assert calculated(warehouse, "p1_issues_opened", "06-02", "06-04") == [
        ("repository", "acme/api", "06-02", 3, None),
        ("repository", "acme/api", "06-03", 0, None),
    ]


@pytest.mark.parametrize(
    ("fed", "worst"),
    [
        # In times of the limits 10 %, 5 %, 1 % and 5 %; what is better than its baseline is no regression.
        ({"latency_regression_share": 0.15}, 1.5),
        ({"latency_regression_share": 0.15, "allocation_regression_share": 0.03}, 3),
        ({"memory_regression_share": 0.1, "benchmark_regression_share": -0.2}, 2),
        ({"benchmark_regression_share": 0.05}, 1),
        ({"latency_regression_share": -0.1}, 0),
    ],
)
def test_the_worst_regression_counts_in_times_of_its_limit(
    warehouse: sa.Engine, fed: dict[str, float], worst: float
) -> None:
    fill(warehouse)
    with warehouse.begin() as connection:
        for metric, value in fed.items():
            connection.exec_driver_sql(
                "insert into raw.kpi_values (metric, period_start, period_end, value) "
                "values (%s, '2025-06-02', '2025-06-02', %s)",
                (metric, value),
            )
    derive(warehouse, on("06-02"))
    ((value, state),) = table(
        warehouse,
        "select value, state from metrics.metric_values "
        "where metric = 'regression_severity' and subject_kind = 'portfolio' and date = '2025-06-02'",
    )
    assert value == pytest.approx(worst)
    assert state == "ok"
