"""Where each page stands in the site: whoever links to one, from a page, a message or the Dagster UI, asks here."""

from __future__ import annotations

import hashlib
import re

from metrics_assets.catalogue import parts

OVERVIEW = "index.html"
DELIVERY = "delivery.html"
REPOSITORIES = "repositories.html"
TEAMS = "teams.html"
COMMUNITY = "community.html"
GOALS = "goals.html"
RELEASES = "releases.html"
ALERTS = "alerts.html"
FORECASTS = "forecasts.html"
INSIGHTS = "insights.html"
REPORTS = "reports.html"
DATA_QUALITY = "data-quality.html"
METHOD = "method.html"

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")


def slug(name: str) -> str:
    """A name as a part of an address: readable, safe whatever it holds, and different for each name.

    'acme/api' is acme.api; what is not plain lower case gets six digits of its SHA-256.
    """
    parts = name.split("/")
    if len(parts) == 2 and all(_PLAIN.fullmatch(part) for part in parts):
        return ".".join(parts)
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    return "-".join(part for part in (readable, hashlib.sha256(name.encode()).hexdigest()[:6]) if part)


def repository(name: str) -> str:
    """The page of a repository."""
    return f"repo/{slug(name)}.html"


def report(kind: str, period: str) -> str:
    """The page of a report; `period` is its first day, '2025-12-01'."""
    return f"reports/{kind}-{period}.html"


def chart(metric: str) -> str:
    """The id of a metric's chart within a page."""
    return f"chart-{metric}"


def method(part: str) -> str:
    """The page that explains a part of the catalogue; `part` is its slug, see catalogue/parts.py."""
    return f"method/{part}.html"


def metric(key: str) -> str:
    """Where the method of a metric is explained: a page of its own part of the catalogue, and the id within it.

    Of a metric that the catalogue does not have (any more) it is the page of all parts.
    """
    part = parts.page_of(key)
    return METHOD if part is None else f"{method(part.slug)}#{key}"


def badge(subject: str, metric: str) -> str:
    """The badge of a subject's figure; `metric` may be `tier`."""
    return f"badges/{slug(subject)}/{metric}.svg"
