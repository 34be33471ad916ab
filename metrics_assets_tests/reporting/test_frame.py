"""The frame of all pages: navigation, banner, footer, and a policy that lets nothing in from other hosts."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.data import BannerItem, SiteInfo
from metrics_assets.reporting.frame import NAVIGATION, not_found, render, static_files

from . import samples


class Page(HTMLParser):
    """The tags of a page with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(path: str = addresses.DELIVERY, **changes: object) -> str:
    """The plainest page there is, at a path."""
    return render("not_found.html.j2", path=path, site=samples.site_info(**changes), title="A page")


def test_the_navigation_lists_the_pages_that_the_build_has_in_their_order() -> None:
    links = [a["href"] for a in Page(page()).all("a")]
    listed = [each.path for each in NAVIGATION]
    assert links[1 : 1 + len(listed)] == listed
    few = page(pages=frozenset({addresses.OVERVIEW, addresses.ALERTS}))
    assert 'href="alerts.html"' in few
    assert "delivery.html" not in few
    assert "<nav" not in page(pages=frozenset())


@pytest.mark.parametrize(
    ("path", "marked", "how"),
    [
        (addresses.DELIVERY, "Delivery", "page"), (addresses.repository("aurora/gateway"), "Repositories", "true"),
        (addresses.report("monthly", "2025-12-01"), "Reports", "true"), ("team/x.html", "Teams", "true"),
        ("method/dora.html", "Method", "true"),
    ],
)  # fmt: skip
def test_the_page_at_hand_is_marked_and_links_are_relative(path: str, marked: str, how: str) -> None:
    html = page(path)
    root = "../" * path.count("/")
    current = re.findall(r'<a href="([^"]+)" aria-current="(\w+)">([^<]+)', html)
    assert {(kind, title) for _, kind, title in current} == {(how, marked)}
    assert f"Menu: {marked}" in html
    assert f'<link rel="stylesheet" href="{root}style.css">' in html
    assert f'<a href="{root}index.html"' in html


def test_critical_alerts_stand_at_the_head_of_every_page() -> None:
    items = tuple(BannerItem(f"Title {i}", "aurora/a", date(2025, 12, 20), f"alerts.html#a{i}") for i in range(5))
    html = page("repo/a.html", banner=items)
    assert html.index("Critical alerts") < html.index("<main")
    assert 'href="../alerts.html#a0"' in html
    assert "Title 2" in html
    assert "Title 3" not in html
    assert "2 more critical alerts are open" in html
    assert "since 20\u00a0Dec\u00a02025" in html
    assert "Critical alerts" not in page()
    nowhere = page(banner=(BannerItem("T", "a", date(2025, 1, 1), "javascript:alert(1)"),))
    assert "javascript" not in nowhere


def test_the_footer_says_the_day_the_checks_and_how_it_was_built() -> None:
    html = page(problems=("a", "b"), dagster_url="http://127.0.0.1:3000")
    assert "Data through 31\u00a0Dec\u00a02025" in html
    assert '<a href="data-quality.html">checks: 2 failed</a>' in html
    built = "http://127.0.0.1:3000/assets/site/pages?view=partitions&amp;partition=2025-12-31"
    assert f'<a href="{built}">how it was built</a>' in html
    assert '<a href="method.html">how each number is computed</a>' in html
    assert "all checks passed" in page()
    assert "how it was built" not in page(dagster_url="javascript:x")
    assert "data-quality.html" not in page(pages=frozenset({addresses.OVERVIEW}))


def test_the_policy_lets_nothing_in_from_other_hosts_and_no_script_in_the_page() -> None:
    html = page()
    policy = next(meta["content"] for meta in Page(html).all("meta") if meta.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "script-src 'self'" in policy
    assert "http" not in policy
    assert [script for script in Page(html).all("script") if "src" not in script] == []
    for name, text in static_files().items():
        assert not re.search(r"https?://|url\(|@import|fetch\(|innerHTML|eval\(", text), name


def test_hostile_names_stay_text() -> None:
    bad = samples.HOSTILE
    site: dict[str, object] = {
        "portfolio": bad,
        "dagster_url": bad,
        "banner": (BannerItem(bad, bad, date(2025, 1, 1), bad),),
    }
    html = render("not_found.html.j2", path="repo/x.html", site=samples.site_info(**site), title=bad)
    tags = Page(html).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in html


def test_there_is_a_page_for_addresses_that_are_none() -> None:
    site: SiteInfo = samples.site_info()
    assert "No such page" in not_found(site)
    assert "aria-current" not in not_found(site)


def test_script_and_style_stay_small() -> None:
    files = static_files()
    assert len(files["site.js"].encode()) < 5 * 1024
    assert len(files["style.css"].encode()) < 32 * 1024
