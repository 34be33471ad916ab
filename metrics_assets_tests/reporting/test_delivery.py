"""The page of delivery: the portfolio's keys, its stages, when and how deployments fail, tiers by every report."""

from __future__ import annotations

import csv
import io

from metrics_assets import addresses
from metrics_assets.reporting.data import FOUR_KEYS, REWORK
from metrics_assets.reporting.pages.delivery import SERIES_CSV, delivery_files, render_delivery
from metrics_assets.reporting.pages.delivery_data import DeliveryData
from metrics_assets.reporting.pages.delivery_rows import (
    deployments_heatmap,
    deployments_sentence,
    failures_view,
    quick_check_table,
)
from metrics_assets.reporting.pages.repository_data import STAGES

from . import sample
from .page_reader import read_harmless


def words(data: DeliveryData) -> str:
    return read_harmless(render_delivery(sample.site(), data)).text.replace("\u00a0", " ")


def test_each_key_has_a_chart_and_all_charts_share_a_file() -> None:
    files = dict(delivery_files(sample.site(), sample.delivery()))
    html = str(files[addresses.DELIVERY])
    assert html.count('<figure class="panel chart"') == 5
    for key in (*FOUR_KEYS, REWORK):
        assert f'id="{addresses.chart(key)}"' in html
    rows = list(csv.DictReader(io.StringIO(str(files[SERIES_CSV]))))
    assert {row["metric"] for row in rows} > {*FOUR_KEYS, *STAGES}
    assert {row["subject_kind"] for row in rows} == {"portfolio"}
    assert len(html.encode()) < 160_000


def test_failures_that_are_not_mended_come_first() -> None:
    text = words(sample.delivery())
    assert "1 not mended, shown first." in text
    table = text.partition("shown first.")[2]
    assert table.index("aurora/billing") < table.index("aurora/search")
    assert "An incident was laid to it and a change of it was reverted ✕ not mended" in table
    assert "9 Nov 2026 08:00 It was rolled back 2 h" in table


def test_reasons_for_failures_have_a_bar_each() -> None:
    view = failures_view((("revert", 1), ("incident", 3)))
    assert view.takeaway == (
        "The commonest reason: an incident was laid to it (3 deployments). "
        "A deployment with several reasons is in several bars."
    )
    assert failures_view(()).bars is None
    assert failures_view(()).takeaway == "No deployment of the last 90 days counts as failed."


def test_hours_are_told_in_words_and_nothing_seen_is_no_heat_map() -> None:
    assert deployments_sentence({(1, 9): (12, 1), (6, 3): (4, 0)}).replace("\u00a0", " ") == (
        "16 deployments in 90 days, most on Mondays (12); 25 % at weekends. Hours are UTC."
    )
    assert deployments_sentence({(3, 9): (1, 0)}) == "1 deployment in 90 days. Hours are UTC."
    heat = deployments_heatmap({(1, 9): (12, 1)})
    assert heat is not None
    assert "12 deployments, 1 failed" in heat
    assert deployments_heatmap(None) is None
    assert deployments_sentence(None) == "No deployment was seen in the last 90 days."


def test_tiers_of_every_report_with_the_warning_about_clusters() -> None:
    text = words(sample.delivery())
    assert "they are no ladder to climb" in text
    assert "2021 a report Elite Elite Elite Elite Low" in text
    assert "Standard standard bands High High High High no report's" in text


def test_the_quick_check_stands_beside_the_industry_where_all_parts_are_given() -> None:
    data = sample.delivery()
    table = quick_check_table(
        [data.series["quick_check_throughput"], data.series["quick_check_stability"]], data.industry
    )
    assert [[cell.text for cell in row.cells[:3]] for row in table.rows] == [
        ["Quick Check, throughput", "7.0", "5.9"],
        ["Quick Check, stability", "7.0", "not known"],
    ]


def test_fifty_repositories_are_shown() -> None:
    summaries = tuple(sample.summary(f"acme/service-{n:04d}", sample.TYPICAL["aurora/billing"]) for n in range(300))
    files = dict(delivery_files(sample.site(), sample.delivery(summaries=summaries)))
    html = str(files[addresses.DELIVERY])
    assert "50 of 300 active repositories shown; all in the CSV." in html
    assert "acme/service-0050" not in html
    assert len(list(csv.DictReader(io.StringIO(str(files["data/delivery-repositories.csv"]))))) == 300


def test_nothing_known_makes_a_page_of_words() -> None:
    unknown = {key: sample.series(key, None) for key in (*FOUR_KEYS, REWORK, *STAGES)}
    text = words(DeliveryData(unknown, sample.metrics(), sample.summaries()[5:], None))
    for said in ("None of the four keys is known", "No stage was known in any month.", "No deployment was seen",
                 "No tier of this day is known."):  # fmt: skip
        assert said in text
