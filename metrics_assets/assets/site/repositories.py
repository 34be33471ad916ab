"""The list of repositories and the page of each, read in batches so that the number of queries does not grow."""

from __future__ import annotations

from collections.abc import Iterator

from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.repository_rows import names_in_batches, read_repositories
from metrics_assets.assets.site.series import read_series
from metrics_assets.assets.site.summaries import read_alerts, read_gates, read_insights, read_summaries
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.pages.repositories import RepositoriesData, repositories_files
from metrics_assets.reporting.pages.repository import repository_files
from metrics_assets.reporting.pages.repository_data import STAGES, TRENDS

BATCH = 100


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The pages of the list, their CSV file, then the page and the CSV file of each repository."""
    alerts, gates, insights = read_alerts(reading), read_gates(reading), read_insights(reading)
    summaries = read_summaries(reading, alerts, gates)
    yield from repositories_files(site, RepositoriesData(reading.metrics, summaries))
    trends = [metric for metric in TRENDS if metric in reading.metrics]
    stages = [metric for metric in STAGES if metric in reading.metrics and metric not in trends]
    pages = read_repositories(reading, summaries, alerts, gates, insights)
    site_url = reading.settings.alerts.site_url
    for names in names_in_batches(summaries, BATCH):
        series = read_series(reading, trends, "repository", names)
        series.update(read_series(reading, stages, "repository", names, weeks=1))
        for name, data in zip(names, pages, strict=False):
            of_it = {metric: series[name, metric] for metric in (*trends, *stages)}
            yield from repository_files(
                site, data, of_it, reading.metrics, site_url=str(site_url) if site_url else None
            )
