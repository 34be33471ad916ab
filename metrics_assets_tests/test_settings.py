"""metrics.yaml: what is right is taken, and every mistake is one sentence that names file, key and remedy."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics_assets import settings as configuration
from metrics_assets.errors import ConfigurationError
from metrics_assets.paths import DEMO_CONFIG
from metrics_assets.settings import Settings, load

SECRET = "https://hooks.example.org/services/T000/B000/XyzSecretXyz"
REPOSITORY = "repositories: [{github: acme/api}]\n"


def loaded(tmp_path: Path, text: str | bytes) -> Settings:
    file = tmp_path / "metrics.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file)


def problem(tmp_path: Path, text: str | bytes) -> str:
    """The one sentence that a file's mistake is told with."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{tmp_path / 'metrics.yaml'}")
    assert said.endswith(".")
    assert not said.endswith("..")
    assert len(said) < 600
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.yaml"]  # nothing was written
    return said.removeprefix(f"{tmp_path / 'metrics.yaml'}")


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    found = loaded(tmp_path, REPOSITORY)
    assert found.repositories[0].github == "acme/api"
    assert found.start == date(2025, 1, 1)
    assert found.repositories[0].deployments.environment == "production"


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    text = """
portfolio: acme
start: 2025-01-01            # first day of history wanted
packs: [engineering, community, release-watch]
repositories:
  - github: acme/api
    team: platform
    deployments: {source: deployments, environment: production}
    incidents: {labels: [incident]}
    packages: [pypi:acme, "npm:@acme/client", crates:acme-core]
organizations: [acme-labs]
teams: {platform: [alice, bob, carol]}
sources: {github: {share_of_budget: 0.8}}
channels: {oncall: {url_env: ONCALL_URL}}
privacy: {minimum_group: 3, raw_retention_days: 90}
"""
    found = loaded(tmp_path, text)
    assert found.repositories[0].packages[1] == "npm:@acme/client"
    assert found.privacy.raw_retention_days == 90


def test_times_without_quotes_are_times(tmp_path: Path) -> None:
    hours = loaded(
        tmp_path, REPOSITORY + "business_hours: {opens: 09:00, closes: 17:30, country: DE-BY}"
    ).business_hours
    assert (hours.opens, hours.closes) == ("09:00", "17:30")


def test_paths_of_a_service_are_directories(tmp_path: Path) -> None:
    text = "repositories: [{github: acme/api, services: {web: {paths: [/apps/web/**, libs/ui/, tools/*]}}}]"
    assert loaded(tmp_path, text).repositories[0].services["web"].paths == ["apps/web", "libs/ui", "tools"]


def test_the_files_of_this_project_are_right() -> None:
    load(DEMO_CONFIG)
    example = Path(configuration.__file__).parents[1] / "metrics.example.yaml"
    if example.exists():
        load(example)


