"""The command `metrics`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from metrics_assets import settings as configuration
from metrics_assets.alert_commands import alerts, status
from metrics_assets.errors import MetricsError
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.report_commands import report
from metrics_assets.site_commands import site

if TYPE_CHECKING:
    from metrics_assets.demo.server import DemoServer

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Engineering and community metrics as assets on Dagster and PostgreSQL."""


commands.add_command(alerts)
commands.add_command(status)
commands.add_command(report)
commands.add_command(site)


@commands.command()
@click.option("--from", "first", type=_DAY, help="First day (UTC); the default is `start` of metrics.yaml.")
@click.option("--to", "last", type=_DAY, help="Last day (UTC); the default is `end` of metrics.yaml, or yesterday.")
@click.option("--select", help="Only these assets, in Dagster's selection syntax, for example group:derive.")
@click.option(
    "--recollect", is_flag=True, help="Ask for everything of the days again, also where nothing seems to have changed."
)
def run(first: datetime | None, last: datetime | None, select: str | None, recollect: bool) -> None:
    """Run the main job on metrics.yaml, then check the thresholds and deliver alerts."""
    from metrics_assets.alerting.channels import check_all

    settings = configuration.load()
    configuration.github_tokens(settings)
    configuration.github_api_url()
    check_all(settings.channels)
    _run(settings, first.date() if first else None, last.date() if last else None, select, recollect)


@commands.command()
def demo() -> None:
    """Run the main job on the sample organisation: nothing to install, no token, ends by itself."""
    with _sample_organisation() as server:
        _run(configuration.load())
        for alert in server.received:
            click.echo(f"  the webhook received: {alert['title']}. {alert['text']}")


@commands.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI on 127.0.0.1.")
@click.option("--open", "open_browser", is_flag=True, help="Open the UI in a browser.")
def up(port: int, open_browser: bool) -> None:
    """Open the Dagster UI (web server and daemon) on the same database; Ctrl-C ends it.

    Without a metrics.yaml it shows the sample organisation of `metrics demo`, whose server runs along.
    """
    from metrics_assets.serving import serve

    if configuration.config_path().exists():
        configuration.load()
        serve(port, open_browser)
    else:
        click.echo(f"{configuration.config_path()} does not exist: showing the sample organisation of `metrics demo`.")
        with _sample_organisation():
            serve(port, open_browser)


@commands.command()
def check() -> None:
    """Say what is wrong with the configuration, the database or the token, and how to mend it."""
    from metrics_assets.checking import check_everything

    findings = check_everything()
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.text}")
    if not all(finding.good for finding in findings):
        sys.exit(2)


@commands.command()
def feed() -> None:
    """Read the fed files (the folder `feeds` beside metrics.yaml) now, and say what could not be taken."""
    from metrics_assets.assets.feeds import feeder, sentences
    from metrics_assets.warehouse.engine import engine
    from metrics_assets.warehouse.people import person_keys

    settings = configuration.load()
    people = person_keys(engine(), configuration.metrics_home(), settings.bots)
    reading = feeder(settings, engine(), people)
    files, remarks = reading.feed()
    for file in files:
        for line in sentences(file):
            click.echo(line)
        for row in file.rejected:
            click.echo(f"  line {row.line}: {row.problem}", err=True)
        if file.rejected_count > len(file.rejected):
            click.echo(f"  and {file.rejected_count - len(file.rejected)} rows more", err=True)
    for remark in remarks:
        click.echo(remark)
    if not files:
        click.echo(f"Nothing is fed: {reading.folder} holds none of the files that docs/feeds.md describes.")
    if any(file.rejected_count for file in files):
        sys.exit(1)
    if files:
        click.echo("Figures follow with the next run; the sensor `feeds` asks for one, or run: metrics run")


@commands.command("db-url")
def db_url() -> None:
    """Print the warehouse's URL for psql and other tools; an embedded server is started and kept while in use."""
    from metrics_assets.environment import use_demo_without_config
    from metrics_assets.warehouse.engine import database_url, engine

    if not os.environ.get("METRICS_DATABASE_URL"):
        use_demo_without_config()
    engine()
    click.echo(_plain(database_url().render_as_string(hide_password=False)))


@commands.command()
def catalogue() -> None:
    """Print the page of all metrics, goals, alert rules, gates and scores (Markdown), your own among them."""
    from metrics_assets.reporting.metrics_page import metrics_page

    click.echo(metrics_page(), nl=False)


@commands.command()
def schema() -> None:
    """Print the JSON Schema of metrics.yaml, for editors."""
    click.echo(json.dumps(configuration.Settings.model_json_schema(), indent=2))


def main() -> None:
    """Entry point: an error that a person can mend is a sentence and exit code 2, never a traceback."""
    try:
        commands.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except MetricsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def _run(
    settings: configuration.Settings,
    first: date | None = None,
    last: date | None = None,
    select: str | None = None,
    recollect: bool = False,
) -> None:
    from metrics_assets import running
    from metrics_assets.environment import prepare, site_index

    began = time.monotonic()
    days = running.default_range(settings, datetime.now(UTC).date(), first, last)
    warehouse = prepare()
    from dagster import DagsterInstance

    from metrics_assets.definitions import build

    # Dagster's own lines are in its UI; here are ours.
    logging.getLogger("dagster").setLevel(logging.WARNING)
    click.echo(f"{settings.portfolio}: {days[0]} to {days[1]}", err=True)
    with DagsterInstance.get() as instance:
        outcome = running.run_main_job(build(settings), instance, *days, select, recollect=recollect)
    for alert in outcome.alerts:
        click.echo(f"  alert delivered: {alert}")
    for problem in (
        *(f"step {step} failed" for step in outcome.failed_steps),
        *(f"check failed: {check}" for check in outcome.failed_checks),
        *(f"warning: {check}" for check in outcome.warnings),
        *outcome.unevaluated,
        *(f"not delivered: {alert}" for alert in outcome.undelivered),
    ):
        click.echo(f"  {problem}", err=True)
    index = site_index(configuration.metrics_home())
    click.echo(f"{'Done' if outcome.all_good else 'NOT all done'} in {time.monotonic() - began:.0f} s.")
    if index.exists():
        click.echo(f"  site       {index}")
    click.echo(f"  database   {_plain(warehouse.render_as_string(hide_password=True))}")
    click.echo(f"  Dagster    make up, or metrics up; this was run {outcome.run_id[:8]}")
    if not outcome.all_good:
        sys.exit(1)


def _plain(url: str) -> str:
    """A URL as psql wants it, without SQLAlchemy's driver."""
    return url.replace("postgresql+psycopg2://", "postgresql://")


@contextlib.contextmanager
def _sample_organisation() -> Iterator[DemoServer]:
    """The sample organisation's server, and an environment that points at it. Nothing of the user's is touched."""
    from metrics_assets.demo.organisation import sample_organisation
    from metrics_assets.demo.server import DemoServer
    from metrics_assets.environment import demo_home

    os.environ["METRICS_HOME"] = str(demo_home())
    os.environ["METRICS_CONFIG"] = str(DEMO_CONFIG)
    # The demo is for looking: it has its own embedded database and leaves one of the user's alone.
    os.environ.pop("METRICS_DATABASE_URL", None)
    os.environ.pop("DAGSTER_DATABASE_URL", None)
    with DemoServer(sample_organisation()) as server:
        os.environ["GITHUB_API_URL"] = server.url
        os.environ["GITHUB_TOKEN"] = "sample"
        os.environ["METRICS_DEMO_WEBHOOK"] = f"{server.url}/webhook"
        yield server


if __name__ == "__main__":
    main()
