"""The tables of the community page: repositories by need, packages, platforms, and what waits for a first answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from markupsafe import Markup

from metrics_assets import addresses
from metrics_assets.reporting import kit, wording
from metrics_assets.reporting.data import MetricInfo, Point, Series, SiteInfo
from metrics_assets.reporting.kit import Cell, Column, Part, Row, Table
from metrics_assets.reporting.pages.community_words import Band, Light, cut, light, limits, web_address

CSV_REPOSITORIES = "data/community-repositories.csv"
CSV_PACKAGES = "data/packages.csv"
CSV_PLATFORMS = "data/platforms.csv"
SHOWN = 50
_VERSION_VIEWS = 3
_VERSIONS = 6
RESPONSE = "issue_first_response_business_hours"
STARS = "stars_total"
METHODS = {
    "published": "published by day",
    "difference": "difference of two totals",
    "average": "average between two looks",
}
WAITING_WORDS = {"issue": ("issue",), "pull request": ("pull request",), "discussion": ("discussion",)}


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on the day: its figures by metric, and what of the last 28 days nobody answered."""

    repository: str
    figures: Mapping[str, Point]
    metrics: Mapping[str, MetricInfo] = field(repr=False)
    issues_waiting: int | None = None
    pull_requests_waiting: int | None = None

    def value(self, metric: str) -> float | None:
        point = self.figures.get(metric)
        return point.value if point is not None else None


@dataclass(frozen=True, slots=True)
class Package:
    """A package of a registry on the day; `unknown` says why the day's downloads are not known."""

    package: str
    repository: str | None
    figures: Mapping[str, Point]
    metrics: Mapping[str, MetricInfo] = field(repr=False)
    total: int | None = None
    method: str | None = None
    unknown: str | None = None
    versions: tuple[tuple[str, int], ...] = ()  # downloads of 7 days by version, most first; '' is the others


@dataclass(frozen=True, slots=True)
class Platform:
    """A community elsewhere on the day."""

    platform: str
    community: str
    figures: Mapping[str, Point]
    metrics: Mapping[str, MetricInfo] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that nobody but its author has answered; `days` since it was opened. No person is in it."""

    kind: str  # issue | pull request | discussion
    repository: str
    number: int
    title: str | None
    opened_on: date
    days: int
    url: str | None = None


def waiting_table(waiting: Sequence[Waiting]) -> Table:
    """What waits, in the order that it is given: the oldest first."""
    rows = tuple(
        Row(
            (
                Cell(cut(one.title or "without a title", 120), href=web_address(one.url)),
                Cell(f"{one.repository} #{one.number}", under=one.kind),
                Cell(wording.count(one.days, "day"), sort=str(one.days), under=f"since {wording.day(one.opened_on)}"),
            )
        )
        for one in waiting
    )
    columns = (Column("Title"), Column("Where"), Column("Waits for", numeric=True))
    return Table("Waiting for a first answer", columns, rows, empty="Nothing that is known waits for a first answer.")


def response_light(repository: Repository, bands: Mapping[str, tuple[Band, ...]]) -> Light | None:
    return light(repository.value(RESPONSE), bands.get(RESPONSE, ()))


def by_need(repositories: Sequence[Repository], bands: Mapping[str, tuple[Band, ...]]) -> list[Repository]:
    """Where help is needed most first: by the light of the responses, what waits, the hours, health, and stars."""

    def need(repository: Repository) -> tuple[float, ...]:
        found = response_light(repository, bands)
        waits = (repository.issues_waiting or 0) + (repository.pull_requests_waiting or 0)
        health = repository.value("community_health_score")
        return (
            -(found.rank if found is not None else 0.5),
            -waits,
            -(repository.value(RESPONSE) or 0.0),
            101.0 if health is None else health,
            -(repository.value(STARS) or 0.0),
        )

    return sorted(repositories, key=lambda one: (need(one), one.repository))


def light_note(series: Mapping[str, Series], metric: str, bands: Mapping[str, tuple[Band, ...]]) -> str:
    """What the colours of a metric mean: 'Stars: green from 1,000, yellow from 500 to under 1,000, red under 500.'"""
    of_metric = bands.get(metric, ())
    if not of_metric or metric not in series:
        return ""
    info = series[metric].metric
    return f"{info.title}: {limits(info, of_metric)}."


def repositories_table(
    site: SiteInfo, repositories: Sequence[Repository], bands: Mapping[str, tuple[Band, ...]]
) -> Table:
    columns = (
        Column("Repository"), Column("Issues answered in"), Column("Not answered", numeric=True),
        Column("Pull requests answered in"), Column("Stars", numeric=True), Column("Active people"),
        Column("Change requests closed"), Column("Absence factor"), Column("Health", numeric=True),
    )  # fmt: skip
    rows = tuple(_repository_row(site, one, bands) for one in repositories[:SHOWN])
    return Table(
        "Repositories by need",
        columns,
        rows,
        csv=CSV_REPOSITORIES,
        empty="No repository is known.",
        note=wording.shown(len(rows), len(repositories), "repositories"),
        filterable=len(repositories) > 8,
    )


def _repository_row(site: SiteInfo, one: Repository, bands: Mapping[str, tuple[Band, ...]]) -> Row:
    page = addresses.repository(one.repository)
    return Row(
        (
            Cell(one.repository, href=page if page in site.pages else None),
            _answered(one, bands),
            _waits(one),
            _figure(one.figures, one.metrics, "pull_request_first_response_hours"),
            _lit(one, STARS, bands),
            _active(one),
            _figure(one.figures, one.metrics, "change_request_closure_ratio"),
            _figure(one.figures, one.metrics, "contributor_absence_factor"),
            _figure(one.figures, one.metrics, "community_health_score"),
        ),
        wording.anchor("community", one.repository),
    )


def _answered(one: Repository, bands: Mapping[str, tuple[Band, ...]]) -> Cell:
    """Business hours with their light, and the hours of the clock beneath."""
    cell = _lit(one, RESPONSE, bands)
    clock = one.value("issue_first_response_hours")
    if clock is None:
        return cell
    under = f"{wording.quantity(clock, 'hours')} by the clock"
    return Cell(
        cell.text, cell.sort, role=cell.role, glyph=cell.glyph, under=f"{cell.under}; {under}" if cell.under else under
    )


def _active(one: Repository) -> Cell:
    cell = _figure(one.figures, one.metrics, "active_contributors_month")
    new = one.value("new_contributors_month")
    return cell if new is None else Cell(cell.text, cell.sort, role=cell.role, under=f"{new:,.0f} new")


def _waits(one: Repository) -> Cell:
    counts = (one.issues_waiting, one.pull_requests_waiting)
    if counts == (None, None):
        return Cell("not known", sort="", role="dim")
    said = [
        "not known" if number is None else wording.count(number, noun)
        for number, noun in zip(counts, ("issue", "pull request"), strict=True)
    ]
    known = sum(number for number in counts if number is not None)
    return Cell(said[0], sort=str(known), under=said[1])


def _lit(one: Repository, metric: str, bands: Mapping[str, tuple[Band, ...]]) -> Cell:
    """A figure with its light: glyph and word beside the colour."""
    found = light(one.value(metric), bands.get(metric, ()))
    plain = _figure(one.figures, one.metrics, metric)
    if found is None:
        return plain
    under = f"{found.word}, {plain.under}" if plain.under else found.word
    return Cell(plain.text, sort=plain.sort, role=found.role, glyph=found.glyph, under=under)


def _figure(figures: Mapping[str, Point], metrics: Mapping[str, MetricInfo], key: str) -> Cell:
    """The cell of a figure, without "provisional" in every row: the page's lead says it."""
    if key not in metrics:
        return Cell("not known", sort="", role="dim")
    cell = kit.figure_cell(figures.get(key), metrics[key])
    under = (cell.under or "").removesuffix("provisional").removesuffix(", ") or None
    return Cell(cell.text, cell.sort, cell.href, cell.role, cell.glyph, cell.tier, under, cell.mark)


