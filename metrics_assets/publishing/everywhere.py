"""Publishing a finished build wherever metrics.yaml says."""

from __future__ import annotations

import os
import time
from pathlib import Path

from metrics_assets.publishing.errors import PublishingError, Wait
from metrics_assets.publishing.git_pages import publish_to_branch
from metrics_assets.publishing.storage import Published, publish_to
from metrics_assets.settings import Site

TEAM_PAGES = ("team/",)  # they are linked from nowhere, but a repository lists its files


def has_targets(site: Site) -> bool:
    return bool(site.publish_to or site.github_pages)


def publish_everywhere(
    build: Path, site: Site, *, beside: Path, home: Path, wait: Wait = time.sleep
) -> tuple[list[Published], list[PublishingError]]:
    """Publish a build to each target; one that fails does not keep the others from it.

    Args:
        build: the folder of the build.
        beside: the folder of metrics.yaml.
        home: METRICS_HOME.

    Returns:
        What was published, and what could not be.
    """
    done: list[Published] = []
    failed: list[PublishingError] = []
    if site.publish_to:
        try:
            done.append(publish_to(build, site.publish_to, site.publish_options, beside, wait=wait))
        except PublishingError as error:
            failed.append(error)
    if (pages := site.github_pages) is not None:
        try:
            done.append(
                publish_to_branch(
                    build,
                    pages.repository,
                    pages.branch,
                    home / "publishing",
                    token=(os.environ.get(pages.token_env) or "").strip() or None,
                    without=() if pages.team_pages else TEAM_PAGES,
                    wait=wait,
                )
            )
        except PublishingError as error:
            failed.append(error)
    return done, failed
