"""metrics.contributor_daily: distinct people of repositories, teams and the portfolio over trailing windows."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.subjects import Subject, read_subjects, replace_subject_days
from metrics_assets.warehouse.frames import read_numbers

if TYPE_CHECKING:
    from metrics_assets.analysis.contributors import Contributions, Floats, Integers

# Days on which nothing that people do was asked for are unknown.
_PEOPLE_KNOWN = "collected.pull_requests + collected.issues + collected.commits"

# People are numbers here: a hash of 64 bits of their keyed hash.
_DONE = """
select repository_id, {date} - %(start)s::date as day, hashtextextended(person_key, 0) as person,
       {sum}(commits + pull_requests + reviews + issues + comments) as contributions, {sum}(issues) as issues
from ops.repository_settings
join metrics.contributor_days using (repository_id)
where date >= %(first)s and date < %(end)s {group}
"""
# Of a few days: dates that no window's edge crosses while the days go by are as good as one.
_AS_ONE = """case
    when date between %(end)s::date - 180 and %(start)s::date - 90 then %(start)s::date - 90
    when date between %(end)s::date - 90 and %(start)s::date - 30 then %(start)s::date - 30
    when date between %(end)s::date - 30 and %(start)s::date - 1 then %(start)s::date - 1
    else date end"""
_FEW_DAYS = 28

_BEFORE = """
select before.repository_id, hashtextextended(before.person_key, 0) as person, max(before.issues) as issues
from (
    select distinct person_key
    from ops.repository_settings
    join metrics.contributor_days using (repository_id)
    where date >= %(start)s and date < %(end)s
      and exists (select 1 from metrics.contributor_days where date < %(start)s)
) as people
join metrics.contributor_days as before on before.person_key = people.person_key and before.date < %(start)s
group by before.repository_id, before.person_key
"""


def derivations() -> list[Derivation]:
    """metrics.contributor_daily."""
    return [
        Derivation(
            name="contributor_daily",
            description="A row is a repository, a team or the portfolio on a day: how many distinct people contributed "
            "on the day, in the last 30 and 90 days and in the 90 days before, how many came, stayed and left, and "
            "on how few of them (and of their organisations) half of the work rests. People are counted, never named.",
            reads=(
                "metrics.contributor_days", "ops.affiliations", "ops.portfolio",
                "ops.repository_settings", "raw.repositories",
            ),
            kinds=frozenset({"postgres", "numpy"}),
            run=derive_contributors,
            preview="select subject, contributors_in_window, contributor_absence_factor from metrics.contributor_daily "
            "where date = :day and subject_kind not in ('repository', 'team') order by subject limit 10",
        )
    ]  # fmt: skip


def derive_contributors(engine: sa.Engine, start: date, end: date) -> Metadata:
    """Count the people of [start, end)."""
    with engine.connect() as connection:
        subjects = read_subjects(connection, start, end, _PEOPLE_KNOWN)
        work = _Work(connection, start, end)
    days = (end - start).days
    rows = replace_subject_days(
        engine,
        "metrics.contributor_daily",
        [(subject, _figures(subject, work.of(subject), days)) for subject in subjects],
        start,
        end,
    )
    return {"rows": rows, "people": work.people}


def _figures(subject: Subject, given: Contributions, days: int) -> dict[str, Floats]:
    """The table's columns; unknown where a day was not collected, or the history is too short."""
    import numpy as np

    from metrics_assets.analysis.contributors import people_windows

    counted = people_windows(given, days)
    counted["new_contributors"] = counted["people_seen_first"].copy()
    # Days of history without which a figure would tell less than it says: whom nobody saw before is not new.
    needed = {
        "new_contributors": 91,
        "first_time_issue_reporters": 91,
        "active_contributors_month": 30,
        "contributors_in_previous_window": 180,
        "contributors_retained": 180,
        "inactive_contributors": 180,
        "contributors_in_window": 90,
        "occasional_contributors": 90,
        "contributions_in_window": 90,
        "contributions_by_members_of_organisations": 90,
        "contributor_absence_factor": 90,
        "elephant_factor": 90,
        "organisations": 90,
    }
    return {
        name: np.where(subject.known & subject.has_history(needed.get(name, 1)), values, np.nan)
        for name, values in counted.items()
    }


class _Work:
    """Who did how much when, as numbers, by repository."""

    def __init__(self, connection: sa.Connection, start: date, end: date) -> None:
        import numpy as np
        import pandas as pd

        from metrics_assets.analysis.contributors import LEAD

        bounds = {"start": start, "end": end, "first": start - timedelta(days=LEAD)}
        few = (end - start).days <= _FEW_DAYS
        forms = {"date": _AS_ONE, "sum": "sum", "group": "group by 1, 2, person_key"} if few else {
            "date": "date", "sum": "", "group": ""
        }  # fmt: skip
        done = read_numbers(connection, _DONE.format(**forms), bounds)
        before = read_numbers(connection, _BEFORE, bounds)
        organisations = read_numbers(
            connection,
            "select hashtextextended(person_key, 0) as person, "
            "dense_rank() over (order by organisation) - 1 as organisation from ops.affiliations",
            {},
        )
        codes, known = pd.factorize(pd.concat([done["person"], before["person"]]).to_numpy())
        self.people = len(known)
        places = pd.Series(known).map(organisations.set_index("person")["organisation"])
        self._organisation = places.fillna(-1).to_numpy().astype(np.int64)
        self._done = _by_repository(done.assign(person=codes[: len(done)]))
        self._before = _by_repository(before.assign(person=codes[len(done) :]))

    def of(self, subject: Subject) -> Contributions:
        """Of one subject, with its people numbered from 0."""
        import numpy as np

        from metrics_assets.analysis.contributors import Contributions

        done = self._rows(self._done, subject, ["person", "day", "contributions", "issues"])
        before = self._rows(self._before, subject, ["person", "issues"])
        # People of the subject alone; those who were only there before have no figures.
        mine = np.zeros(self.people, dtype=bool)
        mine[done["person"]] = True
        numbers = np.cumsum(mine) - 1
        seen, reported = (np.zeros(self.people, dtype=bool) for _ in range(2))
        seen[before["person"]] = True
        reported[before["person"][before["issues"] > 0]] = True
        return Contributions(
            person=numbers[done["person"]],
            day=done["day"],
            contributions=done["contributions"],
            issues=done["issues"],
            organisation=self._organisation[mine],
            seen_before=seen[mine],
            reported_before=reported[mine],
        )

    @staticmethod
    def _rows(frames: dict[int, dict[str, Integers]], subject: Subject, names: list[str]) -> dict[str, Any]:
        import numpy as np

        found = [frames[repository] for repository in subject.repositories if repository in frames]
        if len(found) == 1:
            return found[0]
        empty = np.zeros(0, dtype=np.int64)
        return {name: np.concatenate([empty, *(frame[name] for frame in found)]) for name in names}


def _by_repository(frame: Any) -> dict[int, dict[str, Integers]]:
    import numpy as np

    ordered = frame.sort_values("repository_id", kind="stable")
    columns = {name: ordered[name].to_numpy().astype(np.int64) for name in ordered.columns}
    repositories, starts = np.unique(columns["repository_id"], return_index=True)
    ends = np.append(starts[1:], len(ordered)) if len(starts) else starts
    return {
        int(repository): {name: values[low:high] for name, values in columns.items()}
        for repository, low, high in zip(repositories, starts, ends, strict=True)
    }
