"""What the community page shows as of a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from metrics_assets.assets.site.community_themes import read_themes
from metrics_assets.assets.site.community_waiting import read_waiting
from metrics_assets.assets.site.goals import read_bands
from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_points, read_series
from metrics_assets.catalogue.models import load_models
from metrics_assets.reporting.data import Point, Series, SiteInfo

if TYPE_CHECKING:
    from metrics_assets.reporting.pages import community as page

OF_REPOSITORIES = (
    "stars_total", "active_contributors_month", "new_contributors_month", "issue_first_response_hours",
    "issue_first_response_business_hours", "pull_request_first_response_hours", "change_request_closure_ratio",
    "contributor_absence_factor", "community_health_score",
)  # fmt: skip
OF_PACKAGES = (
    "downloads", "downloads_week", "downloads_month", "downloads_growth_month", "latest_major_share", "dependents",
    "advisories_open",
)  # fmt: skip
OF_PLATFORMS = ("mentions_week", "questions_month", "members", "sentiment", "positive_share")
_LARGEST = 2  # packages whose downloads are drawn


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files, each with its path in the site."""
    from metrics_assets.reporting.pages.community import community_files

    yield from community_files(site, community_data(reading, site))


def community_data(reading: Reading, site: SiteInfo) -> page.CommunityData:
    """How the community did at the end of the reading's day."""
    from metrics_assets.reporting.pages.community import PORTFOLIO, CommunityData

    keys = [key for key in PORTFOLIO if key in reading.metrics]
    series = read_series(reading, keys, "portfolio", [site.portfolio])
    of_portfolio = {metric: one for (_, metric), one in series.items()}
    with reading.engine.connect() as connection:
        packs = set(connection.execute(sa.text("select unnest(packs) from ops.portfolio")).scalars())
        open_ones = _still_open(connection, reading)
        repositories = _repositories(connection, reading, open_ones)
        packages = _packages(connection, reading)
        platforms = _platforms(connection, reading)
        widgets = read_themes(connection, reading, site, packs)
        licences = _licences(connection)
        scores = _scores(connection, reading, site)
        models = _models(connection, reading, site)
    waiting, totals, missing = read_waiting(reading)
    issues, pulls = open_ones.get(("portfolio", site.portfolio), (None, None))
    return CommunityData(
        series=of_portfolio,
        bands=read_bands(reading),
        issues_waiting=issues,
        pull_requests_waiting=pulls,
        repositories=repositories,
        packages=packages,
        package_series=_largest(reading, packages),
        platforms=platforms,
        widgets=widgets,
        scores=scores,
        models=models,
        licences=licences,
        waiting=waiting,
        waiting_total=totals,
        lists_missing=missing,
    )


_STILL_OPEN = """
select subject_kind, subject, issue_first_response_open as issues, pull_request_first_response_open as pulls
from metrics.durations_daily
where date = :day and subject_kind in ('repository', 'portfolio')
"""


def _still_open(connection: sa.Connection, reading: Reading) -> dict[tuple[str, str], tuple[int | None, int | None]]:
    """What of the last 28 days nobody has answered, by subject: issues and pull requests."""
    rows = connection.execute(sa.text(_STILL_OPEN), {"day": reading.day})
    return {(row.subject_kind, row.subject): (row.issues, row.pulls) for row in rows}


_REPOSITORIES = """
select settings.repository
from ops.repository_settings as settings
join raw.repositories as repositories using (repository_id)
where repositories.state = 'active'
order by settings.repository
"""


def _repositories(
    connection: sa.Connection,
    reading: Reading,
    open_ones: Mapping[tuple[str, str], tuple[int | None, int | None]],
) -> tuple[page.Repository, ...]:
    from metrics_assets.reporting.pages.community import Repository

    figures = _points(reading, OF_REPOSITORIES, "repository")
    metrics = {key: reading.metrics[key] for key in OF_REPOSITORIES if key in reading.metrics}
    found = []
    for name in connection.execute(sa.text(_REPOSITORIES)).scalars():
        issues, pulls = open_ones.get(("repository", name), (None, None))
        found.append(Repository(name, figures.get(name, {}), metrics, issues, pulls))
    return tuple(found)


def _points(reading: Reading, keys: Sequence[str], kind: str) -> dict[str, dict[str, Point]]:
    """The figures of the day by subject and metric."""
    return read_points(reading, [key for key in keys if key in reading.metrics], kind)


_PACKAGES = """
select settings.registry || ':' || settings.package as package, settings.registry, settings.repository,
       daily.downloads_total, daily.downloads_method, daily.downloads_unknown
from ops.package_settings as settings
left join metrics.package_daily as daily
  on daily.registry = settings.registry and daily.package = settings.package and daily.date = :day
order by 1
"""
_VERSIONS = """
select registry || ':' || package as package, version, sum(downloads)::bigint as downloads
from raw.package_downloads
join ops.package_settings using (registry, package)
where date > :week_before and date <= :day
group by 1, 2
order by 1, 3 desc, 2
"""


