"""Where people talk about the project: one module a platform, all of the same shape (see `base`).

What a platform does not tell, or only for money, is said in its module. `PLATFORMS` is the list that collecting goes
through; a new platform is a module, a line here, its settings, and a test.
"""

from __future__ import annotations

from metrics_assets.sources.platforms import discord, discourse, hacker_news, reddit, stack_exchange, x, youtube
from metrics_assets.sources.platforms.base import Off, Platform, ScoreText, Timing

__all__ = ["PLATFORMS", "Off", "Platform", "ScoreText", "Timing"]

PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform("stack_exchange", stack_exchange.connect, stack_exchange.collect),
        Platform("hacker_news", hacker_news.connect, hacker_news.collect),
        Platform("discourse", discourse.connect, discourse.collect, own_servers=True),
        Platform("discord", discord.connect, discord.collect),
        Platform("youtube", youtube.connect, youtube.collect),
        Platform("reddit", reddit.connect, reddit.collect),
        Platform("x", x.connect, x.collect),
    )
}
