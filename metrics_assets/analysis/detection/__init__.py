"""Daily anomaly detection over many series: spikes, drops, level shifts, drift, unrest and missing data.

`judge` gives the verdicts, `explain` one of them in words. A day is judged by the series' own past alone, at most
LOOK_BACK days of it.
"""

from metrics_assets.analysis.detection.gaps import LONGEST as LONGEST_GAP
from metrics_assets.analysis.detection.methods import KINDS, METHODS
from metrics_assets.analysis.detection.verdicts import (
    LOOK_BACK,
    MINIMUM_DAYS,
    NO_KIND,
    SEVERITIES,
    Panel,
    Verdicts,
    emitted,
    judge,
)
from metrics_assets.analysis.detection.words import Finding, explain, unjudged
from metrics_assets.analysis.wording import human

__all__ = [
    "KINDS",
    "LONGEST_GAP",
    "LOOK_BACK",
    "METHODS",
    "MINIMUM_DAYS",
    "NO_KIND",
    "SEVERITIES",
    "Finding",
    "Panel",
    "Verdicts",
    "emitted",
    "explain",
    "human",
    "judge",
    "unjudged",
]
