"""How the figures of a repository were computed: how many rows each step had, so that a gap can be found."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.reporting import wording
from metrics_assets.reporting.kit import Cell, Column, Row, Table
from metrics_assets.reporting.pages.repository_data import Steps

WINDOW = 28
SIGNALS = {
    "failed_deployment": "the deployment ended without a success",
    "incident": "an incident was laid to it",
    "rollback": "it was rolled back",
    "revert": "a change of it was reverted",
    "hotfix": "a hotfix followed",
    "yank": "the release was withdrawn",
}
TIES = {
    "hand": "by a person's decision",
    "sha": "by a commit that it names",
    "pull_request": "by a pull request that it names",
    "revert": "by the revert of a change",
    "version": "by a version that it names",
    "service": "by the service that it names",
    "time": "by time alone, the last deployment before it",
}
_OF_WINDOW = (
    ("shipped", "are in a production deployment, and so have a lead time"),
    ("waiting", "wait: no deployment contains them yet"),
    ("baseline", "are in the first deployment known, which ships nothing, for nobody knows what was there before"),
    ("untied", "could not be tied to any deployment"),
)
_OF_ALL = {
    "shipped": "Changes shipped",
    "waiting": "Changes that wait",
    "baseline": "Changes in the baseline",
    "untied": "Changes tied to no deployment",
}


def steps_table(steps: Steps) -> Table:
    """Each step with its count and what becomes of the rows."""
    rows = [
        _row("Days observed", steps.days_observed, f"of the {WINDOW} that the window has; rates divide by these"),
        *_window_rows(steps),
        *_deployment_rows(steps),
        *_incident_rows(steps),
    ]
    return Table(
        caption="How this was computed, step by step",
        columns=(Column("Step"), Column("Count", numeric=True), Column("What becomes of it")),
        rows=tuple(rows),
    )


def _row(step: str, count: int | None, text: str) -> Row:
    number = Cell("not known", sort="", role="dim") if count is None else Cell(f"{count:,}", sort=str(count))
    return Row((Cell(step), number, Cell(text)))


def _window_rows(steps: Steps) -> list[Row]:
    merged = steps.window.get("merged")
    rows = [_row("Changes merged", merged, f"in the last {WINDOW} days; of these")]
    if merged:
        rows += [_row(f"… {state}", steps.window.get(state), text) for state, text in _OF_WINDOW]
    rows.append(
        _row(
            f"Changes shipped in {WINDOW} days",
            steps.shipped_in_window,
            "the median lead time stands on these, whenever they were merged",
        )
    )
    for state, reason, count in steps.changes:
        name = f"{_OF_ALL.get(state, state)}, since the beginning"
        rows.append(_row(name, count, reason or "each has its first commit, its merge and its deployment"))
    return rows


def _deployment_rows(steps: Steps) -> list[Row]:
    if not steps.succeeded and not steps.failed:
        return [_row("Deployments", None, "none was ever seen, so the keys of delivery are unknown")]
    rows = [
        _row("Deployments succeeded, since the beginning", steps.succeeded, "deployment frequency counts these"),
        _row("Deployments failed, since the beginning", steps.failed, "they ended without a success"),
        _row(f"Deployments succeeded in {WINDOW} days", steps.deployments_in_window, "divided by the days observed"),
        _row(
            f"Deployments counted as failures in {WINDOW} days",
            steps.failing_in_window,
            "each once, whatever the number of reasons; the change failure rate stands on these",
        ),
    ]
    rows += [_row("Reason for a failure", count, SIGNALS.get(signal, signal)) for signal, count in steps.failures]
    return rows


def _incident_rows(steps: Steps) -> list[Row]:
    if not steps.incidents:
        return [_row("Incidents", 0, "no issue has an incident label, as far as issues are collected")]
    return [
        _row("Incidents", count, "tied to no deployment" if rule is None else f"tied {TIES.get(rule, rule)}")
        for rule, count in _ordered(steps.incidents)
    ]


def _ordered(incidents: Sequence[tuple[str | None, int]]) -> list[tuple[str | None, int]]:
    """Evidence first, time after it, those without a tie last."""
    order = [*TIES, None]
    return sorted(incidents, key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))


def steps_sentence(steps: Steps) -> str:
    """The counts of the window in one sentence."""
    merged, shipped = steps.window.get("merged"), steps.window.get("shipped")
    if merged is None:
        return "What was merged in the last 28 days is not known, for the days were not collected."
    if merged == 0:
        return "Nothing was merged in the last 28 days."
    said = f"Of {wording.count(merged, 'change')} merged in the last 28 days, "
    return f"{said}{shipped or 0:,} have shipped by now, and so have a lead time."
