"""What all assets have in common: partitions, resources, groups in the data's order, and how results are shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets import settings as configuration
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.settings import Settings
from metrics_assets.sources.github.app import AppInstallation
from metrics_assets.sources.github.client import GitHub
from metrics_assets.sources.governor import HourlyCap
from metrics_assets.sources.http import ApiClient, Credential, Token, Validator
from metrics_assets.warehouse.collection import Book, used_within_the_hour
from metrics_assets.warehouse.derived import table_columns
from metrics_assets.warehouse.engine import engine
from metrics_assets.warehouse.people import person_keys
from metrics_assets.warehouse.write import PersonKeys

# Groups are named so that their alphabetical order, which the UI uses, is the order of the data's way.
COLLECT, DERIVE, EVALUATE, FORECAST, NOTIFY, PUBLISH = (
    "collect",
    "derive",
    "evaluate",
    "forecast",
    "notify",
    "publish",
)
OWNERS = ["team:metrics"]
GITHUB_POOL = "github"
# What is predicted: environments other than production ship what production ships later.
PREDICTED = ("repository", "service", "package", "community", "segment", "team", "portfolio")

# GitHub's secondary limits per minute, with some room; 1 point per request for what we ask. It estimates CPU time
# by how long it takes to answer.
_PER_MINUTE = {"core": 850, "graphql": 1900}
_BUSY_SECONDS = {"graphql": 58.0}
# So more at once would only make each of them slower, and the minute's seconds be used up sooner.
_AT_ONCE = {"graphql": 2}


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The PostgreSQL of METRICS_DATABASE_URL, or the embedded one."""

    @property
    def engine(self) -> sa.Engine:
        return engine()

    def people(self, settings: Settings) -> PersonKeys:
        return person_keys(self.engine, configuration.metrics_home(), settings.bots)


class GitHubApi(dg.ConfigurableResource):  # type: ignore[type-arg]
    """GitHub at GITHUB_API_URL with the tokens of sources.github; they are read when a run needs them."""

    def connect(self, settings: Settings, engine: sa.Engine) -> GitHub:
        """A connection that keeps to all limits, what earlier runs used in this hour among them."""
        source, book = settings.sources.github, Book(engine, "", settings.start, settings.start)
        client = ApiClient(
            configuration.github_api_url(),
            {"User-Agent": "metrics_assets", "X-GitHub-Api-Version": "2022-11-28"},
            credentials=github_credentials(settings),
            share=source.share_of_budget,
            concurrency=source.concurrency,
            at_once=_AT_ONCE,
            per_minute=_PER_MINUTE,
            busy_seconds=_BUSY_SECONDS,
            cap=_cap(source.budget_per_hour, engine),
        )
        validators = book.validators(client.base_url)
        return GitHub(
            client,
            page_size=source.page_size,
            known=lambda url: Validator(*validators[url]) if url in validators else None,
        )


def github_credentials(settings: Settings) -> list[Credential]:
    """The tokens and the App of sources.github.

    Raises:
        ConfigurationError: none of the environment variables is set.
    """
    source = settings.sources.github
    app = [_app(source.app)] if source.app else []
    return [*app, *(Token(name, secret) for name, secret in configuration.github_tokens(settings).items())]


def _app(app: configuration.GitHubApp) -> AppInstallation:
    key = configuration.secret(app.private_key_env, "the private key of sources.github.app")
    return AppInstallation(configuration.github_api_url(), app.id, app.installation, key)


BUDGETS = {"light": 500, "moderate": 3000, "heavy": 4500}


def _cap(budget: int | str | None, engine: sa.Engine) -> HourlyCap | None:
    if budget is None:
        return None
    limit = budget if isinstance(budget, int) else BUDGETS[budget]
    used = used_within_the_hour(engine, "github")
    return HourlyCap(limit, deque([(time.time(), used)] if used else []))


