"""What needs attention: open alerts, the most severe and the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.pages.summaries import OpenAlert, page_of, subject_href

SHOWN_ITEMS = 5
SEVERITY_ORDER = {"bad": 0, "watch": 1, "calm": 2}


@dataclass(frozen=True, slots=True)
class Item:
    """An alert in words; `subject_href` and `href` are paths in the site, of the subject's page and of the alert."""

    glyph: str
    severity: str
    role: str
    subject: str
    subject_href: str | None
    title: str
    href: str | None
    why: str
    when: str


@dataclass(frozen=True, slots=True)
class Attention:
    """The first items of a list, and how many more there are; `more_href` leads to all of them."""

    items: tuple[Item, ...]
    more: int
    more_href: str | None
    nothing: str


def attention(
    site: SiteInfo,
    alerts: Iterable[OpenAlert],
    *,
    nothing: str = "No alert is open.",
    shown: int = SHOWN_ITEMS,
    about: str | None = None,
) -> Attention:
    """Return the alerts that are open, those acknowledged too; what the page itself is about is not named again."""
    ranked = sorted(alerts, key=_rank)
    return Attention(
        items=tuple(_item(site, alert, about) for alert in ranked[:shown]),
        more=max(0, len(ranked) - shown),
        more_href=page_of(site, addresses.ALERTS),
        nothing=nothing,
    )


def _rank(alert: OpenAlert) -> tuple[int, int, str, str, str]:
    role = wording.severity(alert.severity)[2]
    return (SEVERITY_ORDER[role], -alert.opened_on.toordinal(), alert.subject, alert.title, alert.metric)


def _item(site: SiteInfo, alert: OpenAlert, about: str | None) -> Item:
    glyph, word, role = wording.severity(alert.severity)
    acknowledged = ", acknowledged" if alert.state == "acknowledged" else ""
    href = page_of(site, f"{addresses.ALERTS}#{alert.anchor}" if alert.anchor else addresses.ALERTS)
    is_own = alert.subject == about
    return Item(
        glyph=glyph,
        severity=word,
        role=role,
        subject=alert.title if is_own else alert.subject,
        subject_href=href if is_own else subject_href(site, alert.subject_kind, alert.subject),
        title="" if is_own else alert.title,
        href=None if is_own else href,
        why=alert.text,
        when=f"since {wording.day(alert.opened_on)}{acknowledged}",
    )
