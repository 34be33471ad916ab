"""What the reports share: facts with their comparisons, what is not known, goals, tiers, forecasts, the footer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from metrics_assets.reporting.documents import Block, Fact, Facts, Paragraph, Picture, Role
from metrics_assets.reporting.reports.contents import HEADLINES
from metrics_assets.reporting.reports.lines import amount, change, day, moved, number, target_text
from metrics_assets.reporting.reports.records import Figures, GoalState, Line, Measure, PeriodValue
from metrics_assets.reporting.reports.windows import shifted
from metrics_assets.reporting.wording import MONTHS, listed

ROLES: dict[str, Role] = {"met": "ok", "on track": "ok", "at risk": "watch", "off track": "bad"}
AGO = {"monthly_report": "MoM", "executive_summary": "MoM", "quarterly_review": "QoQ", "weekly_digest": "on the week"}
SPAN = {"monthly_report": "month", "executive_summary": "month", "quarterly_review": "quarter", "weekly_digest": "week"}


NOT_FED = "No figure of the business was fed: customers, revenue and adoption go into feeds/kpi_values.csv."


def span(figures: Figures) -> str:
    """The period's name: 'November 2025', 'Q4 2025', '22 to 28 Dec 2025'."""
    start, end = figures.period_start, figures.period_end
    match SPAN[figures.report]:
        case "month":
            return f"{start:%B} {start.year}"
        case "quarter":
            return f"Q{(start.month + 2) // 3} {start.year}"
        case _:
            first = f"{start.day}" if start.month == end.month else f"{start.day} {MONTHS[start.month - 1]}"
            first += f" {start.year}" if start.year != end.year else ""
            return f"{first} to {day(end)}"


def subtitle(figures: Figures) -> str:
    """Whose figures, of which days, known when."""
    known = f"as known by {day(figures.as_of)}"
    return f"{figures.portfolio} · {day(figures.period_start)} to {day(figures.period_end)}, {known}"


def has_year(figures: Figures) -> bool:
    """Whether there can be figures of a year before."""
    return shifted(figures.through, -12) >= figures.start


# --- figures --------------------------------------------------------------------------------------------------


def value_text(figure: PeriodValue, unit: str) -> str:
    """A figure with what has to be said of it: days that are missing, and that it may still change."""
    if figure.value is None:
        return "not known"
    text = amount(figure.value, unit)
    if figure.days is not None and figure.days_known != figure.days:
        return f"{text} on the {figure.days_known} of {figure.days} days known"
    return text


def comparisons(figures: Figures, line: Line, measure: Measure) -> list[str]:
    """'+12 % MoM', '+80 % YoY', or 'improved from 4 h'; nothing where one of the two is not known."""
    if not measure.now.is_whole or measure.now.value is None:
        return []
    now, found = measure.now.value, []
    if measure.before.is_whole and measure.before.value is not None:
        if line.improved:
            found.append(moved(measure.before.value, now, measure.metric))
        else:
            found.append(f"{change(measure.before.value, now, measure.metric.unit)} {AGO[figures.report]}")
    if figures.report == "executive_summary" and measure.quarter.is_whole and measure.quarter.value is not None:
        found.append(f"{change(measure.quarter.value, now, measure.metric.unit)} QoQ")
    if measure.year.is_whole and measure.year.value is not None:
        found.append(f"{change(measure.year.value, now, measure.metric.unit)} YoY")
    elif found and has_year(figures):
        found.append("YoY not known")
    return found


def goal_of(figures: Figures, measure: Measure) -> GoalState | None:
    """The goal that a figure has: the one that is due next, or the one that holds always."""
    if measure.how != "last":
        return None
    goals = [
        goal
        for goal in figures.goals
        if goal.metric.key == measure.metric.key
        and goal.subject_kind == measure.subject_kind
        and goal.subject == measure.subject
        and (goal.target.due_on is None or goal.target.due_on >= figures.period_start)
    ]
    return min(goals, key=lambda goal: goal.target.due_on or date.max, default=None)


