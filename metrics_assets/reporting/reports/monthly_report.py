"""The monthly report: nine sections, from the figures and from what people noted beside them."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.reporting.documents import Block, Bullets, Document, Facts, Notes, Paragraph, Section
from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.closing import document_of_period
from metrics_assets.reporting.reports.findings import ABOUT_GOALS, THEMES, Finding, Theme, first, risks, wins
from metrics_assets.reporting.reports.goals import goal_name, goals_grid, judged, outlook_blocks
from metrics_assets.reporting.reports.lines import day
from metrics_assets.reporting.reports.parts import NOT_FED, facts, open_and_closed, pictures
from metrics_assets.reporting.reports.records import Figures, GoalState
from metrics_assets.reporting.reports.tiers import keys_grid, repositories_grid
from metrics_assets.reporting.reports.verdicts import verdict
from metrics_assets.reporting.wording import count, listed

_MOST = 5  # sentences of a kind
_FEW = 3  # in the executive summary
_MOST_GOALS = 10
_SLOWER = 0.2
_TOO_FEW = 2  # people without whom half of the work would not be done
_GROWS = {line.metric for line in contents.GROWTH} | {"contributor_churn", "contributor_retention"}
_GROWTH = ("stars_total", "active_contributors_month")
_WORDS = {"technical": "Technical", "community": "Community", "business": "Business", "product": "Product"}


def monthly_report_document(figures: Figures) -> Document:
    """The report of a month; the places for notes are empty."""
    good, bad = wins(figures), risks(figures)
    return document_of_period(
        figures,
        "monthly_report",
        "Monthly report",
        verdict=verdict(figures),
        sections=(
            Section("executive_summary", "Executive summary", _summary(figures, good, bad)),
            Section("growth_analysis", "Growth", _growth(figures, bad)),
            Section("community_health", "Community health", _health(figures)),
            Section("developer_satisfaction", "Satisfaction", _satisfaction(figures)),
            Section("business_impact", "Business impact", _business(figures)),
            Section("achievements", "Achievements", _by_theme("achievements", good)),
            Section("challenges", "Challenges", _by_theme("challenges", bad)),
            Section("recommendations", "Recommendations", _recommendations(bad)),
            Section("next_month_goals", "Goals for next month", _goals(figures)),
        ),
    )


def _summary(figures: Figures, good: Sequence[Finding], bad: Sequence[Finding]) -> tuple[Block, ...]:
    blocks = facts(figures, contents.HEADLINES)
    blocks += keys_grid(figures, contents.KEYS)
    blocks += repositories_grid(figures, _MOST)
    highlights = [one for one in good if one.theme == "community" and (one.metric is None or one.metric in _GROWS)]
    achieved = [one for one in good if one not in highlights]
    for title, found in (
        ("Growth highlights", first(highlights, _FEW)),
        ("Major achievements", first(achieved, _FEW)),
        ("What needs attention", first([one for one in bad if not one.is_insight], _FEW)),
        ("Strategic insights", first([one for one in bad if one.is_insight], _FEW)),
    ):
        if found:
            blocks += [Paragraph(f"{title}:"), Bullets(tuple(one.text for one in found))]
    return (*blocks, Notes("executive_summary"))


def _growth(figures: Figures, bad: Sequence[Finding]) -> tuple[Block, ...]:
    blocks = facts(figures, contents.GROWTH) or [Paragraph("Nothing that grows is measured here.")]
    blocks += pictures(figures, *_GROWTH)
    if moved := _external(figures):
        blocks += [Paragraph("What may have moved these figures from outside:"), Bullets(moved)]
    blocks += outlook_blocks(figures, contents.OUTLOOK)
    if threats := _growth_risks(figures, bad):
        blocks += [Paragraph("Risks to growth, and what to do:"), Bullets(threats)]
    return tuple(blocks)


def _external(figures: Figures) -> tuple[str, ...]:
    """Releases and events; incidents are told with delivery."""
    events = [event for event in figures.events if event.kind != "incident"]
    happened = [(event.on, f"{event.kind.replace('_', ' ')}, {event.title}") for event in events]
    happened += [(one.on, f"{one.repository} released {one.tag}") for one in figures.releases if not one.is_prerelease]
    said = [f"{day(on)}: {text}" for on, text in sorted(happened)]
    more = [f"and {count(len(said) - 2 * _MOST, 'more event')}"] if len(said) > 2 * _MOST else []
    return (*said[: 2 * _MOST], *more)


def _growth_risks(figures: Figures, bad: Sequence[Finding]) -> tuple[str, ...]:
    """What threatens growth, each with what to do: fewer new stars, people who leave, few who carry it all."""
    said = []
    stars = figures.one("stars_new", "sum")
    if stars and stars.now.is_whole and stars.before.is_whole and stars.before.value:
        slower = 1 - (stars.now.value or 0) / stars.before.value
        if slower >= _SLOWER:
            said.append(f"Stars came {slower * 100:.0f} % slower than before. Find out what brought them then.")
    few = figures.one("contributor_absence_factor")
    if few and few.now.value is not None and few.now.value <= _TOO_FEW:
        people = count(int(few.now.value), "person does", "people do")
        said.append(f"{people} half of the work. Let others review and release.")
    found = first([one for one in bad if one.metric in _GROWS and one.metric != "stars_new"], _MOST)
    said += [f"{one.text} {one.action}" if one.action not in (None, ABOUT_GOALS) else one.text for one in found]
    if any(one.action == ABOUT_GOALS for one in found):
        said.append(ABOUT_GOALS)
    return tuple(said)


def _health(figures: Figures) -> tuple[Block, ...]:
    known = [
        *open_and_closed(figures, contents.ISSUES, "Issues", "closed"),
        *open_and_closed(figures, contents.PULL_REQUESTS, "Pull requests", "merged"),
    ]
    blocks: list[Block] = []
    for block in facts(figures, contents.HEALTH):
        if isinstance(block, Facts):
            known += block.facts
        else:
            blocks.append(block)
    if known:
        blocks.insert(0, Facts(tuple(known)))
    blocks += pictures(figures, "issue_first_response_business_hours", "contributor_churn")
    return tuple(blocks) or (Paragraph("Issues, pull requests and contributors are not measured here."),)


def _satisfaction(figures: Figures) -> tuple[Block, ...]:
    asked = facts(figures, contents.SATISFACTION)
    blocks = asked or [Paragraph("Nobody's answers were fed: surveys go into feeds/kpi_values.csv, kind by kind.")]
    if working := facts(figures, contents.WORKING):
        blocks = [*blocks, Paragraph("What working here is like, as the tools see it:"), *working]
    return (*blocks, *pictures(figures, "community_satisfaction"), Notes("developer_satisfaction"))


def _business(figures: Figures) -> tuple[Block, ...]:
    blocks = facts(figures, contents.BUSINESS) or [Paragraph(NOT_FED)]
    if shipped := facts(figures, contents.SHIPPED):
        blocks += [Paragraph("What was shipped for it:"), *shipped]
    blocks += pictures(figures, "annual_recurring_revenue", "lead_time_hours")
    return (*blocks, Notes("business_impact"))


def _by_theme(key: str, found: Sequence[Finding]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for theme in THEMES:
        of_theme = [one for one in found if one.theme == theme]
        shown = first(of_theme, _MOST)
        blocks.append(Paragraph(f"{_WORDS[theme]}:"))
        if shown:
            items = [one.text for one in shown]
            if key == "challenges" and len(of_theme) > len(shown):
                items.append(f"And {len(of_theme) - len(shown)} more that weigh less.")
            blocks.append(Bullets(tuple(items)))
        blocks.append(Notes(f"{key}.{theme}"))
    return tuple(blocks)


def _recommendations(bad: Sequence[Finding]) -> tuple[Block, ...]:
    """The actions of what is wrong; those about delivery and the product go under product."""
    places: tuple[tuple[str, Theme], ...] = (
        ("community", "community"),
        ("product", "technical"),
        ("business", "business"),
    )
    blocks: list[Block] = []
    for place, theme in places:
        actions: dict[str, list[str]] = {}
        for one in bad:
            if one.theme == theme and one.action is not None:
                actions.setdefault(one.action, []).extend(one.names)
        items = [f"{action}{_for(names)}" for action, names in list(actions.items())[:_MOST]]
        blocks.append(Paragraph(f"{_WORDS[place]}:"))
        if items:
            blocks.append(Bullets(tuple(items)))
        blocks.append(Notes(f"recommendations.{place}"))
    return tuple(blocks)


def _for(names: Sequence[str]) -> str:
    """The repositories, goals or figures that an action is for."""
    named = list(dict.fromkeys(names))
    more = [f"{len(named) - _FEW} more"] if len(named) > _FEW + 1 else []
    shown = named[:_FEW] if more else named
    return f" This is about {listed([*shown, *more])}." if named else ""


def _goals(figures: Figures) -> tuple[Block, ...]:
    """What is due next, then what is nearest to being met; what is met stays in the count."""
    goals = [goal for goal in judged(figures) if goal.status not in ("met", "unknown")]
    coming = [goal for goal in goals if goal.target.due_on is None or goal.target.due_on > figures.through]
    shown = sorted(coming, key=lambda goal: (_order(figures, goal), goal.title, goal.subject))[:_MOST_GOALS]
    blocks = goals_grid(figures, shown) or [Paragraph("No goal is open that can be judged.")]
    if len(coming) > len(shown):
        blocks.append(
            Paragraph(f"{count(len(coming) - len(shown), 'more goal')} open; the page of goals has all of them.")
        )
    gates = [gate for gate in figures.gates if gate.verdict != "passed"]
    for gate in gates[:_MOST]:
        titles = listed([f"'{title}'" for title in gate.missing[:_FEW]])
        missing = f": {titles}" if titles else ""
        lacks = f"lacks {count(len(gate.missing), 'criterion', 'criteria')}{missing}"
        blocks.append(Paragraph(f"The gate '{gate.title}' ({gate.subject}), {gate.score:.0f} of 100 points, {lacks}."))
    due = [f"{day(one.due_on)}: {one.title} ({one.repository})" for one in figures.milestones if one.due_on]
    if due:
        blocks += [Paragraph("Milestones that are due next:"), Bullets(tuple(due[:_MOST]))]
    unknown = [goal for goal in judged(figures) if goal.status == "unknown"]
    if unknown:
        names = listed([goal_name(figures, goal) for goal in unknown[:3]])
        blocks.append(Paragraph(f"{count(len(unknown), 'goal')} cannot be judged, among them: {names}."))
    return (*blocks, Notes("next_month_goals"))


def _order(figures: Figures, goal: GoalState) -> float:
    """Days until it is due; then how far the figure is from the target, as a share of it."""
    if goal.target.due_on is not None and (goal.target.due_on - figures.through).days <= 100:
        return float((goal.target.due_on - figures.through).days)
    gap = abs(goal.target.value - (goal.value or 0.0)) / max(abs(goal.target.value), 1e-9)
    return 1000 + gap
