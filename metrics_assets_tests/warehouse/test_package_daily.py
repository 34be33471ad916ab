"""The daily table of packages: small tables in, small tables out, each worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from metrics_assets.sources.records import (
    Package,
    PackageAdvisory,
    PackageCounter,
    PackageDownloads,
    PackageRelease,
    Record,
)
from metrics_assets.warehouse.derived import derived_tables, replace_range
from metrics_assets.warehouse.write import PersonKeys, upsert

PEOPLE = PersonKeys(b"a secret of the test, long enough")
NAME = ("gems", "acme")


def on(day: int) -> date:
    """A day of June 2026."""
    return date(2026, 6, day)


def at(day: int, hour: int = 6) -> datetime:
    return datetime.combine(on(day), time(hour), UTC)


def package(unknown: dict[str, str] | None = None, **more: Any) -> Package:
    given: dict[str, Any] = {"state": "active", "latest_version": None, "license": None, "created_at": None}
    return Package(*NAME, **given | more, observed_at=at(20), unknown=unknown or {})


def total(day: int, value: int, counter: str = "downloads_total") -> PackageCounter:
    return PackageCounter(*NAME, "", counter, on(day), at(day), value)


def downloads(day: int, count: int) -> PackageDownloads:
    return PackageDownloads(*NAME, "", on(day), count)


def release(version: str, day: int, *, pre: bool = False, yanked: int | None = None) -> PackageRelease:
    noticed = at(yanked) if yanked else None
    return PackageRelease(*NAME, version, at(day, 12), pre, yanked is not None, None, noticed)


def advisory(name: str, day: int, *, fixed: str = "", affected: str = "", withdrawn: int | None = None,
             aliases: str = "") -> PackageAdvisory:  # fmt: skip
    withdrawn_at = at(withdrawn) if withdrawn else None
    return PackageAdvisory(
        *NAME, name, aliases.split(), None, None, affected.split(), fixed.split(), at(day), None, withdrawn_at
    )


def fill(engine: sa.Engine, *rows: Record, read: tuple[int, int] | None = (1, 20), start: int = 1) -> None:
    """Write rows of the package gems:acme; its lists were read on the two days of `read`."""
    by_type: dict[type[Record], list[Record]] = {}
    for row in rows:
        by_type.setdefault(type(row), []).append(row)
    with engine.begin() as connection:
        for batch in by_type.values():
            upsert(connection, batch, PEOPLE)
        connection.execute(
            sa.text(
                "insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check) "
                "values ('acme', :start, 3, 3, 'x')"
            ),
            {"start": on(start)},
        )
        connection.execute(
            sa.text("insert into ops.package_settings values ('gems', 'acme', 1, 'acme/api')"),
        )
        for day in read or ():
            for entity in ("package_releases", "package_advisories"):
                connection.execute(
                    sa.text(
                        "insert into ops.collection_log (repository, entity, run_id, range_start, range_end, outcome, "
                        "rows_read, requests, points, source, finished_at) values ('gems:acme', :entity, :run, :day, "
                        ":day, 'complete', 1, 1, 0, 'registries', :at)"
                    ),
                    {"entity": entity, "run": f"run {day}", "day": on(day), "at": at(day, 7)},
                )


def derive(engine: sa.Engine, columns: str, first: int = 1, last: int = 10) -> list[Any]:
    """The columns of the days from first to last, in order."""
    replace_range(engine, derived_tables()["package_daily"], on(first), on(last + 1))
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(f"select {columns} from metrics.package_daily where date between :first and :last order by date"),
            {"first": on(first), "last": on(last)},
        ).all()
    return [tuple(row) if len(row) > 1 else row[0] for row in found]


def test_published_days_are_taken_as_they_are(warehouse: sa.Engine) -> None:
    fill(warehouse, package(), downloads(1, 10), downloads(3, 0), total(1, 500), total(2, 900))
    assert derive(warehouse, "downloads, downloads_method, downloads_unknown", last=4) == [
        (10, "published", None),
        (None, None, "the running total was not looked at after the day"),
        (0, "published", None),
        (None, None, "the running total was not looked at after the day"),
    ]


def test_a_running_total_is_differenced(warehouse: sa.Engine) -> None:
    # Looks at 06:00 of the days 2, 3, 6, 7 and 8; on day 7 the total began anew.
    fill(warehouse, package(), total(2, 100), total(3, 130), total(6, 220), total(7, 5), total(8, 5))
    assert derive(warehouse, "extract(day from date)::int, downloads, downloads_method, downloads_total", last=8) == [
        (1, None, None, 100),
        (2, 30, "difference", 130),
        (3, 30, "average", None),  # 90 in three days
        (4, 30, "average", None),
        (5, 30, "average", 220),
        (6, None, None, 5),
        (7, 0, "difference", 5),
        (8, None, None, None),
    ]
    assert derive(warehouse, "downloads_unknown", first=6, last=6) == [
        "the registry's running total fell from 220 to 5: it began anew"
    ]
    assert derive(warehouse, "downloads_unknown", first=8, last=8) == [
        "the running total was not looked at after the day"
    ]
    assert derive(warehouse, "downloads_unknown", first=1, last=1)[0] == (
        "the running total was not looked at before the day"
    )


def test_an_average_has_the_sum_of_the_gap(warehouse: sa.Engine) -> None:
    fill(warehouse, package(), total(2, 100), total(5, 200))
    assert sum(derive(warehouse, "downloads", first=2, last=4)) == 100


def test_a_range_gives_the_same_as_its_days(warehouse: sa.Engine) -> None:
    fill(warehouse, package(), total(2, 100), total(5, 200), release("1.0", 3), advisory("A", 2, fixed="1.0"))
    columns = "date, downloads, downloads_method, downloads_unknown, downloads_total, releases, advisories_open"
    whole = derive(warehouse, columns)
    assert [row for day in range(1, 11) for row in derive(warehouse, columns, first=day, last=day)] == whole


def test_what_is_not_published_says_why(warehouse: sa.Engine) -> None:
    fill(warehouse, package({"downloads": "nobody counts"}), total(3, 7, "imported_by"))
    found = derive(warehouse, "downloads, downloads_unknown, downloads_total, dependents", last=3)
    assert found == [
        (None, "nobody counts", None, None),
        (None, "nobody counts", None, 7),  # at its end, by the look of the next morning
        (None, "nobody counts", None, 7),  # by the last look before its end
    ]


def test_a_package_that_was_never_collected_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, read=None)
    columns = "downloads, downloads_unknown, releases, prereleases, releases_yanked, dependents, advisories_open"
    assert derive(warehouse, columns, last=1) == [
        (None, "the package was not collected yet", None, None, None, None, None)
    ]


def test_a_missing_package_is_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, package(state="missing"), read=None)
    assert derive(warehouse, "downloads_unknown", last=1) == ["the registry does not have the package"]


def test_days_before_the_package_or_the_start_have_no_row(warehouse: sa.Engine) -> None:
    fill(warehouse, package(created_at=at(4, 23)), start=2)
    assert derive(warehouse, "date", last=5) == [on(4), on(5)]


def test_releases_by_the_day_of_their_publication(warehouse: sa.Engine) -> None:
    fill(warehouse, package(), release("1.0", 2), release("1.1", 2), release("2.0rc1", 2, pre=True), read=(1, 4))
    assert derive(warehouse, "releases, prereleases", last=4) == [
        (0, 0),
        (2, 1),
        (0, 0),
        (None, None),  # not over when the list was read last
    ]


def test_releases_without_times_are_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, package({"releases": "no times"}), release("1.0", 2))
    assert derive(warehouse, "releases", last=2) == [None, None]


def test_yanks_count_on_the_day_they_were_noticed(warehouse: sa.Engine) -> None:
    # 0.9 was yanked when the list was first read on day 2: nobody knows since when.
    fill(warehouse, package(), release("0.9", 1, yanked=2), release("1.0", 1, yanked=4), read=(2, 6))
    assert derive(warehouse, "releases_yanked", last=7) == [None, None, 0, 1, 0, None, None]


def test_advisories_are_open_until_a_version_mends_them(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        package(),
        release("1.0", 1),
        release("1.1", 4),
        release("1.2", 6),
        advisory("A", 2, fixed="1.1"),  # open on 2 and 3
        advisory("B", 3, withdrawn=5),  # open on 3 and 4
        advisory("C", 4, affected="1.0 1.1"),  # until 1.2 on the 6th, which is not affected
        advisory("D", 7, fixed="9.9"),  # no version mends it yet
        advisory("E", 5, fixed="1.1"),  # mended before it was told
        read=(1, 10),
    )
    found = derive(warehouse, "advisories_open", last=10)
    #               1  2  3  4  5  6  7  8  9  10
    assert found == [0, 1, 2, 2, 1, 0, 1, 1, 1, None]


def test_a_vulnerability_of_two_databases_counts_once(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        package(),
        release("1.0", 1),
        advisory("GHSA-1", 2, aliases="CVE-1"),
        advisory("PYSEC-1", 3, aliases="CVE-1"),
        advisory("PYSEC-2", 3),
    )
    assert derive(warehouse, "advisories_open", last=3) == [0, 1, 2]


def test_advisories_without_releases_are_unknown(warehouse: sa.Engine) -> None:
    fill(warehouse, package(), advisory("A", 2), read=None)
    assert derive(warehouse, "advisories_open", last=3) == [None, None, None]


def test_sums_over_weeks_and_months_are_unknown_where_a_day_is(warehouse: sa.Engine) -> None:
    # Every day of April to June 19: one download a day until April, two from May on; June 12 is not published.
    every = [date.fromordinal(date(2026, 4, 1).toordinal() + n) for n in range(80)]
    rows = [PackageDownloads(*NAME, "", day, 1 if day.month == 4 else 2) for day in every if day != on(12)]
    fill(warehouse, package(), *rows)
    with warehouse.begin() as connection:
        connection.execute(sa.text("update ops.portfolio set start = '2026-04-01'"))
    columns = "downloads_week, downloads_week_n, downloads_month, downloads_month_n, downloads_previous_month"
    found = derive(warehouse, columns, first=10, last=19)
    assert found[1] == (14, 7, 60, 30, 42)  # June 11: from May 13, and April 13 to May 12, 18 by ones and 12 by twos
    assert found[2] == (None, 6, None, 29, 43)
    assert found[8] == (None, 6, None, 29, 49)
    assert found[9] == (14, 7, None, 29, 50)
    assert derive(warehouse, columns, first=19, last=19) == [found[9]]  # a day alone is the same


def test_the_share_of_the_newest_major_version(warehouse: sa.Engine) -> None:
    versions = [("1.9.0", 3), ("2.0.0", 1), ("2.1.0", 0), ("3.0.0rc1", 5)]
    fill(
        warehouse,
        package(),
        release("1.9.0", 1),
        release("2.0.0", 5),
        release("2.1.0", 9, yanked=15),
        release("3.0.0rc1", 6, pre=True),
        *(PackageDownloads(*NAME, version, on(day), count) for version, count in versions for day in range(1, 11)),
    )
    columns = "latest_major, downloads_of_latest_major_week, downloads_by_version_week"
    rows = derive(warehouse, columns)
    assert rows[0] == (1, None, None)
    assert rows[6] == (2, 7, 63)
    assert derive(warehouse, columns, first=4, last=7) == rows[3:7]


def test_open_advisories_by_severity(warehouse: sa.Engine) -> None:
    worst = PackageAdvisory(*NAME, "GHSA-1", [], None, "critical", [], ["2.0.0"], at(3), None, None)
    high = PackageAdvisory(*NAME, "GHSA-2", [], None, "high", [], [], at(4), None, None)
    fill(warehouse, package(), worst, high, release("2.0.0", 5))
    columns = "advisories_open, advisories_open_critical, advisories_open_high"
    assert derive(warehouse, columns, first=2, last=5) == [(0, 0, 0), (1, 1, 0), (2, 1, 1), (1, 0, 1)]
