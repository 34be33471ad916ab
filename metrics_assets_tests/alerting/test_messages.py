"""What a message says: every part from real tables, nothing that is unknown, and no name that is more than a name."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from metrics_assets.alerting.channels.writing import as_text
from metrics_assets.alerting.messages import compose, compose_group, from_row
from metrics_assets.alerting.surroundings import Trend, _left_the_usual, read_surroundings
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets_tests.alerting.receiving import DAY, RULE, settings_with
from metrics_assets_tests.tables import insert

SETTINGS = settings_with({}, site_url="https://metrics.example.org", dagster_url="https://dagster.example.org")
FACTS: dict[str, Any] = {
    "title": RULE.title, "rule": RULE.key, "severity": "critical", "subject_kind": "repository", "subject": "acme/api",
    "metric": "change_failure_rate", "date": "2026-01-06", "value": 0.32, "n": 25, "low": 0.17, "high": 0.52,
    "reference": 0.25, "text": "Change failure rate: 32 % (n = 25, 95 % interval 17 to 52 %), above 25 %.",
    "event": "opened", "since": "2026-01-03", "level": 0, "alert_id": 17, "state": "firing",
    "dedup_key": "metrics_assets:failures_high:acme/api:17",
}  # fmt: skip


def dora(days_ago: int, failing: int | None, of: int = 25, **more: Any) -> dict[str, Any]:
    """A row of dora_daily; with failing None nothing was shipped in the window."""
    return {
        "subject_kind": "repository", "subject": "acme/api", "repository_id": 1, "repository": "acme/api",
        "date": DAY - timedelta(days=days_ago), "days_observed": 28,
        "change_failure_rate": None if failing is None else failing / of,
        "deployments_failing_in_window": failing, "deployments_finished_in_window": of, **more,
    }  # fmt: skip


@pytest.fixture
def busy(warehouse: sa.Engine) -> sa.Engine:
    """acme/api with four weeks of figures and some things that happened."""
    insert(
        warehouse,
        "metrics.dora_daily",
        *(
            dora(ago, None if ago == 10 else 2 if ago == 12 else max(8 - ago // 4, 2), of=2 if ago == 12 else 25,
                 lead_time_hours=52.0 if ago == 0 else 20.0 + ago % 3, lead_time_n=12,
                 pr_lead_hours=52.0 if ago == 0 else 20.0, pr_lead_n=12)
            for ago in range(40)
        ),
    )  # fmt: skip
    insert(
        warehouse,
        "ops.repository_settings",
        {
            "repository_id": 1, "repository": "acme/api", "deployment_source": "auto", "environment": "production",
            "release_tag_pattern": "x", "incident_labels": [], "incident_maximum_gap_hours": 24, "entities": [],
        },
    )  # fmt: skip
    insert(
        warehouse,
        "raw.releases",
        *(
            {
                "repository_id": 1, "release_id": number, "tag": tag, "is_draft": False, "is_prerelease": False,
                "created_at": f"{day}T09:00:00Z", "published_at": f"{day}T09:00:00Z",
            }
            for number, (tag, day) in enumerate(
                [("v2.0.0", "2026-01-03"), ("v2.1.0", "2026-01-05"), ("v2.2", "2026-01-07")]
            )
        ),
    )  # fmt: skip
    insert(
        warehouse,
        "metrics.anomalies",
        *(
            {
                "metric": metric, "subject_kind": kind, "subject": subject, "date": day, "value": 14, "n": None,
                "state": state, "kind": "spike", "expected": 6, "score": 5,
            }
            for metric, kind, subject, day, state in [
                ("commits", "repository", "acme/api", DAY, "anomaly"),
                ("change_failure_rate", "repository", "acme/api", DAY, "anomaly"),  # the alert's own
                ("commits", "repository", "acme/web", DAY, "anomaly"),
                ("issues_opened", "repository", "acme/api", DAY - timedelta(days=3), "anomaly"),
                ("issues_opened", "portfolio", "acme", DAY - timedelta(days=2), "anomaly"),
                ("stars_new", "repository", "acme/api", DAY, "normal"),
            ]
        ),
    )  # fmt: skip
    insert(
        warehouse,
        "metrics.correlations",
        *(
            {
                "pair": pair, "subject_kind": "repository", "subject": "acme/api", "date": day,
                "x": "change_failure_rate", "y": other, "lag_days": 0, "n": 120, "spearman": 0.81,
                "survives": survives, "state": "ok",
            }
            for pair, other, survives, day in [
                ("a", "lead_time_hours", True, DAY - timedelta(days=2)),
                ("b", "pr_lead_hours", False, DAY - timedelta(days=2)),
                ("c", "rework_rate", True, DAY - timedelta(days=9)),
                ("d", "mttr_hours", True, DAY - timedelta(days=2)),
            ]
        ),
    )  # fmt: skip
    return warehouse


def test_a_message_says_everything_that_is_known(busy: sa.Engine) -> None:
    rule = RULE.model_copy(update={"runbook": "https://wiki.example.org/failures"})
    message = compose(
        busy, FACTS, rule, SETTINGS, lambda alert_id: f"https://alerts.example.org/alerts/{alert_id}?token=t"
    )
    assert f"{message.title}\n{as_text(message)}" == (
        "[critical] Change failure rate too high: acme/api\n"
        "Change failure rate: 32 % (n = 25, 95 % interval 17 to 52 %), above 25 %.\n"
        "Since 2026-01-03, for 4 days.\n"
        "28 days: ▁▁▁▁▂▂▂▂▃▃▃▃▅▅▅·▆·▆▆▇▇▇▇████ (8 to 32 %)\n"
        "\n"
        "On the same days\n"
        "- 2026-01-05: release v2.1.0\n"
        "- 2026-01-06: Commits: 14, unusual (6 expected)\n"
        "- 2026-01-04: Issues opened of the portfolio: 14, unusual (6 expected)\n"
        "- 2026-01-06: Lead time for changes: 2.2 d, 21 h usual; the two have moved together before (rank "
        "correlation 0.81, n = 120)\n"
        "\n"
        "What to do\n"
        "- Review the failed deployments together.\n"
        "\n"
        "Acknowledge: https://alerts.example.org/alerts/17?token=t\n"
        "Runbook: https://wiki.example.org/failures\n"
        "Site: https://metrics.example.org/repo/acme.api.html#chart-change_failure_rate\n"
        "Dagster: https://dagster.example.org/assets/metrics/dora_daily?view=partitions&partition=2026-01-06"
    )


@pytest.mark.parametrize(
    ("facts", "page"),
    [
        ({"subject": "Acme/<b>"}, "/repo/acme-b-35a721.html#chart-change_failure_rate"),
        ({"subject_kind": "portfolio", "subject": "acme"}, "/alerts.html"),
        ({"subject_kind": "pipeline", "subject": "acme/api issues", "metric": ""}, "/data-quality.html"),
        # A team's page is for the team alone, and stands elsewhere.
        ({"subject_kind": "team", "subject": "payments"}, ""),
    ],
)
def test_the_link_to_the_site_leads_to_what_the_alert_is_about(
    warehouse: sa.Engine, facts: dict[str, Any], page: str
) -> None:
    links = compose(warehouse, FACTS | facts, RULE, SETTINGS).links
    assert [link.url for link in links if link.label == "Site"] == [f"https://metrics.example.org{page}"]


def test_a_message_about_many_links_to_the_page_of_alerts() -> None:
    message = compose_group([FACTS, FACTS | {"subject": "acme/web", "alert_id": 18}], RULE, SETTINGS)
    assert [link.url for link in message.links if link.label == "Site"] == ["https://metrics.example.org/alerts.html"]


def test_the_data_is_the_message_as_facts(busy: sa.Engine) -> None:
    data = dict(compose(busy, FACTS, RULE, SETTINGS).data)
    assert json.loads(json.dumps(data, default=str))["dedup_key"] == "metrics_assets:failures_high:acme/api:17"
    assert set(data) >= {
        "event", "dedup_key", "title", "rule", "severity", "subject_kind", "subject", "date", "metric", "value",
        "reference", "n", "text", "action", "low", "high", "since", "trend", "causes", "related", "links", "alerts",
    }  # fmt: skip
    assert data["trend"]["first"] == date(2025, 12, 10)
    assert data["trend"]["values"][-1] == pytest.approx(0.32)
    assert data["trend"]["values"][15] is None  # too few deployments
    assert data["trend"]["values"][17] is None  # none at all
    assert [cause["kind"] for cause in data["causes"]] == ["release", "anomaly", "anomaly", "lead_time_hours"]
    assert data["alerts"] == []


def test_related_figures_are_those_beside_it_that_are_known(busy: sa.Engine) -> None:
    found = read_surroundings(busy, "rework_rate", "repository", "acme/api", DAY).related
    texts = [one.text for one in found]
    assert "Change failure rate: 32 % (n = 25)" in texts
    assert "Lead time for changes: 2.2 d (n = 12)" in texts
    assert all("unknown" not in text and "None" not in text for text in texts)


def test_of_a_service_the_events_of_its_repository_are_told(busy: sa.Engine) -> None:
    for kind, subject in (("service", "acme/api#web"), ("environment", "acme/api@staging")):
        causes = read_surroundings(busy, "change_failure_rate", kind, subject, DAY).causes
        assert next(cause.text for cause in causes) == "release v2.1.0"


def test_where_nothing_is_known_nothing_is_made_up(warehouse: sa.Engine) -> None:
    message = compose(warehouse, FACTS, RULE, SETTINGS)
    assert message.lines == (FACTS["text"], "Since 2026-01-03, for 4 days.")
    assert [section.heading for section in message.sections] == ["What to do"]
    assert message.data["trend"] is None


def test_an_alert_about_the_pipeline_has_no_figure(warehouse: sa.Engine) -> None:
    facts = {**FACTS, "metric": "", "subject_kind": "pipeline", "subject": "main", "text": "The job main failed."}
    message = compose(warehouse, facts, None, SETTINGS)
    assert message.lines[0] == "The job main failed."
    assert [link.url for link in message.links][-1] == "https://dagster.example.org/runs"


def test_the_alert_is_told_where_its_surroundings_cannot_be_read(
    warehouse: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("alter table metrics.anomalies rename to elsewhere"))
    message = compose(warehouse, FACTS, RULE, SETTINGS)
    assert message.lines[-1] == "Trend and related figures could not be read (UndefinedTable)."
    assert message.lines[0] == FACTS["text"]
    assert "failures_high of acme/api" in caplog.text


@pytest.mark.parametrize(
    ("event", "title", "lines", "action"),
    [
        ("escalated", "[critical, escalated]", ["Nobody has acknowledged it."], RULE.action),
        ("acknowledged", "[acknowledged]", ["Somebody looks after it; it is not escalated any more."], ""),
        ("resolved", "[resolved]", [], "Nothing to do."),
    ],
)
def test_what_happens_afterwards_is_told_shortly(
    event: str, title: str, lines: list[str], action: str, busy: sa.Engine
) -> None:
    message = compose(busy, {**FACTS, "event": event}, RULE, SETTINGS, lambda alert_id: "https://a.example/x")
    assert message.title == f"{title} Change failure rate too high: acme/api"
    assert list(message.lines[1:2]) == lines or lines == []
    assert message.data["action"] == action
    # Who has acknowledged, or has nothing to acknowledge, is not asked to.
    assert ("Acknowledge" in [link.label for link in message.links]) is (event == "escalated")
    assert (message.data["trend"] is not None) is (event == "escalated")


def test_what_has_ended_is_not_to_be_acknowledged(warehouse: sa.Engine) -> None:
    told_late = {**FACTS, "state": "resolved"}
    message = compose(warehouse, told_late, RULE, SETTINGS, lambda alert_id: "https://a.example/x")
    assert [link.label for link in message.links] == ["Site", "Dagster"]


def test_a_group_names_the_worst_and_counts_the_rest() -> None:
    many = [
        {
            **FACTS,
            "alert_id": 100 + number,
            "subject": f"acme/{number:02}",
            "severity": "critical" if number == 11 else "warning",
            "text": f"{number} %",
        }
        for number in range(12)
    ]
    message = compose_group(many, RULE, SETTINGS)
    assert message.title == "[critical] Change failure rate too high: 12 repositories"
    which, action = message.sections
    assert which.lines[:2] == ("acme/11 (alert 111): 11 %", "acme/00 (alert 100): 0 %")
    assert which.lines[-1] == "and 2 more"
    assert action.lines == (RULE.action,)
    assert [link.label for link in message.links] == ["Site", "Dagster"]
    assert (len(message.data["alerts"]), message.severity, message.dedup_key) == (12, "critical", None)


def test_those_of_a_group_that_are_named_can_be_acknowledged() -> None:
    def link(alert_id: int) -> str | None:
        return f"https://alerts.example.org/alerts/{alert_id}?token={'t' * 43}" if alert_id != 103 else None

    many = [{**FACTS, "alert_id": 100 + number, "subject": f"acme/{number:02}"} for number in range(12)]
    message = compose_group(many, RULE, SETTINGS, link)
    private = [(one.label, one.url) for one in message.links if one.is_private]
    assert private[0] == ("Acknowledge alert 100", link(100))
    assert [label for label, _ in private] == [
        f"Acknowledge alert {number}" for number in range(100, 110) if number != 103
    ]
    over = compose_group([{**one, "event": "resolved"} for one in many], RULE, SETTINGS, link)
    assert [one.label for one in over.links] == ["Site", "Dagster"]
    # Where there is little room, some alerts and some links are left, each whole.
    short = as_text(message, 1000)
    assert len(short) <= 1000
    assert "acme/00 (alert 100)" in short
    assert str(link(100)) in short
    assert short.endswith("partition=2026-01-06")


def test_a_group_may_be_of_several_kinds_and_metrics() -> None:
    of_kind = {"package": 2, "community": 1}
    many = [
        {**FACTS, "subject_kind": kind, "subject": f"{kind}:{number}", "metric": f"{kind}_x", "event": "resolved"}
        for kind, count in of_kind.items()
        for number in range(count)
    ]
    message = compose_group(many, None, SETTINGS)
    assert message.title == "[resolved] Change failure rate too high: 2 packages and 1 community"
    assert message.sections[-1].lines == ("Nothing to do.",)


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("two\nlines\r\n[critical] All is well", "two lines [critical] All is well"),
        ("acme/\u202eipa", "acme/ipa"),
        ("a\x00b\x1b[31mc\u2028d", "a b [31mc d"),
        ("x" * 1000, "x" * 399 + "…"),
    ],
)
def test_a_name_is_one_line(subject: str, shown: str, warehouse: sa.Engine) -> None:
    message = compose(warehouse, {**FACTS, "subject": subject.replace("\x00", "\x01")}, RULE, SETTINGS)
    assert message.title == f"[critical] Change failure rate too high: {shown}"
    group = compose_group([{**FACTS, "subject": subject}] * 3, RULE, SETTINGS)
    assert all("\n" not in line for section in group.sections for line in section.lines)


def test_a_message_of_another_kind() -> None:
    said = {
        "title": "All is well.", "lines": ["12\nrepositories"], "sections": [{"heading": "Goals", "lines": ["2 of 3"]}],
        "links": [{"label": "Site", "url": "https://metrics.example.org"}], "severity": "warning", "status": "healthy",
    }  # fmt: skip
    message = from_row(said)
    assert as_text(message) == "12 repositories\n\nGoals\n- 2 of 3\n\nSite: https://metrics.example.org"
    assert (message.severity, message.data["status"], message.dedup_key) == ("warning", "healthy", None)


@pytest.mark.parametrize(
    ("values", "chart"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([0, None, 1], "▁·█"),
        ([5, 5, None], "▅▅·"),
        ([-2.0, 0, 2], "▁▅█"),
        ([None, None], "··"),
    ],
)
def test_a_chart_has_a_bar_a_day_and_gaps_where_nothing_is_known(values: list[Any], chart: str) -> None:
    assert Trend(DAY, tuple(values)).chart == chart


def test_moving_is_leaving_what_four_fifths_of_the_days_were() -> None:
    steady = [float(value % 5) for value in range(20)]
    assert _left_the_usual(Trend(DAY, (*steady, 9.0))) == 2.0
    assert _left_the_usual(Trend(DAY, (*steady, -1.0))) == 2.0
    assert _left_the_usual(Trend(DAY, (*steady, 4.0))) is None
    assert _left_the_usual(Trend(DAY, (*steady, None))) is None
    assert _left_the_usual(Trend(DAY, (*steady[:13], 9.0))) is None


def test_every_rule_of_the_catalogue_can_be_told(warehouse: sa.Engine) -> None:
    for key, rule in load_rules().items():
        for metric in [*rule.metrics(), ""]:
            message = compose(warehouse, {**FACTS, "rule": key, "metric": metric}, rule, SETTINGS)
            assert rule.title in message.title
