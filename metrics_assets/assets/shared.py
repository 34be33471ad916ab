"""What all assets have in common: partitions, resources, groups in the data's order, and how results are shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets import addresses
from metrics_assets import settings as configuration
from metrics_assets.assets.columns import column_meanings
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
    meanings = column_meanings(table)
    return {
        "dagster/table_name": table,
        "documented_in": dg.MetadataValue.md(_DOCUMENTED_IN.format(table=table)),
        **page_links(_PAGES.get(table, {}), site_url),
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    c.name,
                    c.type,
                    description=meanings.get(c.name),
                    constraints=dg.TableColumnConstraints(nullable=c.nullable),
                )
                for c in columns
            ]
        ),
    }


def page_links(pages: Mapping[str, str], site_url: str | None) -> dict[str, Any]:
    """Links to pages of the site, by what they are about; none where the site is not published."""
    if not site_url:
        return {}
    return {f"site_{name}": dg.MetadataValue.url(f"{site_url.rstrip('/')}/{path}") for name, path in pages.items()}


def table_tags(table: str) -> dict[str, str]:
    """Tags to select by: the schema, and whether rows hold people's keys (hashes, never names)."""
    names = {column.name for column in table_columns()[table]}
    people = any(name in _PEOPLE or name.endswith(("author_key", "actor_key", "person_key")) for name in names)
    return {"schema": table.split(".")[0], **({"holds": "person-keys"} if people else {})}


_PEOPLE = frozenset({"merged_by_key"})
_DOCUMENTED_IN = (
    "`{table}`: definitions of the figures in `docs/metrics.md`, of what is collected in `docs/sources.md`; "
    "`docs/alerts.md`, `docs/reports.md`; what to do by hand in `docs/operating.md`."
)
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
    "ops.daily_status": {"overview": addresses.OVERVIEW, "data_quality": addresses.DATA_QUALITY},
    "ops.reports": {"reports": addresses.REPORTS},
    "raw.repositories": {"data_quality": addresses.DATA_QUALITY},
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
