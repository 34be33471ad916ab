"""Alert rules as people write them: what is wrong with one is said in a sentence that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from metrics_assets.catalogue.alerts import (
    AnomalyRule,
    ChangeRule,
    MilestoneRule,
    MissingRule,
    MultipleRule,
    PipelineRule,
    Rule,
    ThresholdRule,
    active_rules,
    load_rules,
    read_rules,
)
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.errors import CatalogueError

HEAD = {"key": "r", "title": "R", "severity": "warning", "action": "Look."}
KINDS: dict[str, dict[str, Any]] = {
    "threshold": {"metric": "change_failure_rate", "above": 0.2},
    "change": {"metric": "deployments_succeeded", "days": 7, "drop": 0.5},
    "multiple": {"metric": "lead_time_hours_week", "baseline": "lead_time_hours", "lag_days": 7, "factor": 3},
    "milestone": {"metric": "stars_total", "milestones": [100]},
    "anomaly": {},
    "missing": {"metric": "downloads", "days": 7},
    "pipeline": {"condition": "run_failed"},
}


def read(tmp_path: Path, *entries: dict[str, Any], name: str = "some.yaml") -> dict[str, Rule]:
    path = tmp_path / name
    path.write_text(yaml.safe_dump({"rules": list(entries)}))
    return read_rules([path], load_catalogue(), own=tmp_path / "own")


def entry(of: str, **changes: Any) -> dict[str, Any]:
    """A rule of a kind, with changes; what is ... is left out."""
    return {key: value for key, value in {**HEAD, "kind": of, **KINDS[of], **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("threshold", ThresholdRule),
        ("change", ChangeRule),
        ("multiple", MultipleRule),
        ("milestone", MilestoneRule),
        ("anomaly", AnomalyRule),
        ("missing", MissingRule),
        ("pipeline", PipelineRule),
    ],
)
def test_every_kind_is_read(tmp_path: Path, kind: str, model: type[Any]) -> None:
    rule = read(tmp_path, entry(kind))["r"]
    assert isinstance(rule, model)
    assert (rule.for_days, rule.clear_days, rule.escalate, rule.pack) == (1, 1, (), None)


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("threshold", {"above": ...}, "must have one of above, below, at_least and at_most"),
        ("threshold", {"below": 0.1}, "must have one of above, below, at_least and at_most"),
        ("threshold", {"clear_at": 0.3}, "clear_at 0.3 lies beyond the limit 0.2; it must lie before it"),
        ("threshold", {"above": ..., "below": 5, "clear_at": 4}, "clear_at 4 lies beyond the limit 5"),
        ("threshold", {"metric": "change_failure_rat"}, "did you mean 'change_failure_rate'"),
        ("threshold", {"minimum_n": 0}, "minimum_n: Input should be greater than or equal to 1"),
        ("threshold", {"limit": 3}, "limit: Extra inputs are not permitted"),
        ("change", {"drop": ...}, "must have either drop or rise"),
        ("change", {"rise": 0.5}, "must have either drop or rise"),
        ("change", {"drop": 50}, "drop 50 is more than everything; write a share of 1, as 0.5"),
        ("change", {"days": 0}, "days: Input should be greater than or equal to 1"),
        ("change", {"clear_share": 0}, "clear_share: Input should be greater than 0"),
        ("multiple", {"factor": 1}, "factor: Input should be greater than 1"),
        ("multiple", {"baseline": "nothing_like_it"}, "there is no metric 'nothing_like_it'"),
        ("milestone", {"milestones": []}, "milestones: Tuple should have at least 1 item"),
        ("anomaly", {"metric_keys": ["stars_neww"]}, "did you mean 'stars_new'"),
        ("anomaly", {"anomalies": ["bump"]}, "anomalies.0: Input should be"),
        ("missing", {"days": ...}, "days: Field required"),
        ("pipeline", {"condition": "on_fire"}, "condition: Input should be"),
        ("pipeline", {"share": 1.5}, "share: Input should be less than or equal to 1"),
        ("anomaly", {"severity": "bad"}, "severity: Input should be"),
        ("anomaly", {"key": "Not A Key"}, "key: String should match pattern"),
        ("anomaly", {"action": ""}, "action: String should have at least 1 character"),
        ("anomaly", {"for_days": 91}, "for_days: Input should be less than or equal to 90"),
        ("anomaly", {"escalate": [{"after_minutes": 0}]}, "escalate.0.after_minutes: Input should be greater than"),
        ("anomaly", {"channels": ["not a name"]}, "write letters, digits, - and _, for example team-chat"),
        ("anomaly", {"subject_kinds": ["person"]}, "subject_kinds.0: Input should be"),
        ("anomaly", {"tell_at": "25:00"}, "write a time as 09:00 or 17:30"),
        ("anomaly", {"tell_on": ["someday"]}, "tell_on.0: Input should be"),
        ("anomaly", {"requirements": ["S9-1"]}, "'S9-1' is no id of a requirement"),
        ("anomaly", {"kind": "hunch"}, "Input tag 'hunch'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, kind: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogueError) as error:
        read(tmp_path, entry(kind, **changes))
    assert "some.yaml, rule" in str(error.value)
    assert said in str(error.value)


def test_a_key_stands_once(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"some\.yaml, rule r: the key stands twice; keep one entry\."):
        read(tmp_path, entry("anomaly"), entry("pipeline"))


def test_rules_are_no_list(tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text("rules: none\n")
    with pytest.raises(CatalogueError, match="it must have a list under 'rules'"):
        read_rules([tmp_path / "some.yaml"], load_catalogue())


@pytest.mark.parametrize(
    ("given", "limit", "upwards", "strict"),
    [
        ({"above": 2}, 2, True, True),
        ({"at_least": 0}, 0, True, False),
        ({"below": 3}, 3, False, True),
        ({"at_most": 4}, 4, False, False),
    ],
)
def test_the_limit_of_a_threshold(given: dict[str, float], limit: float, upwards: bool, strict: bool) -> None:
    rule = ThresholdRule(kind="threshold", metric="m", **HEAD, **given)
    assert (rule.limit, rule.upwards, rule.strict) == (limit, upwards, strict)


def test_a_rule_cannot_be_changed() -> None:
    rule = ThresholdRule(kind="threshold", metric="m", above=1, **HEAD)
    with pytest.raises(ValidationError):
        rule.above = 2  # type: ignore[misc]


def test_metrics_yaml_switches_rules_off_and_changes_them(tmp_path: Path) -> None:
    rules = read(tmp_path, entry("threshold"), entry("anomaly", key="odd"))
    assert list(active_rules((), {"r": {"off": True}}, rules)) == ["odd"]
    changed = active_rules((), {"r": {"above": 0.5, "channels": ["team"], "severity": "critical"}}, rules)["r"]
    assert isinstance(changed, ThresholdRule)
    assert (changed.above, changed.channels, changed.severity, changed.title) == (0.5, ("team",), "critical", "R")
    assert rules["r"] != changed


def test_a_wrong_change_is_said(tmp_path: Path) -> None:
    rules = read(tmp_path, entry("threshold"))
    for change, said in (
        ({"nothing": {"off": True}}, "metrics.yaml, alerts.rules.nothing: there is no rule 'nothing'"),
        ({"r": {"above": "much"}}, "metrics.yaml, alerts.rules.r: above: Input should be a valid number"),
        ({"r": {"below": 1}}, "metrics.yaml, alerts.rules.r: .*must have one of above, below, at_least and at_most"),
        ({"r": {"kind": "anomaly"}}, "metrics.yaml, alerts.rules.r: "),
    ):
        with pytest.raises(CatalogueError, match=said):
            active_rules((), change, rules)


def test_rules_of_a_pack_count_where_it_is_on_or_where_they_are_changed(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    rules = read(tmp_path, entry("threshold"), name="packs/growth.yaml")
    assert rules["r"].pack == "growth"
    assert active_rules((), {}, rules) == {}
    assert list(active_rules(("growth",), {}, rules)) == ["r"]
    switched_on = active_rules((), {"r": {"above": 0.5}}, rules)
    assert switched_on["r"].pack == "growth"
    assert active_rules(("growth",), {"r": {"off": True}}, rules) == {}


def test_the_catalogues_own_rules_can_be_read() -> None:
    rules = load_rules()
    assert {"low_deployment_activity", "lead_time_bottleneck"} <= set(rules)
    assert {rule.kind for rule in rules.values()} == set(KINDS)
    metrics = load_catalogue().metrics
    assert {metric for rule in rules.values() for metric in rule.metrics()} <= set(metrics)
