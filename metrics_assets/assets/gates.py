"""The release gates: every gate of the catalogue that counts, for every subject and day, and frozen at releases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.goals import GRAIN_DAYS, Portfolio, read_figures, read_portfolio
from metrics_assets.catalogue.gates import Gate, load_gates
from metrics_assets.catalogue.metrics import Catalogue, load_catalogue
from metrics_assets.warehouse.frames import replace_days

if TYPE_CHECKING:
    from metrics_assets.analysis.gates import Criterion, Evidence, Floats

_COLUMNS = ["gate", "subject_kind", "subject", "date", "verdict", "score", "must_missing", "criteria", "missing"]
Days = npt.NDArray[np.integer[Any]]  # positions of days
_Subject = tuple[str, str, str]  # metric, subject_kind, subject


def derivations() -> list[Derivation]:
    """metrics.gate_evaluations; it reads the tables of the criteria's metrics and the evidence."""
    metrics = sorted(
        {criterion.metric for gate in load_gates().values() for _, criterion, _ in gate.criteria() if criterion.metric}
    )

    def run(engine: sa.Engine, start: date, end: date) -> Metadata:
        rows = evaluate_gates(engine, start, end)
        return {"rows": rows, "verdicts_frozen": freeze_verdicts(engine, start, end)}

    return [
        Derivation(
            name="gate_evaluations",
            description="The release gates of the catalogue that count, for every subject and day, by figures and by "
            "the evidence that was there: passed, failed or unknown, what is missing, and a score. The evaluation of "
            "the day of a release is copied once into metrics.gate_verdicts and stays as it was.",
            reads=(
                *(f"metrics.{table}" for table in load_catalogue().tables(metrics)),
                "raw.gate_evidence",
                "raw.releases",
            ),
            kinds=frozenset({"postgres", "python"}),
            run=run,
            group="evaluate",
            preview="select gate, subject, verdict, score, must_missing, missing from metrics.gate_evaluations "
            "where date = :day and subject_kind <> 'team' order by gate, subject limit 10",
        )
    ]


def evaluate_gates(
    engine: sa.Engine, start: date, end: date, gates: Iterable[Gate] | None = None, catalogue: Catalogue | None = None
) -> int:
    """Rebuild metrics.gate_evaluations on [start, end); the number of rows. `gates`: others than the catalogue's."""
    portfolio = read_portfolio(engine)
    every = load_gates().values() if gates is None else gates
    active = [gate for gate in every if portfolio and portfolio.counts(gate.pack)]
    rows: list[dict[str, Any]] = []
    if portfolio is not None and active:
        figures = _Figures(engine, active, catalogue or load_catalogue(), portfolio, start, end)
        evidence = _evidence(engine, [gate.key for gate in active], end)
        for gate in active:
            rows += _evaluated(gate, figures, evidence)
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    return replace_days(engine, "metrics.gate_evaluations", frame, start, end, {})


def freeze_verdicts(engine: sa.Engine, start: date, end: date) -> int:
    """Copy the evaluations of the days of [start, end) on which something was released; how many are new.

    Pre-releases count: gates of alphas and betas are about them. What was copied before stays as it was.
    """
    with engine.begin() as connection:
        return connection.execute(
            sa.text(
                "insert into metrics.gate_verdicts (gate, subject_kind, subject, repository_id, repository, release, "
                "released_on, date, verdict, score, criteria, missing) "
                "select evaluations.gate, evaluations.subject_kind, evaluations.subject, settings.repository_id, "
                "settings.repository, releases.tag, evaluations.date, evaluations.date, evaluations.verdict, "
                "evaluations.score, evaluations.criteria, evaluations.missing "
                "from raw.releases as releases "
                "join ops.repository_settings as settings using (repository_id) "
                "join (select distinct subject_kind, subject, repository_id from ops.subjects) as subjects "
                "using (repository_id) "
                "join metrics.gate_evaluations as evaluations "
                "on evaluations.subject_kind = subjects.subject_kind and evaluations.subject = subjects.subject "
                "and evaluations.date = (releases.published_at at time zone 'UTC')::date "
                "where not releases.is_draft and evaluations.date >= :start and evaluations.date < :end "
                "and releases.published_at >= :midnight and releases.published_at < :last_midnight "
                "order by releases.published_at, releases.release_id on conflict do nothing"
            ),
            {"start": start, "end": end, "midnight": _midnight(start), "last_midnight": _midnight(end)},
        ).rowcount


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class _Figures:
    """The values that gates need, as one array a metric and subject, and whom the gates are about."""

    def __init__(
        self,
        engine: sa.Engine,
        gates: Sequence[Gate],
        catalogue: Catalogue,
        portfolio: Portfolio,
        start: date,
        end: date,
    ) -> None:
        wanted: dict[tuple[str, str], int] = {}
        self.longest = 1
        for gate in gates:
            for _, criterion, _ in gate.criteria():
                if criterion.metric is not None:
                    self.longest = max(self.longest, criterion.days)
                    about = (criterion.metric, criterion.subject_kind or gate.subject_kind)
                    wanted[about] = GRAIN_DAYS[catalogue.metrics[criterion.metric].grain]
        self.catalogue, self.portfolio = catalogue, portfolio
        self.days = [date.fromordinal(day) for day in range(start.toordinal(), end.toordinal())]
        frame = pd.DataFrame(
            [(*about, days) for about, days in wanted.items()], columns=["metric", "subject_kind", "days"]
        )
        first = start - timedelta(days=self.longest - 1)
        values = read_figures(engine, frame, first, end)
        self._arrays, self._present = _arrays(values, first, end)
        with engine.connect() as connection:
            rows = connection.execute(sa.text("select distinct subject_kind, subject from ops.subjects order by 1, 2"))
            self._subjects = [(row.subject_kind, row.subject) for row in rows]
        self._nothing = np.full((end - first).days, np.nan)

    def of(self, about: _Subject, days: int) -> Floats:
        """The values of a metric and subject on the days, and on the `days` - 1 before them; NaN is unknown."""
        return self._arrays.get(about, self._nothing)[self.longest - days :]

    def subjects(self, gate: Gate) -> Iterator[tuple[str, set[date] | None]]:
        """Whom a gate is about, with the days on which there is anything of theirs (None: on all)."""
        if gate.subject is not None:
            yield gate.subject, None
        elif gate.subject_kind == "portfolio":
            yield self.portfolio.name, None
        elif gate.subject_kind in ("repository", "service", "environment", "team"):
            yield from ((subject, None) for kind, subject in self._subjects if kind == gate.subject_kind)
        else:
            # Nobody lists packages, communities and segments; they are there while they have a figure.
            metrics = {criterion.metric for _, criterion, _ in gate.criteria()}
            found: dict[str, set[date]] = {}
            for (metric, kind, subject), positions in self._present.items():
                if kind == gate.subject_kind and metric in metrics:
                    days = {self.days[at] for at in (positions - self.longest + 1).tolist() if at >= 0}
                    found.setdefault(subject, set()).update(days)
            yield from sorted(found.items())


