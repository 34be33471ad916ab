"""The pages of the method: every metric is explained once, where links lead to; nothing of it names requirements."""

from __future__ import annotations

import re
from typing import Any

import pytest

from metrics_assets import addresses
from metrics_assets.catalogue import parts
from metrics_assets.catalogue.alerts import load_rules
from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.catalogue.parts import Part
from metrics_assets.catalogue.scores import read_scores
from metrics_assets.catalogue.tiers import load_tiers
from metrics_assets.reporting.catalogue_words import html, without_requirements
from metrics_assets.reporting.metrics_page import Score
from metrics_assets.reporting.pages.method import MethodData, method_files
from metrics_assets_tests.reporting.page_reader import PageReader, read_harmless
from metrics_assets_tests.reporting.samples import HOSTILE, site_info

CATALOGUE = load_catalogue()


def data(**changes: Any) -> MethodData:
    fields: dict[str, Any] = {
        "catalogue": CATALOGUE, "parts": parts.pages(), "tiers": load_tiers(), "tier_set": "standard",
        "scores": tuple(one.model for one in read_scores(Score.model_validate, CATALOGUE).values()),
        "gates": tuple(load_gates().values()), "rules": load_rules(), "minimum_group": 5,
    }  # fmt: skip
    return MethodData(**fields | changes)


@pytest.fixture(scope="module")
def pages() -> dict[str, PageReader]:
    found = dict(method_files(site_info(), data()))
    return {path: read_harmless(page) for path, page in found.items() if path.endswith(".html")}


def test_every_metric_is_explained_where_links_lead(pages: dict[str, PageReader]) -> None:
    for key, metric in CATALOGUE.metrics.items():
        path, _, anchor = addresses.metric(key).partition("#")
        assert anchor == key
        assert anchor in pages[path].ids
        assert " ".join(metric.definition.split()) in pages[path].text
    assert sum(len(part.metrics) for part in parts.pages()) == len(CATALOGUE.metrics)


def test_a_metric_that_is_no_more_leads_to_the_head_of_the_method(pages: dict[str, PageReader]) -> None:
    assert addresses.metric("long_gone") == addresses.METHOD
    assert addresses.METHOD in pages


def test_a_metric_has_its_formula_expression_n_unknown_tiers_and_source(pages: dict[str, PageReader]) -> None:
    text = pages[addresses.method("delivery")].text
    start = text.index("Median hours from a change's first commit")
    said = text[start : start + 900]
    assert "Formula percentile_cont(0.5) of deployed_at - first_commit_at" in said
    assert "Stands in metrics.dora_daily : lead_time_hours ; n: lead_time_n" in said
    assert "Smallest n 3 in the window" in said
    assert "Unknown No change was shipped in the window." in said
    assert "Tiers Elite under 24 h, High under 168 h, Medium under 720 h, Low otherwise." in said
    assert "DORA, change lead time" in said


def test_bounds_are_said_as_people_say_them(pages: dict[str, PageReader]) -> None:
    text = pages[addresses.METHOD].text
    assert "over 1 per day" in text
    assert "from 1 per week" in text
    assert "0.142857" not in text


def test_no_page_shows_ids_of_requirements(pages: dict[str, PageReader]) -> None:
    for path, page in pages.items():
        assert not re.search(r"\bS[0-4]-\d{2}", page.text), path


def test_all_links_of_the_method_lead_to_pages_and_ids_that_are_there(pages: dict[str, PageReader]) -> None:
    for path, page in pages.items():
        for href in page.hrefs:
            if href.startswith("#") or "method" not in href or not href.partition("#")[2]:
                continue
            target, _, anchor = href.partition("#")
            whole = target.removeprefix("../") if path.startswith("method/") else target
            assert anchor in pages[whole].ids, f"{path}: {href}"


def test_rules_scores_gates_and_privacy_stand_on_the_first_page(pages: dict[str, PageReader]) -> None:
    page = pages[addresses.METHOD]
    assert {f"rule-{key}" for key in load_rules()} <= set(page.ids)
    assert {f"gate-{key}" for key in load_gates()} <= set(page.ids)
    assert "score-repository_health" in page.ids
    assert "needs at least 5 people behind it" in page.text
    assert "Accelerate State of DevOps 2019" in page.text


def test_hostile_texts_of_an_own_catalogue_are_only_texts() -> None:
    known = CATALOGUE.metrics["lead_time_hours"]
    texts = ("title", "definition", "formula", "expression", "unknown", "source")
    hostile = known.model_copy(update=dict.fromkeys(texts, HOSTILE))
    part = Part("own", HOSTILE, HOSTILE, (hostile,))
    found = dict(method_files(site_info(), data(parts=(part,))))
    page = read_harmless(found[addresses.method("own")])
    assert " ".join(HOSTILE.split()) in page.text
    read_harmless(found[addresses.METHOD])


def test_a_part_that_is_too_long_for_a_page_becomes_several() -> None:
    long = Part("own", "Own", "", tuple(CATALOGUE.metrics.values()))
    cut = parts._cut(long)
    assert [part.slug for part in cut] == ["own-1", "own-2", "own-3"]
    assert tuple(metric for part in cut for metric in part.metrics) == long.metrics


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("`a<b` over 25 %", "<code>a&lt;b</code> over 25 %"),
        (r"\*a\* \[b\] \\ <i>", r"*a* [b] \ &lt;i&gt;"),
        ("`` a`b ``; `known`", '<code>a`b</code>; <a href="x?a=1&amp;b"><code>known</code></a>'),
    ],
)
def test_markdown_of_the_catalogue_becomes_html(markdown: str, expected: str) -> None:
    assert html(markdown, lambda name: "x?a=1&b" if name == "known" else None) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("requirement S3-11", ""),
        ("requirements S4-14 to S4-17; these bands are nobody's", "These bands are nobody's"),
        ("CHAOSS (requirement S0-11)", "CHAOSS"),
        ("analysis/sentiment, S4x", "analysis/sentiment, S4x"),
        (None, ""),
    ],
)
def test_a_source_is_said_without_requirements(source: str | None, expected: str) -> None:
    assert without_requirements(source) == expected
