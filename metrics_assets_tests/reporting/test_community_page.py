"""The community page, of hand-made records."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from metrics_assets import addresses
from metrics_assets.reporting.data import MetricInfo, Point, SiteInfo
from metrics_assets.reporting.pages.community import (
    PORTFOLIO,
    CommunityData,
    FedFigure,
    Licences,
    Model,
    ModelRow,
    Package,
    Platform,
    Repository,
    Score,
    ScorePart,
    Waiting,
    Widget,
    community_files,
)
from metrics_assets.reporting.pages.community_tables import by_need, waiting_table
from metrics_assets.reporting.pages.community_widgets import widget_view
from metrics_assets.reporting.pages.community_words import Band
from metrics_assets_tests.reporting.test_releases_page import HOSTILE, metric, parsed, series

DAY = date(2025, 12, 31)
SITE = SiteInfo(
    portfolio="Aurora",
    data_through=DAY,
    start=date(2025, 6, 1),
    tier_source="standard",
    problems=(),
    pages=frozenset({addresses.COMMUNITY, addresses.METHOD, addresses.repository("aurora/api")}),
)
UNITS = {"stars_total": "count", "issue_first_response_hours": "hours", "issue_first_response_business_hours": "hours"}
METRICS: dict[str, MetricInfo] = {
    key: metric(
        key, key.replace("_", " ").capitalize(), UNITS.get(key, "count"), "lower" if "hours" in key else "higher"
    )
    for key in (
        *PORTFOLIO,
        "downloads_week",
        "downloads_month",
        "downloads_growth_month",
        "latest_major_share",
        "dependents",
        "advisories_open",
        "mentions_week",
        "questions_month",
        "members",
        "sentiment",
        "positive_share",
    )
}
BANDS = {
    "stars_total": (Band("green", at_least=1000), Band("yellow", 500, 1000), Band("red", below=500)),
    "issue_first_response_business_hours": (Band("green", below=4), Band("yellow", 4, 24), Band("red", at_least=24)),
}
SEGMENTED = metric("adoption_region_share", "Adoption by region")


def repository(name: str, hours: float | None, stars: float = 600, waits: int | None = 0) -> Repository:
    def point(value: float | None, n: int | None = None) -> Point:
        return Point(DAY, value, n, "unknown" if value is None else "ok")

    figures = {
        "issue_first_response_business_hours": point(hours, 8),
        "issue_first_response_hours": point(None if hours is None else hours * 3),
        "stars_total": point(stars),
        "active_contributors_month": point(12),
        "new_contributors_month": point(2),
    }
    return Repository(name, figures, METRICS, waits, 1)


def waiting(number: int, **more: object) -> Waiting:
    given: dict[str, object] = {"kind": "issue", "repository": "aurora/api", "title": f"Question {number}", **more}
    days = 90 - number
    return Waiting(number=number, opened_on=DAY - timedelta(days=days), days=days, **given)  # type: ignore[arg-type]


def full() -> CommunityData:
    package = Package(
        "crates:aurora",
        "aurora/api",
        {
            "downloads_week": Point(DAY, 1400.0, 7, "ok"),
            "downloads_month": Point(DAY, 6000.0, 30, "ok"),
            "advisories_open": Point(DAY, 2.0, None, "ok"),
        },
        METRICS,
        total=123_456,
        method="published",
        versions=(("2.1.0", 700), ("2.0.0", 500), ("", 200)),
    )
    unknown = Package("go:example.org/aurora", None, {}, METRICS, unknown="The registry does not publish downloads.")
    platform = Platform(
        "reddit",
        "aurora",
        {"mentions_week": Point(DAY, 12.0, 7, "ok"), "sentiment": Point(DAY, -0.4, 31, "ok")},
        METRICS,
    )
    few = Platform("discord", "aurora", {"sentiment": Point(DAY, None, 2, "too_few")}, METRICS)
    parts = (
        ScorePart("Growth of stars", 0.12, "ratio", 100.0, 50.0, 50.0),
        ScorePart("Questions answered", 0.5, "ratio", 40.0, 50.0, 20.0),
        ScorePart("Satisfaction", None, "score", None, None, None),
    )
    rows = (
        ModelRow(METRICS["stars_total"], 10.0, "ok", 3, 12.0, "worse"),
        ModelRow(METRICS["stars_total"], None, "too_few", 1, None, "unknown"),
    )
    return CommunityData(
        series={key: series(METRICS[key], *[5.0] * 52, 3.0) for key in PORTFOLIO},
        bands=BANDS,
        issues_waiting=5,
        pull_requests_waiting=1,
        repositories=(
            repository("aurora/web", 1.0, 1200),
            repository("aurora/api", 30.0, 90, 4),
            repository("aurora/x", None),
        ),
        packages=(unknown, package),
        package_series=(
            replace(series(METRICS["downloads_week"], 1.0, 2.0), subject_kind="package", subject="crates:aurora"),
        ),
        platforms=(few, platform),
        widgets=(
            Widget(
                "Engagement",
                "Says.",
                (
                    FedFigure(SEGMENTED, "Europe", 0.4, 0.3, "a month before", DAY, "https://example.org/s"),
                    FedFigure(SEGMENTED, "Asia", 0.5, None, "a month before", DAY, "javascript:alert(1)"),
                ),
            ),
            Widget("Satisfaction", "Says.", (), ("Net promoter score", "Pain points")),
        ),
        scores=(Score("Community health", 70.0, 0.8, parts, "community_health_score"),),
        models=(Model("Starter", "CHAOSS", rows, (("Libyears", "It is not collected."),)),),
        licences=Licences(2, 3),
        waiting=(waiting(1, url="https://example.org/1"), waiting(2, kind="discussion", title=None)),
        waiting_total={"discussion": 1, "issue": 30},
        lists_missing=2,
    )


def pages(data: CommunityData) -> dict[str, str]:
    return {
        path: content if isinstance(content, str) else content.decode() for path, content in community_files(SITE, data)
    }


def text(data: CommunityData) -> str:
    return parsed(pages(data)["community.html"]).text.replace("\u00a0", " ")


def test_what_the_page_says() -> None:
    said = text(full())
    for sentence in (
        "Half of the issues get a first answer within 3 h of business time (green); 1 repository is red.",
        "31 items wait for a first answer, the oldest for 89 days.",
        "Community health stands at 70 of 100; weakest: questions answered.",
        "5 issues and 1 pull request of those opened in the last 28 days had no answer, closed ones among them.",
        "1 discussion and 30 issues wait for a first answer by another person. The oldest 2 are listed.",
        "Nothing is said of 2 repositories whose lists of the day are not complete.",
        "At the end of 31 Dec 2025 · 3 repositories · 2 packages · 2 communities elsewhere",
        "Stars total: green from 1,000, yellow from 500 to under 1,000, red under 500.",
        "The registry does not publish downloads.",
        "published by day",
        "200 a day",
        "123,456",
        "other versions",
        "Not fed: Net promoter score, Pain points.",
        "80 % of what it is made from is known",
        "2 of 3",
        "Not there: Libyears: It is not collected.",
    ):
        assert sentence in said, sentence


def test_lights_have_words_and_need_comes_first() -> None:
    data = full()
    assert [one.repository for one in by_need(data.repositories, BANDS)] == ["aurora/api", "aurora/x", "aurora/web"]
    said = text(data)
    rows = said[said.index("Repositories by need") :]
    assert rows.index("aurora/api") < rows.index("aurora/x") < rows.index("aurora/web")
    assert "red, n 8; 3.8 d by the clock" in rows
    assert "4 issues" in rows


def test_the_limits_of_the_lights() -> None:
    def role(hours: float) -> str:
        from metrics_assets.reporting.pages.community_tables import response_light

        found = response_light(repository("aurora/api", hours), BANDS)
        assert found is not None
        return found.word

    assert [role(hours) for hours in (0.0, 3.99, 4.0, 23.9, 24.0, 400.0)] == [
        "green",
        "green",
        "yellow",
        "yellow",
        "red",
        "red",
    ]


def test_sentiment_is_a_word_and_too_few_people_are_no_number() -> None:
    said = text(full())
    assert "✕ -0.40 negative" in said
    platforms = said[said.index("Communities elsewhere", said.index("Engagement, satisfaction")) :]
    assert "too few n 2" in platforms
    assert platforms.index("reddit") < platforms.index("discord")  # most mentions first


def test_fed_figures_show_their_parts_and_harmless_sources() -> None:
    page = parsed(pages(full())["community.html"])
    links = [attributes.get("href") for tag, attributes in page.tags if tag == "a"]
    assert "https://example.org/s" in links
    assert "javascript:alert(1)" not in links
    view = widget_view(full().widgets[0])
    assert view.table is not None
    assert [row.cells[1].text for row in view.table.rows] == ["Asia", "Europe"]  # the largest first
    assert [cell.text for cell in view.table.rows[0].cells][3] == "nothing to compare with"
    whole = replace(full().widgets[0], figures=(FedFigure(SEGMENTED, None, 0.5, 0.4),))
    table = widget_view(whole).table
    assert table is not None
    assert [column.title for column in table.columns] == ["Figure", "Now", "Change", "Period to"]


def test_many_parts_are_cut() -> None:
    figures = tuple(FedFigure(SEGMENTED, f"Region {number}", number / 100) for number in range(30))
    table = widget_view(Widget("Engagement", "Says.", figures)).table
    assert table is not None
    assert len(table.rows) == 8
    assert table.note == "The largest parts are shown; all in the CSV."


def test_waiting_items_name_nobody() -> None:
    table = waiting_table((waiting(1, url="https://example.org/1"), waiting(2, kind="discussion", title=None)))
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["Question 1", "aurora/api #1", "89 days"],
        ["without a title", "aurora/api #2", "88 days"],
    ]
    assert table.rows[0].cells[0].href == "https://example.org/1"
    assert table.rows[1].cells[0].href is None


def test_nothing_known() -> None:
    files = pages(CommunityData())
    said = parsed(files["community.html"]).text
    for sentence in (
        "Nothing is known of the community yet.",
        "No figure of the portfolio was computed for this day.",
        "Nothing that is known waits for a first answer.",
        "No repository is known.",
        "No package is named in metrics.yaml",
        "No community elsewhere is named in metrics.yaml",
        "Nothing is known of policies.",
    ):
        assert sentence in said, sentence
    empty = {key: series(METRICS[key], None) for key in PORTFOLIO}
    blank = Repository("aurora/api", {}, METRICS)
    said = text(CommunityData(series=empty, repositories=(blank,)))
    assert "How soon issues get a first answer is not known." in said
    assert "Not known" in said


def test_hostile_texts_are_words() -> None:
    data = full()
    widget = Widget(
        HOSTILE,
        HOSTILE,
        (FedFigure(SEGMENTED, HOSTILE, 0.5, 0.4, "a month before", DAY, f"https://x/{HOSTILE}"),),
        (HOSTILE[:300],),
    )
    hostile = replace(
        data,
        repositories=(repository(HOSTILE[:120], 3.0),),
        packages=(Package(HOSTILE, HOSTILE[:100], {}, METRICS, unknown=HOSTILE, versions=((HOSTILE, 3),)),),
        platforms=(Platform(HOSTILE[:40], HOSTILE, {}, METRICS),),
        widgets=(widget,),
        waiting=tuple(replace(waiting(number), title=HOSTILE) for number in range(20)),
    )
    html = pages(hostile)["community.html"]
    page = parsed(html)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{"src": "site.js"}]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script>alert('x')</script>" in page.text
    assert len(html.encode()) < 300_000


def test_a_thousand_repositories_fit() -> None:
    many = tuple(repository(f"acme/service-{number:04}", number / 10) for number in range(1000))
    packages = tuple(replace(full().packages[1], package=f"crates:p{number}") for number in range(400))
    platforms = tuple(replace(full().platforms[1], community=f"c{number}") for number in range(400))
    files = pages(replace(full(), repositories=many, packages=packages, platforms=platforms))
    html = files["community.html"]
    assert len(html.encode()) < 300_000
    for noun in ("1,000 repositories", "400 packages", "400 communities"):
        assert f"50 of {noun} shown; all in the CSV." in html
    assert files["data/community-repositories.csv"].count("\n") == 1001
    assert "acme/service-0999" in html  # the slowest comes first
    assert "acme/service-0001" not in html


def test_ids_are_unique_and_the_same_records_give_the_same_bytes() -> None:
    files = pages(full())
    ids = [attributes["id"] for _, attributes in parsed(files["community.html"]).tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert files == pages(full())
