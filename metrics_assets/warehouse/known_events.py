"""What happened that may explain a jump in a figure: the events of a few days, by what they concern."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

# Bad by themselves: they may say why a figure jumped, but a jump is no better for it.
BAD_KINDS = frozenset({"incident", "yank", "advisory", "outage"})

_EVENTS = """
select subject_kind, subject, date, kind, title from metrics.known_events
where date >= :start and date < :end
order by date, title
"""
_PACKAGES = (
    "select registry || ':' || package as package, repository from ops.package_settings where repository is not null"
)


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """Something that happened; `kind` is one of the view's, or what the file of fed events says."""

    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What may explain a jump: 'release v1.2 on 2025-06-02'; `excuses` says whether it makes the jump less bad."""

    words: str
    excuses: bool


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """Events by subject and day.

    Attributes:
        by_subject: by kind, subject and day; those of the whole portfolio stand under ('portfolio', '').
        repositories: the repository of each package.
    """

    by_subject: Mapping[tuple[str, str, date], list[KnownEvent]]
    repositories: Mapping[str, str]

    def of(
        self, subject_kind: str, subject: str, day: date, days: int, counted: Collection[str] = ()
    ) -> Explanation | None:
        """What happened on one of the `days` that end with `day`, the nearest first.

        Of the subject itself, of the repository whose package or service it is, else of the whole portfolio. It
        excuses nothing if anything of these days is bad by itself.

        Args:
            counted: kinds of events that the figure counts; none of them explains it.
        """
        every = list(self._nearest_first(subject_kind, subject, day, days))
        excuses = not any(event.kind in BAD_KINDS for _, events in every for event in events)
        for on, events in every:
            titles = [event.title for event in events if event.kind not in counted]
            if titles:
                more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
                return Explanation(f"{titles[0]}{more} on {on}", excuses)
        return None

    def _nearest_first(
        self, subject_kind: str, subject: str, day: date, days: int
    ) -> Iterator[tuple[date, list[KnownEvent]]]:
        places = [(subject_kind, subject), ("portfolio", "")]
        if subject_kind == "package" and subject in self.repositories:
            places.insert(1, ("repository", self.repositories[subject]))
        if subject_kind == "service":
            places.insert(1, ("repository", subject.partition("#")[0]))
        for place in places:
            for before in range(days):
                on = day - timedelta(days=before)
                if events := self.by_subject.get((*place, on)):
                    yield on, events


def read_known_events(connection: sa.Connection, start: date, end: date) -> KnownEvents:
    """The events of [start, end)."""
    found: dict[tuple[str, str, date], list[KnownEvent]] = {}
    for row in connection.execute(sa.text(_EVENTS), {"start": start, "end": end}):
        place = ("portfolio", "") if row.subject_kind == "portfolio" else (row.subject_kind, row.subject)
        found.setdefault((*place, row.date), []).append(KnownEvent(row.kind, row.title))
    packages = connection.execute(sa.text(_PACKAGES)).all()
    return KnownEvents(found, {row.package: row.repository for row in packages})
