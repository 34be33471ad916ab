"""What the page about releases and gates shows as of a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from metrics_assets.assets.site.reading import Reading
from metrics_assets.assets.site.series import read_series
from metrics_assets.catalogue import gates as catalogue
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.packs import pack_of
from metrics_assets.reporting.data import Series, SiteInfo

if TYPE_CHECKING:
    from metrics_assets.reporting.pages import releases as page

WATCH = "release-watch"
DAYS = 30
# Figures that are there whatever the pack is, and that a release may change.
_WATCHED_TOO = ("p0_bugs_open", "bugs_open", "installation_issues_opened_week", "stars_new", "downloads_average_week")


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """The page and its CSV files, each with its path in the site."""
    from metrics_assets.reporting.pages.releases import releases_files

    yield from releases_files(site, releases_data(reading, site))


def releases_data(reading: Reading, site: SiteInfo) -> page.ReleasesData:
    """The gates, releases, deployments and figures of the watch as they were at the end of the reading's day."""
    from metrics_assets.reporting.pages.releases import ReleasesData

    with reading.engine.connect() as connection:
        packs = set(connection.execute(sa.text("select unnest(packs) from ops.portfolio")).scalars())
        return ReleasesData(
            gates=tuple(_gates(connection, reading, packs)),
            verdicts=tuple(_verdicts(connection, reading.day)),
            releases=tuple(_releases(connection, reading.day)),
            deployments=tuple(_deployments(connection, reading.day)),
            yanks=tuple(_yanks(connection, reading.day)),
            watch=_watch(reading, site) if WATCH in packs else None,
            parts=tuple(_parts(connection, reading)) if WATCH in packs else (),
        )


# Each gate that counts, on the newest day that it was evaluated by then.
_GATES = """
with active as (
    select gate, min(gate_title) as title, min(subject) as subject, min(pack) as pack
    from metrics.gate_criteria
    where (pack is null or pack = any (:packs)) and subject_kind <> 'team'
    group by gate
)
select active.gate, active.title, coalesce(daily.subject, active.subject) as subject, daily.date,
       coalesce(daily.verdict, 'unknown') as verdict, daily.score, daily.must_missing, daily.criteria, daily.missing
from active
left join lateral (
    select max(every.date) as date from metrics.gate_evaluations as every
    where every.gate = active.gate and every.date <= :day
) as newest on true
left join metrics.gate_evaluations as daily
  on daily.gate = active.gate and daily.date = newest.date and daily.subject_kind <> 'team'
order by active.pack nulls first, active.gate, subject
"""


def _gates(connection: sa.Connection, reading: Reading, packs: set[str]) -> Iterator[page.Gate]:
    from metrics_assets.reporting.pages.releases import Gate

    known = catalogue.load_gates()
    place = {key: number for number, key in enumerate(known)}
    rows = connection.execute(sa.text(_GATES), {"packs": sorted(packs), "day": reading.day}).all()
    for row in sorted(rows, key=lambda row: place.get(row.gate, len(place))):
        criteria = (
            {criterion.key: criterion for _, criterion, _ in known[row.gate].criteria()} if row.gate in known else {}
        )
        decided = [_criterion(one, criteria.get(one["key"]), reading) for one in row.criteria or ()]
        hidden = {one["title"] for one in row.criteria or () if _is_about_a_team(criteria.get(one["key"]))}
        yield Gate(
            gate=row.gate,
            title=row.title,
            subject=row.subject or "every subject of its kind",
            verdict=row.verdict,
            score=row.score,
            must_missing=row.must_missing,
            evaluated_on=row.date,
            criteria=tuple(decided),
            missing=tuple(_TEAM_CRITERION if title in hidden else title for title in row.missing or ()),
        )


_TEAM_CRITERION = "A condition on a team's figure"


def _is_about_a_team(criterion: catalogue.Criterion | None) -> bool:
    return criterion is not None and criterion.subject_kind == "team"


