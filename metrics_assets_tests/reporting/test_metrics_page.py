"""The page of all metrics: docs/metrics.md is what the catalogue says, and it says all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metrics_assets.catalogue.alerts import load_rules, read_rules
from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.goals import load_goals, load_north_stars
from metrics_assets.catalogue.metrics import Metric, load_catalogue
from metrics_assets.catalogue.packs import load_packs
from metrics_assets.reporting.catalogue_words import amount
from metrics_assets.reporting.metrics_page import metrics_page
from metrics_assets.reporting.rules_page import rules_table
from metrics_assets_tests.command import metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
OWN_METRIC = """
metrics:
  - key: stars_per_fork
    title: Stars | forks
    definition: "Stars for *each* fork, [as is] <b>."
    formula: stars_total / forks_new
    unit: ratio
    direction: higher
    bands:
      - {band: many, at_least: 20}
      - {band: few, below: 20, means: Ask why.}
goals:
  - {key: many_stars_per_fork, title: Many stars, metric: stars_per_fork, target: 12.5, subject_kind: repository}
rules:
  - key: few_stars_per_fork
    title: Few stars | forks
    kind: threshold
    metric: stars_per_fork
    below: 12.5
    severity: info
    action: Ask *why*.
    source: me
gates:
  - key: own_gate
    title: My gate
    groups:
      - group: all
        title: All
        criteria:
          - {key: stars, title: Stars, metric: stars_per_fork, at_least: 3, days: 7}
          - {key: audit, title: Audited, at_most: 2}