@dataclass(frozen=True, slots=True)
class Shared:
    """What the asset modules need to build their assets."""

    settings: Settings
    partitions: dg.DailyPartitionsDefinition

    def arguments(self, group: str, kinds: set[str]) -> dict[str, Any]:
        """The arguments that every asset of a group has."""
        return {
            "group_name": group,
            "kinds": kinds,
            "owners": OWNERS,
            "partitions_def": self.partitions,
            "backfill_policy": dg.BackfillPolicy.single_run(),
        }

    def spec(self, table: str, group: str, kinds: set[str], description: str, deps: Sequence[str] = ()) -> dg.AssetSpec:
        """The spec of an asset that is the table 'schema.table'."""
        return dg.AssetSpec(
            key=key_of(table),
            deps=[key_of(name) for name in deps],
            description=description,
            group_name=group,
            kinds=kinds,
            owners=OWNERS,
            partitions_def=self.partitions,
            metadata=self.metadata(table),
            tags=table_tags(table),
        )

    def metadata(self, table: str) -> dict[str, Any]:
        """What the UI shows of a table, with links to the site's pages where it is published."""
        return table_metadata(table, self.settings.alerts.site_url)


def key_of(table: str) -> dg.AssetKey:
    """The asset key of a table: metrics.dora_daily is metrics/dora_daily."""
    return dg.AssetKey(table.split("."))


def table_metadata(table: str, site_url: str | None = None) -> dict[str, Any]:
    """What the UI shows of a table before it was ever filled: its name, its columns, and where more is said of it.

    Args:
        site_url: where the site is published; without it there are no links to its pages.
    """
    columns = table_columns()[table]
    meanings = _meanings(table)
    links = {
        f"site_{name}": dg.MetadataValue.url(f"{site_url.rstrip('/')}/{path}")
        for name, path in _PAGES.get(table, {}).items()
        if site_url
    }
    return {
        "dagster/table_name": table,
        "documented_in": dg.MetadataValue.md(_DOCUMENTED_IN.format(table=table)),
        **links,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    c.name,
                    c.type,
                    description=meanings.get(c.name) or _COMMON_COLUMNS.get(c.name),
                    constraints=dg.TableColumnConstraints(nullable=c.nullable),
                )
                for c in columns
            ]
        ),
    }


def table_tags(table: str) -> dict[str, str]:
    """Tags to select by: the schema, and whether rows hold people's keys (hashes, never names)."""
    names = {column.name for column in table_columns()[table]}
    people = any(name in _PEOPLE or name.endswith(("author_key", "actor_key", "person_key")) for name in names)
    return {"schema": table.split(".")[0], **({"holds": "person-keys"} if people else {})}


def _meanings(table: str) -> dict[str, str]:
    """By column what it means, as the catalogue has it; a column that several metrics share says nothing by itself."""
    found: dict[str, list[str]] = {}
    for metric in load_catalogue().metrics.values():
        if f"metrics.{metric.table}" != table:
            continue
        found.setdefault(metric.value_sql, []).append(f"{metric.title} ({metric.unit}): {metric.definition}")
        found.setdefault(f"{metric.value_sql}_p90", []).append(f"Nine in ten are no more: {metric.title}.")
        for column, said in ((metric.n, "On how many this stands"), (metric.low, "Lower"), (metric.high, "Upper")):
            if column:
                end = "" if column == metric.n else " end of the 95 % interval"
                found.setdefault(column, []).append(f"{said}{end}: {metric.title}.")
    return {
        column: said[0] if len(said) == 1 else " ".join(said)
        for column, said in found.items()
        if len(said) <= _MOST_MEANINGS
    }


