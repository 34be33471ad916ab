"""Ages of what stands open: CHAOSS's Issue Age, mean and median."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_DAY = 86400.0


def open_ages(created: Floats, opened: Floats, ended: Floats, moments: Floats) -> dict[str, Floats]:
    """Median and mean age, in days, of what is open just before each moment, and how many those are.

    Args:
        created: when each was created, in seconds, ascending; the same issue may stand there once per span.
        opened, ended: the span in which it was open; `ended` is NaN where it still is.
        moments: in seconds, ascending.

    Returns:
        issue_age_days, issue_age_days_mean (NaN where nothing is open) and issues_open.
    """
    ended = np.where(np.isnan(ended), np.inf, ended)
    median, mean, count = (np.full(len(moments), np.nan) for _ in range(3))
    for position, moment in enumerate(moments):
        # Nothing that is created later can be open.
        until = np.searchsorted(created, moment)
        ages = moment - created[:until][(opened[:until] < moment) & (ended[:until] >= moment)]
        count[position] = len(ages)
        if len(ages):
            # Ages descend, so that the middle is known by its place.
            median[position] = (ages[(len(ages) - 1) // 2] + ages[len(ages) // 2]) / 2 / _DAY
            mean[position] = ages.mean() / _DAY
    return {"issue_age_days": median, "issue_age_days_mean": mean, "issues_open": count}
