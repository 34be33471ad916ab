"""metrics.anomalies: every watched figure on every day, judged by its own past."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from metrics_assets.alerting.subjects import Subjects
from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.shared import FORECAST, PREDICTED
from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets.warehouse.columns import days_since_2000, read_columns, write_columns
from metrics_assets.warehouse.derived import table_columns
from metrics_assets.warehouse.frames import copy_rows, replacing_days
from metrics_assets.warehouse.known_events import KnownEvents, read_known_events

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from metrics_assets.analysis.detection import Panel, Verdicts

_TABLE = "metrics.anomalies"
_EXPLAINED = ("spike", "drop", "level_shift")  # what an event can explain
_EVENT_DAYS = 3  # the day itself and those before on which an event explains it
# A figure that counts events is not explained by them: the kinds of events that each metric counts.
_COUNTED = {
    **dict.fromkeys(
        (
            "incidents_opened", "incidents_open", "incidents_resolved", "change_failure_rate", "deployments_failed",
            "failures_unrecovered",
        ),
        ("incident",),
    ),
    **dict.fromkeys(("releases", "package_releases"), ("release", "package release")),
    "releases_yanked": ("yank",),
    **dict.fromkeys(("advisories_open", "advisories_open_critical", "advisories_open_high"), ("advisory",)),
    "mentions": ("story",),
}  # fmt: skip
# What metrics.known_events and the subjects of metrics.yaml are made of.
_EVENTS_OF = (
    "raw.releases", "raw.package_releases", "raw.package_advisories", "raw.mentions", "raw.events",
    "metrics.incidents", "ops.portfolio", "ops.repository_settings", "ops.package_settings",
)  # fmt: skip
# What is read and judged at once: it bounds the memory.
_CELLS_AT_ONCE = 1_000_000
_DAYS_AT_ONCE = 184

_SUBJECTS = """
select distinct subject_kind, subject, hashtextextended(subject_kind || ' ' || subject, 0) as number
from metrics.metric_values
where metric in ({metrics}) and subject_kind = any (%(kinds)s) and date >= %(start)s and date < %(end)s
order by subject_kind, subject
"""
# Subjects as numbers: a hash of 64 bits.
_VALUES = """
select hashtextextended(subject_kind || ' ' || subject, 0),
       array_position(array[{metrics}], metric)::bigint - 1,
       (date - date '2000-01-01')::bigint,
       case when state = 'unknown' then 'NaN' else coalesce(value, 'NaN') end,
       coalesce(n::double precision, 'NaN'),
       (state = 'too_few')::integer::bigint
