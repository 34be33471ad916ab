"""The page of insights: the newest insights and correlations as of a day."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from metrics_assets.assets.site.open_alerts import TEAM
from metrics_assets.assets.site.reading import Reading
from metrics_assets.catalogue.correlations import load_correlations
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.pages.insights import InsightRow, InsightsData, PairRow, insights_files

# They are made for the last day of a month and of a run: older ones say nothing of today.
_STANDS_DAYS = 31
_EARLIER_DAYS, _MOST_EARLIER = 184, 200

# Both are made on the same days; on one of them there may be nothing to say, or no pair.
_MADE_ON = """
select max(date)
from (select date from metrics.insights union all select date from metrics.correlations) as made
where date <= :day and date > cast(:day as date) - :stands
"""
_INSIGHTS = f"""
select insight, subject_kind, subject, topic, weight, sentence, action, n, p, evidence
from metrics.insights
where date = :made_on and subject_kind <> '{TEAM}'
order by weight desc, subject, insight
"""
_EARLIER = f"""
select date, insight, subject_kind, subject, topic, weight, sentence, action, n, p, evidence
from metrics.insights
where date < :made_on and date > cast(:made_on as date) - {_EARLIER_DAYS} and subject_kind <> '{TEAM}'
order by date desc, weight desc, subject, insight
limit {_MOST_EARLIER}
"""
_PAIRS = f"""
select pair, subject_kind, subject, x, y, lag_days, n, n_effective, spearman, p_adjusted, survives, state, sentence
from metrics.correlations
where date = :made_on and subject_kind <> '{TEAM}'
order by survives desc, p_adjusted nulls last, pair, subject
"""


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """insights.html and its CSV files."""
    yield from insights_files(site, insights_data(reading))


def insights_data(reading: Reading) -> InsightsData:
    """What the page shows as of the reading's day; nothing of it is about a team."""
    given = {"day": reading.day, "stands": _STANDS_DAYS}
    with reading.engine.connect() as connection:
        made_on = connection.execute(sa.text(_MADE_ON), given).scalar()
        insights = connection.execute(sa.text(_INSIGHTS), {"made_on": made_on}).all()
        earlier = connection.execute(sa.text(_EARLIER), {"made_on": made_on}).all()
        pairs = connection.execute(sa.text(_PAIRS), {"made_on": made_on}).all()
    whys = {key: pair.why for key, pair in load_correlations().items()}
    return InsightsData(
        made_on=made_on,
        insights=tuple(InsightRow(*row) for row in insights),
        earlier=tuple((on, InsightRow(*row)) for on, *row in earlier),
        pairs=tuple(PairRow(*(*row, whys.get(row.pair, ""))) for row in pairs),
        metrics=reading.metrics,
    )
