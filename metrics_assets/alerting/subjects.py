"""What metrics.yaml names now: alerts are about these, and those about others have come to an end."""

from __future__ import annotations

import re
from functools import cache

import sqlalchemy as sa

from metrics_assets.catalogue.alerts import Rule
from metrics_assets.catalogue.metrics import load_catalogue

# Teams and the portfolio are made of these: an alert on one of them would say the same a second time.
WATCHED = ("repository", "package", "community")
# What is fed is about whatever its file says.
FED = ("repository", "service", "package", "community", "segment", "team", "portfolio")

_KEY = re.compile(r"[a-z][a-z0-9_]*")
_SUBJECTS = """
select subject_kind, subject from ops.subjects
union
-- A repository with services has figures of its own besides theirs.
select 'repository', repository from ops.repository_settings
union
select 'team', team from ops.team_members
union
select 'team', unnest(space_teams) from ops.portfolio
union
select 'portfolio', portfolio from ops.portfolio
union
select 'package', registry || ':' || package from ops.package_settings
union
select 'community', platform || ':' || community from ops.platform_settings
"""


class Subjects:
    """The subjects that metrics.yaml names now. Segments of fed figures are free texts, and always named.

    Before the first collection nothing is known of them; then every subject is one.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._names = {(row.subject_kind, row.subject) for row in connection.execute(sa.text(_SUBJECTS))}
        self._is_known = any(kind == "repository" for kind, _ in self._names)

    def has(self, kind: str, subject: str) -> bool:
        """Whether metrics.yaml names a subject; what the pipeline is about is named by the pipeline."""
        return not self._is_known or kind in ("segment", "pipeline") or (kind, subject) in self._names


def kinds_of(rule: Rule) -> tuple[str, ...]:
    """The kinds of subjects that a rule looks at: its own, else the watched ones, and of fed figures all."""
    if rule.subject_kinds:
        return rule.subject_kinds
    return FED if any(_is_fed(metric) for metric in rule.metrics()) else WATCHED


@cache
def _is_fed(key: str) -> bool:
    """Whether a metric is fed, or calculated from one that is."""
    metrics = load_catalogue().metrics
    if key not in metrics:
        return False
    metric = metrics[key]
    if metric.fed is not None:
        return True
    if not metric.is_calculated or metric.formula is None or metric.sql is not None:
        return False
    return any(_is_fed(part) for part in _KEY.findall(metric.formula) if part != key)


def covers(rule: Rule, kind: str, subject: str, metric: str) -> bool:
    """Whether a rule, as it is now, is about a subject's metric."""
    if rule.kind == "pipeline":
        return True
    if kind not in kinds_of(rule) or (rule.subjects and subject not in rule.subjects):
        return False
    if rule.kind == "anomaly":
        return not rule.metric_keys or metric in rule.metric_keys
    return metric == rule.metric


def title_of(metric: str) -> str:
    """A metric's title; its key where the catalogue has it no more."""
    metrics = load_catalogue().metrics
    return metrics[metric].title if metric in metrics else metric.replace("_", " ")


def unit_of(metric: str) -> str:
    """A metric's unit; a count where the catalogue has it no more."""
    metrics = load_catalogue().metrics
    return metrics[metric].unit if metric in metrics else "count"
