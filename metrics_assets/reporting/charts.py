"""How many repositories are in each tier, and the bars that go with a tier's word."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from metrics_assets.reporting.data import TIERS, Tier


def tier_bar(counts: Mapping[Tier, int], not_rated: int = 0) -> Markup:
    """Return a bar of the repositories in each tier, best first, with those not rated hatched at the end."""
    names: list[tuple[str, int]] = [(tier, counts.get(tier, 0)) for tier in TIERS]
    names.append(("none", not_rated))
    said = ", ".join(f"{number} {'not rated' if name == 'none' else name.title()}" for name, number in names if number)
    parts = Markup("").join(
        Markup('<i class="t-{}" style="flex:{}"></i>').format(name, number) for name, number in names if number
    )
    return Markup('<div class="tierbar" role="img" aria-label="{}">{}</div>').format(said or "no repository", parts)


def tier_bars(tier: Tier) -> Markup:
    """Return one to four bars for a tier; the word must stand beside them."""
    return Markup(f'<svg class="bars t-{tier}" aria-hidden="true"><use href="#bars-{tier}"/></svg>')