def _criterion(decided: Mapping[str, Any], criterion: catalogue.Criterion | None, reading: Reading) -> page.Criterion:
    """A criterion as it was judged; the catalogue says its unit and bounds where it still has the same condition."""
    from metrics_assets.reporting.pages.releases import Criterion

    if _is_about_a_team(criterion):
        # Neither the team nor its figure stands on a page of all.
        return Criterion(_TEAM_CRITERION, "", decided["level"], decided["state"], "", "Its team's page says more.")
    is_same = criterion is not None and criterion.target == decided["target"]
    metric = reading.metrics.get(criterion.metric) if criterion is not None and criterion.metric else None
    return Criterion(
        title=decided["title"],
        group=decided["group"],
        level=decided["level"],
        state=decided["state"],
        target=decided["target"],
        reason=decided["reason"] or "",
        value=decided["value"],
        unit=metric.unit if metric is not None else "",
        bounds=tuple(criterion.bounds.items()) if criterion is not None and is_same else (),
        days=criterion.days if criterion is not None and is_same else 1,
        evidence_url=decided["evidence_url"],
    )


_VERDICTS = """
select verdicts.gate, coalesce(titles.title, verdicts.gate) as title, verdicts.subject, verdicts.repository,
       verdicts.release, verdicts.released_on, verdicts.verdict, verdicts.score, verdicts.missing
from metrics.gate_verdicts as verdicts
left join (select gate, min(gate_title) as title from metrics.gate_criteria group by gate) as titles using (gate)
where verdicts.released_on <= :day and verdicts.subject_kind <> 'team'
order by verdicts.released_on desc, verdicts.repository, verdicts.release, verdicts.gate, verdicts.subject
limit 2000
"""


def _verdicts(connection: sa.Connection, day: date) -> Iterator[page.FrozenVerdict]:
    from metrics_assets.reporting.pages.releases import FrozenVerdict

    known = catalogue.load_gates()
    for row in connection.execute(sa.text(_VERDICTS), {"day": day}):
        criteria = [one for _, one, _ in known[row.gate].criteria()] if row.gate in known else []
        hidden = {one.title for one in criteria if _is_about_a_team(one)}
        yield FrozenVerdict(
            title=row.title,
            subject=row.subject,
            repository=row.repository,
            release=row.release,
            released_on=row.released_on,
            verdict=row.verdict,
            score=row.score,
            missing=tuple(_TEAM_CRITERION if title in hidden else title for title in row.missing),
        )


# What is known of a release by the end of the day: the deployment that stands for it, and what went wrong with it.
_RELEASES = """
select settings.repository, releases.tag, releases.is_prerelease,
       (releases.published_at at time zone 'UTC')::date as published_on, shipped.outcome,
       coalesce(failures.signals, '{}') as signals
from raw.releases as releases
join ops.repository_settings as settings using (repository_id)
left join lateral (
    select deployments.deployment_key, deployments.chain, deployments.outcome
    from metrics.deployments as deployments
    join ops.chains as chains using (repository_id, chain)
    where deployments.repository_id = releases.repository_id and chains.kind <> 'environment'
      and (deployments.deployment_key = 'release:' || releases.release_id or deployments.version = releases.tag)
      and deployments.finished_at < :end
    order by deployments.finished_at desc, deployments.deployment_key
    limit 1
) as shipped on true
left join lateral (
    select array_agg(distinct failures.signal) as signals
    from metrics.deployment_failures as failures
    where failures.repository_id = releases.repository_id and failures.chain = shipped.chain
      and failures.deployment_key = shipped.deployment_key and failures.detected_at < :end
) as failures on true
where not releases.is_draft and releases.published_at >= :since and releases.published_at < :end
  and (releases.deleted_at is null or releases.deleted_at >= :end)
order by releases.published_at desc, settings.repository, releases.tag
"""


def _releases(connection: sa.Connection, day: date) -> Iterator[page.Release]:
    from metrics_assets.reporting.pages.releases import Release

    for row in connection.execute(sa.text(_RELEASES), _span(day)):
        yield Release(
            row.repository, row.tag, row.published_on, row.is_prerelease, row.outcome, tuple(sorted(row.signals))
        )


