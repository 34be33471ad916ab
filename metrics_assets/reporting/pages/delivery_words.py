"""What the page of delivery says at its head."""

from __future__ import annotations

from collections.abc import Sequence

from metrics_assets.reporting.data import Series
from metrics_assets.reporting.pages.stages import stages_bar
from metrics_assets.reporting.pages.summaries import Summary
from metrics_assets.reporting.verdict import (
    against_before,
    lasting,
    no_repository,
    standing,
    weak_repositories,
    weakest_first,
    where,
)


def delivery_sentences(
    keys: Sequence[Series], stages: Sequence[Series], summaries: Sequence[Summary]
) -> tuple[str, ...]:
    """How the portfolio delivers, since when and where it is weak, what takes longest, and against 28 days before."""
    nothing = no_repository(summaries)
    if nothing is not None:
        return (nothing,)
    weak = weakest_first(keys)
    said: list[str | None] = [standing(keys)]
    if weak:
        said += [lasting(weak[0], weak[0].metric.title), where(summaries, weak[0].metric)]
    else:
        said.append(weak_repositories(summaries))
    bar = stages_bar(stages)
    said.append(bar.takeaway if bar.bar is not None else None)
    said.append(against_before(keys))
    return tuple(sentence for sentence in said if sentence)
