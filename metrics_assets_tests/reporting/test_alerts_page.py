"""The page of alerts, from records made by hand: nothing known, everything known, far too much, and hostile texts."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import date, timedelta
from typing import Any

import pytest

from metrics_assets import addresses
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.reporting.pages.alerts import (
    AlertsData,
    EndedAlert,
    OpenAlert,
    RuleRecord,
    Silence,
    UnusualDay,
    WatchedLabel,
    alerts_files,
)
from metrics_assets_tests.reporting.page_reader import read_harmless
from metrics_assets_tests.reporting.samples import DAY, HOSTILE, metric, site_info

RULES = load_rules()
NOTHING = AlertsData((), (), (), (), (), (), {}, load_catalogue())


def alert(**changes: Any) -> OpenAlert:
    fields: dict[str, Any] = {
        "anchor": "alert-change_failure_rate_high-1", "rule": "change_failure_rate_high",
        "title": "Change failure rate too high", "severity": "critical", "subject_kind": "repository",
        "subject": "aurora/api", "metric": "change_failure_rate", "state": "firing",
        "opened_on": DAY - timedelta(days=3), "value": 0.32, "n": 25, "reference": 0.25,
        "text": "Change failure rate: 32 % (n = 25, 95 % interval 17 to 52 %), above 25 %.",
        "action": "Review the failed deployments together.", "table": "dora_daily",
    }  # fmt: skip
    return OpenAlert(**fields | changes)


def ended(**changes: Any) -> EndedAlert:
    fields: dict[str, Any] = {
        "title": "Low deployment activity", "severity": "warning", "subject_kind": "repository",
        "subject": "aurora/web", "metric": "deployments_succeeded", "opened_on": date(2025, 12, 1),
        "resolved_on": date(2025, 12, 5), "because": "the rule does not hold any more", "text": "Deployments: 9.",
    }  # fmt: skip
    return EndedAlert(**fields | changes)


def unusual(**changes: Any) -> UnusualDay:
    fields: dict[str, Any] = {
        "on": DAY, "metric": "lead_time_hours", "subject_kind": "repository", "subject": "aurora/api",
        "severity": "warning", "kind": "level_shift", "value": 48.0, "expected": 24.0,
        "explanation": "Lead time for changes: 48 hours; 24 expected.", "known_event": "release v2 on 2025-12-30",
    }  # fmt: skip
    return UnusualDay(**fields | changes)


def files(data: AlertsData, **site: Any) -> dict[str, str | bytes]:
    return dict(alerts_files(site_info(**site), data))


def rows(text: str | bytes) -> list[dict[str, str]]:
    assert isinstance(text, str)
    return list(csv.DictReader(io.StringIO(text)))


def test_where_nothing_is_known_it_says_so() -> None:
    page = read_harmless(files(NOTHING)[addresses.ALERTS])
    assert "No alert is open." in page.text
    assert "No alert has ended in the last 28 days." in page.text
    assert "No figure left its usual range in the last 28 days." in page.text
    assert "Nobody has said of an alert whether it was useful." in page.text


def test_an_open_alert_says_what_since_when_what_to_do_and_where_there_is_more() -> None:
    repository = addresses.repository("aurora/api")
    data = dataclasses.replace(NOTHING, open=(alert(escalated=2),))
    page = read_harmless(
        files(data, pages=frozenset({addresses.ALERTS, repository}), dagster_url="https://dagster.example.org")[
            addresses.ALERTS
        ]
    )
    assert "1 alert is open (1 critical), the oldest since 28 Dec 2025." in page.text
    assert "32 % (n = 25, 95 % interval 17 to 52 %), above 25 %." in page.text
    assert "What to do: Review the failed deployments together." in page.text
    assert "since 28 Dec 2025, for 4 days" in page.text
    assert "Nobody has acknowledged it yet. It was escalated 2 times." in page.text
    assert "alert-change_failure_rate_high-1" in page.ids
    assert f"{repository}#chart-change_failure_rate" in page.hrefs
    assert addresses.metric("change_failure_rate") in page.hrefs
    assert "https://dagster.example.org/assets/metrics/dora_daily?view=partitions&partition=2025-12-31" in page.hrefs


def test_links_lead_only_to_pages_that_are_there_and_to_http() -> None:
    data = dataclasses.replace(NOTHING, open=(alert(),))
    for url in (None, "javascript:alert(1)"):
        page = read_harmless(files(data, dagster_url=url)[addresses.ALERTS])
        assert not any("repo/" in href or "dagster" in href or "partitions" in href for href in page.hrefs)


def test_critical_ones_stand_first_and_those_looked_after_are_counted() -> None:
    data = dataclasses.replace(
        NOTHING,
        open=(
            alert(anchor="a", severity="warning", subject="aurora/web", opened_on=DAY - timedelta(days=9)),
            alert(anchor="b", subject="aurora/api", state="acknowledged"),
            alert(anchor="c", severity="info", subject="aurora/docs"),
        ),
    )
    page = read_harmless(files(data)[addresses.ALERTS])
    assert [one for one in page.ids if one in ("a", "b", "c")] == ["b", "a", "c"]
    assert (
        "(1 critical, 1 warning and 1 note), the oldest since 22 Dec 2025; somebody looks after 1 of them." in page.text
    )


def test_the_numbers_of_28_days_say_how_much_of_it_was_worth_it() -> None:
    rule, other = RULES["change_failure_rate_high"], RULES["low_deployment_activity"]
    data = dataclasses.replace(
        NOTHING, rules=(RuleRecord(rule, 5, 3, 1), RuleRecord(other, 0, 0, 0)), ended=(ended(), ended(subject="b"))
    )
    text = read_harmless(files(data)[addresses.ALERTS]).text
    assert "5 alerts 1 of 2 rules were silent" in text
    assert "2 alerts after 4 days (median)" in text
    assert "75 % 3 of 4 that somebody judged were useful; not over the 80 % wanted" in text
    assert "3 of 4" in text
    assert "nobody said" in text


def test_a_milestone_is_good_news_and_no_alert_that_ended() -> None:
    data = dataclasses.replace(NOTHING, ended=(ended(is_milestone=True, text="Stars: 5,000.", because="told"),))
    page = read_harmless(files(data)[addresses.ALERTS])
    assert "Milestones reached" in page.text
    assert "No alert has ended in the last 28 days." in page.text


def test_anomalies_are_numbered_with_was_expected_and_what_happened_then() -> None:
    data = dataclasses.replace(
        NOTHING,
        anomalies=(
            unusual(severity="info", subject="aurora/docs", value=None, expected=None, known_event=None),
            unusual(severity="critical", known_event="release <v2>"),
        ),
        metrics={"lead_time_hours": metric("lead_time_hours")},
    )
    page = read_harmless(files(data)[addresses.ALERTS])
    assert page.text.index("1. Lead time for changes") < page.text.index("2. Lead time for changes")
    assert "aurora/api 31 Dec 2025" in page.text
    assert "2 d" in page.text
    assert "1 d" in page.text
    assert "level shift" in page.text
    assert "release <v2>" in page.text
    assert "not known" in page.text
    assert "none known" in page.text
    assert "a release or another event of the same days stands beside 1" in page.text


def test_watched_labels_say_how_many_where_they_are_known_and_by_which_rules() -> None:
    data = dataclasses.replace(
        NOTHING,
        labels=(
            WatchedLabel("p0_bugs_opened", 4.0, 7, 8, ("A P0 issue was opened",)),
            WatchedLabel("bugs_open", 12.0, 8, 8, ()),
            WatchedLabel("privacy_issues_opened", None, 0, 8, ()),
        ),
        metrics={key: metric(key) for key in ("p0_bugs_opened", "bugs_open", "privacy_issues_opened")},
    )
    text = read_harmless(files(data)[addresses.ALERTS]).text
    assert "4 in 28 days 7 of 8 A P0 issue was opened" in text
    assert "12 at the day's end 8 of 8 no rule that counts here" in text
    assert "not known 0 of 8" in text


def test_a_silence_says_what_and_until_when() -> None:
    data = dataclasses.replace(
        NOTHING,
        silences=(
            Silence("change_failure_rate_high", "aurora/api", DAY, date(2026, 1, 9)), Silence(None, None, DAY, DAY),
        ),
        rules=(RuleRecord(RULES["change_failure_rate_high"], 0, 0, 0),),
    )  # fmt: skip
    text = read_harmless(files(data)[addresses.ALERTS]).text
    assert f"{RULES['change_failure_rate_high'].title} for aurora/api: from 31 Dec 2025 to 9 Jan 2026." in text
    assert "All rules: from 31 Dec 2025" in text


@pytest.mark.parametrize("text", [HOSTILE, "=cmd|' /C calc'!A0", "x" * 10_000, "'\"><img src=x onerror=alert(1)>"])
def test_hostile_texts_are_only_texts(text: str) -> None:
    data = dataclasses.replace(
        NOTHING,
        open=(alert(subject=text, title=text, text=text, action=text, runbook=None),),
        ended=(ended(subject=text, title=text, because=text, text=text),),
        silences=(Silence(text, text, DAY, DAY),),
        anomalies=(unusual(subject=text, metric=text[:40], explanation=text, known_event=text, kind=text),),
    )
    found = files(data)
    page = read_harmless(found[addresses.ALERTS])
    assert " ".join(text.split()) in page.text
    subject = rows(found["data/alerts-open.csv"])[0]["subject"]
    assert subject == (f"'{text}" if text.startswith("=") else text)


def test_of_thousands_the_worst_fifty_are_shown_and_all_are_in_the_csv() -> None:
    names = [f"organisation-with-a-long-name/repository-{number}" for number in range(1000)]
    rules = tuple(RuleRecord(rule, 3, 0, 0) for rule in RULES.values())
    data = dataclasses.replace(
        NOTHING,
        open=(
            *(alert(anchor=f"a{i}", subject=name, severity="warning") for i, name in enumerate(names)),
            alert(anchor="worst"),
        ),
        ended=tuple(ended(subject=name) for name in names),
        rules=rules,
        anomalies=tuple(unusual(subject=name, explanation="much " * 40) for name in names for _ in range(3)),
        metrics={"lead_time_hours": metric("lead_time_hours")},
    )
    found = files(data)
    page = read_harmless(found[addresses.ALERTS])
    assert "50 of 1,001 shown; all in the CSV." in page.text
    assert "50 of 3,000 shown; all in the CSV." in page.text
    assert "worst" in page.ids
    assert len(rows(found["data/alerts-open.csv"])) == 1001
    assert len(rows(found["data/anomalies-28-days.csv"])) == 3000
    assert len(rows(found["data/alert-rules.csv"])) == len(rules)