def _arrays(values: pd.DataFrame, first: date, end: date) -> tuple[dict[_Subject, Floats], dict[_Subject, Days]]:
    from metrics_assets.analysis.goals import KNOWN_STATES

    arrays: dict[_Subject, Floats] = {}
    present: dict[_Subject, Days] = {}
    for about, rows in values.groupby(["metric", "subject_kind", "subject"], sort=False):
        metric, kind, subject = about if isinstance(about, tuple) else (about, "", "")
        key = (str(metric), str(kind), str(subject))
        array = np.full((end - first).days, np.nan)
        at = (rows["date"] - pd.Timestamp(first)).dt.days.to_numpy()
        array[at] = np.where(rows["state"].isin(KNOWN_STATES), rows["value"].to_numpy(), np.nan)
        array[~np.isfinite(array)] = np.nan
        arrays[key], present[key] = array, at
    return arrays, present


def _evidence(engine: sa.Engine, gates: Sequence[str], end: date) -> dict[tuple[str, str], list[Evidence]]:
    """What was decided before `end`, by gate and criterion, in the order of its times."""
    from metrics_assets.analysis.gates import Evidence

    found: dict[tuple[str, str], list[Evidence]] = {}
    with engine.connect() as connection:
        for row in connection.execute(
            sa.text(
                "select gate, criterion, decided_at, met, value, evidence_url from raw.gate_evidence "
                "where gate = any(:gates) and decided_at < :end order by gate, criterion, decided_at"
            ),
            {"gates": list(gates), "end": _midnight(end)},
        ):
            one = Evidence(row.decided_at.astimezone(UTC), row.met, _finite(row.value), row.evidence_url)
            found.setdefault((row.gate, row.criterion), []).append(one)
    return found


def _evaluated(
    gate: Gate, figures: _Figures, evidence: Mapping[tuple[str, str], Sequence[Evidence]]
) -> Iterator[dict[str, Any]]:
    """The gate for each of its subjects and days."""
    from metrics_assets.analysis.gates import UNKNOWN, decide, evaluate, held, newest

    criteria = _criteria(gate, figures.catalogue)
    decisions = [
        [
            newest(evidence.get((gate.key, criterion.key), ()), _midnight(day + timedelta(days=1)))
            for day in figures.days
        ]
        for criterion in criteria
    ]
    for subject, days in figures.subjects(gate):
        states, values = [], []
        for (_, entry, _), criterion in zip(gate.criteria(), criteria, strict=True):
            if entry.metric is None:
                states.append([UNKNOWN] * len(figures.days))
                values.append([None] * len(figures.days))
                continue
            about = (entry.metric, entry.subject_kind or gate.subject_kind, entry.subject or subject)
            array = figures.of(about, entry.days)
            states.append(held(array, criterion.bounds, entry.days).tolist())
            values.append([None if one != one else one for one in array[entry.days - 1 :].tolist()])
        for at, day in enumerate(figures.days):
            if days is not None and day not in days:
                continue
            decided = [
                decide(criterion, states[row][at], values[row][at], decisions[row][at])
                for row, criterion in enumerate(criteria)
            ]
            result = evaluate(criteria, decided)
            yield {
                "gate": gate.key,
                "subject_kind": gate.subject_kind,
                "subject": subject,
                "date": day,
                "verdict": result.verdict,
                "score": result.score,
                "must_missing": result.must_missing,
                "criteria": result.criteria,
                "missing": _array(result.missing),
            }


def _criteria(gate: Gate, catalogue: Catalogue) -> list[Criterion]:
    """The gate's criteria as the analysis takes them."""
    from metrics_assets.analysis.gates import Criterion

    return [
        Criterion(
            key=entry.key,
            title=entry.title,
            group=group.group,
            level=group.level,
            share=share,
            target=entry.target,
            bounds=entry.bounds,
            days=entry.days,
            unknown=catalogue.metrics[entry.metric].unknown if entry.metric else None,
        )
        for group, entry, share in gate.criteria()
    ]


def _array(texts: Sequence[str]) -> str:
    """Texts as PostgreSQL writes an array of them."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _finite(value: float | None) -> float | None:
    """None for NaN and infinity, which somebody may have written by SQL."""
    return value if value is not None and math.isfinite(value) else None
