"""Figures of many subjects on many days as matrices, for what compares series with each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from metrics_assets.warehouse.frames import copied_rows

Floats = npt.NDArray[np.float64]
_TEXTS = ["metric", "subject_kind", "subject"]
_FIGURES = ["value", "n", "numerator", "denominator"]
SUBJECT = ["subject_kind", "subject"]


@dataclass(frozen=True)
class Figures:
    """Known figures (state ok or provisional): metric, subject_kind, subject, date (days since year 1), value, n,
    numerator, denominator."""

    rows: pd.DataFrame

    def of(self, metric: str) -> pd.DataFrame:
        """The rows of a metric."""
        return self.rows[self.rows["metric"] == metric]

    def subjects(self, *metrics: str) -> pd.MultiIndex:
        """The subjects (subject_kind, subject) that have a known figure of all of some metrics, in order."""
        found = None
        for metric in metrics:
            index = pd.MultiIndex.from_frame(self.of(metric)[SUBJECT].drop_duplicates())
            found = index if found is None else found.intersection(index)
        assert found is not None
        return found.sort_values()

    def matrix(self, metric: str, subjects: pd.MultiIndex, days: Sequence[date], figure: str = "value") -> Floats:
        """A row a subject, a column a day; NaN where the figure is not known."""
        rows = self.of(metric)
        places = {day.toordinal(): place for place, day in enumerate(days)}
        columns = rows["date"].map(places)
        lines = subjects.get_indexer(pd.MultiIndex.from_frame(rows[SUBJECT]))
        wanted = columns.notna().to_numpy() & (lines >= 0)
        found = np.full((len(subjects), len(days)), np.nan)
        found[lines[wanted], columns.to_numpy()[wanted].astype(np.int64)] = rows[figure].to_numpy()[wanted]
        return found


def read_known(engine: sa.Engine, metrics: Iterable[str], kinds: Sequence[str], days: Iterable[date]) -> Figures:
    """The known figures of some metrics and kinds of subjects on some days; those that are no finite numbers are not
    known."""
    given: list[Any] = [sorted(set(metrics)), list(kinds), sorted(set(days))]
    if not given[0] or not given[2]:
        return Figures(pd.DataFrame(columns=[*_TEXTS, "date", *_FIGURES]))
    with engine.connect() as connection:
        copied = copied_rows(
            connection,
            f"select {', '.join(_TEXTS)}, date - date '0001-01-01' + 1 as date, {', '.join(_FIGURES)} "
            "from metrics.metric_values where metric = any(%s) and subject_kind = any(%s) "
            "and date = any(%s::date[]) and state in ('ok', 'provisional') "
            # Of null that is not true either. What is fed may hold any of them; none can be compared.
            "and value not in ('NaN', 'Infinity', '-Infinity')",
            given,
        )
    types: dict[str, Any] = {**dict.fromkeys(_TEXTS, "object"), **dict.fromkeys(_FIGURES, "float64")}
    rows: pd.DataFrame = pd.read_csv(
        copied, dtype=types, keep_default_na=False, na_values={name: [""] for name in _FIGURES}
    )
    return Figures(rows)
