"""What the columns of tables mean, in sentences for the Dagster UI: from the catalogue, else written here."""

from __future__ import annotations

from metrics_assets.catalogue.metrics import load_catalogue


def column_meanings(table: str) -> dict[str, str]:
    """By column of 'schema.table' what it means; a column of which nothing is known is left out."""
    return {**_COMMON, **_OF_TABLE.get(table, {}), **_of_catalogue(table)}


def _of_catalogue(table: str) -> dict[str, str]:
    """By column what it means, as the catalogue has it; a column that several metrics share says nothing by itself."""
    found: dict[str, list[str]] = {}
    for metric in load_catalogue().metrics.values():
        if f"metrics.{metric.table}" != table:
            continue
        found.setdefault(metric.value_sql, []).append(f"{metric.title} ({metric.unit}): {metric.definition}")
        found.setdefault(f"{metric.value_sql}_p90", []).append(f"Nine in ten are no more: {metric.title}.")
        for column, said in ((metric.n, "On how many this stands"), (metric.low, "Lower"), (metric.high, "Upper")):
            if column:
                end = "" if column == metric.n else " end of the 95 % interval"
                found.setdefault(column, []).append(f"{said}{end}: {metric.title}.")
    return {
        column: said[0] if len(said) == 1 else " ".join(said)
        for column, said in found.items()
        if len(said) <= _MOST_MEANINGS
    }


# More metrics than this share a column that holds whatever a row's key says.
_MOST_MEANINGS = 3
_COMMON = {
    "subject_kind": "What the row is about: repository, service, environment, team, package, community or portfolio.",
    "subject": "The name of what the row is about.",
    "repository": "The repository, as owner/name.",
    "repository_id": "The repository's number at its provider; it stays when the repository is renamed.",
    "chain": "The way to production that the row belongs to: one per repository, or per service of it.",
    "date": "The UTC day; of a window its last day.",
    "metric": "The key of the metric in the catalogue.",
    "value": "The value of the row's metric; null is unknown, never zero.",
    "n": "On how many things the value stands.",
    "low": "Lower end of the 95 % interval.",
    "high": "Upper end of the 95 % interval.",
    "metric_state": "State of the metric's value: ok, provisional, too_few or unknown.",
    "goal": "The key of the goal in the catalogue.",
    "target": "The value to reach.",
    "comparison": "How the target is meant: at_least, at_most, above or below.",
    "starts_on": "The day from which the way to the target is counted.",
    "base": "The value on that day, or the one that the goal names.",
    "expected": "What was to be expected of the day.",
    "progress": "Share of the way from the base to the target.",
    "components": "What each component contributed, as JSON.",
    "lower": "Lower bound of what is usual.",
    "upper": "Upper bound of what is usual.",
    "severity": "How serious it is.",
    "explanation": "What was unusual, in a sentence.",
    "known_event": "What happened then and may explain it.",
    "horizon": "Days ahead.",
    "target_on": "The day that is forecast.",
    "p10": "One in ten is expected to be less.",
    "p50": "As likely more as less.",
    "p90": "One in ten is expected to be more.",
    "method": "How it was made.",
    "beats_naive": "Whether such forecasts erred less than the last value of the same weekday lately.",
    "first_seen_at": "When the collector first saw the row.",
    "updated_at": "When the provider says that it last changed.",
}
_VALUE_STATE = "ok, provisional (the last days), too_few or unknown."
_GOAL_REASON = "Why the goal stands as it does, in a sentence."
# What a name means in some tables alone; and what many tables call by one name, and mean differently.
_OF_TABLE: dict[str, dict[str, str]] = {
    "metrics.fed_daily": {"state": _VALUE_STATE},
    "metrics.calculated_daily": {"state": _VALUE_STATE},
    "metrics.anomalies": {
        "state": "normal, anomaly or too_few.",
        "score": "How far the day is from what was to be expected; higher is further.",
    },
    "metrics.correlations": {"state": "ok, too_few or unknown."},
    "metrics.changes": {
        "state": "shipped, waiting (for a deployment), baseline (shipped by the first one of all) or untied.",
        "reason": "Why it is tied to no deployment.",
    },
    "metrics.incidents": {"status": "open or resolved."},
    "metrics.scores": {
        "score": "The key of the model.",
        "coverage": "Share of the model's weight that is known.",
    },
    "metrics.goals_daily": {
        "status": "met, on track, at risk, off track or unknown.",
        "due_on": "The day by which it is to be reached.",
        "reason": _GOAL_REASON,
    },
    "metrics.forecasts": {
        "coverage": "Share of the days of the backtest that fell between p10 and p90; 0.8 would be right.",
        "reason": "Why there is no forecast.",
    },
    **{
        f"metrics.space_{name}": {"reason": "Why figures of the week are unknown, in a sentence."}
        for name in ("activity", "collaboration", "efficiency", "performance", "satisfaction")
    },
    "raw.repositories": {"state": "active, archived, empty, gone or blocked."},
    "raw.pull_requests": {"state": "open, closed or merged."},
    "raw.reviews": {"state": "As the provider has it: approved, changes requested, commented, dismissed."},
    "raw.issues": {"state": "open or closed."},
    "raw.milestones": {"state": "open or closed.", "due_on": "The day by which it is to be done."},
    "raw.deployment_statuses": {"state": "As the provider has it: success, failure, in progress and others."},
    "raw.workflow_runs": {"status": "As the provider has it: completed, in progress, queued and others."},
    "raw.workflow_jobs": {"status": "As the provider has it: completed, in progress, queued and others."},
    "raw.packages": {"state": "active, deprecated, archived or missing."},
    "raw.mentions": {"score": "Votes, as the platform counts them."},
    "ops.notifications": {
        "notification_id": "The number of the row.",
        "event_id": "What happened to which alert, in ops.alert_events; null for other messages, as reports.",
        "channel": "The channel of metrics.yaml that is told.",
        "state": "pending, sent or dropped.",
        "attempts": "How often it was tried.",
        "next_attempt_at": "Not before this it is tried again.",
        "sent_at": "When the channel took it.",
        "last_error": "Why the channel did not take it the last time.",
        "message_key": "What a message is about; a channel is told once of each.",
        "message": "What is told, where it is no alert's event.",
        "group_key": "Messages of one group are delivered by one run.",
        "mention": "Who is called by name in the message.",
        "created_at": "When it came into the outbox.",
        "held_because": "Why it waits, such as quiet hours.",
        "dropped_because": "Why it is not sent at all, such as a silence.",
    },
    "ops.daily_status": {
        "status": "healthy, issues or unknown.",
        "line": "The day in one sentence.",
        "details": "Counts of alerts, what was not collected whole, tables that are late, checks that failed; as JSON.",
        "made_at": "When the line last changed.",
    },
    "ops.reports": {
        "report": "monthly_report, weekly_digest, quarterly_review or executive_summary.",
        "period_start": "First day of the period.",
        "period_end": "Last day of the period.",
        "as_of": "The last day that the report knows; before period_end it is a draft.",
        "title": "Its heading.",
        "figures": "The figures that it was made from, as JSON.",
        "document": "What it says, as JSON, from which all forms are written.",
        "markdown": "It as Markdown.",
        "html": "It as one HTML file.",
        "pdf": "It as PDF, where it was printed.",
        "made_at": "When it was made.",
        "frozen_at": "When it was sent; from then on it stays as it was.",
    },
}
