"""What the scripts add, and paper: sorting, filtering, the crosshair, the theme, and how pages print."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("browser")


def test_a_table_is_sorted_and_filtered(page: Page, site: str) -> None:
    page.goto(f"{site}/repositories.html")
    table = page.locator("table.sortable").first
    names = table.locator("tbody th[scope=row]")
    before = names.all_inner_texts()
    assert len(before) > 3
    header = table.locator("thead button").first
    header.focus()
    page.keyboard.press("Enter")
    assert names.all_inner_texts() == sorted(before, key=str.casefold)
    assert table.locator("thead th").first.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert names.all_inner_texts() == sorted(before, key=str.casefold, reverse=True)
    chosen = before[0].split()[0]
    page.locator("input[type=search]").first.fill(chosen)
    shown = [row for row in table.locator("tbody tr").all() if row.is_visible()]
    assert 1 <= len(shown) < len(before)
    assert all(chosen.lower() in row.inner_text().lower() for row in shown)


def test_a_chart_is_read_with_the_arrow_keys(page: Page, site: str) -> None:
    page.goto(f"{site}/delivery.html")
    plot = page.locator("figure.chart .plot").first
    plot.focus()
    page.keyboard.press("ArrowLeft")
    first = page.locator("#live").inner_text()
    page.keyboard.press("ArrowLeft")
    second = page.locator("#live").inner_text()
    assert first
    assert second
    assert first != second
    page.keyboard.press("Escape")
    assert plot.locator(".hair").count() == 0


def test_the_theme_is_chosen_and_kept(page: Page, site: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(site)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button = page.locator("#theme")
    while "dark" not in button.inner_text().lower():
        button.click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.goto(f"{site}/delivery.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_the_colours_follow_the_system_without_a_choice(page: Page, site: str) -> None:
    found = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(site)
        found.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(found) == 2


def test_the_report_is_printed_in_black_on_white_without_navigation(page: Page, site: str, site_folder: Path) -> None:
    report = sorted((site_folder / "reports").glob("monthly_report-*.html"))[-1]
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{site}/reports/{report.name}")
    assert not page.locator("nav").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )
    printed = page.pdf(format="A4", print_background=True)
    assert 1 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") + printed.count(b"/Type/Page\n") <= 8


def test_text_may_be_twice_as_large(page: Page, site: str) -> None:
    page.goto(site)
    page.add_style_tag(content="html { font-size: 200% !important }")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_motion_is_spared_where_it_is_unwanted(page: Page, site: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(site)
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
