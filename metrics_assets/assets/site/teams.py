"""What the pages about teams read: figures of the teams that opted in, as of a day."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import fmean
from typing import Any

import sqlalchemy as sa

from metrics_assets import settings as configuration
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.catalogue import space as space_catalogue
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.reporting.data import FOUR_KEYS, REWORK, Point, Series, SiteInfo
from metrics_assets.reporting.pages.teams import TeamsData, teams_files
from metrics_assets.reporting.pages.teams_comparison import FEWEST, Comparison, compare, rounded, shown_teams
from metrics_assets.reporting.pages.teams_own import Dimension, TeamData, team_files
from metrics_assets.warehouse.people import installation_secret

# Another use of the installation's secret has another label, so that no key says anything about another.
_LABEL = b"metrics_assets: addresses of teams' pages"
COMPARED = ("deployment_frequency", "lead_time_hours", "change_failure_rate")
DELIVERY = (*FOUR_KEYS, REWORK)
_WEEKS, _SCORED_WEEKS, _QUARTER_WEEKS = 53, 4, 13
_FEWEST_DIMENSIONS = 3
# At which value a dimension's bar is full: the end of its scale, or where its best label begins.
_FULL = {"satisfaction": 5.0, "performance": 1.0, "activity": 100.0, "collaboration": 5.0, "efficiency": 1.0}


@dataclass(frozen=True, slots=True)
class Team:
    """A team that opted in, with its figures."""

    name: str
    took_part: bool
    dimensions: tuple[Dimension, ...]
    space: tuple[Series, ...]
    delivery: tuple[Series, ...]
    own: dict[str, float | None]


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The page of all teams without names, and a page for each team that opted in."""
    paths = team_pages(reading)
    minimum = max(FEWEST, reading.settings.privacy.minimum_group)
    teams = _teams(reading, list(paths), minimum)
    values = {metric: {team.name: team.own.get(metric) for team in teams} for metric in _compared()}
    compared = {
        metric: Comparison(reading.metrics[metric], _period(reading, metric), compare(known, list(paths), minimum))
        for metric, known in values.items()
    }
    yield from teams_files(
        site,
        TeamsData(
            opted_in=len(paths),
            minimum=minimum,
            delivery=tuple(compared[metric] for metric in COMPARED),
            space=tuple(compared[dimension.metric] for dimension in space_catalogue.load_space()),
        ),
    )
    for team in teams:
        yield from team_files(
            site,
            TeamData(
                team=team.name,
                path=paths[team.name],
                minimum=minimum,
                opted_in=len(paths),
                took_part=team.took_part,
                dimensions=team.dimensions,
                space=team.space,
                delivery=team.delivery if team.took_part else (),
                peers=tuple(
                    _without(team, compared[metric], values[metric], list(paths), minimum) for metric in compared
                )
                if team.took_part
                else (),
                own=team.own,
            ),
        )


def team_pages(reading: Reading) -> dict[str, str]:
    """By team that opted in the path of its page, in the order of space.teams.

    Raises:
        ConfigurationError: the installation's secret is too short.
    """
    key = hmac.new(installation_secret(configuration.metrics_home()), _LABEL, hashlib.sha256).digest()
    teams = dict.fromkeys(reading.settings.space.teams)
    return {team: f"team/{hmac.new(key, team.encode(), hashlib.sha256).hexdigest()[:32]}.html" for team in teams}


def _without(
    team: Team, compared: Comparison, values: Mapping[str, float | None], teams: Sequence[str], minimum: int
) -> Comparison:
    """What is compared without the team's own value."""
    others = list(compared.values)
    own = values.get(team.name)
    if own is not None and team.name in shown_teams(values, teams, minimum):
        others.remove(rounded(own))
    return replace(compared, values=tuple(others))


def _compared() -> tuple[str, ...]:
    return (*COMPARED, *(dimension.metric for dimension in space_catalogue.load_space()))


def _period(reading: Reading, metric: str) -> str:
    if metric in COMPARED:
        window = reading.metrics[metric].window
        return f"The last {window} days" if window else "The newest day"
    return f"The mean of the last {_SCORED_WEEKS} whole weeks"


def _teams(reading: Reading, names: Sequence[str], minimum: int) -> list[Team]:
    if not names:
        return []
    delivery = read_series(reading, DELIVERY, "team", names)
    space = _read_space(reading, names)
    active = _took_part(reading, names, minimum)
    teams = []
    for name in names:
        series = tuple(space[name, metric] for metric in _space_metrics())
        dimensions = _dimensions({one.metric.key: one for one in series}, minimum)
        own: dict[str, float | None] = dict.fromkeys(_compared())
        if name in active:
            own |= {metric: delivery[name, metric].points[-1].value for metric in COMPARED}
            own |= {one.metric.key: one.score for one in dimensions if one.n is None or one.n >= minimum}
        teams.append(
            Team(name, name in active, dimensions, series, tuple(delivery[name, key] for key in DELIVERY), own)
        )
    return teams


