"""Alert rules in words: when each holds, who is told and what to do, as a table of the page of all metrics."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.catalogue.alerts import (
    AnomalyRule,
    ChangeRule,
    Escalation,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    PipelineRule,
    Rule,
    ThresholdRule,
)
from metrics_assets.catalogue.metrics import Catalogue
from metrics_assets.reporting.catalogue_words import CONDITIONS, amount, number, table, text

_PIPELINE = {
    "run_failed": "the newest run of a job failed",
    "data_late": "the newest day of a table ended over {hours:g} hours ago",
    "collection_incomplete": "a list of a repository was not collected whole on the last {days} days",
    "rate_limited": "over {percent:g} % of a source's hourly budget is used",
    "undelivered": "a notification waits for over {hours:g} hours",
}
_HEAD = ("Rule", "Holds where", "Severity", "Channels", "Escalates", "What to do", "Requirement")


def rules_table(rules: Sequence[Rule], catalogue: Catalogue) -> str:
    """A row for each rule; empty without rules."""
    return table(_HEAD, [_row(rule, catalogue) for rule in rules])


def _row(rule: Rule, catalogue: Catalogue) -> tuple[str, ...]:
    return (
        f"{text(rule.title)}<br>`{rule.key}`",
        holds_where(rule, catalogue),
        rule.severity,
        _channels(rule),
        ", then ".join(_escalation(one) for one in rule.escalate),
        text(rule.action),
        ", ".join(rule.requirements) or text(rule.source or ""),
    )


def holds_where(rule: Rule, catalogue: Catalogue) -> str:
    """The condition of a rule: '`change_failure_rate` over 25 %; ends at 20 % or less; n at least 8'."""
    parts = [*_condition(rule, catalogue)]
    if rule.for_days > 1:
        parts.append(f"on {rule.for_days} days in a row")
    if rule.clear_days > 1:
        parts.append(f"ends after {rule.clear_days} good days")
    if rule.subject_kinds or rule.subjects:
        kinds = ["the portfolio" if kind == "portfolio" else f"every {kind}" for kind in rule.subject_kinds]
        parts.append("of " + ", ".join([*rule.subjects, *kinds]))
    return "; ".join(parts)


def _condition(rule: Rule, catalogue: Catalogue) -> list[str]:
    match rule:
        case ThresholdRule():
            return _threshold(rule, catalogue)
        case ChangeRule():
            return _change(rule, catalogue)
        case MultipleRule():
            times = f"`{rule.metric}` at least {number(rule.factor)} times `{rule.baseline}`"
            before = f" of {_days(rule.lag_days)} before" if rule.lag_days else ""
            ends = [f"ends under {number(rule.clear_factor)} times"] if rule.clear_factor else []
            return [times + before, *ends, *_minimum_n(rule)]
        case MilestoneRule():
            metric = catalogue.metrics[rule.metric]
            return [f"`{rule.metric}` reaches " + ", ".join(amount(one, metric) for one in rule.milestones)]
        case AnomalyRule():
            kinds = ", ".join(kind.replace("_", " ") for kind in rule.anomalies)
            keys = ", ".join(f"`{key}`" for key in rule.metric_keys) or "any figure"
            worse = rule.at_least if rule.at_least == "critical" else f"{rule.at_least} or worse"
            return [f"unusual day ({worse}{': ' if kinds else ''}{kinds}) of {keys}"]
        case MissingRule():
            return [f"`{rule.metric}` unknown for {_days(rule.days)}"]
        case PipelineRule():
            values = {"hours": rule.hours or 0, "days": rule.days, "percent": rule.share * 100}
            return [_PIPELINE[rule.condition].format(**values)]


def _threshold(rule: ThresholdRule, catalogue: Catalogue) -> list[str]:
    metric = catalogue.metrics[rule.metric]
    name = next(name for name in CONDITIONS if getattr(rule, name) is not None)
    parts = [f"`{rule.metric}` {CONDITIONS[name]} {amount(rule.limit, metric)}"]
    if rule.confident:
        parts.append("with the whole 95 % interval")
    if rule.clear_at is not None:
        # What stands at clear_at has ended, whichever side it came from.
        parts.append(f"ends at {amount(rule.clear_at, metric)} or {'less' if rule.upwards else 'more'}")
    return [*parts, *_minimum_n(rule)]


def _change(rule: ChangeRule, catalogue: Catalogue) -> list[str]:
    metric = catalogue.metrics[rule.metric]
    step = rule.drop if rule.drop is not None else rule.rise or 0
    size = f"{number(step * 100)} %" if rule.by == "share" else amount(step, metric)
    direction = "less" if rule.drop is not None else "more"
    if rule.of == "sum":
        parts = [f"`{rule.metric}` of {_days(rule.days)} at least {size} {direction} than of those before"]
    else:
        parts = [f"`{rule.metric}` at least {size} {direction} than {_days(rule.days)} before"]
    if rule.minimum_reference:
        parts.append(f"then at least {amount(rule.minimum_reference, metric)}")
    if rule.clear_share < 1:
        parts.append(f"ends under {number(rule.clear_share * 100)} % of that change")
    return [*parts, *_minimum_n(rule)]


def _minimum_n(rule: ThresholdRule | ChangeRule | MultipleRule) -> list[str]:
    return [f"n at least {rule.minimum_n:,}"] if rule.minimum_n > 1 else []


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days} days"


def _channels(rule: Rule) -> str:
    told = [", ".join(f"`{name}`" for name in rule.channels) or "the default ones"]
    if rule.mention:
        told.append(f"mentions {text(rule.mention)}")
    if rule.tell_on or rule.tell_at:
        told.append("told " + " at ".join(part for part in (", ".join(rule.tell_on), rule.tell_at or "") if part))
    if rule.severity == "critical" and rule.quiet:
        told.append("held in quiet hours")
    return "; ".join(told)


def _escalation(escalation: Escalation) -> str:
    minutes = escalation.after_minutes
    hours = f"{number(minutes / 60)} h" if minutes % 60 == 0 else f"{minutes} min"
    whom = ", ".join(f"`{name}`" for name in escalation.channels)
    mention = f"mentions {text(escalation.mention)}" if escalation.mention else ""
    return ": ".join(part for part in (f"after {hours}", "; ".join(one for one in (whom, mention) if one)) if part)