def test_a_byte_order_mark_and_merge_keys_do_no_harm(tmp_path: Path) -> None:
    text = (
        "repositories:\n  - &common {github: acme/api, team: core}\n  - {<<: *common, github: acme/web}\n"
        "teams: {core: [a, b]}\n"
    )
    found = loaded(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert [(one.github, one.team) for one in found.repositories] == [("acme/api", "core"), ("acme/web", "core")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REPOSITORY + "repositores: []", ": repositores is not a known key; remove it or use one of: affiliations,"),
        ("repositories: [{github: acme/api, enviroment: x}]",
         ": repositories[0].enviroment is not a known key; remove it or use one of: collect, deployments, git,"),
        ("repositories: [{github: acme/api, deployments: {env: x}}]",
         ": repositories[0].deployments.env is not a known key; remove it or use one of: environment, environments,"),
        (REPOSITORY + "channels: {oncall: {url: x}}\n", None),
        ("repositories: [{team: x}]", ": repositories[0]: names neither github nor git; write github"),
        ("repositories: acme/api", ": repositories is 'acme/api', but input should be a valid list; correct it."),
        ("repositories: [acme/api]", ": repositories[0] is 'acme/api', but input should be a valid dictionary"),
        (REPOSITORY + "channels: {tracker: {kind: github_issue}}", ": channels.tracker: has kind github_issue and no"),
        (REPOSITORY + "alerts: {quiet_hours: {days: [mon, tue, wed, thu, fri, sat, sun]}}",
         ": alerts.quiet_hours.days: names all seven days, so that nobody would ever be told; leave one out."),
        (REPOSITORY + "settle_days: many", ": settle_days is 'many', but input should be a valid integer"),
        (REPOSITORY + "settle_days: -1", ": settle_days is -1, but input should be greater than or equal to 0"),
        (REPOSITORY + "portfolio: ''", ": portfolio is '', but string should have at least 1 character"),
        (REPOSITORY + "portfolio: 5", ": portfolio is 5, but input should be a valid string"),
        (REPOSITORY + "packs: [marketing]", ": packs[0] is 'marketing'; use one of: 'engineering', 'community',"),
        ("repositories: [{github: acme}]", ": repositories[0].github: 'acme' is not understood; write 'owner/name'"),
        ("repositories: [{github: 'https://github.com/acme/api'}]", "is not understood; write 'owner/name'"),
        ("repositories: [{github: acme/..}]", ": repositories[0].github: 'acme/..' is not understood"),
        ("repositories: [{github: 'acme/api?x=1'}]", ": repositories[0].github: 'acme/api?x=1' is not understood"),
        ("repositories:\n  - github: |\n      acme/api\n", ": repositories[0].github: 'acme/api\\n' is not understood"),
        ("repositories: [{github: acme/api}, {github: ACME/API}]",
         ": repository ACME/API is listed twice; keep one of the entries."),
        ("repositories: []", ": names nothing to measure; list at least one repository or organization."),
        ("portfolio: x", ": names nothing to measure; list at least one repository or organization."),
        (REPOSITORY + REPOSITORY, " is not YAML: the key 'repositories' appears twice; keep one of them, line 2"),
        ("repositories: [{github: acme/api, github: acme/web}]", "the key 'github' appears twice; keep one of them"),
        (REPOSITORY + "start: 2025-02-01\nend: 2025-01-31",
         ": end 2025-01-31 is before start 2025-02-01; swap them or leave end out."),
        (REPOSITORY + "start: 2025-02-30", ": start: 2025-02-30 is not in the calendar; write a date as YYYY-MM-DD."),
        (REPOSITORY + "start: 2025-13-01", ": start: 2025-13-01 is not in the calendar; write a date as YYYY-MM-DD."),
        (REPOSITORY + "start: 20250101", ": start: 20250101 is not understood; write a date as YYYY-MM-DD."),
        (REPOSITORY + "start: 1735689600", ": start: 1735689600 is not understood; write a date as YYYY-MM-DD."),
        (REPOSITORY + "start: 01.02.2025", ": start: '01.02.2025' is not understood; write a date as YYYY-MM-DD."),
        (REPOSITORY + "start: true", ": start: True is not understood; write a date as YYYY-MM-DD."),
        (REPOSITORY + "start: 2999-01-01", ": start 2999-01-01 is in the future; write the first day"),
        (REPOSITORY + "start: 0001-01-01", ": start is 0001-01-01, but input should be greater than or equal to"),
        ("repositories: [{github: acme/api, team: sales}]\nteams: {core: [a]}",
         ": repository acme/api belongs to team 'sales', which teams does not define; add it there or use one of:"),
        (REPOSITORY + "teams: {core: alice}", ": teams.core is 'alice', but input should be a valid list"),
        (REPOSITORY + "sources: {github: {share_of_budget: 0}}", ": sources.github.share_of_budget is 0, but input"),
        (REPOSITORY + "sources: {github: {share_of_budget: .nan}}", ": sources.github.share_of_budget is nan, but"),
        (REPOSITORY + "privacy: {minimum_group: 1}", ": privacy.minimum_group is 1, but input should be greater than"),
        ("repositories: [{github: acme/api, incidents: {maximum_gap_hours: .inf}}]", "maximum_gap_hours is inf, but"),
        ("repositories: [{github: acme/api, incidents: {labels: []}}]", ": repositories[0].incidents.labels is []"),
        ("repositories: [{github: acme/api, collect: [stars]}]", "collect[0] is 'stars'; use one of"),
        ("repositories: [{github: acme/api, deployments: {release_tags: '('}}]", "'(' is not a regular expression"),
        ("repositories: [{github: acme/api, deployments: {workflow: '['}}]", "'[' is not a regular expression"),
        ("repositories: [{github: acme/api, deployments: {failure_signals: [bugs]}}]", "[0] is 'bugs'; use"),
        ("repositories: [{github: acme/api, services: {'web app': {}}}]", ": repositories[0].services.'web app'"),
        ("repositories: [{github: acme/api, services: {web: {paths: ['*.py']}}}]", "write a directory as apps/web"),
        ("repositories: [{github: acme/api, services: {web: {paths: [a/b/c/d]}}}]", "write a directory as apps/web"),
        ("repositories: [{github: acme/api, services: {web: {team: x}}}]\nteams: {core: [a]}",
         ": service web of acme/api belongs to team 'x', which teams does not define; add it there or"),
        (REPOSITORY + "space: {teams: [core]}", ": space.teams names 'core', which teams does not define; add its"),
        (REPOSITORY + "business_hours: {timezone: Mars/Base}", ".timezone: 'Mars/Base' is no time zone; write one as"),
        (REPOSITORY + "business_hours: {timezone: ../../etc/passwd}", "is no time zone; write one as Europe/Berlin"),
        (REPOSITORY + "business_hours: {opens: 18:00}", ": business_hours: opens 18:00 is not before closes 17:00;"),
        (REPOSITORY + "business_hours: {opens: 9}", None),
        (REPOSITORY + "business_hours: {closes: '25:00'}", ".closes: '25:00' is not understood; write a time as 09:00"),
        (REPOSITORY + "business_hours: {days: []}", ": business_hours.days is [], but list should have at least 1"),
        (REPOSITORY + "business_hours: {country: DE-XX}", ".country: 'DE-XX' is no country whose holidays are known"),
        (REPOSITORY + "service_levels: {issue_resolution_days: 0}", ".issue_resolution_days is 0, but input should be"),
        ("repositories: [{github: acme/api, packages: [acme]}]", ".packages[0]: 'acme' is not understood; write"),
        ("organizations: [acme/api]", ": organizations[0]: 'acme/api' is not understood; write the organization's"),
        ("a: [", " is not YAML: "),
        ("\tx: 1", " is not YAML: "),
        ("a: \x07", " is not YAML: "),
        ("", " must hold keys and values, not nothing; metrics.example.yaml shows the form."),
        ("- a\n- b", " must hold keys and values, not a list; "),
        ("just text", " must hold keys and values, not a text; "),
        ("5", " must hold keys and values, not int; "),
        (b"portfolio: \xff\xfe", " is not UTF-8 text (byte 11); save it as UTF-8."),
        ("a: !!python/object/apply:os.system [true]", " is not YAML: could not determine a constructor for the tag"),
        ("1: x\n" + REPOSITORY, None),
        ("? [a, b]\n: x\n" + REPOSITORY, " is not YAML: found unhashable key"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(text: str | bytes, said: str | None, tmp_path: Path) -> None:
    found = problem_of_one(tmp_path, text)
    if said is not None:
        assert said in found


def problem_of_one(tmp_path: Path, text: str | bytes) -> str:
    """As `problem`, where a file has two mistakes by nature the first of their sentences."""
    try:
        return problem(tmp_path, text)
    except AssertionError:
        with pytest.raises(ConfigurationError) as caught:
            loaded(tmp_path, text)
        first, second = str(caught.value).splitlines()
        assert first.startswith(str(tmp_path))
        assert second.startswith(str(tmp_path))
        return first


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, "repositories: [{github: acme}, {github: a/b, x: 1}]\nsettle_days: 99\n")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{tmp_path / 'metrics.yaml'}: ") and line.endswith(".") for line in lines)


@pytest.mark.parametrize(
    "channels",
    [
        f"{{oncall: {{url_env: '{SECRET}'}}}}",
        f"{{oncall: {{url_env: ['{SECRET}']}}}}",
        f"{{oncall: '{SECRET}'}}",
        f"['{SECRET}']",
        f"'{SECRET}'",
        f"{{oncall: {{url: '{SECRET}'}}}}",
        f"{{oncall: {{url_env: ONCALL, token: '{SECRET}'}}}}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(channels: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, f"{REPOSITORY}channels: {channels}\n")
    assert "channels" in str(caught.value)
    assert "XyzSecretXyz" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml does not exist; copy metrics\.example\.yaml"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        REPOSITORY + "settle_days: " + "9" * 5000,
        REPOSITORY + "settle_days: " + "9" * 4000,
        REPOSITORY + "portfolio: [" + "x, " * 50_000 + "]",
        REPOSITORY + "settle_days: " + "x" * 1_000_000,
        "[" * 3000,
        "repositories: " + "[" * 3000 + "]" * 3000,
        "repositories: [{github: '" + "a" * 1_000_000 + "'}]",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{new}: &{new} [{', '.join([f'*{chr(ord(new) - 1)}'] * 9)}]\n" for new in "bcdefghij")
        + "repositories: *j\n",
        "repositories: &r [*r]",
    ],
    ids=["digits", "fewer digits", "long list", "long text", "deep", "deep and closed", "long name", "bomb", "itself"],
)
def test_hostile_values_are_refused_in_few_words(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    assert len(str(caught.value).splitlines()) <= 21
    assert max(len(line) for line in str(caught.value).splitlines()) < 700


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted(Settings.model_fields)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(st.sampled_from(KEYS), plain, max_size=4))
def test_whatever_stands_in_the_file_it_is_settings_or_a_sentence(content: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=False), encoding="utf-8")
    said = ""
    try:
        load(file)
    except ConfigurationError as error:
        said = str(error)
    assert all(line.startswith(str(file)) and line.endswith(".") for line in said.splitlines())


