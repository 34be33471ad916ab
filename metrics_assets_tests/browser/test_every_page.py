"""What holds on every page: no accessibility violation, nothing too wide, nothing broken, no outside world."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from metrics_assets import settings
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets_tests.browser.conftest import pages_of, watched

pytestmark = pytest.mark.xdist_group("browser")
LARGEST = 300 * 1024
WIDTHS = (320, 390, 1280)
_VIOLATIONS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .map(v => v.id + ' (' + v.impact + '): ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3).join(', '))"""
# What sticks out of the window's right side, unless an element around it scrolls or cuts it off.
_OVERFLOW = """() => {
  const root = document.documentElement, over = root.scrollWidth - root.clientWidth
  if (over <= 0) return ''
  const edge = root.clientWidth + 0.5
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > edge)
  return over + ' px: ' + wide.slice(0, 4).map(e => e.tagName + '.' + e.className).join(', ')
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_an_accessibility_violation(
    scheme: str, browser: Browser, axe: str, site: str, site_folder: Path
) -> None:
    found = {}
    with watched(browser, color_scheme=scheme, bypass_csp=True) as page:
        for path in pages_of(site_folder):
            page.goto(f"{site}/{path}")
            page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
            page.add_script_tag(content=axe)
            if violations := page.evaluate(_VIOLATIONS):
                found[path] = violations
    assert not found


def test_no_page_is_wider_than_the_window(browser: Browser, site: str, site_folder: Path) -> None:
    found = {}
    with watched(browser) as page:
        for path in pages_of(site_folder):
            page.goto(f"{site}/{path}")
            page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                if over := page.evaluate(_OVERFLOW):
                    found[f"{path} at {width} px"] = over
    assert not found


def test_every_page_says_what_without_scripts(browser: Browser, site: str, site_folder: Path) -> None:
    with watched(browser, java_script_enabled=False) as page:
        for path in pages_of(site_folder):
            page.goto(f"{site}/{path}")
            assert page.locator("h1").count() == 1, path
            for plot in page.locator("figure.chart").all():
                assert plot.locator("svg path").count(), path
                assert plot.locator("table").count() == 1, path
            # What only a script can use is not shown where there is none.
            assert not page.locator("button:visible").count(), path


def test_no_page_is_large(site_folder: Path) -> None:
    sizes = {path: (site_folder / path).stat().st_size for path in pages_of(site_folder)}
    assert len(sizes) > 20
    assert {path: size for path, size in sizes.items() if size > LARGEST} == {}


def test_the_demo_has_a_candidate_of_every_verdict_and_notes(site_folder: Path) -> None:
    releases = (site_folder / "releases.html").read_text(encoding="utf-8")
    assert "1 is ready, 1 is for review and 1 is blocked" in " ".join(re.sub(r"<[^>]+>", "", releases).split())
    month = (site_folder / "reports" / "monthly_report-2025-12-01.html").read_text(encoding="utf-8")
    assert "Evening about search at the Harbour Meetup, with 70 people." in month
    assert "Nothing noted" not in month


def test_every_link_leads_somewhere(site_folder: Path) -> None:
    anchors = {
        path: set(re.findall(r'\bid="([^"]*)"', (site_folder / path).read_text(encoding="utf-8")))
        for path in pages_of(site_folder)
    }
    broken = []
    for path in anchors:
        text = (site_folder / path).read_text(encoding="utf-8")
        for target in re.findall(r'\b(?:href|src)="([^"]*)"', text):
            if re.match(r"(https?|mailto|data):", target):
                continue
            file, _, anchor = target.partition("#")
            there = (site_folder / path).parent.joinpath(file).resolve() if file else site_folder / path
            name = there.relative_to(site_folder).as_posix()
            if not there.is_file() or (anchor and anchor not in anchors.get(name, ())):
                broken.append(f"{path}: {target}")
    assert not broken


def test_nobodys_name_is_on_a_page(site_folder: Path) -> None:
    people = {login for members in settings.load(DEMO_CONFIG).teams.values() for login in members}
    assert people
    for path in site_folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            named = {name for name in people if re.search(rf"\b{re.escape(name)}\b", text)}
            assert not named, f"{path.relative_to(site_folder)} names {sorted(named)}"


def test_the_keyboard_reaches_everything(page: Page, site: str) -> None:
    page.goto(f"{site}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        tag, name = page.evaluate("[document.activeElement.tagName, document.activeElement.outerHTML.slice(0, 200)]")
        if tag == "BODY":
            break
        reached.add(name)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"no focus is shown on {name}"
    wanted = page.evaluate(
        "[...document.querySelectorAll('main a[href], main button, main input, main summary, main [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 200))"
    )
    assert set(wanted) <= reached
