"""The page of alerts and anomalies: what is open and what to do, what has ended, how often each rule was worth it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from metrics_assets import addresses
from metrics_assets.catalogue.metrics import Catalogue
from metrics_assets.reporting import catalogue_words as words
from metrics_assets.reporting import unusual, wording
from metrics_assets.reporting.data import MetricInfo, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.kit import Cell, Column, Row, Table, rows_csv
from metrics_assets.reporting.pages.alerts_records import (
    AlertsData,
    EndedAlert,
    OpenAlert,
    RuleRecord,
    Silence,
    UnusualDay,
    WatchedLabel,
)
from metrics_assets.reporting.pages.repository_data import TRENDS
from metrics_assets.reporting.rules_page import holds_where

__all__ = [
    "AlertsData",
    "EndedAlert",
    "OpenAlert",
    "RuleRecord",
    "Silence",
    "UnusualDay",
    "WatchedLabel",
    "alerts_files",
    "since",
]

DAYS = 28
MOST_SHOWN = 50
USEFUL_GOAL = 0.8
_ORDER = ("critical", "warning", "info")
_HEADINGS = {"critical": "Critical", "warning": "Warnings", "info": "Notes"}
_OPEN_CSV, _ENDED_CSV = "data/alerts-open.csv", "data/alerts-ended.csv"
_RULES_CSV, _ANOMALIES_CSV = "data/alert-rules.csv", "data/anomalies-28-days.csv"


@dataclass(frozen=True, slots=True)
class OpenView:
    """An open alert as the page shows it."""

    alert: OpenAlert
    glyph: str
    word: str
    role: str
    since: str
    state: str
    chart: str | None  # path in the site
    method: str | None
    dagster: str | None


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the 28 days."""

    title: str
    value: str
    unit: str
    under: str


