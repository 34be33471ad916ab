"""The weekly digest: what is urgent, what changed since last week, and what to do. Words and tables, no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from metrics_assets.reporting.documents import (
    Block,
    Bullets,
    Document,
    Fact,
    Facts,
    Grid,
    Notes,
    Paragraph,
    Role,
    Section,
)
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.closing import document_of_period
from metrics_assets.reporting.reports.findings import first, open_alerts, risks, wins
from metrics_assets.reporting.reports.goals import UNSAID, goal_name, goal_outlook, judged
from metrics_assets.reporting.reports.lines import amount, change, day, number
from metrics_assets.reporting.reports.parts import facts, not_known
from metrics_assets.reporting.reports.records import Figures, IssueState
from metrics_assets.reporting.reports.tiers import repositories_grid
from metrics_assets.reporting.reports.verdicts import delivery, standing
from metrics_assets.reporting.wording import count, listed

_MOST_BUGS = 15
_MOST_CHANGES = 6
_MOST_ACTIONS = 3
_MOST_REQUESTS = 3
_MOST_MISSING = 3  # criteria of a gate
_AHEAD = timedelta(days=14)
_URGENT = (("P0", "P0 (labels p0, critical, security)"), ("P1", "P1 (labels p1, high)"))


def weekly_digest_document(figures: Figures) -> Document:
    """The digest of a week; the places for notes are empty."""
    return document_of_period(
        figures,
        "weekly_digest",
        "Weekly digest",
        verdict=_verdict(figures),
        sections=(
            Section("actions", "Three things to do", _actions(figures)),
            Section("urgent", "Urgent issues and bugs", _urgent(figures)),
            Section("reliability", "Reliability and use", _reliability(figures)),
            Section("community", "Community", _community(figures)),
            Section("changes", "What changed", _changes(figures)),
            Section("ahead", "What is due next", _ahead(figures)),
        ),
    )


def _verdict(figures: Figures) -> str:
    said = [_opened(figures), standing(figures), delivery(figures)]
    return ("So far: " if figures.is_draft else "") + " ".join(part for part in said if part)


def _opened(figures: Figures) -> str:
    if not _issues_known(figures):
        return ""
    urgent = [issue for issue in figures.issues if issue.severity in ("P0", "P1") and issue.closed_on is None]
    return f"{count(len(urgent), 'urgent issue')} open." if urgent else "No urgent issue is open."


def _issues_known(figures: Figures) -> bool:
    """Issues that were not collected would look like none."""
    measure = figures.one("issues_open")
    return measure is not None and measure.now.value is not None


def _actions(figures: Figures) -> tuple[Block, ...]:
    found = first([one for one in risks(figures) if one.action], _MOST_ACTIONS)
    items = tuple(f"{one.action} {one.text}" for one in found)
    return (Bullets(items) if items else Paragraph("Nothing in the figures asks for action."), Notes("actions"))


def _urgent(figures: Figures) -> tuple[Block, ...]:
    if not _issues_known(figures):
        measure = figures.one("issues_open")
        line = next(line for line in contents.COMMUNITY if line.metric == "issues_open")
        return tuple(not_known([(line, measure)] if measure else [])) or (Paragraph("Issues are not measured here."),)
    known = [_severity(figures, severity, label) for severity, label in _URGENT]
    known += [_waiting(one.what, one.now, one.before) for one in figures.unanswered if one.now is not None]
    bugs = [issue for issue in figures.issues if issue.is_bug or issue.severity in ("P0", "P1")]
    still = [issue for issue in bugs if issue.closed_on is None]
    blocks: list[Block] = [Facts(tuple(known))]
    if not still:
        return (*blocks, Paragraph("No bug is open."))
    shown = sorted(still, key=lambda one: (one.severity or "P9", one.opened_on, one.repository, one.number))[
        :_MOST_BUGS
    ]
    rows = tuple(
        (
            _name(issue),
            issue.severity or "none said",
            _age((figures.through - issue.opened_on).days),
            f"{issue.comments:,}",
        )
        for issue in shown
    )
    more = f" The {len(shown)} most severe and oldest:" if len(still) > len(shown) else ""
    blocks.append(Paragraph(f"{count(len(still), 'bug')} {'is' if len(still) == 1 else 'are'} open.{more}"))
    return (*blocks, Grid(("Bug", "Severity", "Open for", "Comments"), rows))


def _severity(figures: Figures, severity: str, label: str) -> Fact:
    of = [issue for issue in figures.issues if issue.severity == severity]
    opened = sum(figures.period_start <= issue.opened_on <= figures.through for issue in of)
    closed = sum(issue.closed_on is not None for issue in of)
    still = len(of) - closed
    role: Role = "bad" if still and severity == "P0" else "watch" if still else "ok"
    return Fact(label, f"{opened} opened, {closed} closed, {still} still open", role)


def _waiting(what: str, now: int, before: int | None) -> Fact:
    moved = "" if before is None else f" ({change(before, now, 'count')} on the week)"
    return Fact(f"{what} of the last 28 days that nobody answered", f"{now:,}{moved}")


def _name(issue: IssueState) -> str:
    return f"{issue.repository}#{issue.number}: {issue.title}" if issue.title else f"{issue.repository}#{issue.number}"


def _age(days: int) -> str:
    return count(days, "day") if days < 60 else f"{days // 30} months" if days < 730 else f"{days // 365} years"


def _reliability(figures: Figures) -> tuple[Block, ...]:
    blocks = [*facts(figures, contents.RELIABILITY), *facts(figures, contents.USAGE)]
    if not any(measure.is_there for _, measure in figures.select(contents.USAGE)):
        blocks.append(
            Paragraph("How the product is used is not fed: users, commands, installs, opting out of telemetry.")
        )
    return (*blocks, *repositories_grid(figures, _MOST_CHANGES))


def _community(figures: Figures) -> tuple[Block, ...]:
    blocks: list[Block] = []
    stars, new = figures.one("stars_total", "last"), figures.one("stars_new", "sum")
    if stars and new and stars.now.value is not None and new.now.is_whole and new.now.value is not None:
        moved = ""
        if new.before.is_whole and new.before.value is not None:
            moved = f"; {number(new.before.value)} the week before"
        gained = f"+{number(new.now.value)}" if new.now.value >= 0 else amount(new.now.value, "count")
        blocks.append(Facts((Fact("Stars", f"{gained} ({amount(stars.now.value, 'count')} in all{moved})"),)))
        lines = tuple(line for line in contents.COMMUNITY if not line.metric.startswith("stars_"))
    else:
        lines = contents.COMMUNITY
    blocks += facts(figures, lines)
    return (*_joined(blocks), *_requests(figures))


def _joined(blocks: Sequence[Block]) -> list[Block]:
    """Facts that follow each other as one list."""
    joined: list[Block] = []
    for block in blocks:
        if isinstance(block, Facts) and joined and isinstance(joined[-1], Facts):
            joined[-1] = Facts((*joined[-1].facts, *block.facts))
        else:
            joined.append(block)
    return joined


def _requests(figures: Figures) -> list[Block]:
    """What is asked for most: as fed by theme, else the open requests with most comments."""
    fed = sorted(
        (measure for measure in figures.of("feature_requests") if measure.now.value),
        key=lambda measure: (-(measure.now.value or 0), measure.subject),
    )
    if fed:
        items = tuple(f"{one.subject}: {count(int(one.now.value or 0), 'request')}" for one in fed[:_MOST_REQUESTS])
        return [Paragraph("Asked for most, by theme:"), Bullets(items)]
    still = [issue for issue in figures.issues if issue.is_request and issue.closed_on is None]
    if not still:
        return []
    top = sorted(still, key=lambda one: (-one.comments, one.opened_on, one.repository, one.number))[:_MOST_REQUESTS]
    items = tuple(f"{_name(issue)} ({count(issue.comments, 'comment')})" for issue in top)
    return [
        Paragraph(f"Of {count(len(still), 'open request')} for features, those with most comments:"),
        Bullets(items),
    ]


def _changes(figures: Figures) -> tuple[Block, ...]:
    """Alerts that opened and ended, what rose and fell, unusual days, releases."""
    opened = [one for one in figures.alerts if one.opened_on is not None and one.opened_on >= figures.period_start]
    ended = [alert for alert in figures.alerts if alert.resolved_on is not None]
    blocks: list[Block] = []
    if still := [one.text for one in open_alerts(figures)]:
        blocks += [Paragraph("Alerts that are open:"), Bullets(_cut(still))]
    for title, alerts in (("Alerts that opened", opened), ("Alerts that ended", ended)):
        if alerts:
            items = [f"{alert.title}: {alert.subject}" for alert in alerts]
            blocks += [Paragraph(f"{title}:"), Bullets(_cut(items))]
    moved = [one.text for one in (*risks(figures), *wins(figures)) if " fell: " in one.text or " rose: " in one.text]
    if moved:
        blocks += [Paragraph("Tiers that changed:"), Bullets(_cut(moved))]
    if unusual := [f"{one.subject}, {day(one.on)}: {one.explanation}" for one in figures.anomalies]:
        blocks += [Paragraph("Unusual days:"), Bullets(_cut(unusual))]
    happened = [(one.on, f"{one.repository} released {one.tag}") for one in figures.releases]
    happened += [(one.on, f"{one.kind.replace('_', ' ')}, {one.subject}: {one.title}") for one in figures.events]
    if happened:
        said = [f"{day(on)}: {text}" for on, text in sorted(happened)]
        blocks += [Paragraph("What happened:"), Bullets(_cut(said))]
    return tuple(blocks) or (Paragraph("No alert opened or ended, no tier changed, and no day was unusual."),)


def _cut(items: Sequence[str]) -> tuple[str, ...]:
    more = len(items) - _MOST_CHANGES
    return (*items[:_MOST_CHANGES], *([f"and {more} more"] if more > 0 else []))


def _ahead(figures: Figures) -> tuple[Block, ...]:
    goals = [
        goal for goal in judged(figures) if goal.target.due_on is not None and goal.target.due_on > figures.through
    ]
    due = sorted((goal.target.due_on, goal_name(figures, goal), goal) for goal in goals if goal.target.due_on)
    soon = [one for one in due if one[0] <= figures.through + _AHEAD]
    items = []
    for on, name, goal in soon or due[:1]:
        value = "not known" if goal.value is None else amount(goal.value, goal.metric.unit)
        outlook = goal_outlook(figures, goal)
        said = f", {outlook}" if outlook not in ("", UNSAID) else ""
        items.append(f"{day(on)}: {name} ({value} now, {goal.status}{said})")
    for gate in figures.gates:
        if gate.verdict != "passed":
            titles = listed([f"'{title}'" for title in gate.missing[:_MOST_MISSING]])
            among = f", among them {titles}" if titles else ""
            lacks = count(len(gate.missing), "criterion", "criteria")
            items.append(f"The gate '{gate.title}' ({gate.subject}) lacks {lacks}{among}")
    return (Bullets(tuple(items)) if items else Paragraph("No goal has a day, and no gate is open."), Notes("ahead"))
