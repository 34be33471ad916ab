"""What the page about goals and north stars shows as of a day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading, north_stars
from metrics_assets.assets.site.series import read_series
from metrics_assets.catalogue.metrics import Metric, load_catalogue
from metrics_assets.catalogue.packs import load_packs, pack_of
from metrics_assets.reporting.data import Series, SiteInfo

if TYPE_CHECKING:
    from metrics_assets.reporting.pages import goals as page
    from metrics_assets.reporting.pages.community_words import Band

_STANDS_DAYS = 7  # a judgement or a forecast of a goal that is older says nothing of the day
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DEEPEST = 5  # formulas of formulas

# The executive's categories, and whose figures belong to each: the owners that stand at the metrics.
CATEGORIES = {
    "Performance": ("performance",),
    "Community": ("community", "support", "documentation"),
    "Quality": ("engineering", "quality", "security"),
    "Business and market": ("business", "product", "marketing"),
}
COMPETITION = "Competition"
_COMPETITIVE = (
    "performance_lead_share", "performance_multiple", "competitor_requests_per_second", "feature_parity_share",
    "competitor_downloads", "market_share", "mindshare", "switched_from_competitors_share",
    "switched_to_competitors_share", "competitor_migration_share", "github_trending_rank", "search_rank",
    "developer_survey_rank", "independent_benchmark_rank",
)  # fmt: skip


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files, each with its path in the site."""
    from metrics_assets.reporting.pages.goals import goals_files

    yield from goals_files(site, goals_data(reading, site))


def goals_data(reading: Reading, site: SiteInfo) -> page.GoalsData:
    """The goals, north stars, lights and figures by category as they were at the end of the reading's day."""
    from metrics_assets.reporting.pages.goals import GoalsData, charted

    with reading.engine.connect() as connection:
        packs = set(connection.execute(sa.text("select unnest(packs) from ops.portfolio")).scalars())
        teams = _team_names(connection)
        goals = _goals(connection, reading, packs, teams)
        of_teams = bool(connection.execute(sa.text(_TEAM_GOALS), {"packs": sorted(packs)}).scalar())
    bands = read_bands(reading)
    figures = _figures(reading, site, packs, {goal.metric.key for goal in goals} | set(bands))
    return GoalsData(
        goals=goals,
        north_stars=_north_stars(reading, site),
        series=_series(reading, charted(goals)),
        figures=figures,
        bands=bands,
        of_teams=of_teams,
    )


def _team_names(connection: sa.Connection) -> frozenset[str]:
    """The names that no page but a team's own may hold, in lower case."""
    names = connection.execute(
        sa.text(
            "select lower(team) from ops.chains where team is not null union select lower(team) from ops.team_members"
        )
    )
    return frozenset(names.scalars())


_TEAM_GOALS = """
select exists (
    select 1 from metrics.goal_catalogue where subject_kind = 'team' and (pack is null or pack = any (:packs))
)
"""
# Each goal that counts on the newest day that it was judged by then; one that was never judged has one row.
_GOALS = """
select goals.goal, goals.title, goals.pack, goals.owner, goals.metric, goals.subject_kind, goals.target,
       goals.comparison, coalesce(daily.due_on, goals.due_on) as due_on,
       coalesce(
           daily.subject, goals.subject,
           case when goals.subject_kind = 'portfolio' then :portfolio else 'every ' || goals.subject_kind end
       ) as subject,
       coalesce(daily.starts_on, goals.starts_on) as starts_on, daily.value, daily.metric_state, daily.base,
       daily.expected, daily.progress, coalesce(daily.status, 'unknown') as status,
       coalesce(daily.reason, 'It was not judged: it has not begun, or there is no such figure.') as reason,
       outlook.state as outlook, outlook.p10_on, outlook.p50_on, outlook.p90_on, outlook.probability,
       outlook.looked_until, outlook.reason as outlook_reason
from metrics.goal_catalogue as goals
left join lateral (
    select max(every.date) as date from metrics.goals_daily as every
    where every.goal = goals.goal and every.date <= :day and every.date > :since
) as newest on true
left join metrics.goals_daily as daily on daily.goal = goals.goal and daily.date = newest.date
left join lateral (
    select max(every.date) as date from metrics.goal_forecasts as every
    where every.goal = goals.goal and every.date <= :day and every.date > :since
) as forecast on true
left join metrics.goal_forecasts as outlook
  on outlook.goal = goals.goal and outlook.date = forecast.date and outlook.subject_kind = daily.subject_kind
 and outlook.subject = daily.subject
where (goals.pack is null or goals.pack = any (:packs)) and goals.subject_kind <> 'team'
order by goals.pack nulls first, goals.goal, subject
"""


