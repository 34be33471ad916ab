"""The insights: sentences that follow from a day's figures and the rows behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import sqlalchemy as sa

from metrics_assets.assets.derivations import Derivation, Metadata
from metrics_assets.assets.shared import FORECAST
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.partitions import Days, made_for
from metrics_assets.warehouse.frames import replace_days

if TYPE_CHECKING:
    from metrics_assets.analysis.insights.wording import Insight

_TABLE = "metrics.insights"
_COLUMNS = [
    "insight", "subject_kind", "subject", "date", "topic", "weight", "sentence", "action", "n", "p", "evidence",
]  # fmt: skip
_ROWS = (
    "metrics.deployments", "metrics.deployment_failures", "metrics.changes", "metrics.dora_daily",
    "metrics.contributor_daily", "raw.pull_requests", "raw.pull_request_events", "raw.reviews", "raw.review_comments",
    "ops.portfolio", "ops.repository_settings",
)  # fmt: skip


def derivation() -> Derivation:
    """metrics.insights; it reads the tables of the figures, and the rows of delivery and reviews."""
    from metrics_assets.assets.insight_figures import METRICS

    tables = [f"metrics.{table}" for table in load_catalogue().tables(list(METRICS))]

    def run(engine: sa.Engine, start: date, end: date) -> Metadata:
        from metrics_assets.assets.predictions import evaluation_days

        days = evaluation_days(start, end)
        return {"rows": tell(engine, days), "made_for": made_for(days, Days(start, end))}

    return Derivation(
        name="insights",
        description="Sentences that follow from the figures: when a DORA tier changes, trends and risks, on which days "
        "and at which hours deployments fail, what slow pull requests have in common, how reviews are shared out, "
        "bottlenecks, and what is not known. What was tested survived a correction for the number of tests; each has "
        "the figures that it stands on in evidence. No row is about one person. Made for the last day of a month "
        "and of a range.",
        reads=tuple(dict.fromkeys((*tables, *_ROWS))),
        kinds=frozenset({"postgres", "numpy"}),
        run=run,
        group=FORECAST,
        preview="select subject, sentence, action from metrics.insights "
        "where date = :day and subject_kind <> 'team' order by weight desc, subject, insight limit 20",
    )


def tell(engine: sa.Engine, days: Sequence[date]) -> int:
    """Rebuild metrics.insights of some days; the number of rows."""
    return sum(replace_days(engine, _TABLE, _of_a_day(engine, day), day, day + timedelta(days=1), {}) for day in days)


def _of_a_day(engine: sa.Engine, day: date) -> pd.DataFrame:
    found = insights_of(engine, day)
    rows = [
        (one.insight, one.subject_kind, one.subject, day, one.topic, one.weight, one.sentence, one.action, one.n, one.p,
         dict(one.evidence))
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=_COLUMNS, dtype=object)


def insights_of(engine: sa.Engine, day: date) -> list[Insight]:
    """Everything that can be said at a day's end, by what was known then."""
    from metrics_assets.analysis.insights import deployments, reviews, risks, tiers, trends
    from metrics_assets.assets.goals import read_portfolio
    from metrics_assets.assets.insight_figures import DayFigures
    from metrics_assets.assets.insight_rows import DayRows

    if read_portfolio(engine) is None:
        return []
    figures = DayFigures(engine, day)
    with engine.connect() as connection:
        rows = DayRows(connection, day)
        people = rows.minimum_group
        delivered = deployments.without_retries(rows.deployments)
        first_delivery, first_review = rows.since(rows.DELIVERY_DAYS), rows.since(rows.REVIEW_DAYS)
        return [
            *tiers.tier_dates(figures.keys(rows.deployments)),
            *trends.trends(figures.sampled()),
            *trends.churn_risks(figures.churns(people)),
            *deployments.weekday_failures(delivered, first_delivery, day),
            *deployments.deployment_windows(delivered, first_delivery, day),
            *reviews.slow_pull_requests(rows.merged, rows.since(rows.MERGED_DAYS), day, people),
            *reviews.review_concentration(rows.review_loads, first_review, day, people),
            *reviews.unequal_queues(rows.queues(figures.open_of_teams()), day, people),
            *reviews.unreviewed_queue(rows.waiting, day),
            *risks.bottlenecks(*rows.stages, (rows.since(rows.STAGE_DAYS), first_review, day)),
            *risks.single_contributors(figures.dependences(), day, people),
            *risks.lead_time_gaps(rows.coverages, day),
            *risks.missing_days(rows.uncollected, first_review, day),
        ]
