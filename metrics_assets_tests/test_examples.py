"""What people copy can be copied: metrics.example.yaml with all of its examples, and those of docs/alerts.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metrics_assets.catalogue.alerts import active_rules, load_rules, read_rules
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.settings import Settings, load

CHECKOUT = Path(__file__).parents[1]
MANUAL = (CHECKOUT / "docs" / "alerts.md").read_text(encoding="utf-8")


@pytest.fixture
def example(tmp_path: Path) -> Settings:
    """The example with every line that stands behind a '#' without a space."""
    text = (CHECKOUT / "metrics.example.yaml").read_text(encoding="utf-8")
    file = tmp_path / "metrics.yaml"
    file.write_text(re.sub(r"^(\s*)#(?=\S)", r"\1", text, flags=re.M))
    return load(file)


def test_every_line_of_the_example_is_valid(example: Settings) -> None:
    assert {channel.kind for channel in example.channels.values()} == {
        "webhook", "slack", "email", "discord", "apprise", "pagerduty", "github_issue"
    }  # fmt: skip
    assert example.alerts.quiet_hours is not None
    assert example.alerts.quiet_hours.opens == "20:00"


def test_the_examples_rules_can_be_changed_so(example: Settings) -> None:
    rules = active_rules(example.packs, example.alerts.rules)
    changed = {key: rules.get(key) for key in example.alerts.rules}
    assert changed.pop("growth_slow") is None
    for key, rule in changed.items():
        assert rule is not None
        assert rule != load_rules()[key]
        told = {*rule.channels, *(name for one in rule.escalate for name in one.channels)}
        assert key != "change_failure_rate_high" or told <= set(example.channels)


def test_the_examples_channels_are_named_as_rules_name_them(example: Settings) -> None:
    rules = active_rules(["community", "engineering", "release-watch"])
    named = {name for rule in rules.values() for name in rule.channels}
    assert set(example.channels) - named == {"oncall", "tracker"}


def blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", MANUAL, flags=re.M | re.S)


def test_what_the_manual_writes_into_metrics_yaml_is_valid(tmp_path: Path) -> None:
    files = [block for block in blocks() if not block.startswith("rules:")]
    assert len(files) >= 3
    for number, block in enumerate(files):
        file = tmp_path / f"{number}.yaml"
        file.write_text("repositories: [{github: acme/api}]\n" + block)
        settings = load(file)
        active_rules(settings.packs, settings.alerts.rules)


def test_the_manuals_own_rule_can_be_read(tmp_path: Path) -> None:
    (block,) = [block for block in blocks() if block.startswith("rules:")]
    (tmp_path / "mine.yaml").write_text(block)
    (rule,) = read_rules([tmp_path / "mine.yaml"], load_catalogue(), own=tmp_path).values()
    assert rule.escalate[0].channels == ("email-maintainers",)


def test_the_manual_names_rules_that_there_are() -> None:
    keys = set(re.findall(r"^    (\w+): \{", MANUAL, flags=re.M)) | set(re.findall(r"rule `(\w+)`", MANUAL))
    assert len(keys) >= 4
    assert keys <= set(load_rules())
