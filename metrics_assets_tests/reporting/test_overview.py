"""The overview says what the data says, the same way each time, whatever the data holds."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pandas as pd
import pytest

from metrics_assets.reporting.data import OverviewData, RepositoryInfo
from metrics_assets.reporting.figures import Figures
from metrics_assets.reporting.pages.overview import overview_files, render_overview
from metrics_assets.reporting.frame import NavPage, static_files

from . import sample

HOSTILE = ("acme/<script>alert(1)</script>\"'", "=1+1/🦊 & {{ 7*7 }}", "x" * 300 + "/" + "y" * 300)


class Page(HTMLParser):
    """Tags with their attributes, and the text of each table row by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, str] = {}
        self._row = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self._row = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        self.rows[self._row] = self.rows.get(self._row, "") + data

    def row(self, repository: str) -> str:
        readable = "repo-" + repository.replace("/", "-")
        return " ".join(next(text for key, text in self.rows.items() if key.startswith(readable)).split())


def hostile_data() -> OverviewData:
    typical = dict(zip(HOSTILE, list(sample.TYPICAL.values())[:3], strict=True))
    alerts, anomalies = sample.alerts_frame(), sample.anomalies_frame()
    alerts["subject"] = alerts["title"] = alerts["text"] = HOSTILE[0]
    anomalies["subject"] = anomalies["explanation"] = HOSTILE[0]
    return sample.overview_data(
        portfolio=HOSTILE[0],
        repositories=tuple(RepositoryInfo(name, name, "active", name) for name in HOSTILE),
        values=sample.values_frame(typical),
        tiers=sample.tiers_frame(typical),
        alerts=alerts,
        anomalies=anomalies,
        problems=HOSTILE,
        run=HOSTILE[0],
    )


def test_the_same_data_gives_the_same_bytes_in_any_order_of_rows() -> None:
    data = sample.overview_data()
    shuffled = replace(
        data,
        repositories=tuple(reversed(data.repositories)),
        values=data.values.sample(frac=1, random_state=7),
        tiers=data.tiers.iloc[::-1],
        alerts=data.alerts.iloc[::-1],
        anomalies=data.anomalies.iloc[::-1],
    )
    assert render_overview(data) == render_overview(shuffled)


def test_unknown_and_too_few_are_words_with_reasons_and_never_zero() -> None:
    page = Page(render_overview(sample.overview_data()))

    assert page.row("aurora/notebooks").count("not known") == 5  # ships by and the four keys
    assert not re.search(r"\b0\b", page.row("aurora/notebooks"))
    assert "too few" in page.row("aurora/notifications")
    assert "2 of 3" in page.row("aurora/notifications")
    assert "0 %" in page.row("aurora/design-system").replace("\u00a0", " ")  # a true zero stays a zero
    notes = render_overview(sample.overview_data())
    for metric in ("deployment_frequency", "lead_time_hours", "failed_deployment_recovery_hours"):
        assert sample.catalogue_metrics()[metric].unknown in notes
    assert "it needs at least 3 in 28 days" in notes


def test_an_unknown_figure_has_no_value_even_where_the_frame_has_a_number() -> None:
    data = sample.overview_data()
    values = data.values.assign(value=0.0, n=0, state="unknown")
    figures = Figures(replace(data, values=values))
    assert {figures.on(name, "lead_time_hours").value for name in figures.repositories} == {None}
    assert figures.median("lead_time_hours").value is None

    html = render_overview(replace(data, values=values, tiers=data.tiers.iloc[:0]))
    assert "No repository can be rated yet." in html
    assert 'class="line' not in html


def test_a_card_is_the_median_repository_and_counts_tiers() -> None:
    rows = [("a/a", 10.0, "elite"), ("a/b", 20.0, "elite"), ("a/c", 400.0, "medium")]
    values = pd.DataFrame(
        [(name, "lead_time_hours", pd.Timestamp(sample.LAST), value, 9, "ok") for name, value, _ in rows],
        columns=["repository", "metric", "date", "value", "n", "state"],
    )
    tiers = pd.DataFrame(
        [(name, "lead_time_hours", tier) for name, _, tier in rows], columns=["repository", "metric", "tier"]
    )
    repositories = tuple(RepositoryInfo(name, None, "active", "tags") for name in ("a/a", "a/b", "a/c", "a/d"))
    html = render_overview(sample.overview_data(values=values, tiers=tiers, repositories=repositories))

    tile = html[html.index('href="#def-lead_time_hours"') :].split("</article>")[0]
    assert '<p class="value">20<span> h' in tile
    assert "median of 3 repositories" in tile
    assert "nothing to compare with 28 days before" in tile
    assert 'aria-label="2 Elite, 1 Medium, 1 not rated"' in tile
    assert "1 not known: No figure was computed for this day." in tile


