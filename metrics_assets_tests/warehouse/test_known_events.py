"""The view of what happened on a day: what may explain a jump in a figure."""

from __future__ import annotations

import sqlalchemy as sa

from metrics_assets.sources import records
from metrics_assets_tests.warehouse.tables import at, deliver, fill, incident, on, record, release, table


def test_what_happened_to_whom_and_when(warehouse: sa.Engine) -> None:
    fill(
        warehouse,
        release(1, "v1.0", "06-02 23:59"),
        release(2, "v2.0-draft", None),
        incident(7, "06-03 10:00"),
        record(
            records.PackageRelease,
            registry="npm",
            package="acme",
            version="1.0.0",
            published_at="06-02 12:00",
            is_yanked=True,
            yanked_noticed_at=at("06-05 06:00"),
        ),
        record(
            records.PackageAdvisory,
            registry="npm",
            package="acme",
            advisory_id="GHSA-1",
            published_at="06-03 12:00",
            withdrawn_at=at("06-09 12:00"),
        ),
        *(
            record(
                records.Mention,
                platform="forum",
                community="acme",
                mention_id=str(score),
                kind="post",
                created_at="06-04",
                score=score,
            )
            for score in (99, 100)
        ),
    )
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "insert into raw.events (event_id, occurred_at, kind, title, url) "
                "values ('e', '2025-06-06 00:00+00', 'campaign', 'Spring sale', 'https://example.com/sale')"
            )
        )
    deliver(warehouse, on("06-06"))
    assert table(
        warehouse,
        "select subject_kind, subject, to_char(date, 'MM-DD') as day, kind, title, url from metrics.known_events "
        "order by day, subject_kind",
    ) == [
        ("package", "npm:acme", "06-02", "package release", "version 1.0.0", None),
        ("repository", "acme/api", "06-02", "release", "release v1.0", None),
        ("package", "npm:acme", "06-03", "advisory", "advisory GHSA-1", None),  # withdrawn later
        ("repository", "acme/api", "06-03", "incident", "incident #7", None),
        ("community", "forum:acme", "06-04", "story", "a story with 100 points", None),
        ("package", "npm:acme", "06-05", "yank", "version 1.0.0 was yanked", None),
        ("portfolio", "acme", "06-06", "campaign", "Spring sale", "https://example.com/sale"),
    ]