def packages_table(site: SiteInfo, packages: Sequence[Package]) -> Table:
    """Packages, the most downloaded first."""
    ordered = sorted(packages, key=lambda one: (-(_of(one, "downloads_month") or -1.0), one.package))
    columns = (
        Column("Package"), Column("Downloads, 7 days", numeric=True), Column("Downloads, 30 days", numeric=True),
        Column("Growth", numeric=True), Column("All time", numeric=True), Column("Newest major", numeric=True),
        Column("Dependents", numeric=True), Column("Open advisories", numeric=True), Column("How downloads are known"),
    )  # fmt: skip
    rows = []
    for one in ordered[:SHOWN]:
        week = _of(one, "downloads_week")
        average = f"{wording.quantity(week / 7, 'count')} a day" if week is not None else None
        advisories = _figure(one.figures, one.metrics, "advisories_open")
        open_ones = _of(one, "advisories_open")
        if open_ones is not None:
            role, glyph = ("bad", "✕") if open_ones else ("ok", "✓")
            advisories = Cell(advisories.text if open_ones else "none", sort=advisories.sort, role=role, glyph=glyph)
        page = addresses.repository(one.repository) if one.repository else None
        weekly = _figure(one.figures, one.metrics, "downloads_week")
        rows.append(
            Row(
                (
                    Cell(cut(one.package, 100), href=page if page in site.pages else None),
                    Cell(weekly.text, weekly.sort, role=weekly.role, under=average or weekly.under),
                    _figure(one.figures, one.metrics, "downloads_month"),
                    _figure(one.figures, one.metrics, "downloads_growth_month"),
                    Cell("not known", sort="", role="dim")
                    if one.total is None
                    else Cell(f"{one.total:,}", sort=str(one.total)),
                    _figure(one.figures, one.metrics, "latest_major_share"),
                    _figure(one.figures, one.metrics, "dependents"),
                    advisories,
                    Cell(cut(METHODS.get(one.method or "", one.unknown or "not known of the day"), 200)),
                ),
                wording.anchor("package", one.package),
            )
        )
    return Table(
        "Packages",
        columns,
        tuple(rows),
        csv=CSV_PACKAGES,
        empty="No package is named in metrics.yaml: list them under packages.",
        note=wording.shown(len(rows), len(packages), "packages"),
    )


