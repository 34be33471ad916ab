"""The clients of all registries: where each is, how fast it may be asked, and who asks.

Services without an address are left out; what they would have told is then unknown, with the reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from metrics_assets.settings import Sources
from metrics_assets.sources.http import ApiClient, Credential
from metrics_assets.sources.registries.pace import Paced
from metrics_assets.sources.registries.pip_index import configured_index, index_at

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]

# Which services tell of a registry's packages.
_SERVICES = {
    "pypi": {"pypi", "pypi_simple", "pypistats", "deps_dev", "osv"},
    "npm": {"npm", "npm_downloads", "deps_dev", "osv"},
    "crates": {"crates", "deps_dev", "osv"},
    "go": {"go", "pkg_go", "osv"},
    "gems": {"gems", "osv"},
    "docker": {"docker"},
    "brew": {"brew"},
}
# At least so many seconds between two requests, where the registry asks for that.
_SECONDS_BETWEEN = {"crates": 1.0, "gems": 0.1}
_AT_ONCE = 4
_JSON_PAGES = {"Accept": "application/vnd.pypi.simple.v1+json, application/json;q=0.9, */*;q=0.1"}


@dataclass(frozen=True, slots=True)
class IndexPassword:
    """User and password that stand in the address of pip's configuration."""

    secret: str
    name: str = "the user of pip's index-url"

    async def authorization(self) -> str:
        return f"Basic {self.secret}"

    def __repr__(self) -> str:
        return "IndexPassword()"


@asynccontextmanager
async def connect(
    sources: Sources,
    registries: Collection[str],
    portfolio: str,
    *,
    sleep: Sleep = asyncio.sleep,
    clock: Clock = time.time,
) -> AsyncIterator[dict[str, ApiClient]]:
    """Clients by service, of what the given registries need; closed in the end.

    pypi is the JSON API beside an index and pypi_simple the simple index; npm_downloads counts for npm, pkg_go
    knows importers.
    """
    addresses: dict[str, str | None] = {
        "npm": sources.npm.base_url,
        "npm_downloads": sources.npm.downloads_url,
        "pypistats": sources.pypi.pypistats_url,
        "crates": sources.crates.base_url,
        "go": sources.go.base_url,
        "pkg_go": sources.go.pkg_url,
        "gems": sources.gems.base_url,
        "docker": sources.docker.base_url,
        "brew": sources.brew.base_url,
        "deps_dev": sources.deps_dev.base_url,
        "osv": sources.osv.base_url,
    }
    credentials: dict[str, Sequence[Credential]] = {
        name: [Paced(seconds, sleep, clock)] for name, seconds in _SECONDS_BETWEEN.items()
    }
    if "pypi" in registries:
        # pip is a process of its own; meanwhile nothing else is done.
        given = sources.pypi.base_url
        index = index_at(given) if given else await asyncio.to_thread(configured_index)
        if index is not None:
            addresses |= {"pypi": index.api, "pypi_simple": index.simple}
            if index.password:
                credentials["pypi"] = credentials["pypi_simple"] = [IndexPassword(index.password)]
    needed = set().union(*(_SERVICES[registry] for registry in registries))
    agent = {"User-Agent": user_agent(portfolio)}
    async with AsyncExitStack() as stack:
        clients: dict[str, ApiClient] = {}
        for name, address in addresses.items():
            if address is not None and name in needed:
                client = ApiClient(
                    address,
                    agent | (_JSON_PAGES if name == "pypi_simple" else {}),
                    credentials=credentials.get(name, ()),
                    concurrency=1 if name in _SECONDS_BETWEEN else _AT_ONCE,
                    sleep=sleep,
                    clock=clock,
                )
                clients[name] = await stack.enter_async_context(client)
        yield clients


def user_agent(portfolio: str) -> str:
    """Who asks, as registries want to know it: this program and the portfolio that it measures."""
    try:
        number = version("metrics_assets")
    except PackageNotFoundError:
        number = "unknown"
    name = "".join(letter for letter in portfolio if letter.isascii() and letter.isprintable() and letter not in "()\\")
    return f"metrics_assets/{number} (portfolio: {name})"
