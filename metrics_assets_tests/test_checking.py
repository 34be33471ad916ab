"""What `metrics check` says of alert rules and channels; nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest

from metrics_assets.checking import Finding, _channels, _rules
from metrics_assets.settings import Settings


def settings(channels: dict[str, Any], **more: Any) -> Settings:
    return Settings.model_validate({"repositories": [{"github": "acme/api"}], "channels": channels, **more})


def test_every_variable_of_every_channel_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://example.org/hook/secret")
    monkeypatch.setenv("KEY", "not an address/secret")
    monkeypatch.delenv("NOT_SET", raising=False)
    given = settings({"good": {"url_env": "HOOK"}, "wrong": {"url_env": "KEY"}, "absent": {"url_env": "NOT_SET"}})
    assert _channels(given) == [
        Finding(True, "channel good: HOOK is set"),
        Finding(False, "channels.wrong.url_env names KEY, which is not set to an http(s) address; export it."),
        Finding(False, "channels.absent.url_env names NOT_SET, which is not set to an http(s) address; export it."),
    ]
    assert _channels(settings({})) == [Finding(True, "no channels: alerts show on the site and wake nobody")]


def test_rules_that_name_channels_which_are_not_there() -> None:
    counted, missing = _rules(settings({"oncall": {"url_env": "HOOK"}}))
    assert (counted.good, counted.text.endswith(" alert rules")) == (True, True)
    assert missing.good
    assert missing.text.endswith("which metrics.yaml does not have: they tell oncall instead")
    (_, nobody) = _rules(settings({"boss": {"url_env": "HOOK", "default": False}}))
    assert not nobody.good
    assert nobody.text.endswith("they tell nobody, as no channel is a default one")


def test_a_change_of_a_rule_that_there_is_not() -> None:
    (finding,) = _rules(settings({}, alerts={"rules": {"nope": {"off": True}}}))
    assert (finding.good, "alerts.rules.nope: there is no rule 'nope'" in finding.text) == (False, True)