def _space_metrics() -> tuple[str, ...]:
    """The figures of SPACE, those that stand for a dimension first."""
    leading = [dimension.metric for dimension in space_catalogue.load_space()]
    others = [key for key, metric in load_catalogue().metrics.items() if (metric.table or "").startswith("space_")]
    return tuple(dict.fromkeys([*leading, *others]))


_TOOK_PART = """
select distinct subject from metrics.space_activity
where subject_kind = 'team' and subject = any(:teams) and reason is null and people >= :minimum
  and date > cast(:day as date) - 28 and date <= :day
"""


def _took_part(reading: Reading, names: Sequence[str], minimum: int) -> set[str]:
    """The teams of which enough people were active in a week of the last four, and that may be told of."""
    with reading.engine.connect() as connection:
        found = connection.execute(
            sa.text(_TOOK_PART), {"teams": list(names), "minimum": minimum, "day": reading.day}
        ).scalars()
        return set(found)


def _read_space(reading: Reading, names: Sequence[str]) -> dict[tuple[str, str], Series]:
    """The weekly figures of SPACE by team and metric: a point for each Sunday, the last on or before the day."""
    last = reading.day - timedelta(days=reading.day.isoweekday() % 7)
    sundays = [last - timedelta(weeks=weeks) for weeks in range(_WEEKS)][::-1]
    # One metric at a time: the planner then reads one branch of the view instead of all.
    statement = sa.text(
        "select subject, date, value, n, state, low, high from metrics.metric_values where metric = :metric "
        "and subject_kind = 'team' and subject = any(:teams) and date >= :first and date <= :last"
    )
    found: dict[tuple[str, str], Series] = {}
    with reading.engine.connect() as connection:
        for metric in _space_metrics():
            rows = connection.execute(
                statement, {"metric": metric, "teams": list(names), "first": sundays[0], "last": last}
            ).all()
            points = {(row.subject, row.date): _point(row) for row in rows}
            for name in names:
                weeks = tuple(points.get((name, on)) or Point(on, None, None, "unknown") for on in sundays)
                found[name, metric] = Series(reading.metrics[metric], "team", name, weeks)
    return found


def _point(row: Any) -> Point:
    """A week's figure; what may not be shown has no value, and too few people no number."""
    on, value, n, state, low, high = row.date, row.value, row.n, row.state, row.low, row.high
    if state in ("ok", "provisional") and value is not None:
        return Point(on, value, n, "provisional" if state == "provisional" else "ok", low, high)
    return Point(on, None, None, "too_few" if state == "too_few" else "unknown")


def _dimensions(series: Mapping[str, Series], minimum: int) -> tuple[Dimension, ...]:
    """The dimensions of SPACE as of the newest week; as get_space_scores, with the quarter before to compare with.

    Scores are shown only where three dimensions are known, one of them from people: no team is judged by activity.
    """
    found = [_dimension(one, series[one.metric]) for one in space_catalogue.load_space()]
    known = [one for one, _ in found if one.score is not None]
    from_people = any(one.score is not None and is_said for one, is_said in found)
    if len(known) >= _FEWEST_DIMENSIONS and from_people:
        return tuple(one for one, _ in found)
    missing = ", ".join(one.title for one, _ in found if one.score is None)
    reason = (
        f"SPACE needs at least three dimensions, and {len(known)} are known; missing: {missing}"
        if from_people
        else f"SPACE needs what at least {minimum} people say themselves, and their satisfaction is not known"
    )
    return tuple(_hidden(one, reason) for one, _ in found)


def _dimension(described: space_catalogue.Dimension, series: Series) -> tuple[Dimension, bool]:
    newest, points = series.points[-_SCORED_WEEKS:], series.points
    earlier = points[-_SCORED_WEEKS - _QUARTER_WEEKS : -_QUARTER_WEEKS]
    known = [point for point in newest if point.value is not None]
    score = _mean(newest)
    dimension = Dimension(
        key=described.key,
        title=described.title,
        metric=series.metric,
        score=score,
        label=None if score is None else _label(described, score),
        before=_mean(earlier),
        n=known[-1].n if known else None,
        weeks_known=len(known),
        benchmark=described.benchmark,
        full=_FULL[described.key],
        reason=None if known else series.metric.unknown.rstrip("."),
    )
    return dimension, described.from_people


def _mean(points: Sequence[Point]) -> float | None:
    known = [point.value for point in points if point.value is not None]
    return fmean(known) if known else None


def _label(described: space_catalogue.Dimension, score: float) -> str | None:
    for label in described.labels:
        at_least = float("-inf") if label.at_least is None else label.at_least
        below = float("inf") if label.below is None else label.below
        if at_least <= score < below:
            return label.label
    return None


def _hidden(one: Dimension, reason: str) -> Dimension:
    return Dimension(
        one.key, one.title, one.metric, None, None, None, None, one.weeks_known, one.benchmark, one.full, reason
    )
