"""The pages of the method: the catalogue as it counts for this site."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from metrics_assets.assets.site.alerts import without_teams
from metrics_assets.assets.site.open_alerts import TEAM
from metrics_assets.assets.site.reading import Reading
from metrics_assets.catalogue import parts
from metrics_assets.catalogue.gates import Gate, load_gates
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.scores import read_scores, switched_on
from metrics_assets.catalogue.tiers import TIER_SET, load_tiers
from metrics_assets.reporting.data import SiteInfo
from metrics_assets.reporting.metrics_page import Score
from metrics_assets.reporting.pages.method import MethodData, method_files


def files(reading: Reading, site: SiteInfo) -> Iterator[tuple[str, str | bytes]]:
    """method.html, a page for each part of the catalogue, and all definitions as CSV."""
    with reading.engine.connect() as connection:
        portfolio = connection.execute(sa.text("select minimum_group, packs from ops.portfolio")).one()
    catalogue, packs = load_catalogue(), set(portfolio.packs)
    data = MethodData(
        catalogue=catalogue,
        parts=parts.pages(),
        tiers=load_tiers(),
        tier_set=TIER_SET,
        scores=tuple(switched_on(read_scores(Score.model_validate, catalogue), packs)),
        gates=tuple(_without_teams(gate) for gate in load_gates().values() if gate.pack is None or gate.pack in packs),
        rules={key: without_teams(rule) for key, rule in reading.rules.items()},
        minimum_group=portfolio.minimum_group,
    )
    yield from method_files(site, data)


def _without_teams(gate: Gate) -> Gate:
    """A gate as every page may say it: criteria about a team do not name it."""
    groups = tuple(
        group.model_copy(
            update={
                "criteria": tuple(
                    one.model_copy(update={"subject": "a team"}) if one.subject_kind == TEAM else one
                    for one in group.criteria
                )
            }
        )
        for group in gate.groups
    )
    return gate.model_copy(update={"groups": groups})
