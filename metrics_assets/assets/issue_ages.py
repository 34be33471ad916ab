"""metrics.issue_age_daily: how old the issues are that stand open."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.subjects import read_subjects, replace_subject_days
from metrics_assets.warehouse.frames import read_numbers

if TYPE_CHECKING:
    import pandas as pd

    from metrics_assets.analysis.contributors import Floats, Integers

_SPANS = """
select spans.repository_id, extract(epoch from spans.opened_at) as opened,
       extract(epoch from issues.created_at) as created, extract(epoch from spans.ended_at) as ended
from metrics.issue_open_spans(%(start)s::date) as spans
join ops.repository_settings using (repository_id)
join raw.issues as issues using (repository_id, number)
where spans.opened_at < %(end)s
order by issues.created_at
"""


def derivations() -> list[Derivation]:
    """metrics.issue_age_daily."""
    return [
        Derivation(
            name="issue_age_daily",
            description="A row is a repository, a team or the portfolio on a day: the median and the mean age, in "
            "days, of the issues that are open at its end.",
            reads=(
                "ops.portfolio",
                "ops.repository_settings",
                "raw.issue_events",
                "raw.issues",
                "raw.repositories",
            ),
            kinds=frozenset({"postgres", "numpy"}),
            run=derive_issue_ages,
        )
    ]


def derive_issue_ages(engine: sa.Engine, start: date, end: date) -> Metadata:
    """Measure the ages on the days [start, end)."""
    import numpy as np

    from metrics_assets.analysis.issue_ages import open_ages

    with engine.connect() as connection:
        subjects = read_subjects(connection, start, end, "collected.issues")
        spans = read_numbers(connection, _SPANS, {"start": start, "end": end})
    days = (end - start).days
    midnights = np.datetime64(start, "s").astype(np.float64) + 86400.0 * np.arange(1, days + 1, dtype=np.float64)
    places = dict(spans.groupby("repository_id").indices)
    figures = []
    for subject in subjects:
        mine = np.sort(np.concatenate([np.zeros(0, int), *(places.get(id_, []) for id_ in subject.repositories)]))
        columns = open_ages(*_times(spans, mine.astype(np.int64)), midnights)
        figures.append((subject, {name: np.where(subject.known, values, np.nan) for name, values in columns.items()}))
    return {"rows": replace_subject_days(engine, "metrics.issue_age_daily", figures, start, end)}


def _times(spans: pd.DataFrame, places: Integers) -> tuple[Floats, Floats, Floats]:
    names = ("created", "opened", "ended")
    created, opened, ended = (spans[name].to_numpy().astype("float64")[places] for name in names)
    return created, opened, ended