def _goals(
    connection: sa.Connection, reading: Reading, packs: set[str], teams: frozenset[str]
) -> tuple[page.Goal, ...]:
    from metrics_assets.reporting.pages.goals import Goal, Outlook

    titles = {key: pack.title for key, pack in load_packs().items()}
    metrics = load_catalogue().metrics
    portfolio = connection.execute(sa.text("select portfolio from ops.portfolio")).scalar_one()
    rows = connection.execute(
        sa.text(_GOALS),
        {
            "packs": sorted(packs),
            "day": reading.day,
            "since": reading.day - timedelta(days=_STANDS_DAYS),
            "portfolio": portfolio,
        },
    )
    return tuple(
        Goal(
            goal=row.goal,
            title=row.title,
            metric=reading.metrics[row.metric],
            subject_kind=row.subject_kind,
            subject=row.subject,
            target=row.target,
            comparison=row.comparison,
            status=row.status,
            reason=row.reason,
            pack="Own goals" if row.pack is None else titles.get(row.pack, row.pack),
            area=_area(row.owner or metrics[row.metric].owner, teams),
            value=row.value if row.metric_state in ("ok", "provisional") else None,
            due_on=row.due_on,
            starts_on=row.starts_on,
            base=row.base,
            expected=row.expected,
            progress=row.progress,
            outlook=None
            if row.outlook is None
            else Outlook(
                row.outlook,
                row.p10_on,
                row.p50_on,
                row.p90_on,
                row.probability,
                row.looked_until,
                row.outlook_reason,
            ),
            feed=feed_words(row.metric, metrics) if row.status == "unknown" else "",
        )
        for row in rows
        if row.metric in reading.metrics
    )


def _area(owner: str, teams: frozenset[str]) -> str:
    """Whose goal it is, as a branch of the tree; an owner that is a team is not named."""
    return "" if owner.lower() in teams else owner


def feed_words(key: str, metrics: Mapping[str, Metric]) -> str:
    """What to feed so that a metric becomes known: 'kpi_values.csv: metric net_promoter_score, quarterly'.

    Empty where no file can help: the sources would have to say it.
    """
    found: list[tuple[str, str]] = []
    _fed_by(key, metrics, found, set(), _DEEPEST)
    if not found:
        return ""
    files = sorted({file for file, _ in found}, key=lambda file: [one for one, _ in found].index(file))
    said = [f"{file}: {', '.join(dict.fromkeys(words for one, words in found if one == file))}" for file in files]
    return "; ".join(said)


def _fed_by(
    key: str, metrics: Mapping[str, Metric], found: list[tuple[str, str]], seen: set[str], deepest: int
) -> None:
    """Add the file and the words of each fed metric that a metric is made from."""
    if key in seen or key not in metrics or deepest == 0:
        return
    seen.add(key)
    metric = metrics[key]
    if metric.fed == "kpi_values":
        found.append(("kpi_values.csv", f"metric {key} ({metric.cadence})"))
    elif metric.fed == "events":
        found.append(("events.csv", f"kind {metric.kind}"))
    elif metric.formula and metric.is_calculated:
        for name in _NAME.findall(metric.formula):
            _fed_by(name, metrics, found, seen, deepest - 1)


def read_bands(reading: Reading) -> dict[str, tuple[Band, ...]]:
    """The bands of metrics, in the order of the catalogue: best first."""
    from metrics_assets.reporting.pages.community_words import Band

    bands: dict[str, tuple[Band, ...]] = {}
    with reading.engine.connect() as connection:
        rows = connection.execute(
            sa.text("select metric, band, at_least, below, means from metrics.metric_bands order by metric, rank")
        )
        for row in rows:
            bands[row.metric] = (*bands.get(row.metric, ()), Band(row.band, row.at_least, row.below, row.means))
    return bands


def _north_stars(reading: Reading, site: SiteInfo) -> tuple[page.NorthStar, ...]:
    from metrics_assets.reporting.pages.goals import NorthStar

    stars = north_stars(reading)
    series = read_series(reading, [metric for metric, _ in stars], "portfolio", [site.portfolio])
    return tuple(NorthStar(series[site.portfolio, metric], why) for metric, why in stars)


def _series(reading: Reading, keys: Sequence[page.SeriesKey]) -> dict[page.SeriesKey, Series]:
    """The figures that are drawn; one query a kind of subject."""
    found: dict[page.SeriesKey, Series] = {}
    for kind in dict.fromkeys(kind for kind, *_ in keys):
        subjects = list(dict.fromkeys(subject for one, subject, _ in keys if one == kind))
        metrics = list(dict.fromkeys(metric for one, _, metric in keys if one == kind))
        series = read_series(reading, metrics, kind, subjects)
        found |= {(kind, subject, metric): one for (subject, metric), one in series.items()}
    return {key: found[key] for key in keys}


def categories(packs: set[str], more: set[str]) -> Iterator[tuple[str, str]]:
    """The figures of the executive's view with their category: those of the packs that are on, of goals and bands."""
    metrics = load_catalogue().metrics
    wanted = {
        key: metric
        for key, metric in metrics.items()
        if (metric.file is not None and pack_of(metric.file) in packs) or (key in more and _counts(metric, packs))
    }
    for category, owners in CATEGORIES.items():
        yield from ((category, key) for key, one in wanted.items() if one.owner in owners and key not in _COMPETITIVE)
    yield from ((COMPETITION, key) for key in _COMPETITIVE if key in wanted)


def _counts(metric: Metric, packs: set[str]) -> bool:
    pack = pack_of(metric.file) if metric.file is not None else None
    return pack is None or pack in packs


def _figures(reading: Reading, site: SiteInfo, packs: set[str], more: set[str]) -> tuple[page.CategoryFigure, ...]:
    from metrics_assets.reporting.pages.goals import CategoryFigure

    wanted = [(category, key) for category, key in categories(packs, more) if key in reading.metrics]
    series = read_series(reading, [key for _, key in wanted], "portfolio", [site.portfolio])
    return tuple(CategoryFigure(category, series[site.portfolio, key]) for category, key in wanted)
