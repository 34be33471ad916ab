"""What happened that may explain a jump in a figure: the events of a few days, by what they concern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

_EVENTS = """
select subject_kind, subject, date, title from metrics.known_events
where date >= :start and date < :end
order by date, title
"""
_PACKAGES = (
    "select registry || ':' || package as package, repository from ops.package_settings where repository is not null"
)


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """Events by subject and day.

    Attributes:
        by_subject: titles by kind, subject and day; those of the whole portfolio stand under ('portfolio', '').
        repositories: the repository of each package.
    """

    by_subject: Mapping[tuple[str, str, date], list[str]]
    repositories: Mapping[str, str]

    def of(self, subject_kind: str, subject: str, day: date, days: int) -> str | None:
        """What happened on one of the `days` that end with `day`: 'release v1.2 on 2025-06-02', the nearest first.

        Of the subject itself, of the repository whose package or service it is, else of the whole portfolio.
        """
        places = [(subject_kind, subject), ("portfolio", "")]
        if subject_kind == "package" and subject in self.repositories:
            places.insert(1, ("repository", self.repositories[subject]))
        if subject_kind == "service":
            places.insert(1, ("repository", subject.partition("#")[0]))
        for kind, name in places:
            for before in range(days):
                on = day - timedelta(days=before)
                titles = self.by_subject.get((kind, name, on))
                if titles:
                    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
                    return f"{titles[0]}{more} on {on}"
        return None


def read_known_events(connection: sa.Connection, start: date, end: date) -> KnownEvents:
    """The events of [start, end)."""
    found: dict[tuple[str, str, date], list[str]] = {}
    for kind, subject, on, title in connection.execute(sa.text(_EVENTS), {"start": start, "end": end}):
        place = ("portfolio", "") if kind == "portfolio" else (kind, subject)
        found.setdefault((*place, on), []).append(title)
    packages = connection.execute(sa.text(_PACKAGES)).all()
    return KnownEvents(found, {row.package: row.repository for row in packages})
