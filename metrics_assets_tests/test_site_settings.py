"""The key `site` of metrics.yaml: where the site is published, and no secrets in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from metrics_assets import settings as configuration
from metrics_assets.errors import ConfigurationError
from metrics_assets.settings import Site


def load(tmp_path: Path, site: dict[str, Any]) -> Site:
    path = tmp_path / "metrics.yaml"
    path.write_text(yaml.safe_dump({"repositories": [{"github": "acme/api"}], "site": site}))
    return configuration.load(path).site


@pytest.mark.parametrize("address", ["/srv/www/metrics", "public", "s3://bucket/metrics", "gs://bucket", "memory://x"])
def test_folders_and_storages(address: str, tmp_path: Path) -> None:
    options = {"endpoint_url": "http://127.0.0.1:9000", "s3_additional_kwargs": {"SSEKMSKeyId": "alias/site"}}
    site = load(tmp_path, {"publish_to": address, "publish_options": options})
    assert (site.publish_to, site.publish_options) == (address, options)


def test_without_the_key_nothing_is_published(tmp_path: Path) -> None:
    assert load(tmp_path, {}) == Site(publish_to=None, github_pages=None)


@pytest.mark.parametrize(
    "options",
    [
        {"key": "hunter2"},
        {"client_kwargs": {"aws_secret_access_key": "hunter2"}},
        {"sas_token": "hunter2"},
        {"connection_string": "hunter2"},
        {"endpoint_url": "https://ann:hunter2@host"},
        {"endpoint_url": "https://host/?sig=hunter2"},
        {"proxies": [{"password": "hunter2"}]},
    ],
)
def test_secrets_are_refused_and_not_repeated(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"site\.publish_options: the option ") as caught:
        load(tmp_path, {"publish_options": options})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["s3://ann:hunter2@bucket", "s3://bucket/x?sig=hunter2", "simplecache::s3://ann:hunter2@bucket"]
)
def test_addresses_with_secrets_are_refused_and_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"site\.publish_to: its value is not understood; write a folder"
    ) as caught:
        load(tmp_path, {"publish_to": address})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({}, r"site\.github_pages\.repository is missing"),
        ({"repository": "https://ann:hunter2@host/a/b.git"}, r"site\.github_pages\.repository: its value is not under"),
        ({"repository": "https://host/a/b.git", "branch": "-x"}, r"branch: '-x' is not understood; write a branch as"),
        ({"repository": "https://host/a/b.git", "branch": "a..b"}, r"branch: 'a\.\.b' is not understood; write a"),
        ({"repository": "https://host/a/b.git", "token_env": "ghp_hunter2!"}, r"token_env: its value is not underst"),
        ({"repository": "https://host/a/b.git", "token": "hunter2"}, r"site\.github_pages\.token is not a known key"),
    ],
)
def test_a_branch_that_is_served(pages: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        load(tmp_path, {"github_pages": pages})
    assert "hunter2" not in str(caught.value)
    good = load(tmp_path, {"github_pages": {"repository": "https://github.com/acme/site.git"}}).github_pages
    assert good is not None
    assert (good.branch, good.token_env, good.team_pages) == ("gh-pages", "GITHUB_TOKEN", False)
