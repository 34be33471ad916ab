"""The page of all metrics: docs/metrics.md is what the catalogue says, and it says all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.goals import load_goals, load_north_stars
from metrics_assets.catalogue.metrics import Metric, load_catalogue
from metrics_assets.catalogue.packs import load_packs
from metrics_assets.reporting.metrics_page import amount, metrics_page
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
    assert [key for key in keys if f"`{key}`" not in page] == []
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