_DEPLOYMENTS = """
with finished as (
    select chains.subject, chains.repository, deployments.repository_id, deployments.chain,
           deployments.deployment_key, deployments.outcome, deployments.finished_at, deployments.version
    from metrics.deployments as deployments
    join ops.chains as chains using (repository_id, chain)
    where chains.kind <> 'environment' and deployments.finished_at >= :since and deployments.finished_at < :end
),
wrong as (
    select distinct finished.subject, finished.deployment_key, failures.signal
    from finished
    join metrics.deployment_failures as failures using (repository_id, chain, deployment_key)
    where failures.detected_at < :end
    union
    select subject, deployment_key, 'failed_deployment' from finished where outcome = 'failed'
),
signals as (
    select subject, jsonb_object_agg(signal, number) as by_signal
    from (select subject, signal, count(*) as number from wrong group by subject, signal) as counted
    group by subject
)
select finished.subject, finished.repository,
       count(*) filter (where outcome = 'succeeded') as succeeded, count(*) filter (where outcome = 'failed') as failed,
       (select count(distinct deployment_key) from wrong where wrong.subject = finished.subject) as went_wrong,
       (max(finished_at) at time zone 'UTC')::date as last_on,
       (array_agg(version order by finished_at desc, deployment_key))[1] as last_version,
       signals.by_signal
from finished
left join signals on signals.subject = finished.subject
group by finished.subject, finished.repository, signals.by_signal
order by finished.subject
"""


def _deployments(connection: sa.Connection, day: date) -> Iterator[page.Deployments]:
    from metrics_assets.reporting.pages.releases import Deployments

    for row in connection.execute(sa.text(_DEPLOYMENTS), _span(day)):
        yield Deployments(
            subject=row.subject,
            repository=row.repository,
            succeeded=row.succeeded,
            failed=row.failed,
            went_wrong=row.went_wrong,
            last_on=row.last_on,
            last_version=row.last_version,
            signals=tuple(sorted((row.by_signal or {}).items(), key=lambda one: (-one[1], one[0]))),
        )


_YANKS = """
select releases.registry || ':' || releases.package as package, releases.version, releases.yanked_reason,
       (releases.yanked_noticed_at at time zone 'UTC')::date as noticed_on
from raw.package_releases as releases
join ops.package_settings as settings using (registry, package)
where releases.is_yanked and releases.yanked_noticed_at >= :since and releases.yanked_noticed_at < :end
order by releases.yanked_noticed_at desc, 1, 2
limit 500
"""


def _yanks(connection: sa.Connection, day: date) -> Iterator[page.Yank]:
    from metrics_assets.reporting.pages.releases import Yank

    for row in connection.execute(sa.text(_YANKS), _span(day)):
        yield Yank(row.package, row.version, row.noticed_on, row.yanked_reason)


def _span(day: date) -> dict[str, str]:
    """The last 30 days up to the end of the day, as moments in UTC."""
    return {
        "since": f"{day - timedelta(days=DAYS - 1)} 00:00:00+00",
        "end": f"{day + timedelta(days=1)} 00:00:00+00",
    }


def watched() -> list[str]:
    """The metrics of the pack release-watch in the order of its file, and others that a release may change."""
    metrics = load_catalogue().metrics
    own = [key for key, metric in metrics.items() if metric.file is not None and pack_of(metric.file) == WATCH]
    return [*own, *(key for key in _WATCHED_TOO if key in metrics and key not in own)]


def _watch(reading: Reading, site: SiteInfo) -> tuple[Series, ...]:
    keys = [key for key in watched() if key in reading.metrics]
    series = read_series(reading, keys, "portfolio", [site.portfolio])
    return tuple(series[site.portfolio, key] for key in keys)


_PARTS = """
select metric, subject, value, period_end
from metrics.fed_daily
where date = :day and metric = any (:metrics) and subject_kind = 'segment' and state in ('ok', 'provisional')
  and value is not null
order by metric, value desc, subject
limit 2000
"""


def _parts(connection: sa.Connection, reading: Reading) -> Iterator[page.FedPart]:
    from metrics_assets.reporting.pages.releases import FedPart

    keys = [key for key in watched() if key in reading.metrics]
    for row in connection.execute(sa.text(_PARTS), {"day": reading.day, "metrics": keys}):
        yield FedPart(reading.metrics[row.metric], row.subject, row.value, row.period_end)
