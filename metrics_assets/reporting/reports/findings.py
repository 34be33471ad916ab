"""What the figures themselves say: wins and risks by theme, each with its weight and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from metrics_assets.reporting.reports import contents
from metrics_assets.reporting.reports.goals import UNSAID, goal_name, goal_outlook, judged
from metrics_assets.reporting.reports.lines import amount, change, day, is_better, target_text
from metrics_assets.reporting.reports.parts import SPAN
from metrics_assets.reporting.reports.records import AlertState, Figures, Key, Line, Measure
from metrics_assets.reporting.reports.tiers import GOOD, TIER_ORDER, key_tiers, tier_word
from metrics_assets.reporting.wording import count, listed

Theme = Literal["technical", "community", "business"]
THEMES: tuple[Theme, ...] = ("technical", "community", "business")

_THEMES: dict[str, Theme] = {
    "engineering": "technical", "performance": "technical", "security": "technical", "quality": "technical",
    "documentation": "technical", "community": "community", "support": "community", "marketing": "community",
    "product": "business", "business": "business",
}  # fmt: skip
_BY_TOPIC = ("trend", "growth risk")  # insights about any figure; the others are about delivery
_BY_SECTION: tuple[tuple[Theme, tuple[Line, ...]], ...] = (
    ("technical", (*contents.KEYS, *contents.WORKING)),
    ("community", (*contents.GROWTH, *contents.HEALTH)),
    ("business", (*contents.SATISFACTION, *contents.BUSINESS)),
)
_EVENTS: dict[str, tuple[Theme, str]] = {
    "award": ("business", "Award"),
    "case_study": ("business", "Case study"),
    "success_story": ("business", "Success story"),
    "conference": ("community", "Conference"),
    "podcast": ("community", "Podcast"),
    "tutorial": ("community", "Tutorial"),
    "story": ("community", "In the news"),
}
_NOTABLE = {"dollars": 0.05}  # a figure that moved by less is no news
_NOTABLE_OTHERS = 0.1
_NOTABLE_POINTS = 0.03  # of a ratio
_FEW = 10  # counts that stay below this move by a tenth every day
_SEVERE = {"critical": 44.0, "warning": 24.0}
_MOST_TAGS = 3
_MOST_SUBJECTS = 4
ABOUT_GOALS = "Decide what becomes of goals that are off track: more means, another day, or another target."
_ADVICE: dict[Theme, str] = {
    "community": "Find out together with the community what changed.",
    "technical": "Look at the figure repository by repository, and take the worst one first.",
    "business": "Ask those who answered, or left, what they miss.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence with a theme.

    Attributes:
        weight: the greater, the more it matters.
        about: what it is about, so that a list does not speak of one thing alone.
        action, names: what to do, and for which repositories, goals or figures.
        metric: the key of the figure behind it.
    """

    theme: Theme
    text: str
    weight: float
    about: str
    action: str | None = None
    names: tuple[str, ...] = ()
    metric: str | None = None
    is_insight: bool = False


def theme_of(owner: str) -> Theme:
    return _THEMES.get(owner, "business")


def wins(figures: Figures) -> list[Finding]:
    """What went well, the most important first."""
    found = [*_goals_met(figures), *_passed(figures), *_key_tiers(figures, up=True), *_repositories_up(figures)]
    found += [
        *_events(figures),
        *_releases(figures),
        *_milestones(figures),
        *_moves(figures, better=True),
        *_alerts_ended(figures),
    ]
    return sorted(found, key=lambda one: (-one.weight, one.text))


def risks(figures: Figures) -> list[Finding]:
    """What went badly or may, the most important first."""
    found = [*_repositories_down(figures), *open_alerts(figures), *_insights(figures), *_goals_missed(figures)]
    found += [*_key_tiers(figures, up=False), *_moves(figures, better=False), *_low_repositories(figures)]
    return sorted(found, key=lambda one: (-one.weight, one.text))


def first(found: Iterable[Finding], most: int) -> list[Finding]:
    """The first ones: one about each figure or goal, two at the most about a repository."""
    taken: list[Finding] = []
    for one in found:
        most_about = 2 if "/" in one.about else 1
        if sum(other.about == one.about for other in taken) < most_about and len(taken) < most:
            taken.append(one)
    return taken


# --- goals ----------------------------------------------------------------------------------------------------