def alerts_files(site: SiteInfo, data: AlertsData) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files."""
    day = site.data_through
    ranked = sorted(data.open, key=lambda one: (_rank(one.severity), one.opened_on, one.subject, one.title))
    shown = [_open_view(alert, site) for alert in ranked[:MOST_SHOWN]]
    ended = sorted(
        (one for one in data.ended if not one.is_milestone), key=lambda one: (-one.resolved_on.toordinal(), one.subject)
    )
    milestones = sorted((one for one in data.ended if one.is_milestone), key=lambda one: -one.resolved_on.toordinal())
    rules = sorted(data.rules, key=lambda one: (-one.fired, _rank(one.rule.severity), one.rule.title))
    anomalies = sorted(
        data.anomalies,
        key=lambda one: (
            unusual.is_better(one, data.metrics.get(one.metric)),
            _rank(one.severity),
            -one.on.toordinal(),
            one.subject,
            one.metric,
        ),
    )
    yield (
        addresses.ALERTS,
        render(
            "alerts.html.j2",
            path=addresses.ALERTS,
            site=site,
            title="Alerts and anomalies",
            period=f"{DAYS} days to {wording.day(day)} · {wording.count(len(data.rules), 'rule')} watched",
            sentences=_sentences(ranked, data, day),
            groups=[
                (_HEADINGS.get(name, name), [view for view in shown if view.alert.severity == name])
                for name in dict.fromkeys(view.alert.severity for view in shown)
            ],
            more_open=len(ranked) - len(shown),
            open_total=len(ranked),
            open_csv=_OPEN_CSV,
            numbers=_numbers(data, ended),
            silences=[_silence(one, data) for one in data.silences],
            ended=_ended_table(ended, site),
            milestones=[
                f"{wording.day(one.resolved_on)}: {one.subject}. {one.text}" for one in milestones[:MOST_SHOWN]
            ],
            rules=_rules_table(rules, data.catalogue),
            anomalies=_anomaly_table(anomalies, data, site),
            labels=_label_table(data),
        ),
    )
    yield _OPEN_CSV, _open_csv(ranked)
    yield _ENDED_CSV, _ended_csv(ended)
    yield _RULES_CSV, _rules_csv(rules)
    yield _ANOMALIES_CSV, _anomalies_csv(anomalies)


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)


def _sentences(ranked: Sequence[OpenAlert], data: AlertsData, day: date) -> tuple[str, ...]:
    return (_open_sentence(ranked), _anomaly_sentence(data.anomalies, data.metrics))


def _open_sentence(ranked: Sequence[OpenAlert]) -> str:
    if not ranked:
        return "No alert is open."
    oldest = min(ranked, key=lambda one: one.opened_on)
    acknowledged = sum(one.state == "acknowledged" for one in ranked)
    cared = f"; somebody looks after {acknowledged} of them" if acknowledged else ""
    verb = "is" if len(ranked) == 1 else "are"
    return (
        f"{wording.count(len(ranked), 'alert')} {verb} open ({wording.severities([one.severity for one in ranked])}), "
        f"the oldest since {wording.day(oldest.opened_on)}{cared}."
    )


def _anomaly_sentence(anomalies: Sequence[UnusualDay], metrics: Mapping[str, MetricInfo]) -> str:
    if not anomalies:
        return f"No figure left its usual range in the last {DAYS} days."
    explained = sum(one.known_event is not None for one in anomalies)
    subjects = len({one.subject for one in anomalies})
    better = sum(unusual.is_better(one, metrics.get(one.metric)) for one in anomalies)
    ends = [
        f"{better} of them for the better" if better else "",
        f"a release or another event of the same days stands beside {explained}" if explained else "",
    ]
    return (
        f"{wording.count(len(anomalies), 'time')} in the last {DAYS} days a figure left its usual range, in "
        f"{wording.count(subjects, 'subject')}{''.join(f'; {end}' for end in ends if end)}."
    )


def _open_view(alert: OpenAlert, site: SiteInfo) -> OpenView:
    glyph, word, role = wording.severity(alert.severity)
    days = (site.data_through - alert.opened_on).days + 1
    lasting = "today" if days <= 1 else f"for {days} days"
    state = "Somebody looks after it." if alert.state == "acknowledged" else "Nobody has acknowledged it yet."
    if alert.escalated:
        state += f" It was escalated {'once' if alert.escalated == 1 else f'{alert.escalated} times'}."
    return OpenView(
        alert=alert,
        glyph=glyph,
        word=word,
        role=role,
        since=f"since {wording.day(alert.opened_on)}, {lasting}",
        state=state,
        chart=_chart(alert.subject_kind, alert.subject, alert.metric, site),
        method=addresses.metric(alert.metric) if alert.metric else None,
        dagster=_dagster(alert, site),
    )


def _chart(kind: str, subject: str, metric: str, site: SiteInfo) -> str | None:
    """Where the figure is drawn: on the page of its repository, if there is one."""
    path = addresses.repository(subject)
    if kind != "repository" or path not in site.pages:
        return None
    return f"{path}#{addresses.chart(metric)}" if metric in TRENDS else path  # the page has no chart of the others


def _dagster(alert: OpenAlert, site: SiteInfo) -> str | None:
    url = site.dagster_url
    if url is None or not url.startswith(("http://", "https://")):
        return None
    if alert.table is None:
        return f"{url}/runs"
    return f"{url}/assets/metrics/{alert.table}?view=partitions&partition={site.data_through}"


def _numbers(data: AlertsData, ended: Sequence[EndedAlert]) -> list[Number]:
    fired = sum(one.fired for one in data.rules)
    useful, noise = sum(one.useful for one in data.rules), sum(one.noise for one in data.rules)
    silent = sum(one.fired == 0 for one in data.rules)
    lasted = [(one.resolved_on - one.opened_on).days for one in ended]
    decided = useful + noise
    share = Number("Worth it", "Not known", "", "Nobody has said of an alert whether it was useful.")
    if decided:
        against = "over" if useful / decided > USEFUL_GOAL else "not over"
        under = f"{useful} of {decided} that somebody judged were useful; {against} the {USEFUL_GOAL:.0%} wanted"
        share = Number("Worth it", f"{100 * useful / decided:.0f}", "%", under.replace("%", " %"))
    return [
        Number("Fired", f"{fired:,}", "alerts", f"{silent} of {len(data.rules)} rules were silent"),
        Number(
            "Ended",
            f"{len(ended):,}",
            "alerts",
            f"after {wording.count(round(median(lasted)), 'day')} (median)" if lasted else "none has ended",
        ),
        share,
    ]


def _silence(one: Silence, data: AlertsData) -> str:
    titles = {record.rule.key: record.rule.title for record in data.rules}
    what = titles.get(one.rule, one.rule) if one.rule else "All rules"
    whom = f" for {one.subject}" if one.subject else ""
    return f"{what}{whom}: from {wording.day(one.starts_on)} to {wording.day(one.ends_on)}."


def _ended_table(ended: Sequence[EndedAlert], site: SiteInfo) -> Table:
    rows = []
    for one in ended[:MOST_SHOWN]:
        days = (one.resolved_on - one.opened_on).days
        glyph, word, role = wording.severity(one.severity)
        rows.append(
            Row((
                Cell(one.title, under=one.text or None, href=_chart(one.subject_kind, one.subject, one.metric, site)),
                Cell(one.subject),
                Cell(word, sort=str(_rank(one.severity)), role=role, glyph=glyph),
                Cell(wording.day(one.resolved_on), sort=one.resolved_on.isoformat()),
                Cell(wording.count(days, "day") if days else "within a day", sort=str(days)),
                Cell(one.because),
            ))
        )  # fmt: skip
    columns = (
        Column("Alert"), Column("Subject"), Column("Severity", numeric=True), Column("Ended", numeric=True),
        Column("Lasted", numeric=True), Column("Why it ended"),
    )  # fmt: skip
    return Table(
        f"Alerts that ended in the last {DAYS} days", columns, tuple(rows), csv=_ENDED_CSV,
        empty=f"No alert has ended in the last {DAYS} days.", note=wording.shown(len(rows), len(ended)),
    )  # fmt: skip


def _rules_table(rules: Sequence[RuleRecord], catalogue: Catalogue) -> Table:
    rows = []
    for one in rules:
        decided = one.useful + one.noise
        glyph, word, role = wording.severity(one.rule.severity)
        holds = words.html(
            holds_where(one.rule, catalogue), lambda name: addresses.metric(name) if name in catalogue.metrics else None
        )
        rows.append(
            Row((
                Cell(one.rule.title, href=f"{addresses.METHOD}#rule-{one.rule.key}"),
                Cell("", mark=holds),
                Cell(word, sort=str(_rank(one.rule.severity)), role=role, glyph=glyph),
                Cell(f"{one.fired:,}", sort=str(one.fired)),
                Cell(f"{one.useful} of {decided}", sort=f"{one.useful / decided:.4f}")
                if decided else Cell("nobody said", role="dim"),
            ))
        )  # fmt: skip
    columns = (
        Column("Rule"), Column("Holds where"), Column("Severity", numeric=True), Column("Fired", numeric=True),
        Column("Useful", numeric=True),
    )  # fmt: skip
    return Table(
        f"Rules, and how often each fired in the last {DAYS} days", columns, tuple(rows), csv=_RULES_CSV,
        empty="No rule counts here.", filterable=True,
    )  # fmt: skip


def _anomaly_table(anomalies: Sequence[UnusualDay], data: AlertsData, site: SiteInfo) -> Table:
    rows = []
    for number, one in enumerate(anomalies[:MOST_SHOWN], start=1):
        metric = data.metrics.get(one.metric)
        glyph, word, role = unusual.severity(one, metric)
        rows.append(
            Row((
                Cell(f"{number}. {_title(one.metric, data)}", sort=str(number), under=_explained(one, data),
                     href=_chart(one.subject_kind, one.subject, one.metric, site)),
                Cell(one.subject),
                Cell(wording.day(one.on), sort=one.on.isoformat()),
                Cell(word, sort=str(len(_ORDER) if role == "calm" else _rank(one.severity)), role=role, glyph=glyph,
                     under=unusual.kind(one).lower()),
                _amount(one.value, metric),
                _amount(one.expected, metric),
                Cell(wording.written_days(one.known_event)) if one.known_event else Cell("none known", role="dim"),
            ))
        )  # fmt: skip
    columns = (
        Column("Figure"), Column("Subject"), Column("Day", numeric=True), Column("Severity", numeric=True),
        Column("Was", numeric=True), Column("Expected", numeric=True), Column("Event of the same days"),
    )  # fmt: skip
    return Table(
        f"Anomalies of the last {DAYS} days, the most severe first, those for the better last", columns, tuple(rows),
        csv=_ANOMALIES_CSV,
        empty=f"No figure left its usual range in the last {DAYS} days.", note=wording.shown(len(rows), len(anomalies)),
        filterable=True,
    )  # fmt: skip


def _explained(one: UnusualDay, data: AlertsData) -> str | None:
    """The explanation without the figure's name, which stands above it, and the event, which has its own column."""
    said = one.explanation.removeprefix(f"{_title(one.metric, data)}: ")
    said = said.partition(" It may be explained by ")[0]
    return said[:1].upper() + said[1:] or None


