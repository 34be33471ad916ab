"""The frame that all pages share: templates, navigation, style and script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.charts import tier_bars
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.kit.tables import link_to, table_html

HERE = Path(__file__).parent
STATIC_FILES = ("style.css", "site.js")
NOT_FOUND = "404.html"


@dataclass(frozen=True, slots=True)
class NavPage:
    """A page that the navigation lists; `path` is its path in the site, `beneath` how those of its pages begin."""

    title: str
    path: str
    beneath: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether this is the page at a path, or the one above it."""
        return path == self.path or path.startswith(self.beneath)


NAVIGATION = (
    NavPage("Overview", addresses.OVERVIEW),
    NavPage("Delivery", addresses.DELIVERY),
    NavPage("Repositories", addresses.REPOSITORIES, ("repo/", "repositories-")),
    NavPage("Teams", addresses.TEAMS, ("team/",)),
    NavPage("Community", addresses.COMMUNITY),
    NavPage("Goals", addresses.GOALS),
    NavPage("Releases", addresses.RELEASES),
    NavPage("Alerts", addresses.ALERTS),
    NavPage("Forecasts", addresses.FORECASTS),
    NavPage("Insights", addresses.INSIGHTS),
    NavPage("Reports", addresses.REPORTS, ("reports/",)),
    NavPage("Data quality", addresses.DATA_QUALITY),
    NavPage("Method", addresses.METHOD, ("method/",)),
)


def static_files() -> dict[str, str]:
    """Return the files that every page links to, by their path in the site."""
    return {name: (HERE / name).read_text(encoding="utf-8") for name in STATIC_FILES}


def not_found(site: SiteInfo) -> str:
    """Return the page that a web server shows for an address that is none, as 404.html at the head of the site.

    It stands at whatever address was asked for, so its links and its style hold for pages of the head only; without
    them it still reads as it should.
    """
    return render("not_found.html.j2", path=NOT_FOUND, site=site, title="No such page")


def render(template: str, *, path: str, site: SiteInfo, title: str, **context: object) -> str:
    """Return the page made of a template; `path` is where it will stand, so that its links are relative.

    The template extends base.html.j2. It knows `root` (the way to the head of the site), `path`, `site` and `title`
    besides what it is given.
    """
    pages = [page for page in NAVIGATION if page.path in site.pages]
    current = next((page for page in pages if page.holds(path)), None)
    return (
        _environment()
        .get_template(template)
        .render(
            path=path,
            root="../" * path.count("/"),
            site=site,
            title=title,
            pages=pages,
            current=current,
            addresses=addresses,
            **context,
        )
    )


def template(name: str) -> Template:
    """Return a template that is no page of the site."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["day"] = wording.day
    environment.globals["tier_bars"] = tier_bars
    environment.globals["table_html"] = table_html
    environment.globals["link_to"] = link_to
    return environment
