"""Ages of open issues, worked by hand."""

from __future__ import annotations

import numpy as np

from metrics_assets.analysis.issue_ages import open_ages

DAY = 86400.0


def days(*values: float) -> np.ndarray:
    return np.array(values) * DAY


def test_median_and_mean_of_what_is_open() -> None:
    # Created on days 0, 1 and 4; the second is closed on day 5, reopened on day 7.
    created = days(0, 1, 1, 4)
    opened, ended = days(0, 1, 7, 4), np.array([np.nan, 5 * DAY, np.nan, np.nan])
    ages = open_ages(created, opened, ended, days(0, 2, 5, 6, 8))
    np.testing.assert_array_equal(ages["issues_open"], [0, 2, 3, 2, 3])
    np.testing.assert_array_equal(ages["issue_age_days"], [np.nan, 1.5, 4, 4, 7])
    np.testing.assert_allclose(ages["issue_age_days_mean"], [np.nan, 1.5, 10 / 3, 4, 19 / 3])
