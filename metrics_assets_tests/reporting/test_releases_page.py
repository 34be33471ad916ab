"""The page about releases and gates, of hand-made records."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from metrics_assets import addresses
from metrics_assets.reporting.data import MetricInfo, Point, Series, SiteInfo
from metrics_assets.reporting.pages.releases import (
    Criterion,
    Deployments,
    FedPart,
    FrozenVerdict,
    Gate,
    Release,
    ReleasesData,
    Yank,
    releases_files,
)
from metrics_assets.reporting.pages.releases_gates import gate_view, ordered, target_text

DAY = date(2025, 12, 31)
HOSTILE = "<script>alert('x')</script>\"quoted\" \u202eעברית\u202c 🚀 " + "w" * 10_000
SITE = SiteInfo(
    portfolio="Aurora",
    data_through=DAY,
    start=date(2025, 6, 1),
    tier_source="standard",
    problems=(),
    pages=frozenset({addresses.RELEASES, addresses.METHOD, addresses.repository("aurora/api")}),
)


def metric(key: str, title: str, unit: str = "ratio", direction: str = "higher") -> MetricInfo:
    return MetricInfo(key, title, f"What {title} is.", None, unit, direction, None, "Nothing was fed for the day.")


def series(info: MetricInfo, *values: float | None) -> Series:
    days = [DAY - timedelta(weeks=len(values) - 1 - number) for number in range(len(values))]
    points = [
        Point(on, value, None, "unknown" if value is None else "ok") for on, value in zip(days, values, strict=True)
    ]
    return Series(info, "portfolio", "Aurora", tuple(points))


def criterion(title: str, state: str, level: str = "must", **more: object) -> Criterion:
    given: dict[str, object] = {"group": "group", "target": "evidence", "reason": "There is no evidence.", **more}
    return Criterion(title=title, level=level, state=state, **given)  # type: ignore[arg-type]


BLOCKED = Gate(
    gate="release",
    title="From beta to general availability",
    subject="Aurora",
    verdict="failed",
    score=46.6,
    must_missing=2,
    evaluated_on=DAY,
    criteria=(
        criterion(
            "75 % of commands succeed",
            "met",
            value=0.81,
            unit="ratio",
            bounds=(("at_least", 0.75),),
            target="at least 0.75",
            reason="0.81 on the day; at least 0.75 holds.",
        ),
        criterion(
            "No P0 bug is open",
            "not met",
            value=2.0,
            unit="count",
            bounds=(("at_most", 0.0),),
            target="at most 0",
            reason="2 on the day, instead of at most 0.",
        ),
        criterion("SOC 2 type II", "unknown"),
        criterion(
            "Security audit",
            "met",
            reason="Decided to be met on 2025-12-01.",
            evidence_url="https://example.org/audit?a=1&b=2",
        ),
        criterion("Under 15 bugs", "unknown", "should", reason="It is not known of the day."),
        criterion(
            "Front page",
            "not met",
            "nice",
            evidence_url="javascript:alert(1)",
            reason="Decided not to be met on 2025-12-02.",
        ),
    ),
    missing=("No P0 bug is open", "SOC 2 type II", "Under 15 bugs", "Front page"),
)
READY = replace(
    BLOCKED, gate="alpha", title="Alpha", verdict="passed", score=88.0, must_missing=0, missing=("Front page",)
)
REVIEW = replace(BLOCKED, gate="beta", title="Beta", verdict="unknown", score=12.0, missing=("SOC 2 type II",))


def pages(data: ReleasesData, site: SiteInfo = SITE) -> dict[str, str]:
    return {
        path: content if isinstance(content, str) else content.decode() for path, content in releases_files(site, data)
    }


class _Text(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th", "small"):
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> _Text:
    parser = _Text()
    parser.feed(html)
    parser.text = re.sub(r"\s+", " ", parser.text)
    return parser


def test_blocked_comes_before_review_before_ready() -> None:
    assert [gate.verdict for gate in ordered([READY, REVIEW, BLOCKED])] == ["failed", "unknown", "passed"]
    page = parsed(pages(ReleasesData(gates=(READY, REVIEW, BLOCKED)))["releases.html"])
    assert "Of 3 candidates 1 is ready, 1 is for review and 1 is blocked." in page.text
    heads = [page.text.index(title) for title in ("✕ Blocked", "! Review", "✓ Ready")]
    assert heads == sorted(heads)


def test_a_card_says_what_is_missing_first_and_sorts_its_criteria() -> None:
    view = gate_view(BLOCKED, DAY)
    assert (view.word, view.score, view.missing, view.more_missing) == (
        "Blocked",
        "47 of 100",
        ("No P0 bug is open", "SOC 2 type II", "Under 15 bugs"),
        1,
    )
    assert view.says == "2 of 4 that must hold do; 1 does not, 1 is not known."
    assert [(level.name, level.met) for level in view.levels] == [
        ("MUST", "2 of 4 met"),
        ("SHOULD", "0 of 1 met"),
        ("NICE", "0 of 1 met"),
    ]
    must = view.levels[0]
    first = (*must.open, *must.holding)
    assert [one.word for one in must.open] == ["not met", "not known"]
    assert [one.word for one in must.holding] == ["met", "met"]
    # A value in its own unit, and the condition too; the reason only where these do not say it.
    assert (first[2].value, first[2].target, first[2].reason) == ("81\u00a0%", "at least 75\u00a0%", "")
    assert (first[3].reason, first[3].evidence) == (
        "Decided to be met on 1\u00a0Dec\u00a02025.",
        "https://example.org/audit?a=1&b=2",
    )
    assert view.levels[2].open[0].evidence is None  # javascript: is no address


def test_a_condition_over_days() -> None:
    held = criterion("x", "met", bounds=(("above", 0.5), ("below", 0.9)), unit="ratio", days=7, target="raw")
    assert target_text(held) == "above 50\u00a0% and below 90\u00a0% on each of the last 7 days"
    assert target_text(criterion("x", "unknown", target="at least 50")) == "at least 50"
    broken = replace(
        held, state="not met", value=0.6, reason="0.6 on the day, but it did not hold on each of the last 7 days."
    )
    assert gate_view(replace(BLOCKED, criteria=(broken,)), DAY).levels[0].open[0].reason == (
        "It holds on the day, but it did not on each of the last 7 days."
    )


def test_a_gate_that_was_evaluated_before_the_day_says_so() -> None:
    view = gate_view(replace(BLOCKED, evaluated_on=DAY - timedelta(days=3)), DAY)
    assert view.note == "As evaluated on 28\u00a0Dec\u00a02025, the last time before this page's day."
    never = gate_view(Gate("mvp", "MVP", "Aurora", "unknown", None, None, None), DAY)
    assert (never.word, never.score, never.says) == ("Review", "no score", "It was not evaluated yet.")


def test_nothing_known() -> None:
    files = pages(ReleasesData())
    page = parsed(files["releases.html"])
    for said in (
        "No gate counts here yet. Nothing is known to have gone out in 30 days.",
        "name one under packs: in metrics.yaml",
        "No release is known of the last 30 days.",
        "No deployment is known of the last 30 days.",
        "No verdict was frozen yet",
    ):
        assert said in page.text
    assert "After the release" not in page.text  # the pack is off
    assert set(files) == {
        "releases.html",
        "data/gates.csv",
        "data/gate-verdicts.csv",
        "data/releases.csv",
        "data/deployments.csv",
    }


def full() -> ReleasesData:
    crashes = metric("crash_share", "Crashes", direction="lower")
    return ReleasesData(
        gates=(BLOCKED, READY),
        verdicts=(
            FrozenVerdict("Beta", "Aurora", "aurora/api", "v2.0", date(2025, 12, 1), "failed", 40.0, ("SOC 2",)),
        ),
        releases=(
            Release("aurora/api", "v2.1", date(2025, 12, 20), False, "succeeded", ("incident", "rollback")),
            Release("aurora/web", "v0.2", date(2025, 12, 10), True, "succeeded"),
            Release("aurora/web", "v0.1", date(2025, 12, 9), False),
        ),
        deployments=(
            Deployments("aurora/web", "aurora/web", 4, 0, 0, date(2025, 12, 30), "v0.2"),
            Deployments(
                "aurora/api", "aurora/api", 9, 1, 3, date(2025, 12, 31), None, (("incident", 2), ("rollback", 1))
            ),
        ),
        yanks=(Yank("crates:aurora", "1.0.1", date(2025, 12, 21), "broken build"),),
        watch=(series(crashes, 0.002, 0.004, 0.003), series(metric("sessions", "Sessions", "count"), None, None)),
        parts=(
            FedPart(metric("shell_share", "Shells"), "zsh", 0.3, date(2025, 12, 28)),
            FedPart(metric("shell_share", "Shells"), "bash", 0.7, date(2025, 12, 28)),
        ),
    )


def test_what_went_out_and_how_it_does_since() -> None:
    page = parsed(pages(full())["releases.html"])
    for said in (
        "3 releases and 14 deployments in 30 days, 3 of the deployments went wrong; 1 version withdrawn.",
        "From beta to general availability of Aurora misses “No P0 bug is open” and “SOC 2 type II” first.",
        "incident and rolled back",
        "nothing known against it",
        "no deployment stands for it",
        "3 of 10",
        "broken build",
        "The newest release is v2.1 of aurora/api, 11 days before.",
        "Not known on the day: Sessions.",
        "as fed for the period to 28\u00a0Dec\u00a02025".replace("\u00a0", " "),
    ):
        assert said in page.text, said
    assert page.text.index("bash") < page.text.index("zsh")  # the larger part first
    assert page.text.index("aurora/api 10") < page.text.index("aurora/web 4")  # where most went wrong first


def test_a_figure_that_stood_still_for_a_quarter_has_a_tile_and_no_chart() -> None:
    leaks = series(metric("privacy_leaks", "Privacy leaks", "count", "lower"), 1, *[0] * 13)
    html = pages(ReleasesData(watch=(leaks,)))[addresses.RELEASES]
    assert "Privacy leaks" in html
    assert "<figure" not in html
    moved = series(leaks.metric, 1, *[0] * 12, 1)
    assert "<figure" in pages(ReleasesData(watch=(moved,)))[addresses.RELEASES]


def test_only_repositories_with_a_page_are_linked() -> None:
    links = {attributes.get("href") for tag, attributes in parsed(pages(full())["releases.html"]).tags if tag == "a"}
    assert addresses.repository("aurora/api") in links
    assert addresses.repository("aurora/web") not in links
    assert not any(link and link.startswith(("javascript:", "data:")) for link in links)


def test_hostile_texts_are_words() -> None:
    gate = replace(
        BLOCKED,
        title=HOSTILE,
        subject=HOSTILE,
        missing=(HOSTILE,),
        criteria=(criterion(HOSTILE, "not met", reason=HOSTILE, evidence_url=f"https://example.org/{HOSTILE}"),),
    )
    data = ReleasesData(
        gates=(gate,) * 20,
        verdicts=(FrozenVerdict(HOSTILE, HOSTILE, HOSTILE, HOSTILE, DAY, "passed", 1.0, (HOSTILE,) * 9),),
        releases=(Release("aurora/api", HOSTILE, DAY, False),),
        deployments=(Deployments(HOSTILE[:200], "aurora/api", 1, 0, 0, DAY, HOSTILE),),
        yanks=(Yank(HOSTILE, HOSTILE, DAY, HOSTILE),),
        watch=(),
        parts=(FedPart(metric("shell_share", "Shells"), HOSTILE, 0.5, None),),
    )
    html = pages(data)["releases.html"]
    page = parsed(html)
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert scripts == [{"src": "site.js"}]
    assert "<script>alert('x')</script>" in page.text
    assert len(html.encode()) < 300_000
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_a_thousand_repositories_fit() -> None:
    names = [f"acme/service-{number:04}" for number in range(1000)]
    data = ReleasesData(
        gates=tuple(replace(BLOCKED, subject=name) for name in names),
        verdicts=tuple(FrozenVerdict("Beta", name, name, "v1", DAY, "passed", 90.0, ()) for name in names),
        releases=tuple(Release(name, "v1", DAY, False, "succeeded") for name in names),
        deployments=tuple(Deployments(name, name, 9, 1, 1, DAY, "v1", (("incident", 1),)) for name in names),
        watch=tuple(
            series(metric(f"figure_{number}", f"Figure {number}"), *(0.5 + week / 1000 for week in range(53)))
            for number in range(60)
        ),
    )
    files = pages(data)
    assert len(files["releases.html"].encode()) < 300_000
    assert "50 of 1,000 releases shown; all in the CSV." in files["releases.html"]
    assert "50 of 988 further candidates shown; all in the CSV." in files["releases.html"]
    assert files["data/releases.csv"].count("\n") == 1001
    assert files["data/gates.csv"].count("\n") == 6001


def test_formulas_in_csv_files_are_harmless() -> None:
    data = ReleasesData(releases=(Release("aurora/api", "=HYPERLINK(1)", DAY, False),))
    assert "'=HYPERLINK(1)" in pages(data)["data/releases.csv"]


@pytest.mark.parametrize("verdict", ["passed", "unknown", "failed"])
def test_one_candidate_is_said_in_a_word(verdict: str) -> None:
    page = parsed(pages(ReleasesData(gates=(replace(BLOCKED, verdict=verdict),)))["releases.html"])
    word = {"passed": "Ready", "unknown": "Review", "failed": "Blocked"}[verdict]
    assert f"From beta to general availability: {word}." in page.text


def test_the_same_records_give_the_same_bytes() -> None:
    assert pages(full()) == pages(full())
