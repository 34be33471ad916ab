"""Delivery of the whole portfolio: DORA's keys with what is ahead, the stages of a change, when and how it fails."""

from __future__ import annotations

from collections.abc import Iterator

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import FOUR_KEYS, REWORK, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import chart, rows_csv, series_csv, tile
from metrics_assets.reporting.pages.delivery_data import QUICK_CHECK, DeliveryData
from metrics_assets.reporting.pages.delivery_rows import (
    deployments_heatmap,
    deployments_sentence,
    failures_view,
    months_table,
    quick_check_table,
    recoveries_table,
    tier_sets_table,
)
from metrics_assets.reporting.pages.delivery_words import delivery_sentences
from metrics_assets.reporting.pages.repository_data import STAGES
from metrics_assets.reporting.pages.repository_tables import delivery_table, repositories_csv
from metrics_assets.reporting.pages.stages import NOTE, stages_bar
from metrics_assets.reporting.pages.summaries import by_attention, page_of
from metrics_assets.reporting.verdict import population

SHOWN_REPOSITORIES = 50
SERIES_CSV = "data/delivery.csv"
REPOSITORIES_CSV = "data/delivery-repositories.csv"
HEATMAP_CSV = "data/delivery-hours.csv"


def delivery_files(site: SiteInfo, data: DeliveryData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files: series, repositories, deployments by weekday and hour."""
    shown = [data.series[key] for key in (*FOUR_KEYS, REWORK, *STAGES, *QUICK_CHECK) if key in data.series]
    yield addresses.DELIVERY, render_delivery(site, data)
    yield SERIES_CSV, series_csv(shown)
    yield REPOSITORIES_CSV, repositories_csv(site, data.metrics, data.summaries, (*FOUR_KEYS, REWORK))
    hours = sorted((data.hours or {}).items())
    yield (
        HEATMAP_CSV,
        rows_csv(("weekday", "hour_utc", "deployments", "failed"), [(*place, *counts) for place, counts in hours]),
    )


def render_delivery(site: SiteInfo, data: DeliveryData) -> str:
    """Return the page as HTML."""
    keys = [data.series[key] for key in (*FOUR_KEYS, REWORK) if key in data.series]
    stages = [data.series[key] for key in STAGES if key in data.series]
    ranked = by_attention(data.summaries)
    return render(
        "delivery.html.j2",
        path=addresses.DELIVERY,
        site=site,
        title="Delivery",
        period=f"28 days to {wording.day(site.data_through)} · {population(data.summaries)} · the last year",
        sentences=delivery_sentences([one for one in keys if one.metric.key in FOUR_KEYS], stages, data.summaries),
        tiles=[tile(one, href=f"#{addresses.chart(one.metric.key)}") for one in keys],
        charts=[chart(one, csv=SERIES_CSV) for one in keys],
        stages=stages_bar(stages),
        stages_note=NOTE,
        months=months_table(stages, SERIES_CSV),
        heatmap=deployments_heatmap(data.hours),
        heatmap_sentence=deployments_sentence(data.hours),
        heatmap_csv=HEATMAP_CSV,
        failures=failures_view(data.signals),
        recoveries=recoveries_table(site, data.failures),
        tier_sets=tier_sets_table(data.tier_sets),
        tier_source=site.tier_source,
        quick_check=quick_check_table([data.series[key] for key in QUICK_CHECK if key in data.series], data.industry),
        repositories=delivery_table(
            site, data.metrics, ranked[:SHOWN_REPOSITORIES], note=_note(len(ranked)), csv=REPOSITORIES_CSV
        ),
        repositories_href=page_of(site, addresses.REPOSITORIES),
    )


def _note(active: int) -> str:
    said = "Weakest tier first."
    return f"{said} {wording.shown(SHOWN_REPOSITORIES, active, 'active repositories')}".rstrip()
