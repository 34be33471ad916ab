"""How a rule stands for a subject on a day; what an evaluation gives and what the states of alerts follow from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Day  # noqa: N812
from typing import Literal

from metrics_assets.settings import Severity

# `between`: neither beyond the limit nor back behind the value at which an alert ends.
Verdict = Literal["breached", "fine", "between", "unknown"]
# Rule, subject kind, subject and metric: what there is at most one open alert of.
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """How a rule stands for a subject on a day.

    Attributes:
        metric: the rule's, or of a rule about many the one that it is about; '' of a rule about the pipeline.
        verdict: an unknown one, and one between, neither opens nor ends an alert.
        value: in the metric's unit, with the ends of its 95 % interval and the number of rows that it stands on.
        reference: what the value was compared with: a limit, a baseline, the days before, the expected value.
        severity: the rule's; of an anomaly its own where that is higher.
        text: all of that in one sentence.
        days: days in a row up to this one on which the rule held (breached) or did not (fine), as far as was looked
            back; days that are unknown or between are passed over. None: the states count the days that they see.
        since: the first of those days.
    """

    rule: str
    metric: str
    subject_kind: str
    subject: str
    date: Day
    verdict: Verdict
    value: float | None
    reference: float | None
    n: int | None
    low: float | None
    high: float | None
    severity: Severity
    text: str
    days: int | None = None
    since: Day | None = None

    @property
    def key(self) -> Key:
        return self.rule, self.subject_kind, self.subject, self.metric


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the rules say on a day.

    Attributes:
        conditions: those that are breached and those of open alerts, by rule and subject.
        looked_at: pairs of a rule and a subject that were judged; of anomalies only those that there are.
        unknown: how many of them nothing can be said of.
    """

    conditions: list[Condition]
    looked_at: int
    unknown: int