def fact(figures: Figures, line: Line, measure: Measure) -> Fact:
    """One line: the value, how it moved, how far it is from its goal."""
    text = value_text(measure.now, measure.metric.unit)
    compared = comparisons(figures, line, measure)
    if line.improved and compared and compared[0].split()[0] in ("improved", "worsened", "up", "down"):
        text = ", ".join([text, compared.pop(0)])
    if compared:
        text = f"{text} ({', '.join(compared)})"
    goal = goal_of(figures, measure)
    role: Role | None = None
    if goal is not None and goal.status != "unknown":
        text = f"{text}, {target_text(measure.now.value, goal.target, measure.metric.unit, figures.through)}"
        role = ROLES.get(goal.status)
    label = line.label or measure.metric.title
    if line.each or (measure.subject_kind not in ("portfolio", "segment") and measure.subject):
        label = f"{label}, {measure.subject}"
    return Fact(label, text, role)


def facts(figures: Figures, lines: Iterable[Line]) -> list[Block]:
    """The lines whose figures are known, then once what is not known and why."""
    known, unknown = [], []
    for line, measure in figures.select(lines):
        if measure.fed and line.how == "sum" and measure.now.value == 0 and not measure.before.value:
            continue  # no award this month, and none the month before
        if measure.now.value is not None:
            known.append(fact(figures, line, measure))
        elif line.always or measure.is_there:
            unknown.append((line, measure))
    blocks: list[Block] = [Facts(tuple(known))] if known else []
    return [*blocks, *not_known(unknown)]


def not_known(unknown: Sequence[tuple[Line, Measure]]) -> list[Block]:
    """A sentence for each reason, with all figures that are missing for it."""
    reasons: dict[str, list[str]] = {}
    for line, measure in unknown:
        label = line.label or measure.metric.title
        reasons.setdefault(why_unknown(measure), []).append(label)
    said = [f"{listed(list(dict.fromkeys(labels)))} ({reason})" for reason, labels in reasons.items()]
    return [Paragraph(f"Not known: {'; '.join(said)}.")] if said else []


def why_unknown(measure: Measure) -> str:
    if measure.now.state == "too_few":
        return f"too few to be said, {measure.metric.minimum_n or 3} are needed"
    if not measure.is_there and measure.subject_kind == "package":
        return "metrics.yaml names no package"
    if not measure.is_there and measure.fed:
        return "never fed"
    reason = measure.metric.unknown.rstrip(".")
    return f"{reason[:1].lower()}{reason[1:]}"


def open_and_closed(figures: Figures, lines: Sequence[Line], label: str, word: str) -> list[Fact]:
    """'193 open / 101 closed (resolution 86 %: 117 opened)': open at the end; opened and closed over the period."""
    metrics = [figures.one(line.metric, line.how) for line in lines]
    still, opened, closed = metrics
    if still is None or still.now.value is None:
        return []
    text = f"{amount(still.now.value, 'count')} open"
    if closed and opened and closed.now.is_whole and opened.now.is_whole:
        ended, begun = closed.now.value or 0, opened.now.value or 0
        share = f"resolution {number(100 * ended / begun, 0)} % of " if begun else ""
        text += f" / {amount(ended, 'count')} {word} ({share}{amount(begun, 'count')} opened)"
    else:
        text += f" (how many were {word} is not known of every day)"
    if still.before.value is not None:
        text += f", {change(still.before.value, still.now.value, 'count')} open {AGO[figures.report]}"
    return [Fact(label, text)]


def pictures(figures: Figures, *metrics: str) -> list[Block]:
    """The charts of these figures that have something to show: two known weeks at the least."""
    return [
        Picture(series)
        for series in figures.series
        if series.metric.key in metrics and sum(point.value is not None for point in series.points) > 1
    ]


def north_star_facts(figures: Figures) -> list[Block]:
    """The north stars of the packs that are on; without any the headlines stand in for them."""
    if figures.north_stars:
        return facts(figures, [Line(metric, always=True) for metric in figures.north_stars])
    said = Paragraph("No pack with north stars is switched on; these figures stand in for them.")
    return [*facts(figures, HEADLINES), said]
