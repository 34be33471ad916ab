"""The frame that all pages share: templates, navigation, style and script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from metrics_assets.reporting import wording
from metrics_assets.reporting.charts import tier_bars

HERE = Path(__file__).parent
STATIC_FILES = ("style.css", "site.js")


@dataclass(frozen=True, slots=True)
class NavPage:
    """A page that the navigation lists; `path` is its path in the site."""

    title: str
    path: str


OVERVIEW_PAGE = NavPage("Overview", "index.html")


def static_files() -> dict[str, str]:
    """Return the files that every page links to, by their path in the site."""
    return {name: (HERE / name).read_text(encoding="utf-8") for name in STATIC_FILES}


def render(template: str, *, path: str, pages: Sequence[NavPage], **context: object) -> str:
    """Return the page made of a template; `path` is where it will stand, so that its links are relative."""
    root = "../" * path.count("/")
    return _environment().get_template(template).render(path=path, root=root, pages=pages, **context)


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
    return environment
