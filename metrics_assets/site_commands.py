"""The commands `metrics site ...`."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metrics_assets import settings as configuration
from metrics_assets.errors import ConfigurationError, MetricsError
from metrics_assets.settings import Settings

if TYPE_CHECKING:
    from metrics_assets.assets.site.reading import Reading

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def site() -> None:
    """Build the dashboard site, look at it, publish it."""


@site.command()
@click.option("--day", type=_DAY, help="As of the end of this day (UTC); the default is the newest with figures.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Another folder than METRICS_HOME/site; the pages are in `current` in it.",
)
def build(day: datetime | None, folder: Path | None) -> None:
    """Build all pages from the figures that are there; nothing is collected and nothing published."""
    from metrics_assets.assets.site.asset import site_folder
    from metrics_assets.assets.site.building import build_site

    reading = _reading(_settings(), day.date() if day else None)
    root = folder.resolve() if folder else site_folder()
    try:
        built = build_site(reading, root)
    except OSError as error:
        raise MetricsError(
            f"The site was not built in {root} ({error.strerror or error}); the one that is there stays as it was. "
            "Mend the folder, or name another one with --to."
        ) from error
    made = built.build
    click.echo(
        f"{made.pages} pages as of {reading.day}, {made.files} files, {made.bytes / 1e6:.1f} MB in "
        f"{built.seconds:.1f} s: {made.index}"
    )
    wrong = [finding for finding in built.findings if finding.count]
    for finding in wrong:
        click.echo(finding.sentence, err=True)
    if wrong:
        sys.exit(1)


@site.command()
@click.option("--port", default=3002, show_default=True, help="Port of the pages on 127.0.0.1.")
def serve(port: int) -> None:
    """Serve the site for a look on this machine; it follows new builds. Ctrl-C ends it."""
    import uvicorn

    from metrics_assets.assets.site.asset import site_folder
    from metrics_assets.publishing.local_server import site_app

    _settings()
    if not (site_folder() / "current").exists():
        raise ConfigurationError("There is no site yet; run `metrics run` or `metrics site build` first.")
    click.echo(f"The site is at http://127.0.0.1:{port}; Ctrl-C ends it.")
    # The address of a team's page is for the team: none of them goes into a log.
    uvicorn.run(site_app(site_folder()), host="127.0.0.1", port=port, access_log=False, log_level="warning")


@site.command()
def publish() -> None:
    """Publish the site that was built last where `site` of metrics.yaml says."""
    from metrics_assets.assets.site.asset import publish_current, site_folder
    from metrics_assets.publishing.everywhere import has_targets

    settings = _settings()
    if not has_targets(settings.site):
        raise ConfigurationError(
            "metrics.yaml does not say where to publish; write site.publish_to (a folder, or an address as "
            "s3://bucket/folder) or site.github_pages."
        )
    if not (site_folder() / "current").exists():
        raise ConfigurationError("There is no site yet; run `metrics run` or `metrics site build` first.")
    done, failed = publish_current(settings)
    for sentence in done:
        click.echo(sentence)
    if failed:
        raise MetricsError("\n".join(failed))


@site.command()
def teams() -> None:
    """Print the address of each team's own page. Send each team its own: no other page links to it."""
    from metrics_assets.assets.site.asset import site_folder
    from metrics_assets.assets.site.teams import team_pages

    settings = _settings()
    pages = team_pages(_reading(settings, None))
    if not pages:
        raise ConfigurationError("No team has opted in; list those that did under space.teams in metrics.yaml.")
    address = settings.alerts.site_url or str(site_folder() / "current")
    for team, path in pages.items():
        click.echo(f"{team}: {address}/{path}")


def _settings() -> Settings:
    """The settings; without a metrics.yaml those of `metrics demo`."""
    from metrics_assets.environment import use_demo_without_config

    use_demo_without_config()
    return configuration.load()


def _reading(settings: Settings, day: date | None) -> Reading:
    from metrics_assets.assets.alerts import newest_day
    from metrics_assets.assets.site.reading import reading_of
    from metrics_assets.warehouse.engine import engine

    newest = newest_day(engine())
    if newest is None:
        raise ConfigurationError("There are no figures yet; run: metrics run")
    if day is not None and day > newest:
        raise ConfigurationError(f"--day {day}: figures go to {newest}; write that day or an earlier one.")
    return reading_of(engine(), settings, day or newest)
