"""`metrics check`: everything that can be wrong before a run, each as a sentence with its remedy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from metrics_assets import settings as configuration
from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.goals import load_goals
from metrics_assets.catalogue.packs import load_packs
from metrics_assets.errors import MetricsError
from metrics_assets.settings import Settings
from metrics_assets.sources.http import ApiClient, Credential, Spent
from metrics_assets.sources.platforms import PLATFORMS, Off, Timing
from metrics_assets.warehouse.engine import database_exists, database_url

# What a classic token needs for everything that is collected; fine-grained ones do not say what they may.
_SCOPES = ("repo", "public_repo")
_CLOCKS_MAY_DIFFER_SECONDS = 300
_HEADERS = {"User-Agent": "metrics_assets"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    text: str


def check_everything() -> list[Finding]:
    """Configuration, channels, database, token and every repository; nothing is written to the warehouse."""
    try:
        settings = configuration.load()
    except MetricsError as error:
        return [Finding(False, line) for line in str(error).splitlines()]
    findings = [
        Finding(
            True,
            f"{configuration.config_path()}: {len(settings.repositories)} repositories, "
            f"{len(settings.organizations)} organizations, from {settings.start}",
        )
    ]
    return [
        *findings,
        *_packs(settings),
        *_calculated(),
        *_not_yet(settings),
        *_registries(settings),
        *asyncio.run(_platforms(settings)),
        *_rules(settings),
        *_channels(settings),
        _database(),
        *asyncio.run(_github(settings)),
    ]


def _calculated() -> list[Finding]:
    """The metrics of the catalogue that cannot be calculated."""
    from metrics_assets.assets.calculated import plan
    from metrics_assets.catalogue.metrics import load_catalogue

    try:
        problems = plan(load_catalogue()).problems
    except MetricsError as error:
        return [Finding(False, str(error))]
    return [Finding(False, problem) for problem in problems.values()]


def _not_yet(settings: Settings) -> list[Finding]:
    """What metrics.yaml may ask for that this version reads and does not do."""
    said = [
        (
            settings.privacy.raw_retention_days is not None,
            "privacy.raw_retention_days: this version does not delete raw rows yet",
        ),
    ]
    return [Finding(True, text) for holds, text in said if holds]


def _packs(settings: Settings) -> list[Finding]:
    """What each pack that is switched on brings, and the user's own goals and gates."""
    try:
        packs, goals, gates = load_packs(), load_goals(), load_gates()
    except MetricsError as error:
        return [Finding(False, str(error))]
    findings = []
    for name in settings.packs:
        pack = packs.get(name)
        brought = (
            (sum(goal.pack == name for goal in goals.values()), "goals"),
            (sum(gate.pack == name for gate in gates.values()), "gates"),
            (len(pack.metrics) if pack else 0, "metrics"),
        )
        findings.append(Finding(True, f"pack {name}: {', '.join(f'{count} {what}' for count, what in brought)}"))
    others = sum(goal.pack is None for goal in goals.values()), sum(gate.pack is None for gate in gates.values())
    if any(others):
        findings.append(Finding(True, f"of no pack: {others[0]} goals, {others[1]} gates"))
    return findings


def _registries(settings: Settings) -> list[Finding]:
    """Which figures of packages will be unknown because nothing says where their registry is."""
    named = {package.split(":", 1)[0] for entry in settings.repositories for package in entry.packages}
    findings = [Finding(True, f"packages: {', '.join(sorted(named))}")] if named else []
    if "npm" in named:
        missing = [name for name in ("base_url", "downloads_url") if getattr(settings.sources.npm, name) is None]
        findings += [
            Finding(True, f"npm packages: what sources.npm.{name} is needed for stays unknown; set it in metrics.yaml")
            for name in missing
        ]
    return findings


async def _platforms(settings: Settings) -> list[Finding]:
    """Which platforms are asked, and which are off until their keys are in the environment."""
    findings = []
    for name, communities in settings.platforms.model_dump().items():
        if not communities:
            continue
        client = PLATFORMS[name].connect(settings.sources, communities[0], Timing())
        if isinstance(client, Off):
            findings.append(Finding(True, f"platform {name} is {client.reason}"))
        else:
            await client.__aexit__(None, None, None)
            findings.append(Finding(True, f"platform {name}: {', '.join(communities)}"))
    return findings


def _channels(settings: Settings) -> list[Finding]:
    """What is set up of each channel; nothing is sent."""
    from metrics_assets.alerting.channels import check

    findings = []
    for name in settings.channels:
        try:
            findings.append(Finding(True, f"channel {name}: {check(name, settings.channels)}"))
        except MetricsError as error:
            findings.append(Finding(False, str(error)))
    if not settings.channels:
        findings.append(Finding(True, "no channels: alerts show on the site and wake nobody"))
    return findings