def _goals_met(figures: Figures) -> Iterator[Finding]:
    for goal in figures.goals:
        if goal.status == "met" and goal.status_before not in ("met", None):
            value = "" if goal.value is None else f" ({amount(goal.value, goal.metric.unit)})"
            text = f"Goal met this {SPAN[figures.report]}: {goal_name(figures, goal)}{value}."
            yield Finding(theme_of(goal.owner), text, 60, goal.metric.key, metric=goal.metric.key)


def _goals_missed(figures: Figures) -> Iterator[Finding]:
    """Goals that were missed or got worse within the period weigh more than those that have long been off track."""
    for goal in judged(figures):
        if goal.status not in ("off track", "at risk"):
            continue
        due = goal.target.due_on
        is_over = due is not None and due <= figures.through
        is_new = goal.status_before in ("met", "on track", "at risk") and goal.status_before != goal.status
        now = "not known" if goal.value is None else amount(goal.value, goal.metric.unit)
        said = f"{now}, {target_text(goal.value, goal.target, goal.metric.unit, figures.through)}"
        outlook = goal_outlook(figures, goal)
        if not is_over and due is not None and outlook != UNSAID:
            said += f", {outlook}"
        state = f"now {goal.status}" if is_new else goal.status
        weight = 15.0 + 20 * is_new + (15 if is_over else 0) - 8 * (goal.status == "at risk")
        name = goal_name(figures, goal)
        text = f"The goal '{name}' is {state}: {said}."
        if is_over:
            _, missed, by = said.rpartition("missed by ")
            text = f"The goal '{name}' was missed{f' by {by}' if missed else ''}: {now}."
        names = (f"'{goal.title}'",)
        yield Finding(theme_of(goal.owner), text, weight, goal.metric.key, ABOUT_GOALS, names, goal.metric.key)


# --- what moved -----------------------------------------------------------------------------------------------


def _passed(figures: Figures) -> Iterator[Finding]:
    """Round numbers that were passed: 4,000 stars."""
    of_last = {line.metric: line for line in (*contents.HEADLINES, *contents.GROWTH[:3]) if line.how == "last"}
    for line in of_last.values():
        measure = figures.one(line.metric, "last")
        if measure is None or measure.metric.unit not in ("count", "dollars"):
            continue
        before, now = measure.before.value, measure.now.value
        if before is None or now is None or now < _FEW or before >= now:
            continue
        step = 10 ** math.floor(math.log10(now))
        if math.floor(before / step) < math.floor(now / step):
            reached = amount(math.floor(now / step) * step, measure.metric.unit)
            label = line.label or measure.metric.title
            text = f"{label} passed {reached}: {amount(now, measure.metric.unit)}, {_since(figures, measure)}."
            yield Finding(
                _section_of(measure),
                text,
                58 if line in contents.HEADLINES else 55,
                measure.metric.key,
                metric=measure.metric.key,
            )


def _moves(figures: Figures, *, better: bool) -> Iterator[Finding]:
    """Figures that moved by a tenth and more since the period before."""
    seen = set()
    for theme, lines in _BY_SECTION:
        for line in lines:
            for measure in figures.of(line.metric, line.how):
                key = (measure.metric.key, measure.subject)
                if measure.fed and line.how == "sum":
                    continue  # counted events are told one by one
                if key in seen or not _is_notable(measure, theme) or measure.metric.direction == "neutral":
                    continue
                seen.add(key)
                before, now = measure.before.value or 0.0, measure.now.value or 0.0
                if is_better(before, now, measure.metric) != better:
                    continue
                of = "" if measure.subject_kind == "portfolio" else f" of {measure.subject}"
                label = f"{line.label or measure.metric.title}{of}"
                text = f"{label}: {amount(now, measure.metric.unit)}, {_since(figures, measure)}."
                action = None if better else _ADVICE[theme]
                weight = 10 + 20 * min(_size(measure), 1.0)
                yield Finding(theme, text, weight, key[0], action, (_lower(label),), key[0])


def _since(figures: Figures, measure: Measure) -> str:
    moved = change(measure.before.value or 0.0, measure.now.value or 0.0, measure.metric.unit)
    return f"{moved} since the {SPAN[figures.report]} before"


