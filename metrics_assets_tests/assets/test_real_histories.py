"""The main job on real histories, against what git alone says of them (truth.json beside each history)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from metrics_assets.demo.recorded import recorded_history
from metrics_assets.settings import Settings
from metrics_assets_tests.playing import materialize, playing

# The export holds no issues, stars, forks or deployments: they are not asked for, so their figures are unknown.
_HELD = ["pull_requests", "commits", "releases", "tags"]
_ONE_SECOND_IN_HOURS = 1 / 3600


# Of the long history what the truth is compared with; all of the job would take another minute.
_COMPARED = '+key:"metrics/repository_daily" or +key:"metrics/changes"'


@pytest.mark.parametrize(("folder", "select"), [("encode+httpx", _COMPARED), ("felixgeelhaar+bolt", None)])
def test_the_main_job_agrees_with_git(
    folder: str,
    select: str | None,
    real_data: Path,
    new_database: Callable[[str], URL],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = json.loads((real_data / "githistory" / folder / "truth.json").read_text())
    history = recorded_history(real_data / "githistory" / folder)
    months: dict[str, dict[str, Any]] = truth["months"]
    first, last = date.fromisoformat(f"{min(months)}-01"), history.now.date() - timedelta(days=1)
    settings = Settings.model_validate(
        {
            "start": first,
            "end": last,
            "repositories": [{"github": truth["repo"], "collect": _HELD}],
        }
    )

    with playing(history, new_database("real_history"), tmp_path, monkeypatch) as (_, engine):
        result = materialize(settings, first, last, select)
        assert result.success
        assert [check.check_name for check in result.get_asset_check_evaluations() if not check.passed] == []
        found = _months(engine)
        total = _totals(engine)

    assert set(found) == set(months)
    for month, expected in months.items():
        ours = found[month]
        counts = {key: expected[key] for key in ("merged_prs", "commits", "releases")}
        assert {key: ours[key] for key in counts} == counts, month
        for ours_key, key in (
            ("first_commit_to_merge", "median_hours_first_commit_to_merge"),
            ("merge_to_release", "median_hours_merge_to_next_tag"),
        ):
            _assert_same_hours(ours[ours_key], expected.get(key), f"{month} {key}")
    assert total["merged_prs"] == truth["total"]["merged_prs"]
    for key, name in (("first_commit_to_merge", "first_commit_to_merge"), ("merge_to_release", "merge_to_next_tag")):
        assert total[f"{key}_n"] == truth["total"][name]["n"]
        _assert_same_hours(total[key], truth["total"][name]["p50"], name)


def test_what_the_export_does_not_hold_is_unknown_and_not_zero(
    real_data: Path, new_database: Callable[[str], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = recorded_history(real_data / "githistory" / "felixgeelhaar+bolt")
    last = history.now.date() - timedelta(days=1)
    settings = Settings.model_validate(
        {
            "start": last - timedelta(days=60),
            "end": last,
            "repositories": [{"github": "felixgeelhaar/bolt", "collect": _HELD}],
        }
    )
    with playing(history, new_database("absent"), tmp_path, monkeypatch) as (_, engine):
        materialize(settings, settings.start, last)
        with engine.connect() as connection:
            states = dict(
                connection.execute(
                    sa.text("select metric, string_agg(distinct state, ',') from metric_values group by metric")
                ).all()
            )
    for metric in ("stars_new", "stars_total", "forks_new", "issues_opened", "issues_open", "incidents_opened"):
        assert states[metric] == "unknown", metric
    # Git does not say when a pull request was opened, only when it was merged.
    assert states["pull_requests_opened"] == states["pull_requests_open"] == "unknown"
    assert "ok" in states["pull_requests_merged"]


def _months(engine: sa.Engine) -> dict[str, dict[str, Any]]:
    """Our figures by UTC month: counts summed from the daily table, medians from the changes behind it."""
    with engine.connect() as connection:
        daily = connection.execute(
            sa.text(
                "select to_char(date, 'YYYY-MM') as month, sum(pull_requests_merged) as merged_prs, "
                "sum(commits) as commits, sum(releases) as releases from metrics.repository_daily group by 1"
            )
        ).mappings()
        months = {row["month"]: dict(row) for row in daily}
        changes = connection.execute(
            sa.text(
                "select to_char(merged_at, 'YYYY-MM') as month, "
                "percentile_cont(0.5) within group (order by pr_lead_hours) as first_commit_to_merge, "
                "percentile_cont(0.5) within group (order by merge_to_deploy_hours) as merge_to_release "
                "from metrics.changes where kind = 'pull_request' group by 1"
            )
        ).mappings()
        empty = {"first_commit_to_merge": None, "merge_to_release": None}
        for month in months.values():
            month.update(empty)
        for row in changes:
            months[row["month"]].update(row)
    return months


def _totals(engine: sa.Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        row = connection.execute(
            sa.text(
                "select count(*) as merged_prs, count(pr_lead_hours) as first_commit_to_merge_n, "
                "count(merge_to_deploy_hours) as merge_to_release_n, "
                "percentile_cont(0.5) within group (order by pr_lead_hours) as first_commit_to_merge, "
                "percentile_cont(0.5) within group (order by merge_to_deploy_hours) as merge_to_release "
                "from metrics.changes where kind = 'pull_request'"
            )
        ).mappings()
        return dict(row.one())


def _assert_same_hours(ours: float | None, expected: float | None, what: str) -> None:
    if expected is None:
        assert ours is None, what
    else:
        # The truth is rounded to 4 decimals of an hour (0.36 s).
        assert ours == pytest.approx(expected, abs=_ONE_SECOND_IN_HOURS), what