def _rules(settings: Settings) -> list[Finding]:
    """How many alert rules count, and which of their channels metrics.yaml does not have."""
    from metrics_assets.catalogue.alerts import active_rules

    try:
        rules = active_rules(settings.packs, settings.alerts.rules)
    except MetricsError as error:
        return [Finding(False, str(error))]
    named = {name for rule in rules.values() for name in rule.channels}
    named |= {name for rule in rules.values() for level in rule.escalate for name in level.channels}
    missing = sorted(named - set(settings.channels))
    findings = [Finding(True, f"{len(rules)} alert rules")]
    if missing and settings.channels:
        default = [name for name, channel in settings.channels.items() if channel.default]
        instead = f"{', '.join(default)} instead" if default else "nobody, as no channel is a default one"
        text = f"rules name the channels {', '.join(missing)}, which metrics.yaml does not have: they tell {instead}"
        findings.append(Finding(bool(default), text))
    return findings


def _database() -> Finding:
    try:
        url = database_url()
        exists = database_exists(url)
    except MetricsError as error:
        return Finding(False, str(error))
    later = "" if exists else ", which the first run will create"
    return Finding(True, f"database {url.render_as_string(hide_password=True)}{later}")


async def _github(settings: Settings) -> list[Finding]:
    if not settings.organizations and not any(entry.github for entry in settings.repositories):
        return []
    from metrics_assets.assets.shared import github_credentials

    try:
        url, credentials = configuration.github_api_url(), github_credentials(settings)
    except MetricsError as error:
        return [Finding(False, str(error))]
    findings = []
    for credential in credentials:
        findings += await _credential(url, credential)
    if not all(finding.good for finding in findings):
        return findings
    async with ApiClient(url, _HEADERS, credentials=credentials) as client:
        wanted = [
            *((f"organization {login}", f"/orgs/{login}/repos") for login in settings.organizations),
            *(
                (f"repository {entry.github}", f"/repos/{entry.github}")
                for entry in settings.repositories
                if entry.github
            ),
        ]
        for name, path in wanted:
            try:
                answer = await client.request(
                    "GET", path, resource="core", spent=Spent(), params={"per_page": 1}, tries=2
                )
                findings.append(Finding(True, f"{name}{_permission(answer.json)}"))
            except MetricsError as error:
                findings.append(Finding(False, f"{name}: {error}"))
    return findings


async def _credential(url: str, credential: Credential) -> list[Finding]:
    """What a token is good for, and how far its clock and ours agree."""
    async with ApiClient(url, _HEADERS, credentials=[credential]) as client:
        try:
            answer = await client.request("GET", "/rate_limit", resource="core", spent=Spent(), tries=2)
        except MetricsError as error:
            return [Finding(False, str(error))]
        findings = [_budget(url, credential.name, answer.json)]
        scopes = answer.headers.get("x-oauth-scopes")
        if scopes is not None and not set(_SCOPES) & {scope.strip() for scope in scopes.split(",")}:
            findings.append(
                Finding(
                    False,
                    f"{credential.name} has the scopes '{scopes}'; give it public_repo, or repo for private ones.",
                )
            )
        if abs(client.clock_offset) > _CLOCKS_MAY_DIFFER_SECONDS:
            minutes = round(client.clock_offset / 60)
            findings.append(
                Finding(
                    False,
                    f"this machine's clock is {abs(minutes)} minutes {'behind' if minutes > 0 else 'ahead of'} the "
                    "provider's; set it, or days are collected before they are over",
                )
            )
    return findings


def _permission(content: object) -> str:
    """What the token may not see of a repository, as the end of a sentence."""
    permissions = content.get("permissions") if isinstance(content, dict) else None
    if not isinstance(permissions, dict):
        return ""
    if not permissions.get("push"):
        return " (the token may not push: traffic and Dependabot alerts stay unknown)"
    return "" if permissions.get("admin") else " (the token is no administrator: Dependabot alerts stay unknown)"


def _budget(url: str, name: str, limits: object) -> Finding:
    try:
        resources = limits["resources"]  # type: ignore[index]
        left = {name: resources[name]["remaining"] for name in ("core", "graphql")}
    except (KeyError, TypeError):
        return Finding(True, f"GitHub at {url} answers {name}")
    return Finding(
        True, f"GitHub at {url}, {name}: {left['core']} requests and {left['graphql']} GraphQL points left this hour"
    )