def _is_notable(measure: Measure, theme: Theme) -> bool:
    before, now, unit = measure.before, measure.now, measure.metric.unit
    if not (before.is_whole and now.is_whole) or before.value is None or now.value is None:
        return False
    if unit == "count" and theme != "business" and max(abs(before.value), abs(now.value)) < _FEW:
        return False
    if unit == "ratio":
        return abs(now.value - before.value) >= _NOTABLE_POINTS
    return _size(measure) >= _NOTABLE.get(unit, _NOTABLE_OTHERS)


def _size(measure: Measure) -> float:
    before, now = measure.before.value or 0.0, measure.now.value or 0.0
    if measure.metric.unit == "ratio":
        return abs(now - before) * 3
    return abs(now - before) / max(abs(before), 1e-9)


def _section_of(measure: Measure) -> Theme:
    for theme, lines in _BY_SECTION:
        if any(line.metric == measure.metric.key for line in lines):
            return theme
    return "business"


# --- tiers ----------------------------------------------------------------------------------------------------


def _key_tiers(figures: Figures, *, up: bool) -> Iterator[Finding]:
    """The portfolio's keys that went into another tier."""
    now = key_tiers(figures, figures.through)
    before = key_tiers(figures, figures.period_start - timedelta(days=1))
    for key, tier in now.items():
        was = before.get(key)
        if tier is None or was is None or tier == was or (TIER_ORDER[tier] > TIER_ORDER[was]) != up:
            continue
        title = _title(figures, key)
        text = f"{title} went {'up' if up else 'down'} from {tier_word(was)} to {tier_word(tier)}."
        # From Elite to High is worth a word and no more.
        weight = 45 if up or tier not in GOOD else 18
        yield Finding("technical", text, weight, key, None if up else _ADVICE["technical"], (_lower(title),), key)


def _repositories_down(figures: Figures) -> Iterator[Finding]:
    """Repositories that were High or Elite on a key and are not any more, or fell to Low."""
    for one in figures.repositories:
        fell = [key for key in one.keys if _has_moved(key, up=False) and key.tier not in GOOD]
        if fell:
            said = listed([_key_moved(figures, key) for key in fell])
            low = sum(key.tier == "low" for key in fell)
            action = f"Find out what happened in {one.repository}, before anything else there."
            yield Finding("technical", f"{one.repository} fell: {said}.", 40.0 + 10 * low, one.repository, action)


def _repositories_up(figures: Figures) -> Iterator[Finding]:
    for one in figures.repositories:
        rose = [key for key in one.keys if _has_moved(key, up=True)]
        if rose:
            said = listed([_key_moved(figures, key) for key in rose])
            yield Finding("technical", f"{one.repository} rose: {said}.", 26, one.repository)


def _has_moved(key: Key, *, up: bool) -> bool:
    if key.tier is None or key.tier_before is None or key.tier == key.tier_before:
        return False
    return (TIER_ORDER[key.tier] > TIER_ORDER[key.tier_before]) == up


def _key_moved(figures: Figures, key: Key) -> str:
    """'lead time for changes 46 d, Low (was 7.6 d, Medium)'."""
    unit = _unit(figures, key.metric)
    now = f"{amount(key.value or 0, unit)}, {tier_word(key.tier)}"
    return f"{_lower(_title(figures, key.metric))} {now} (was {amount(key.value_before or 0, unit)})"


def _low_repositories(figures: Figures) -> Iterator[Finding]:
    """Repositories that are low on a key now and were it a period before: nothing that will pass by itself."""
    for one in figures.repositories:
        low = [key for key in one.keys if key.tier == key.tier_before == "low" and key.value is not None]
        said = [
            f"{_lower(_title(figures, key.metric))} {amount(key.value or 0, _unit(figures, key.metric))}" for key in low
        ]
        if said:
            action = "Decide whether these shall be faster; if not, say so, and leave them out of the goals."
            text = f"{one.repository} stays Low: {listed(said)}."
            yield Finding("technical", text, 12, one.repository, action, (one.repository,))


def _title(figures: Figures, key: str) -> str:
    return next((measure.metric.title for measure in figures.measures if measure.metric.key == key), key)


def _unit(figures: Figures, key: str) -> str:
    return next((measure.metric.unit for measure in figures.measures if measure.metric.key == key), "count")


def _lower(title: str) -> str:
    return f"{title[:1].lower()}{title[1:]}"


# --- what happened --------------------------------------------------------------------------------------------