def test_the_json_schema_covers_every_key() -> None:
    schema = Settings.model_json_schema()
    definitions = {"Settings": schema, **schema["$defs"]}

    def models(model: Any) -> list[Any]:
        found = [model]
        for field in model.model_fields.values():
            for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if hasattr(part, "model_fields"):
                    found += models(part)
        return found

    for model in models(Settings):
        described = definitions[model.__name__]
        assert set(described["properties"]) == {field.alias or name for name, field in model.model_fields.items()}
        assert described["additionalProperties"] is False
    assert {model.__name__ for model in models(Settings)} >= {
        "RepositorySettings",
        "Deployments",
        "Channel",
        "BusinessHours",
    }
    assert schema["properties"]["start"]["format"] == "date"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "https://api.github.com"),
        ("", "https://api.github.com"),
        ("https://github.example.com/api/v3/", "https://github.example.com/api/v3"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_address_of_the_api(url: str | None, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_API_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("GITHUB_API_URL", url)
    assert configuration.github_api_url() == expected


@pytest.mark.parametrize(
    "url",
    ["ghp_XyzSecretXyz", "https://me:XyzSecretXyz@github.example.com", "ftp://x", "https://x/?k=XyzSecretXyz", "//x"],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", url)
    with pytest.raises(ConfigurationError, match="set it to the API's base") as caught:
        configuration.github_api_url()
    assert "XyzSecretXyz" not in str(caught.value)


def test_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"repositories": [{"github": "acme/api"}]})
    monkeypatch.setenv("GITHUB_TOKEN", "  ")
    with pytest.raises(ConfigurationError, match="GITHUB_TOKEN is not set; create a token"):
        configuration.github_tokens(settings)
    monkeypatch.setenv("GITHUB_TOKEN", " abc\n")
    assert configuration.github_tokens(settings) == {"GITHUB_TOKEN": "abc"}


def test_where_the_file_and_the_home_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("METRICS_CONFIG", raising=False)
    monkeypatch.setenv("METRICS_HOME", str(tmp_path))
    assert configuration.config_path() == Path("metrics.yaml")
    assert configuration.metrics_home() == tmp_path
    monkeypatch.setenv("METRICS_CONFIG", os.fspath(tmp_path / "other.yaml"))
    assert configuration.config_path() == tmp_path / "other.yaml"