"""


@pytest.fixture(scope="module")
def page() -> str:
    return metrics_page(own=False)


def test_the_document_is_what_the_catalogue_makes(page: str) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == page, (
        "docs/metrics.md is old; write it again from the top of the checkout: metrics catalogue > docs/metrics.md"
    )


def test_everything_is_on_the_page(page: str) -> None:
    keys = [*load_catalogue().metrics, *load_goals(), *load_gates(), *(star.metric for star in load_north_stars())]
    assert [key for key in [*keys, *load_rules()] if f"`{key}`" not in page] == []
    for pack in load_packs().values():
        assert all(id_ in page for id_ in pack.not_covered)


def test_tables_have_as_many_cells_in_every_row(page: str) -> None:
    widths: set[int] = set()
    for line in page.splitlines():
        if line.startswith("|"):
            widths.add(len(re.findall(r"(?<!\\)\|", line)))
            assert len(widths) == 1, line
        else:
            widths.clear()


def test_links_of_the_contents_lead_to_sections(page: str) -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) == headings


def test_the_command_prints_the_users_own_entries_too(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "mine.yaml").write_text(OWN_METRIC)
    (tmp_path / "metrics.yaml").write_text("repositories: [{github: acme/api}]\n")
    printed = metrics("catalogue", home=tmp_path)
    assert printed.returncode == 0, printed.stderr
    section = printed.stdout.split("## Own: mine\n")[1].split("\n## ")[0]
    assert section.strip().splitlines() == [
        "### Stars | forks",
        "",
        "`stars_per_fork` · ratio · higher is better · P1, lagging · engineering, daily",
        "",
        r"Stars for \*each\* fork, \[as is\] \<b>.",
        "",
        "- Formula: `stars_total / forks_new`",
        "- Calculated from other metrics into `metrics.calculated_daily`.",
        "- Unknown: A figure that it is made from is unknown.",
        "",
        "| Band | Values | Means |",
        "| --- | --- | --- |",
        "| many | from 20 times |  |",
        "| few | under 20 times | Ask why. |",
    ]
    goal = (
        "| Many stars<br>`many_stars_per_fork` | `stars_per_fork` | every repository | at least 12.5 times | always |"
    )
    assert goal in printed.stdout
    rule = (
        r"| Few stars \| forks<br>`few_stars_per_fork` | `stars_per_fork` under 12.5 times | info | "
        r"the default ones |  | Ask \*why\*. | me |"
    )
    assert rule in printed.stdout
    assert "| Stars | `stars_per_fork` at least 3 times on each of 7 days | 50.0 % |" in printed.stdout
    assert "| Audited | gate_evidence.csv, at most 2 | 50.0 % |" in printed.stdout


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.9999, "ratio", "99.99 %"),
        (0.07, "ratio", "7 %"),
        (20, "ratio", "20 times"),
        (5_000_000, "per second", "5,000,000 a second"),
        (1_000_000, "dollars", "$1,000,000"),
        (0.5, "hours", "0.5 h"),
        (1, "yes or no", "yes"),
        (3, "rank", "3"),
    ],
)
def test_amounts_are_exact(value: float, unit: str, shown: str) -> None:
    metric = Metric.model_validate(
        {"key": "a", "title": "A", "definition": "A.", "unit": unit, "direction": "higher", "fed": "kpi_values"}
    )
    assert amount(value, metric) == shown


RULES = """
rules:
  - {key: a, title: A, severity: critical, action: Do., kind: threshold, metric: change_failure_rate, above: 0.25,
     clear_at: 0.2, minimum_n: 8, confident: true, for_days: 2, clear_days: 3, quiet: true, channels: [team, pager],
     escalate: [{after_minutes: 30, mention: channel}, {after_minutes: 240, channels: [boss]}], requirements: [S4-37]}
  - {key: b, title: B, severity: warning, action: Do., kind: change, metric: downloads, days: 7, drop: 0.5,
     minimum_reference: 4, clear_share: 0.8, tell_on: [mon, fri], tell_at: "09:00", mention: here}
  - {key: c, title: C, severity: warning, action: Do., kind: change, metric: health_score, of: value, by: amount,
     days: 1, rise: 10, subject_kinds: [portfolio, team]}
  - {key: d, title: D, severity: warning, action: Do., kind: multiple, metric: lead_time_hours_week, minimum_n: 4,
     baseline: lead_time_hours, lag_days: 7, factor: 3, clear_factor: 2.5, subjects: [acme/api]}
  - {key: e, title: E, severity: info, action: Do., kind: milestone, metric: stars_total, milestones: [100, 1000]}
  - {key: f, title: F, severity: info, action: Do., kind: anomaly, metric_keys: [commits], anomalies: [level_shift]}
  - {key: g, title: G, severity: info, action: Do., kind: anomaly, at_least: critical}
  - {key: h, title: H, severity: info, action: Do., kind: missing, metric: commits, days: 3}
  - {key: i, title: I, severity: info, action: Do., kind: pipeline, condition: data_late, hours: 36}
  - {key: j, title: J, severity: info, action: Do., kind: pipeline, condition: rate_limited, share: 0.85}
"""


def test_rules_in_words(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    rules = read_rules([tmp_path / "rules.yaml"], load_catalogue())
    lines = rules_table(list(rules.values()), load_catalogue()).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[1] for row in cells] == [
        "`change_failure_rate` over 25 %; with the whole 95 % interval; ends at 20 % or less; n at least 8; "
        "on 2 days in a row; ends after 3 good days",
        "`downloads` of 7 days at least 50 % less than of those before; then at least 4; "
        "ends under 80 % of that change",
        "`health_score` at least 10 more than a day before; of the portfolio, every team",
        "`lead_time_hours_week` at least 3 times `lead_time_hours` of 7 days before; ends under 2.5 times; "
        "n at least 4; of acme/api",
        "`stars_total` reaches 100, 1,000",
        "unusual day (warning or worse: level shift) of `commits`",
        "unusual day (critical) of any figure",
        "`commits` unknown for 3 days",
        "the newest day of a table ended over 36 hours ago",
        "over 85 % of a source's hourly budget is used",
    ]
    assert cells[0][3:5] == [
        "`team`, `pager`; held in quiet hours",
        "after 30 min: mentions channel, then after 4 h: `boss`",
    ]
    assert cells[1][3] == "the default ones; mentions here; told mon, fri at 09:00"
    assert cells[0][6] == "S4-37"