from metrics.metric_values
where metric in ({metrics}) and subject_kind = any (%(kinds)s) and date >= %(start)s and date < %(end)s
"""
_COLUMNS = {"subject": "i8", "metric": "i8", "day": "i8", "value": "f8", "n": "f8", "weak": "i8"}


def derivation() -> Derivation:
    """metrics.anomalies; it reads the tables of all metrics whose days are judged."""
    catalogue = load_catalogue()
    tables = [f"metrics.{table}" for table in catalogue.tables(catalogue.with_anomalies())]
    return Derivation(
        name="anomalies",
        description="Every watched figure on every day: what was expected from the days before it alone, and whether "
        "the day is a spike, a drop, a level shift, a drift, unrest or missing, in words. A robust rule, a classifier "
        "and an isolation forest (scikit-learn) judge it; releases and other events that may explain a jump are named. "
        "Under 28 days of history: too few.",
        reads=tuple(dict.fromkeys((*tables, *_EVENTS_OF))),
        kinds=frozenset({"postgres", "numpy", "scikitlearn"}),
        run=find_anomalies,
        group=FORECAST,
        preview="select subject, metric, kind, severity, explanation from metrics.anomalies "
        "where date = :day and subject_kind <> 'team' and state = 'anomaly' "
        "order by abs(score) desc nulls last limit 10",
    )


def find_anomalies(engine: sa.Engine, start: date, end: date, catalogue: Catalogue | None = None) -> Metadata:
    """Judge the days [start, end) of every series of the catalogue's daily metrics.

    A verdict is made of the series' values of the days before alone, as many as the detector looks back: that is less
    to read than what it could remember of them, and a rebuild of the past gives the same rows.
    """
    from metrics_assets.analysis.detection import KINDS

    catalogue = catalogue or load_catalogue()
    told = dict.fromkeys(KINDS, 0)
    rows = too_few = 0
    with replacing_days(engine, _TABLE, start, end) as connection:
        events = read_known_events(connection, start - timedelta(days=_EVENT_DAYS - 1), end)
        named = Subjects(connection)
        for part in _parts(connection, catalogue, start, end):
            judged = _Judged(part, catalogue, named)
            rows += judged.write_plain(connection) + judged.write_anomalies(connection, events)
            too_few += judged.too_few
            for kind, number in judged.told().items():
                told[kind] += number
    return {"rows": rows, "anomalies": sum(told.values()), "too_few": too_few, **told}


@dataclass(frozen=True, slots=True)
class _Part:
    """Some series over some days: arrays [series, days] that begin LOOK_BACK days before `start`."""

    metrics: list[str]  # [series]
    subjects: list[tuple[str, str]]  # [series], kind and subject
    start: date
    panel: Panel
    n: NDArray[np.float64]


def _parts(connection: sa.Connection, catalogue: Catalogue, start: date, end: date) -> Iterator[_Part]:
    from metrics_assets.analysis.detection import LOOK_BACK

    metrics = catalogue.with_anomalies()
    while start < end:
        until = min(start + timedelta(days=_DAYS_AT_ONCE), end)
        subjects = _read_subjects(connection, metrics, start, until)
        if subjects:
            days = LOOK_BACK + (until - start).days
            at_once = max(_CELLS_AT_ONCE // (days * len(subjects)), 1)
            for begin in range(0, len(metrics), at_once):
                part = _read_part(connection, catalogue, metrics[begin : begin + at_once], subjects, start, until)
                if part is not None:
                    yield part
        start = until


def _read_subjects(
    connection: sa.Connection, metrics: Sequence[str], start: date, end: date
) -> Mapping[int, tuple[str, str]]:
    """Kind and name of all subjects that have a value lately, by number."""
    from metrics_assets.analysis.detection import LONGEST_GAP

    found = connection.exec_driver_sql(
        _SUBJECTS.format(metrics=_listed(metrics)),
        {"kinds": list(PREDICTED), "start": start - timedelta(days=LONGEST_GAP), "end": end},
    )
    return {number: (kind, subject) for kind, subject, number in found}


def _read_part(
    connection: sa.Connection,
    catalogue: Catalogue,
    metrics: Sequence[str],
    subjects: Mapping[int, tuple[str, str]],
    start: date,
    end: date,
) -> _Part | None:
    import numpy as np

    from metrics_assets.analysis.detection import LOOK_BACK, Panel

    first = start - timedelta(days=LOOK_BACK)
    found = read_columns(
        connection, _VALUES.format(metrics=_listed(metrics)), _COLUMNS, kinds=list(PREDICTED), start=first, end=end
    )
    numbers = np.sort(np.array(list(subjects), dtype=np.int64))
    place = np.minimum(np.searchsorted(numbers, found["subject"]), len(numbers) - 1)
    lately = numbers[place] == found["subject"]
    if not lately.any():
        return None
    series, row = np.unique(found["metric"][lately] * len(numbers) + place[lately], return_inverse=True)
    day = found["day"][lately] - days_since_2000(first)
    shape = (len(series), (end - first).days)
    values, n, weak = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values[row, day], n[row, day], weak[row, day] = found["value"][lately], found["n"][lately], found["weak"][lately]
    of_metric, of_subject = np.divmod(series, len(numbers))
    names = [metrics[position] for position in of_metric.tolist()]
    return _Part(
        metrics=names,
        subjects=[subjects[number] for number in numbers[of_subject].tolist()],
        start=start,
        panel=Panel(values, weak & ~np.isnan(values), [catalogue.metrics[name].unit for name in names]),
        n=n,
    )


def _listed(metrics: Sequence[str]) -> str:
    """Keys as SQL; written out, so that the planner drops the branches of all other metrics. Keys are plain words."""
    return ", ".join(f"'{key}'" for key in metrics)


class _Judged:
    """The verdicts on a part, as rows of the table.

    Days without a value have none where metrics.yaml names the subject no more: nothing is missing there.
    """

    def __init__(self, part: _Part, catalogue: Catalogue, named: Subjects) -> None:
        import numpy as np

        from metrics_assets.analysis.detection import LOOK_BACK, NO_KIND, emitted, judge

        self._part, self._catalogue = part, catalogue
        self._verdicts: Verdicts = judge(part.panel, LOOK_BACK)
        self._values = part.panel.values[:, LOOK_BACK:]
        self._n = part.n[:, LOOK_BACK:]
        self._weak = part.panel.weak[:, LOOK_BACK:]
        told = self._verdicts.kind != NO_KIND
        is_named = np.array([named.has(*subject) for subject in part.subjects], dtype=bool)
        kept = is_named[:, None] | (self._verdicts.missing == 0)
        self._told, self._plain = np.nonzero(told & kept), np.nonzero(emitted(self._verdicts) & ~told & kept)
        self.too_few = int((~self._verdicts.judged[self._plain]).sum())

    def told(self) -> dict[str, int]:
        """The number of anomalies by kind."""
        from metrics_assets.analysis.detection import KINDS

        kinds = self._verdicts.kind[self._told].tolist()
        return {kind: kinds.count(position) for position, kind in enumerate(KINDS)}

    def write_plain(self, connection: sa.Connection) -> int:
        """Write the days on which nothing is told."""
        import numpy as np

        from metrics_assets.analysis.detection import MINIMUM_DAYS, unjudged

        series, day = at = self._plain
        verdicts = self._verdicts
        judged = verdicts.judged[at]
        # Few sentences for many rows: each reason is put into words once.
        reason = np.stack([np.minimum(verdicts.known_days[at], MINIMUM_DAYS), verdicts.missing[at] > 0, self._weak[at]])
        reasons, which = np.unique(np.where(judged, -1, reason), axis=1, return_inverse=True)
        sentences = [
            "" if known < 0 else unjudged(known, MINIMUM_DAYS, missing, weak=bool(weak))
            for known, missing, weak in reasons.T.tolist()
        ]
        kinds, subjects = zip(*self._part.subjects, strict=True)
        types = {column.name: column.type for column in table_columns()[_TABLE]}
        columns: dict[str, Any] = {
            "metric": np.array(self._part.metrics)[series],
            "subject_kind": np.array(kinds)[series],
            "subject": np.array(subjects)[series],
            "date": days_since_2000(self._part.start) + day,
            "value": self._finite(at),
            "n": self._n[at],
            "state": np.where(judged, "normal", "too_few"),
            "expected": verdicts.expected[at],
            "lower": verdicts.lower[at],
            "upper": verdicts.upper[at],
            "score": np.where(judged, verdicts.score[at], np.nan),
            "explanation": np.array(sentences)[which.ravel()] if sentences else np.array([], dtype=str),
        }
        return write_columns(connection, _TABLE, columns, types)

    def write_anomalies(self, connection: sa.Connection, events: KnownEvents) -> int:
        """Write the days on which something is told, with the sentence."""
        import csv

        rows = io.StringIO()
        writer = csv.writer(rows)  # its line ends are \r\n: with others it leaves a lone \r unquoted
        number = 0
        for series, day in zip(*(places.tolist() for places in self._told), strict=True):
            writer.writerow(self._anomaly(series, day, events))
            number += 1
        rows.seek(0)
        copy_rows(connection, _TABLE, _ANOMALY_COLUMNS, rows)
        return number

    def _anomaly(self, series: int, day: int, events: KnownEvents) -> list[Any]:
        from metrics_assets.analysis.detection import KINDS, METHODS, SEVERITIES, Finding, explain

        verdicts, at = self._verdicts, (series, day)
        metric = self._catalogue.metrics[self._part.metrics[series]]
        kind, (subject_kind, subject) = KINDS[verdicts.kind[at]], self._part.subjects[series]
        on = self._part.start + timedelta(days=day)
        event = None
        if kind in _EXPLAINED:
            event = events.of(subject_kind, subject, on, _EVENT_DAYS, _COUNTED.get(metric.key, ()))
        words = None if event is None else event.words
        severity = SEVERITIES[max(int(verdicts.severity[at]) - (event is not None and event.excuses), 0)]
        missing = kind == "missing_data"
        n = _number(self._n[at])
        methods = tuple(
            method
            for method, called in zip(METHODS, verdicts.methods[at].tolist(), strict=True)
            if called and not missing
        )
        value, expected, lower, upper = (
            _number(numbers[at]) for numbers in (self._finite(), verdicts.expected, verdicts.lower, verdicts.upper)
        )
        score = None if missing else _number(verdicts.score[at])
        finding = Finding(
            title=metric.title,
            unit=metric.unit,
            kind=kind,
            value=value,
            n=None if n is None else int(n),
            known_days=int(verdicts.known_days[at]),
            missing_days=int(verdicts.missing[at]),
            zero_days=int(verdicts.zero_days[at]),
            expected=expected,
            lower=lower,
            upper=upper,
            score=score,
            weekday_used=bool(verdicts.weekday_used[at]),
            methods=methods,
            event=words,
        )
        return [
            metric.key, subject_kind, subject, on, value, finding.n, "anomaly", kind, expected, lower, upper, score,
            severity, explain(finding), "{" + ",".join(f'"{method}"' for method in methods) + "}", words,
        ]  # fmt: skip

    def _finite(self, at: Any = ...) -> NDArray[np.float64]:
        import numpy as np

        values = self._values[at]
        return np.where(np.isfinite(values), values, np.nan)


_ANOMALY_COLUMNS = [
    "metric", "subject_kind", "subject", "date", "value", "n", "state", "kind", "expected", "lower", "upper", "score",
    "severity", "explanation", "methods", "known_event",
]  # fmt: skip


def _number(number: Any) -> float | None:
    return None if number != number else float(number)