def test_the_change_compares_only_repositories_known_on_both_days() -> None:
    before = sample.LAST - timedelta(days=28)
    rows = [("a/a", before, 10.0), ("a/a", sample.LAST, 5.0), ("a/new", sample.LAST, 900.0)]
    values = pd.DataFrame(
        [(name, "lead_time_hours", pd.Timestamp(on), value, 9, "ok") for name, on, value in rows],
        columns=["repository", "metric", "date", "value", "n", "state"],
    )
    repositories = tuple(RepositoryInfo(name, None, "active", "tags") for name in ("a/a", "a/new"))
    html = render_overview(sample.overview_data(values=values, repositories=repositories))
    assert "50\u00a0% lower than</b> 28 days before (1 known on both days)" in html


def test_hostile_text_stays_text() -> None:
    files = overview_files(hostile_data())
    html = files["index.html"]
    tags = Page(html).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in html
    assert "🦊" in html
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    first_cells = [row[0] for row in csv.reader(io.StringIO(files["data/overview.csv"]))]
    assert "'=1+1/🦊 & {{ 7*7 }}" in first_cells


@pytest.mark.parametrize("data", [sample.overview_data(), hostile_data()], ids=["sample", "hostile"])
def test_links_resolve_and_nothing_is_asked_of_other_hosts(data: OverviewData) -> None:
    files = {**overview_files(data), **static_files()}
    page = Page(files["index.html"])
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [attributes[name] or "" for _, attributes in page.tags for name in ("href", "src") if name in attributes]
    assert links
    for link in links:
        assert link == "data:," or (link[1:] in ids if link.startswith("#") else link in files), link
    for name in ("style.css", "site.js"):
        assert not re.search(r"https?://|url\(|@import|fetch\(", files[name])


def test_each_chart_has_its_sentence_its_table_and_its_file() -> None:
    files = overview_files(sample.overview_data())
    charts = files["index.html"].split('<figure class="panel chart"')[1:]
    assert len(charts) == 4
    for chart in charts:
        assert re.search(r'role="img" aria-label="[^"]{40,}"', chart)
        assert chart.count('<tr><th scope="row">') == 26
        assert "Download as CSV" in chart
    trend = list(csv.DictReader(io.StringIO(files["data/trend-lead_time_hours.csv"])))
    hole = [row for row in trend if row["repository"] == "aurora/notebooks"]
    assert {row["lead_time_hours"] for row in hole} == {""}


def test_attention_lists_what_is_open_and_recent() -> None:
    html = render_overview(sample.overview_data())
    assert html.index("Lead time bottleneck") < html.index("Low deployment activity")  # critical first
    assert "This one is over." not in html
    assert "Older than a week" not in html

    many = pd.concat([sample.alerts_frame().iloc[:1]] * 7)
    assert "2 more in" in render_overview(sample.overview_data(alerts=many))
    nothing = sample.overview_data(alerts=many.iloc[:0], anomalies=sample.anomalies_frame().iloc[:0])
    assert "No alert is open." in render_overview(nothing)


def test_the_state_of_the_checks_is_said() -> None:
    assert "all checks passed" in render_overview(sample.overview_data(problems=()))
    assert "checks: not known" in render_overview(sample.overview_data(problems=None))
    assert "212 of 240 collected" in render_overview(sample.overview_data())


def test_archived_and_empty_repositories_are_named_but_not_rated() -> None:
    page = render_overview(sample.overview_data())
    assert "Not in the table, archived: aurora/legacy-portal." in page
    assert 'id="repo-aurora-legacy' not in page


def test_an_empty_portfolio_and_a_first_day_still_make_a_page() -> None:
    data = sample.overview_data()
    nobody = replace(data, repositories=(), values=data.values.iloc[:0], tiers=data.tiers.iloc[:0])
    assert "No active repository." in render_overview(nobody)
    assert "nothing to compare with" in render_overview(replace(data, start=sample.LAST))
    assert render_overview(replace(data, start=date(2030, 1, 1)))


def test_a_catalogue_without_some_of_the_keys_still_makes_a_page() -> None:
    data = sample.overview_data()
    only = {"lead_time_hours": data.metrics["lead_time_hours"]}
    assert render_overview(replace(data, metrics=only))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="'tiers' of the overview lacks the columns tier"):
        sample.overview_data(tiers=pd.DataFrame(columns=["repository", "metric"]))


def test_later_pages_can_join_the_navigation() -> None:
    pages = (NavPage("Overview", "index.html"), NavPage("Delivery", "delivery/index.html"))
    html = render_overview(sample.overview_data(), pages)
    assert '<a href="index.html" aria-current="page">Overview</a>' in html
    assert '<a href="delivery/index.html">Delivery</a>' in html


def test_pages_stay_small() -> None:
    assert len(render_overview(sample.large_data(30)).encode()) <= 300_000
    assert len(static_files()["site.js"].encode()) <= 3 * 1024
