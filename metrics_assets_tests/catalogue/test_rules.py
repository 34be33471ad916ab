"""Alert rules: what an entry may say, what is wrong with it, and how metrics.yaml changes the rules that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrics_assets.catalogue.alerts import Rule, ThresholdRule, active_rules, load_rules, read_rules
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.errors import CatalogueError, ConfigurationError
from metrics_assets.settings import load

HEAD = "key: r, title: T, severity: warning, action: Do it."
CHANGE = f"{{{HEAD}, kind: change, metric: commits"
THRESHOLD = f"{{{HEAD}, kind: threshold, metric: commits"


def read(folder: Path, *entries: str, name: str = "rules.yaml") -> dict[str, Rule]:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text("rules:\n" + "".join(f"  - {entry}\n" for entry in entries))
    return read_rules([file], load_catalogue(), own=folder / "none")


def test_every_kind_can_be_read(tmp_path: Path) -> None:
    kinds = {
        "kind: threshold, metric: commits, at_least: 5": "threshold",
        "kind: change, metric: commits, days: 7, drop: 0.5": "change",
        "kind: multiple, metric: commits, baseline: issues_opened, lag_days: 0, factor: 2": "multiple",
        "kind: milestone, metric: stars_total, milestones: [100]": "milestone",
        "kind: anomaly": "anomaly",
        "kind: missing, metric: commits, days: 3": "missing",
        "kind: pipeline, condition: run_failed": "pipeline",
    }
    for text, kind in kinds.items():
        assert read(tmp_path, f"{{{HEAD}, {text}}}")["r"].kind == kind


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (CHANGE + ", days: 7, drop: 1.5}", "drop 1.5 is more than everything; write a share of 1, as 0.5"),
        (CHANGE + ", days: 0, drop: 0.5}", "rules.yaml, rule r: change.days"),
        (CHANGE + ", days: 7}", "must have either drop or rise"),
        (CHANGE + ", days: 7, drop: 0.5, rise: 1}", "must have either drop or rise"),
        (CHANGE.replace("commits", "comits") + ", days: 7, drop: 0.5}", "no metric 'comits'; did you mean 'commits'?"),
        (THRESHOLD + "}", "must have one of above, below, at_least and at_most"),
        (THRESHOLD + ", above: 1, below: 3}", "must have one of above, below, at_least and at_most"),
        (THRESHOLD + ", above: 5, clear_at: 6}", "clear_at 6 lies beyond the limit 5; it must lie before it"),
        (THRESHOLD + ", below: 5, clear_at: 4}", "clear_at 4 lies beyond the limit 5; it must lie before it"),
        (THRESHOLD + ", above: 5, days: 3}", "threshold.days: Extra inputs are not permitted"),
        (f"{{{HEAD}, kind: guess}}", "rule r: entry: Input tag 'guess'"),
        (f"{{{HEAD}, kind: anomaly, metric_keys: [comits]}}", "no metric 'comits'"),
        (f"{{{HEAD}, kind: anomaly, requirements: [S9-1]}}", "'S9-1' is no id of a requirement"),
        (f"{{{HEAD}, kind: anomaly, channels: ['a b']}}", "'a b' is not understood"),
        (f"{{{HEAD}, kind: anomaly, tell_at: 9 o'clock}}", "is not understood; write a time as 09:00"),
        (f"{{{HEAD}, kind: anomaly, tell_on: [monday]}}", "anomaly.tell_on.0"),
        (f"{{{HEAD}, kind: anomaly, escalate: [{{after_minutes: 0}}]}}", "anomaly.escalate.0.after_minutes"),
        ("text", "rules.yaml, rule 1: "),
    ],
)
def test_wrong_rules_are_named(entry: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, entry)
    assert said in str(caught.value)


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="the key stands twice"):
        read(tmp_path, f"{{{HEAD}, kind: anomaly}}", f"{{{HEAD}, kind: anomaly}}")


def test_a_rule_of_the_users_own_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    own = tmp_path / "catalogue"
    own.mkdir()
    (tmp_path / "built_in.yaml").write_text(f"rules:\n  - {{{HEAD}, kind: anomaly}}\n")
    (own / "mine.yaml").write_text(f"rules:\n  - {THRESHOLD}, above: 7}}\n")
    rules = read_rules([tmp_path / "built_in.yaml", own / "mine.yaml"], load_catalogue(), own=own)
    assert [rule.kind for rule in rules.values()] == ["threshold"]


def test_rules_of_a_pack_count_where_it_is_on() -> None:
    without, with_it = active_rules([]), active_rules(["release-watch"])
    assert {rule.pack for rule in without.values()} == {None}
    assert {rule.pack for rule in with_it.values()} == {None, "release-watch"}
    assert with_it.keys() - without.keys() == {
        rule.key for rule in load_rules().values() if rule.pack == "release-watch"
    }


def changed(key: str, **change: Any) -> Rule | None:
    return active_rules([], {key: change}).get(key)


def test_metrics_yaml_changes_a_rule() -> None:
    rule = changed("change_failure_rate_high", above=0.3, channels=["team"], escalate=[])
    assert isinstance(rule, ThresholdRule)
    assert (rule.above, rule.clear_at, rule.channels, rule.escalate) == (0.3, 0.2, ("team",), ())
    assert rule.action == load_rules()["change_failure_rate_high"].action
    assert changed("change_failure_rate_high", off=True) is None
    assert changed("change_failure_rate_high", off=False) == load_rules()["change_failure_rate_high"]


def test_a_change_switches_on_a_rule_of_a_pack_that_is_off() -> None:
    rule = changed("crash_spike", severity="warning")
    assert rule is not None
    assert (rule.pack, rule.severity) == ("release-watch", "warning")


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("crash_spkie", {"off": True}, "alerts.rules.crash_spkie: there is no rule 'crash_spkie'"),
        ("crash_spike", {"abov": 3}, "alerts.rules.crash_spike: abov: Extra inputs are not permitted"),
        ("crash_spike", {"severity": "loud"}, "alerts.rules.crash_spike: severity: Input should be"),
        ("change_failure_rate_high", {"above": 0.1}, "clear_at 0.2 lies beyond the limit 0.1"),
    ],
)
def test_wrong_changes_are_named(key: str, change: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        active_rules([], {key: change})
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["{off: true}", "{'off': true}", "off", "{off: yes}"])
def test_off_is_a_word_though_yaml_reads_it_as_false(text: str, tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(f"repositories: [{{github: acme/api}}]\nalerts: {{rules: {{run_failed: {text}}}}}\n")
    settings = load(file)
    assert settings.alerts.rules == {"run_failed": {"off": True}}
    assert "run_failed" not in active_rules(settings.packs, settings.alerts.rules)


def test_what_is_no_change_is_named(tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text("repositories: [{github: acme/api}]\nalerts: {rules: {run_failed: sometimes}}\n")
    with pytest.raises(ConfigurationError, match=r"alerts\.rules\.run_failed is 'sometimes'"):
        load(file)
