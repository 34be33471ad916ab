"""The figures of a day that insights stand on, out of metrics.metric_values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from metrics_assets.assets.figures import SUBJECT, Figures, Floats, read_known
from metrics_assets.assets.shared import PREDICTED
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.tiers import TIER_SET

if TYPE_CHECKING:
    from metrics_assets.analysis.insights.risks import Dependence
    from metrics_assets.analysis.insights.tiers import Key
    from metrics_assets.analysis.insights.trends import Churn, Sampled
    from metrics_assets.analysis.insights.wording import AboutMetric

# The main figures, whose trends are told. Of a figure that has a sibling over a week, the sibling.
TRENDS = (
    "lead_time_hours_week", "pr_lead_hours", "pickup_hours", "review_hours", "deploy_hours", "change_failure_rate",
    "pull_request_first_response_hours", "issue_first_response_hours", "deployments_succeeded", "issues_open",
    "pull_requests_open", "incidents_open", "active_contributors_month", "new_contributors_month", "stars_new",
    "downloads",
)  # fmt: skip
LEVELS = ("issues_open", "pull_requests_open", "incidents_open")
# Of each of DORA's keys, what has no events twice.
_RECOVERY = ("mttr_hours",)
METRICS = (
    *TRENDS, "deployment_frequency", "lead_time_hours", *_RECOVERY, "contributor_churn", "contributor_absence_factor",
    "occasional_contributors",
)  # fmt: skip
_KINDS = tuple(kind for kind in PREDICTED if kind != "segment")
_WEEK = 7
# Half a year: contributor_churn compares the last 90 days with the 90 before.
_CHURN_DAYS = 180
# A deployment may be found to have failed days later. Only failures that were found within a week count in a weekly
# share, and only deployments that are a week old, or the newest weeks would always look better.
_SETTLED_DAYS = 7
_LEAST_DEPLOYMENTS_A_WEEK = 3


class DayFigures:
    """The figures of a day and those before it, of every subject."""

    def __init__(self, engine: sa.Engine, day: date) -> None:
        self._day = day
        self._catalogue = load_catalogue().metrics
        read = [
            read_known(engine, METRICS, _KINDS, [day - timedelta(days=_WEEK * back) for back in range(13)]),
            read_known(engine, self._of_shape("flow"), _KINDS, self._flow_days()),
            *(
                read_known(engine, [metric], _KINDS, self._sampled_on(metric))
                for metric in (*self._of_shape("window"), *_RECOVERY)
            ),
            read_known(engine, ["contributor_churn"], _KINDS, [day - timedelta(days=_CHURN_DAYS)]),
        ]
        rows = pd.concat([one.rows for one in read if len(one.rows)] or [read[0].rows], ignore_index=True)
        self._figures = Figures(rows.drop_duplicates(["metric", *SUBJECT, "date"]))
        with engine.connect() as connection:
            bands = connection.execute(
                sa.text(
                    "select metric, tier, at_least, below from metrics.tier_bands "
                    "where tier_set = :tier_set order by metric, rank"
                ),
                {"tier_set": TIER_SET},
            ).all()
        self._bands: dict[str, list[tuple[str, float | None, float | None]]] = {}
        for metric, *band in bands:
            self._bands.setdefault(metric, []).append(tuple(band))

    def sampled(self) -> list[Sampled]:
        """The main figures, sampled so that no two values of a series stand on the same events."""
        from metrics_assets.analysis.insights.trends import Sampled

        found = []
        for metric in TRENDS:
            subjects = self._figures.subjects(metric)
            if len(subjects):
                shape, days = self._shape(metric), self._sampled_on(metric)
                if shape == "flow":
                    daily = self._figures.matrix(metric, subjects, self._flow_days())
                    values = daily.reshape(len(daily), 12, _WEEK).sum(axis=2)
                else:
                    values = self._figures.matrix(metric, subjects, days)
                found.append(Sampled(metric, self._about(metric), shape, list(subjects), days, values))
        return found

    def keys(self, deployments: pd.DataFrame) -> list[Key]:
        """DORA's keys of every subject of delivery, with weekly values (of recovery: windows of 28 days).

        Args:
            deployments: subject_kind, subject, finished_on, failed_within_days (NaN where it did not fail).
        """
        weeks = self._weeks(12)
        frequency = self._figures.subjects("deployments_succeeded")
        daily = self._figures.matrix("deployments_succeeded", frequency, self._flow_days())
        lead = self._figures.subjects("lead_time_hours_week")
        shares, settled = self._failing_shares(deployments)
        # A figure over four weeks is that of its middle, a week and a half behind the newest week.
        found = [
            *self._keys_of(
                "deployment_frequency", frequency, daily.reshape(len(daily), 12, _WEEK).mean(axis=2), weeks, 1.5
            ),
            *self._keys_of(
                "lead_time_hours", lead, self._figures.matrix("lead_time_hours_week", lead, weeks), weeks, 1.5
            ),
            *self._keys_of(
                "change_failure_rate", shares, settled, [week - timedelta(days=_SETTLED_DAYS) for week in weeks], 1.5
            ),
        ]
        for metric in _RECOVERY:
            subjects, days = self._figures.subjects(metric), self._sampled_on(metric)
            found += self._keys_of(metric, subjects, self._figures.matrix(metric, subjects, days), days, 0.0)
        return found

    def _keys_of(
        self, metric: str, subjects: pd.MultiIndex, lately: Floats, days: list[date], behind: float
    ) -> list[Key]:
        from metrics_assets.analysis.insights.tiers import Key, TierBand

        bands = [TierBand(*band) for band in self._bands.get(metric, [])]
        values = self._figures.matrix(metric, subjects, [self._day])[:, 0]
        return [
            Key(
                metric,
                self._about(metric),
                kind,
                subject,
                float(value),
                self._day,
                row,
                tuple(days),
                behind,
                bands,
                TIER_SET,
            )
            for (kind, subject), value, row in zip(subjects, values, lately, strict=True)
            if np.isfinite(value) and bands and kind != "environment"
        ]

    def _failing_shares(self, deployments: pd.DataFrame) -> tuple[pd.MultiIndex, Floats]:
        """The share of each week's deployments that were found to have failed within a week."""
        newest = self._day - timedelta(days=_SETTLED_DAYS)
        back = (pd.Timestamp(newest) - deployments["finished_on"]).dt.days
        counted = deployments.assign(
            week=11 - back // _WEEK, failing=deployments["failed_within_days"] <= _SETTLED_DAYS
        )
        counted = counted[(back >= 0) & (counted["week"] >= 0)]
        sums = counted.groupby([*SUBJECT, "week"])["failing"].agg(["sum", "count"]).reset_index()
        subjects = pd.MultiIndex.from_frame(sums[SUBJECT].drop_duplicates()).sort_values()
        found = np.full((len(subjects), 12), np.nan)
        enough = sums[sums["count"] >= _LEAST_DEPLOYMENTS_A_WEEK]
        rows = subjects.get_indexer(pd.MultiIndex.from_frame(enough[SUBJECT]))
        found[rows, enough["week"].to_numpy(dtype=np.int64)] = (enough["sum"] / enough["count"]).to_numpy()
        return subjects, found

    def churns(self, minimum_people: int) -> list[Churn]:
        """The contributors who stopped, now and half a year ago."""
        from metrics_assets.analysis.insights.trends import Churn

        before = self._day - timedelta(days=_CHURN_DAYS)
        subjects = self._figures.subjects("contributor_churn")
        counts = [
            self._figures.matrix("contributor_churn", subjects, [before, self._day], figure)
            for figure in ("numerator", "denominator")
        ]
        return [
            Churn(kind, subject, int(lost[1]), int(of[1]), int(lost[0]), int(of[0]), self._day, before)
            for (kind, subject), lost, of in zip(subjects, *counts, strict=True)
            if np.isfinite([*lost, *of]).all() and min(of) >= minimum_people
        ]

    def dependences(self) -> list[Dependence]:
        """How few contributors make half of the work, where it is known how many there are."""
        from metrics_assets.analysis.insights.risks import Dependence

        subjects = self._figures.subjects("contributor_absence_factor", "occasional_contributors")
        factors, contributions, contributors = (
            self._figures.matrix(metric, subjects, [self._day], figure)[:, 0]
            for metric, figure in (
                ("contributor_absence_factor", "value"),
                ("contributor_absence_factor", "n"),
                ("occasional_contributors", "n"),
            )
        )
        return [
            Dependence(kind, subject, int(factor), int(made), int(people))
            for (kind, subject), factor, made, people in zip(
                subjects, factors, contributions, contributors, strict=True
            )
            if np.isfinite([factor, made, people]).all()
        ]

    def open_of_teams(self) -> Mapping[str, int]:
        """The open pull requests of each team at the day's end."""
        rows = self._figures.of("pull_requests_open")
        rows = rows[(rows["subject_kind"] == "team") & (rows["date"] == self._day.toordinal())]
        return {str(team): int(value) for team, value in zip(rows["subject"], rows["value"], strict=True)}

    def _about(self, metric: str) -> AboutMetric:
        from metrics_assets.analysis.insights.wording import AboutMetric

        known = self._catalogue[metric]
        return AboutMetric(known.title, known.unit, known.direction)

    def _shape(self, metric: str) -> Any:
        if metric in LEVELS:
            return "level"
        return "window" if (self._catalogue[metric].window or 1) > 1 else "flow"

    def _of_shape(self, shape: str) -> list[str]:
        return [metric for metric in TRENDS if self._shape(metric) == shape]

    def _weeks(self, count: int) -> list[date]:
        return [self._day - timedelta(days=_WEEK * back) for back in reversed(range(count))]

    def _flow_days(self) -> list[date]:
        return [self._day - timedelta(days=back) for back in reversed(range(12 * _WEEK))]

    def _sampled_on(self, metric: str) -> list[date]:
        window = self._catalogue[metric].window or 1
        if window <= _WEEK:
            return self._weeks(13 if self._shape(metric) == "level" else 12)
        return [self._day - timedelta(days=window * back) for back in reversed(range(8))]