# More metrics than this share a column that holds whatever a row's key says.
_MOST_MEANINGS = 3
_PEOPLE = frozenset({"merged_by_key"})
_DOCUMENTED_IN = (
    "`{table}`: definitions of the figures in `docs/metrics.md`, of what is collected in `docs/sources.md`, what to do "
    "about it in `docs/operating.md`."
)
_COMMON_COLUMNS = {
    "subject_kind": "What the row is about: repository, service, environment, team, package, community or portfolio.",
    "subject": "The name of what the row is about.",
    "repository": "The repository, as owner/name.",
    "repository_id": "The repository's number at its provider; it stays when the repository is renamed.",
    "chain": "The way to production that the row belongs to: one per repository, or per service of it.",
    "date": "The UTC day; of a window its last day.",
    "metric": "The key of the metric in the catalogue.",
    "value": "The value of the row's metric; null is unknown, never zero.",
    "n": "On how many things the value stands.",
    "state": "ok, provisional, too_few or unknown.",
    "reason": "Why a value is unknown, in a sentence.",
    "low": "Lower end of the 95 % interval.",
    "high": "Upper end of the 95 % interval.",
    "metric_state": "State of the metric's value: ok, provisional, too_few or unknown.",
    "goal": "The key of the goal in the catalogue.",
    "target": "The value to reach.",
    "comparison": "How the target is meant: at_least, at_most, above or below.",
    "due_on": "The day by which it is to be reached.",
    "starts_on": "The day from which the way to the target is counted.",
    "base": "The value on that day, or the one that the goal names.",
    "expected": "What was to be expected of the day.",
    "progress": "Share of the way from the base to the target.",
    "status": "met, on track, at risk, off track or unknown.",
    "score": "The key of the model, or the score itself where there is no such column as value.",
    "coverage": "Share of the model's weight that is known.",
    "components": "What each component contributed, as JSON.",
    "lower": "Lower bound of what is usual.",
    "upper": "Upper bound of what is usual.",
    "severity": "How serious it is.",
    "explanation": "What was unusual, in a sentence.",
    "known_event": "What happened then and may explain it.",
    "horizon": "Days ahead.",
    "target_on": "The day that is forecast.",
    "p10": "One in ten is expected to be less.",
    "p50": "As likely more as less.",
    "p90": "One in ten is expected to be more.",
    "method": "How it was made.",
    "beats_naive": "Whether such forecasts erred less than the last value of the same weekday lately.",
    "first_seen_at": "When the collector first saw the row.",
    "updated_at": "When the provider says that it last changed.",
}
# The pages of the site that show a table's figures.
_PAGES: dict[str, dict[str, str]] = {
    "metrics.dora_daily": {"delivery": addresses.DELIVERY},
    "metrics.durations_daily": {"delivery": addresses.DELIVERY},
    "metrics.deployments": {"delivery": addresses.DELIVERY},
    "metrics.changes": {"delivery": addresses.DELIVERY},
    "metrics.incidents": {"delivery": addresses.DELIVERY},
    "metrics.repository_daily": {"repositories": addresses.REPOSITORIES},
    "metrics.group_daily": {"overview": addresses.OVERVIEW},
    "metrics.community_daily": {"community": addresses.COMMUNITY},
    "metrics.contributor_daily": {"community": addresses.COMMUNITY},
    "metrics.discussion_daily": {"community": addresses.COMMUNITY},
    "metrics.issue_age_daily": {"community": addresses.COMMUNITY},
    "metrics.platform_daily": {"community": addresses.COMMUNITY},
    "metrics.package_daily": {"repositories": addresses.REPOSITORIES},
    "metrics.scores": {"overview": addresses.OVERVIEW},
    "metrics.goals_daily": {"goals": addresses.GOALS},
    "metrics.gate_evaluations": {"releases": addresses.RELEASES},
    "metrics.anomalies": {"alerts": addresses.ALERTS},
    "metrics.forecasts": {"forecasts": addresses.FORECASTS},
    "metrics.correlations": {"insights": addresses.INSIGHTS},
    "metrics.insights": {"insights": addresses.INSIGHTS},
    "ops.notifications": {"alerts": addresses.ALERTS},
    "ops.daily_status": {"data_quality": addresses.DATA_QUALITY},
    **{f"metrics.space_{name}": {"teams": addresses.TEAMS} for name in (
        "activity", "collaboration", "efficiency", "performance", "satisfaction",
    )},
}  # fmt: skip


def preview(connection: sa.Connection, sql: str, **parameters: Any) -> dg.MarkdownMetadataValue:
    """A few rows as a Markdown table. Never pass people's rows here."""
    rows = connection.execute(sa.text(sql), parameters)
    return markdown_table(list(rows.keys()), [tuple(row) for row in rows])


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """Rows as Markdown; vertical bars in texts would end a cell."""
    if not rows:
        return dg.MetadataValue.md("(no rows)")
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")[:300]