def _events(figures: Figures) -> Iterator[Finding]:
    for event in figures.events:
        if event.kind in _EVENTS:
            theme, word = _EVENTS[event.kind]
            weight = 35 if event.kind == "award" else 18
            yield Finding(theme, f"{word}: {event.title} ({day(event.on)}).", weight, event.title)


def _releases(figures: Figures) -> Iterator[Finding]:
    """One sentence a repository, whatever it released."""
    names: dict[str, list[str]] = {}
    for release in reversed(figures.releases):
        passed = f" (gate passed: {release.gate})" if release.verdict == "passed" else ""
        kind = " (a pre-release)" if release.is_prerelease else ""
        names.setdefault(release.repository, []).append(f"{release.tag}{kind}{passed}")
    for repository, tags in names.items():
        more = len(tags) - _MOST_TAGS
        shown = [*tags[-_MOST_TAGS:], f"{more} more"] if more > 0 else tags
        yield Finding("technical", f"{repository} released {listed(shown)}.", 22, repository)


def _milestones(figures: Figures) -> Iterator[Finding]:
    """One sentence a title: several repositories may share a milestone."""
    names: dict[str, list[str]] = {}
    for one in figures.milestones:
        if one.closed_on is not None:
            names.setdefault(one.title, []).append(one.repository)
    for title, repositories in names.items():
        more = len(repositories) - _MOST_SUBJECTS
        shown = [*repositories[:_MOST_SUBJECTS], *([f"{more} more"] if more > 0 else [])]
        yield Finding("technical", f"The milestone '{title}' was closed in {listed(shown)}.", 24, title)


def _alerts_ended(figures: Figures) -> Iterator[Finding]:
    resolved = [alert for alert in figures.alerts if alert.resolved_on is not None]
    if resolved:
        titles = list(dict.fromkeys(f"{alert.title} ({alert.subject})" for alert in resolved))
        more = [f"{len(titles) - _MOST_TAGS} more"] if len(titles) > _MOST_TAGS else []
        text = f"{count(len(resolved), 'alert')} ended: {listed([*titles[:_MOST_TAGS], *more])}."
        yield Finding("technical", text, 14, "alerts")


def open_alerts(figures: Figures) -> Iterator[Finding]:
    """One sentence a rule: of several subjects with the value of each, of one in the alert's own words."""
    by_rule: dict[str, list[AlertState]] = {}
    for alert in figures.alerts:
        if alert.resolved_on is None and alert.severity != "info":
            by_rule.setdefault(alert.rule, []).append(alert)
    for alerts in by_rule.values():
        one = alerts[0]
        if len(alerts) == 1:
            text = f"{one.title}: {one.subject}{_opened(alerts)}. {one.text}".strip()
        else:
            more = len(alerts) - _MOST_SUBJECTS
            shown = [_valued(alert) for alert in alerts[:_MOST_SUBJECTS]] + ([f"{more} more"] if more > 0 else [])
            text = f"{one.title}: {listed(shown)}{_opened(alerts)}."
        weight = max(_SEVERE.get(alert.severity, 10.0) for alert in alerts) + len(alerts)
        about = one.subject if len(alerts) == 1 else one.rule
        metric = one.metric.key if one.metric else None
        names = tuple(dict.fromkeys(alert.subject for alert in alerts))
        yield Finding(theme_of(one.owner), text, weight, about, one.action or None, names, metric)


def _opened(alerts: Sequence[AlertState]) -> str:
    days = [alert.opened_on for alert in alerts if alert.opened_on is not None]
    if len(days) < len(alerts):
        return ""
    return f", {'the first ' if len(days) > 1 else ''}since {day(min(days))}"


def _valued(alert: AlertState) -> str:
    if alert.metric is None or alert.value is None:
        return alert.subject
    return f"{alert.subject} ({amount(alert.value, alert.metric.unit)})"


def _insights(figures: Figures) -> Iterator[Finding]:
    for insight in figures.insights:
        theme = theme_of(insight.owner) if insight.topic in _BY_TOPIC else "technical"
        is_whole = insight.subject_kind == "portfolio"
        text = insight.sentence if is_whole else f"{insight.subject}: {insight.sentence}"
        if insight.action is not None:
            names = () if is_whole else (insight.subject,)
            weight = 20 + 4 * insight.weight
            yield Finding(theme, text, weight, insight.subject, insight.action, names, None, True)
