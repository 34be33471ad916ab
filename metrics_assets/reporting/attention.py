"""What needs attention: open alerts and recent anomalies, the most severe first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import OverviewData

SHOWN_ITEMS = 5
ATTENTION_DAYS = 7
SEVERITY_ORDER = {"bad": 0, "watch": 1, "calm": 2}


@dataclass(frozen=True, slots=True)
class Item:
    """An alert or an anomaly that needs attention."""

    glyph: str
    severity: str
    role: str
    subject: str
    target: str | None
    title: str
    why: str
    when: str


@dataclass(frozen=True, slots=True)
class Attention:
    """The first items of a list, and how many more there are."""

    title: str
    items: tuple[Item, ...]
    more: int
    csv: str
    nothing: str


def open_alerts(data: OverviewData) -> Attention:
    """Return the alerts that are open, those acknowledged too."""
    frame = data.alerts[data.alerts["state"] != "resolved"]
    items = [
        _item(
            data,
            severity,
            subject,
            title,
            state == "acknowledged",
            text,
            f"since {wording.day(opened)}",
            opened,
        )
        for severity, subject, title, state, text, opened in zip(
            frame["severity"].tolist(),
            frame["subject"].tolist(),
            frame["title"].tolist(),
            frame["state"].tolist(),
            frame["text"].tolist(),
            pd.to_datetime(frame["opened_on"]).dt.date.tolist(),
            strict=True,
        )
    ]
    return _attention("Open alerts", items, "data/alerts.csv", "No alert is open.")


def recent_anomalies(data: OverviewData) -> Attention:
    """Return the anomalies of the last seven days."""
    on = pd.to_datetime(data.anomalies["date"])
    frame = data.anomalies[on > pd.Timestamp(data.data_through - timedelta(days=ATTENTION_DAYS))]
    items = [
        _item(data, severity, subject, _metric_title(data, metric), False, text, wording.day(seen), seen)
        for severity, subject, metric, text, seen in zip(
            frame["severity"].tolist(),
            frame["subject"].tolist(),
            frame["metric"].tolist(),
            frame["explanation"].tolist(),
            pd.to_datetime(frame["date"]).dt.date.tolist(),
            strict=True,
        )
    ]
    nothing = f"No figure left its usual range in the last {ATTENTION_DAYS} days."
    return _attention(f"Anomalies of the last {ATTENTION_DAYS} days", items, "data/anomalies.csv", nothing)


def _item(
    data: OverviewData,
    severity: object,
    subject: str,
    title: str,
    acknowledged: bool,
    why: object,
    when: str,
    on: date,
) -> tuple[tuple[int, int, str, str], Item]:
    glyph, word, role = wording.severity(severity if isinstance(severity, str) else "warning")
    is_shown = any(info.repository == subject and info.state == "active" for info in data.repositories)
    target = wording.anchor("repo", subject) if is_shown else None
    said = why if isinstance(why, str) else ""
    item = Item(glyph, word, role, subject, target, title, said, when + (", acknowledged" if acknowledged else ""))
    return (SEVERITY_ORDER[role], -on.toordinal(), subject, title), item


def _attention(title: str, items: list[tuple[tuple[int, int, str, str], Item]], csv: str, nothing: str) -> Attention:
    ranked = [item for _, item in sorted(items, key=lambda pair: pair[0])]
    return Attention(title, tuple(ranked[:SHOWN_ITEMS]), max(0, len(ranked) - SHOWN_ITEMS), csv, nothing)


def _metric_title(data: OverviewData, key: str) -> str:
    return data.metrics[key].title if key in data.metrics else key.replace("_", " ").capitalize()