def _of(one: Package, metric: str) -> float | None:
    point = one.figures.get(metric)
    return point.value if point is not None else None


@dataclass(frozen=True, slots=True)
class VersionsView:
    """Which versions of a package are downloaded."""

    title: str
    bar: Markup


def versions_views(packages: Sequence[Package]) -> list[VersionsView]:
    """The mix of versions of the most downloaded packages, as far as their registries publish it."""
    with_versions = [one for one in packages if one.versions]
    with_versions.sort(key=lambda one: -sum(number for _, number in one.versions))
    views = []
    for one in with_versions[:_VERSION_VIEWS]:
        named = [(version, number) for version, number in one.versions if version][: _VERSIONS - 1]
        whole = sum(number for _, number in one.versions)
        others = whole - sum(number for _, number in named)
        shown = [*named, *([("other versions", others)] if others else [])]
        parts = [
            Part(cut(version, 40), float(number), f"{number / whole * 100:.0f}{wording.NO_BREAK}%" if whole else "none")
            for version, number in shown
        ]
        title = f"Versions of {cut(one.package, 80)}, 7 days"
        views.append(VersionsView(title, kit.stacked(parts, label=f"{title}: {len(shown)} parts")))
    return views


def platforms_table(platforms: Sequence[Platform]) -> Table:
    """Communities elsewhere, those with most mentions first."""

    def mentions(one: Platform) -> float:
        point = one.figures.get("mentions_week")
        return point.value if point is not None and point.value is not None else -1.0

    columns = (
        Column("Community"), Column("Platform"), Column("Mentions, 7 days", numeric=True),
        Column("Questions, 30 days", numeric=True), Column("Members", numeric=True), Column("Sentiment", numeric=True),
        Column("Positive", numeric=True),
    )  # fmt: skip
    ordered = sorted(platforms, key=lambda one: (-mentions(one), one.platform, one.community))
    rows = tuple(
        Row(
            (
                Cell(cut(one.community, 100)),
                Cell(one.platform.replace("_", " ")),
                _figure(one.figures, one.metrics, "mentions_week"),
                _figure(one.figures, one.metrics, "questions_month"),
                _figure(one.figures, one.metrics, "members"),
                _sentiment(one),
                _figure(one.figures, one.metrics, "positive_share"),
            )
        )
        for one in ordered[:SHOWN]
    )
    return Table(
        "Communities elsewhere",
        columns,
        rows,
        csv=CSV_PLATFORMS,
        empty="No community elsewhere is named in metrics.yaml: list them under platforms.",
        note=wording.shown(len(rows), len(platforms), "communities"),
    )


def _sentiment(one: Platform) -> Cell:
    """From -1 to 1, with the word for it: how people sound is no colour alone."""
    cell = _figure(one.figures, one.metrics, "sentiment")
    point = one.figures.get("sentiment")
    if point is None or point.value is None:
        return cell
    glyph, word, role = ("✓", "positive", "ok")
    if point.value < -0.05:
        glyph, word, role = ("✕", "negative", "bad")
    elif point.value <= 0.05:
        glyph, word, role = ("≈", "neutral", "calm")
    under = f"{word}, {cell.under}" if cell.under else word
    return Cell(f"{point.value:+.2f}", sort=cell.sort, role=role, glyph=glyph, under=under)


def repositories_csv(repositories: Sequence[Repository]) -> str:
    keys = sorted({key for one in repositories for key in one.figures})
    columns = (
        "repository",
        "issues_waiting",
        "pull_requests_waiting",
        *(name for key in keys for name in (key, f"{key}_state")),
    )
    return kit.rows_csv(
        columns,
        [
            (one.repository, one.issues_waiting, one.pull_requests_waiting, *_pairs(one.figures, keys))
            for one in repositories
        ],
    )


def packages_csv(packages: Sequence[Package]) -> str:
    keys = sorted({key for one in packages for key in one.figures})
    columns = (
        "package",
        "repository",
        "downloads_total",
        "method",
        "unknown",
        *(name for key in keys for name in (key, f"{key}_state")),
    )
    return kit.rows_csv(
        columns,
        [
            (one.package, one.repository, one.total, one.method, one.unknown, *_pairs(one.figures, keys))
            for one in packages
        ],
    )


def platforms_csv(platforms: Sequence[Platform]) -> str:
    keys = sorted({key for one in platforms for key in one.figures})
    columns = ("platform", "community", *(name for key in keys for name in (key, f"{key}_state")))
    return kit.rows_csv(columns, [(one.platform, one.community, *_pairs(one.figures, keys)) for one in platforms])


def _pairs(figures: Mapping[str, Point], keys: Sequence[str]) -> list[float | str | None]:
    nothing = Point(date.min, None, None, "unknown")
    points = [figures.get(key, nothing) for key in keys]
    return [one for point in points for one in (point.value, point.state)]
