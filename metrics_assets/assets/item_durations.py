"""Durations of pull requests, issues and discussions: to the first answer, to the end, and of those that wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics_assets.analysis.business_hours import BusinessHours
from metrics_assets.analysis.windows import Ints, Spans
from metrics_assets.assets.measured_durations import HOUR, WINDOW, Measured
from metrics_assets.warehouse.columns import FOREVER

# Labels, however they are written: 'critical', 'P0', 'severity: critical', 'priority/high'.
_CRITICAL = r"^((severity|priority|sev|prio|bug)[-:_ /]*)?(critical|p-?0|critical[- ]bug)$"
_HIGH = r"^((severity|priority|sev|prio|bug)[-:_ /]*)?(high|p-?1|high[- ]priority)$"
_SECURITY = "security"


@dataclass(frozen=True)
class Answers:
    """Items that were opened in a window, each with the span in which it waited and that in which it was answered."""

    code: Ints
    opened_at: Ints
    answered_at: Ints  # FOREVER where nobody did

    def measure(self, measured: Measured, name: str, collected: str) -> None:
        """Hours to the answer, how many wait; by the clock alone."""
        answered, waiting = self.spans(measured)
        measured.keep(name, answered, collected)
        measured.set_open(name, waiting, collected)

    def measure_all(self, measured: Measured, name: str, collected: str, business: BusinessHours) -> None:
        """The same, and in business hours, and with those that wait."""
        self.measure(measured, name, collected)
        known = self.answered_at < FOREVER
        hours = np.full(len(self.code), np.nan)
        hours[known] = business.hours_between(self.opened_at[known], self.answered_at[known])
        answered, _ = self.spans(measured, hours)
        measured.keep(f"{name}_business", answered, collected)
        answered, waiting = self.spans(measured, self.answered_at - self.opened_at)
        measured.estimate(name, answered, waiting, collected)

    def spans(self, measured: Measured, value: NDArray[Any] | None = None) -> tuple[Spans, Spans]:
        opened, answered = measured.day_of(self.opened_at), measured.day_of(self.answered_at)
        last = opened + WINDOW - 1
        if value is None:
            value = (self.answered_at - self.opened_at) / HOUR
        members = measured.of_repository
        (after,) = measured.spread(self.code, members, np.maximum(opened, answered), last, value)
        (before,) = measured.spread(self.code, members, opened, np.minimum(answered - 1, last), self.opened_at)
        return after.within(measured.days), before.within(measured.days)


def measure_pull_requests(measured: Measured) -> None:
    """Opening to merge, and to the first word of somebody else; of those that a person opened."""
    merged = measured.read(
        "select repositories.code, created_at, merged_at from measured_repositories as repositories "
        "join raw.pull_requests using (repository_id) "
        "where merged_at >= %(since)s and merged_at < %(end)s and created_at is not null",
        {"code": "i8", "created_at": "i8", "merged_at": "i8"},
    )
    day = measured.day_of(merged["merged_at"])
    hours = (merged["merged_at"] - merged["created_at"]) / HOUR
    (spans,) = measured.spread(merged["code"], measured.of_repository, day, day + WINDOW - 1, hours)
    measured.keep("pull_request_merge", spans, "openings")

    opened = measured.read(
        "with opened as materialized ("
        "select repositories.code, repository_id, number, author_key, created_at "
        "from measured_repositories as repositories join raw.pull_requests using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s and not coalesce(author_is_bot, false)"
        "), responses as ("
        "select opened.repository_id, opened.number, submitted_at as at from opened join raw.reviews as reviews "
        "on reviews.repository_id = opened.repository_id and reviews.number = opened.number "
        "where not coalesce(reviews.author_is_bot, false) and reviews.state <> 'pending' "
        "and reviews.author_key <> coalesce(opened.author_key, '') and submitted_at >= opened.created_at "
        "union all "
        "select opened.repository_id, opened.number, events.created_at "
        "from opened join raw.pull_request_events as events "
        "on events.repository_id = opened.repository_id and events.number = opened.number "
        "where events.event = 'commented' and not coalesce(actor_is_bot, false) "
        "and actor_key <> coalesce(opened.author_key, '') and events.created_at >= opened.created_at"
        "), first_responses as ("
        "select repository_id, number, min(at) as at from responses group by repository_id, number) "
        "select opened.code, opened.created_at, coalesce(first_responses.at, 'infinity') "
        "from opened left join first_responses using (repository_id, number)",
        {"code": "i8", "opened_at": "i8", "answered_at": "i8"},
    )
    business = measured.business(opened["opened_at"])
    Answers(**opened).measure_all(measured, "pull_request_first_response", "openings", business)


def measure_issues(measured: Measured) -> None:
    """Opening to the first word of somebody else, and to the closing."""
    opened = measured.read(
        "with opened as materialized ("
        "select repositories.code, repository_id, number, author_key, created_at, labels "
        "from measured_repositories as repositories join raw.issues using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s and not coalesce(author_is_bot, false)"
        "), first_responses as ("
        "select opened.repository_id, opened.number, min(events.created_at) as at "
        "from opened join raw.issue_events as events "
        "on events.repository_id = opened.repository_id and events.number = opened.number "
        "where events.event = 'commented' and not coalesce(actor_is_bot, false) "
        "and actor_key <> coalesce(opened.author_key, '') and events.created_at >= opened.created_at "
        "group by opened.repository_id, opened.number"
        f"), kinds as {_kinds('opened', security=_SECURITY)} "
        "select opened.code, opened.created_at, coalesce(first_responses.at, 'infinity'), kinds.security "
        "from opened join kinds using (labels) left join first_responses using (repository_id, number)",
        {"code": "i8", "opened_at": "i8", "answered_at": "i8", "security": "i8"},
    )
    is_security = opened.pop("security") == 1
    states = _issue_states(measured)
    business = measured.business(np.concatenate([opened["opened_at"], states["created_at"]]))
    Answers(**opened).measure_all(measured, "issue_first_response", "issues", business)
    about_security = {name: values[is_security] for name, values in opened.items()}
    Answers(**about_security).measure(measured, "security_response", "issues")
    _resolutions(measured, states, business)


def _kinds(table: str, **patterns: str) -> str:
    """A subquery that says of each set of labels, once, which patterns one of them matches (1, else 0)."""
    flags = ", ".join(
        f"exists (select 1 from unnest(labels) as label where label ~* '{pattern}')::integer::bigint as {name}"
        for name, pattern in patterns.items()
    )
    return f"(select labels, {flags} from (select distinct labels from {table}) as sets)"


def _issue_states(measured: Measured) -> dict[str, NDArray[Any]]:
    """Every opening (1) and closing (-1) of the issues that were opened or closed in a window, in their order.

    What changed nothing is left out: an item that is closed twice without being reopened was closed once.
    """
    states = measured.read(
        "with candidates as materialized ("
        "select repositories.code, repository_id, number, created_at, closed_at, deleted_at, labels "
        "from measured_repositories as repositories join raw.issues using (repository_id) "
        "join ("
        "select repository_id, number from measured_repositories join raw.issues using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s union "
        "select repository_id, number from measured_repositories join raw.issues using (repository_id) "
        "where closed_at >= %(since)s and closed_at < %(end)s union "
        "select repository_id, number from measured_repositories join raw.issue_events using (repository_id) "
        "where event = 'closed' and created_at >= %(since)s and created_at < %(end)s"
        ") as touched using (repository_id, number) where created_at < %(end)s"
        "), changes as materialized ("
        "select repository_id, number, events.created_at as at, case event when 'closed' then -1 else 1 end as step "
        "from candidates join raw.issue_events as events using (repository_id, number) "
        "where event in ('closed', 'reopened')"
        f"), kinds as {_kinds('candidates', critical=_CRITICAL, high=_HIGH)}, "
        "states as ("
        "select repository_id, number, created_at as at, 1 as step from candidates union all "
        "select repository_id, number, at, step from changes union all "
        "select repository_id, number, closed_at, -1 from candidates left join ("
        "select distinct repository_id, number from changes where step = -1) as known using (repository_id, number) "
        "where closed_at is not null and known.number is null"
        ") "
        "select code, number::bigint, created_at, coalesce(deleted_at, 'infinity'), critical, high, at, step::bigint "
        "from states join candidates using (repository_id, number) join kinds using (labels)",
        {
            "code": "i8",
            "number": "i8",
            "created_at": "i8",
            "deleted_at": "i8",
            "critical": "i8",
            "high": "i8",
            "at": "i8",
            "step": "i8",
        },
    )
    order = np.lexsort((-states["step"], states["at"], states["number"], states["code"]))
    states = {name: values[order] for name, values in states.items()}
    item = (states["code"] << 32) | states["number"]
    is_new = np.concatenate([[True], item[1:] != item[:-1]]) if len(item) else np.zeros(0, dtype=bool)
    differs = np.concatenate([[1], states["step"][1:] - states["step"][:-1]])[: len(item)] != 0
    kept = is_new | differs
    states = {name: values[kept] for name, values in states.items()}
    item = item[kept]
    is_last = np.concatenate([item[1:] != item[:-1], [True]])[: len(item)]
    states["until"] = np.where(is_last, FOREVER, np.concatenate([states["at"][1:], [FOREVER]])[: len(item)])
    return states


def _resolutions(measured: Measured, states: dict[str, NDArray[Any]], business: BusinessHours) -> None:
    """Opening to closing of the issues closed in the window; how many of those opened in it are open."""
    members = measured.of_repository
    closed = {name: values[states["step"] == -1] for name, values in states.items()}
    first, until = measured.day_of(closed["at"]), measured.day_of(closed["until"])
    last = np.minimum(first + WINDOW, until) - 1
    took = closed["at"] - closed["created_at"]
    in_business = business.hours_between(closed["created_at"], closed["at"])
    clock, worked = measured.spread(closed["code"], members, first, last, took / HOUR, in_business)
    measured.keep("issue_resolution", clock, "issues")
    measured.keep("issue_resolution_business", worked, "issues")
    for name, label in (("critical_bug_resolution", "critical"), ("high_bug_resolution", "high")):
        chosen = closed[label] == 1
        (spans,) = measured.spread(closed["code"][chosen], members, first[chosen], last[chosen], took[chosen] / HOUR)
        measured.keep(name, spans, "issues")

    # Of those that were opened in the window: closed by the day's end, or open still.
    window_ends = measured.day_of(closed["created_at"]) + WINDOW - 1
    (answered,) = measured.spread(closed["code"], members, first, np.minimum(last, window_ends), took)
    opened = {name: values[states["step"] == 1] for name, values in states.items()}
    gone = np.minimum(measured.day_of(opened["until"]), measured.day_of(opened["deleted_at"])) - 1
    window_ends = measured.day_of(opened["created_at"]) + WINDOW - 1
    (waiting,) = measured.spread(
        opened["code"], members, measured.day_of(opened["at"]), np.minimum(gone, window_ends), opened["created_at"]
    )
    measured.set_open("issue_resolution", waiting, "issues")
    measured.estimate("issue_resolution", answered, waiting, "issues")


def measure_discussions(measured: Measured) -> None:
    """Opening to the answer that was chosen, known once it was; in categories where answers are chosen."""
    opened = measured.read(
        "select repositories.code, created_at, coalesce(answer_created_at, 'infinity'), "
        "case when answer_created_at is null then 'infinity' else greatest(answered_at, answer_created_at) end "
        "from measured_repositories as repositories join raw.discussions using (repository_id) "
        "where created_at >= %(since)s and created_at < %(end)s and (is_answerable or answer_created_at is not null)",
        {"code": "i8", "opened_at": "i8", "answered_at": "i8", "chosen_at": "i8"},
    )
    chosen_at, hours = opened.pop("chosen_at"), (opened["answered_at"] - opened["opened_at"]) / HOUR
    answered, waiting = Answers(opened["code"], opened["opened_at"], chosen_at).spans(measured, hours)
    measured.keep("discussion_answer", answered, "discussions")
    measured.set_open("discussion_answer", waiting, "discussions")