def _label_table(data: AlertsData) -> Table:
    """What is watched by labels: how much of it there is, and which rules look at it."""
    rows = []
    for one in data.labels:
        metric = data.metrics.get(one.metric)
        number = Cell("not known", sort="", role="dim")
        if one.number is not None:
            number = Cell(
                str(wording.quantity(one.number, "count")), sort=repr(one.number), under=_period(one.metric, metric)
            )
        rows.append(
            Row((
                Cell(_title(one.metric, data), href=addresses.metric(one.metric),
                     under=metric.definition if metric else None),
                number,
                Cell(f"{one.known:,} of {one.repositories:,}", sort=str(one.known)),
                Cell("; ".join(one.rules)) if one.rules else Cell("no rule that counts here", role="dim"),
            ))
        )  # fmt: skip
    columns = (
        Column("Issues with these labels"), Column("How many", numeric=True),
        Column("Known in repositories", numeric=True), Column("Watched by"),
    )  # fmt: skip
    return Table("Labels that are watched", columns, tuple(rows), empty="No figure counts labels here.")


def _period(key: str, metric: MetricInfo | None) -> str:
    if metric is not None and metric.window:
        return f"in {metric.window} days"
    return f"in {DAYS} days" if key.endswith("_opened") else "at the day's end"


def _title(key: str, data: AlertsData) -> str:
    return data.metrics[key].title if key in data.metrics else key.replace("_", " ").capitalize()