def _packages(connection: sa.Connection, reading: Reading) -> tuple[page.Package, ...]:
    from metrics_assets.reporting.pages.community import Package

    figures = _points(reading, OF_PACKAGES, "package")
    metrics = {key: reading.metrics[key] for key in OF_PACKAGES if key in reading.metrics}
    mixes: dict[str, dict[str, int]] = {}
    given = {"day": reading.day, "week_before": reading.day - timedelta(days=7)}
    for row in connection.execute(sa.text(_VERSIONS), given):
        mixes.setdefault(row.package, {})[row.version] = row.downloads
    return tuple(
        Package(
            package=row.package,
            repository=row.repository,
            figures=figures.get(row.package, {}),
            metrics=metrics,
            total=row.downloads_total,
            method=row.downloads_method,
            unknown=row.downloads_unknown,
            versions=_mix(mixes.get(row.package, {})),
        )
        for row in connection.execute(sa.text(_PACKAGES), {"day": reading.day})
    )


def _mix(by_version: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Downloads by version, most first; those of no named version last, under ''."""
    named = sorted(((version, number) for version, number in by_version.items() if version), key=lambda one: -one[1])
    if not named:
        return ()  # the registry does not say which
    rest = by_version.get("", 0) - sum(number for _, number in named)
    return (*named, *([("", rest)] if rest > 0 else []))


def _largest(reading: Reading, packages: Sequence[page.Package]) -> tuple[Series, ...]:
    """The downloads of the packages that are downloaded most."""

    def month(one: page.Package) -> float:
        point = one.figures.get("downloads_month")
        return point.value if point is not None and point.value is not None else -1.0

    names = [one.package for one in sorted(packages, key=lambda one: (-month(one), one.package)) if month(one) >= 0]
    series = read_series(reading, ["downloads_week"], "package", names[:_LARGEST])
    return tuple(series.values())


_PLATFORMS = "select platform, community from ops.platform_settings order by 1, 2"


def _platforms(connection: sa.Connection, reading: Reading) -> tuple[page.Platform, ...]:
    from metrics_assets.reporting.pages.community import Platform

    figures = _points(reading, OF_PLATFORMS, "community")
    metrics = {key: reading.metrics[key] for key in OF_PLATFORMS if key in reading.metrics}
    return tuple(
        Platform(row.platform, row.community, figures.get(f"{row.platform}:{row.community}", {}), metrics)
        for row in connection.execute(sa.text(_PLATFORMS))
    )


def _licences(connection: sa.Connection) -> page.Licences:
    from metrics_assets.reporting.pages.community import Licences

    row = connection.execute(
        sa.text(
            "select count(*) filter (where license is not null) as named, count(*) as every "
            "from raw.repositories join ops.repository_settings using (repository_id) "
            "where raw.repositories.state = 'active' and raw.repositories.provider = 'github'"
        )
    ).one()
    return Licences(row.named, row.every)


_SCORES = """
select score, value, coverage, components
from metrics.scores
where date = :day and subject_kind = 'portfolio' and subject = :portfolio and score = any (:scores)
order by score
"""
_SCORE_METRICS = {"community_health": "community_health_score"}


def _scores(connection: sa.Connection, reading: Reading, site: SiteInfo) -> tuple[page.Score, ...]:
    from metrics_assets.reporting.pages.community import Score, ScorePart

    rows = connection.execute(
        sa.text(_SCORES), {"day": reading.day, "portfolio": site.portfolio, "scores": list(_SCORE_METRICS)}
    )
    scores = []
    for row in rows:
        metric = _SCORE_METRICS[row.score]
        parts = []
        for part in row.components:
            info = reading.metrics.get(part["metric"])
            is_known = part["state"] in ("ok", "provisional")
            parts.append(
                ScorePart(
                    title=info.title if info is not None else part["key"],
                    value=part["value"] if is_known else None,
                    unit=info.unit if info is not None else "",
                    points=part["points"],
                    weight=part["weight"],
                    contribution=part["contribution"],
                )
            )
        title = reading.metrics[metric].title if metric in reading.metrics else row.score
        scores.append(Score(title, row.value, row.coverage, tuple(parts), metric))
    return tuple(scores)


def _models(connection: sa.Connection, reading: Reading, site: SiteInfo) -> tuple[page.Model, ...]:
    from metrics_assets.reporting.pages.community import Model, ModelRow

    models = []
    for key, model in load_models().items():
        rows = connection.execute(
            sa.text("select * from metrics.get_chaoss_model(:model, :subject, :day, 'portfolio')"),
            {"model": key, "subject": site.portfolio, "day": reading.day},
        )
        found = [
            ModelRow(
                metric=reading.metrics[row.metric],
                value=row.value if row.state in ("ok", "provisional") else None,
                state=row.state,
                n=row.n,
                before=row.value_four_weeks_before,
                trend=row.trend,
            )
            for row in rows
            if row.metric in reading.metrics
        ]
        models.append(
            Model(model.title, model.source, tuple(found), tuple((one.metric, one.why) for one in model.missing))
        )
    return tuple(models)
