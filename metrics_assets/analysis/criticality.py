"""The Criticality Score of the OpenSSF: how much depends on a project, from 0 to 1.

Source: Rob Pike, "Quantifying criticality" (the paper), and the scorer of ossf/criticality_score with its
configuration `original_pike`, which clamps every signal at its threshold and turns the time since the last update
round, because the paper's negative weight can leave 0 to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from metrics_assets.analysis.scoring import CriticalityModel

Floats = npt.NDArray[np.float64]


def weigh_signals(model: CriticalityModel, values: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Score rows of signals.

    With S a signal, T its threshold and alpha its weight, C = sum(alpha * share) / sum(alpha), where the share is
    ln(1 + S) / ln(1 + max(S, T)); clamped, S is at most T, and inverted, T - S takes its place. A signal that is not
    known drops out of both sums.

    Args:
        values: [rows, components] in the metrics' units, NaN where unknown; below 0 counts as 0.

    Returns:
        shares [rows, components], the alphas [components], the scores [rows] (NaN where the sum of the known alphas
        is not above 0), the contributions [rows, components], and the coverage [rows]: the known part of the alphas,
        each without its sign.
    """
    alphas = np.array([signal.alpha for signal in model.components])
    thresholds = np.array([signal.threshold for signal in model.components])
    inverted = np.array([signal.inverted for signal in model.components])
    signals = np.maximum(values, 0.0)
    if model.clamped:
        signals = np.minimum(signals, thresholds)
    signals = np.where(inverted, thresholds - signals, signals)
    shares = np.log1p(signals) / np.log1p(np.maximum(signals, thresholds))
    known = ~np.isnan(shares)
    divisor = np.where(known, alphas, 0.0).sum(axis=1)
    divisor = np.where(divisor > 1e-9, divisor, np.nan)
    contributions = alphas * shares / divisor[:, None]
    scores = np.where(known, contributions, 0.0).sum(axis=1)
    coverage = np.where(known, np.abs(alphas), 0.0).sum(axis=1) / np.abs(alphas).sum()
    return shares, alphas, np.where(np.isnan(divisor), np.nan, scores), contributions, coverage