def _amount(value: float | None, metric: MetricInfo | None) -> Cell:
    if value is None:
        return Cell("not known", role="dim")
    return Cell(str(wording.quantity(value, metric.unit if metric else "count")), sort=repr(value))


def _open_csv(ranked: Sequence[OpenAlert]) -> str:
    columns = (
        "severity", "rule", "title", "subject_kind", "subject", "metric", "state", "opened_on", "value", "n",
        "reference", "text", "what_to_do",
    )  # fmt: skip
    return rows_csv(columns, [
        (one.severity, one.rule, one.title, one.subject_kind, one.subject, one.metric, one.state, one.opened_on,
         one.value, one.n, one.reference, one.text, one.action)
        for one in ranked
    ])  # fmt: skip


def _ended_csv(ended: Sequence[EndedAlert]) -> str:
    columns = ("severity", "title", "subject_kind", "subject", "metric", "opened_on", "resolved_on", "because", "text")
    return rows_csv(columns, [
        (one.severity, one.title, one.subject_kind, one.subject, one.metric, one.opened_on, one.resolved_on,
         one.because, one.text)
        for one in ended
    ])  # fmt: skip


def _rules_csv(rules: Sequence[RuleRecord]) -> str:
    columns = ("rule", "title", "severity", "fired_28_days", "useful", "noise")
    rows = [(one.rule.key, one.rule.title, one.rule.severity, one.fired, one.useful, one.noise) for one in rules]
    return rows_csv(columns, rows)


def _anomalies_csv(anomalies: Sequence[UnusualDay]) -> str:
    columns = (
        "date", "metric", "subject_kind", "subject", "severity", "kind", "value", "expected", "explanation",
        "known_event",
    )  # fmt: skip
    return rows_csv(columns, [
        (one.on, one.metric, one.subject_kind, one.subject, one.severity, one.kind, one.value, one.expected,
         one.explanation, one.known_event)
        for one in anomalies
    ])  # fmt: skip


def since(day: date) -> date:
    """The first of the 28 days that end with a day."""
    return day - timedelta(days=DAYS - 1)
