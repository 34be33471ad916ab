"""What is wrong with a build is seen while its pages pass by, and said with the place."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from metrics_assets.reporting.looking_over import LARGEST_PAGE, Finding, Inspection


def looked_over(
    files: Mapping[str, str | bytes], expected: set[str] | None = None, private: tuple[str, ...] = ()
) -> dict[str, Finding]:
    inspection = Inspection()
    assert dict(inspection.watch(files.items())) == files  # nothing is changed on the way
    pages = {path for path in files if path.endswith(".html")} - set(private) - {"404.html"}
    found = inspection.findings(pages if expected is None else expected, private)
    return {finding.name: finding for finding in found}


LINKS, OUTSIDE = "links_lead_somewhere", "nothing_from_outside"
GOOD: dict[str, str | bytes] = {
    "index.html": '<link rel="stylesheet" href="style.css"><a href="repo/a.html#chart-x">a</a><a href="#here">here</a>'
    '<p id="here"></p><a href="https://example.org/x">out</a><a href="data/a.csv" download>csv</a>',
    "repo/a.html": '<figure class="panel chart" id="chart-x"><svg></svg><table></table></figure>'
    '<a href="../index.html?x=1">home</a><link rel="stylesheet" href="../style.css">',
    "404.html": '<a href="index.html">home</a>',
    "style.css": "p { color: red }",
    "data/a.csv": b"a",
    "b.svg": '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
}


def test_a_good_site() -> None:
    found = looked_over(GOOD)
    assert {name: finding.count for name, finding in found.items()} == dict.fromkeys(found, 0)
    assert found["pages_are_small"].sentence == "3 pages: all is well."
    assert found["charts_have_tables"].looked_at == "1 chart"


@pytest.mark.parametrize(
    ("name", "path", "page", "sentence"),
    [
        (LINKS, "index.html", '<a href="gone.html">', "index.html links to gone.html, which is not there."),
        (
            LINKS, "repo/b.html", '<a class="x" href="a.html#chart-y">',
            "repo/b.html links to repo/a.html#chart-y, but there is no such place on that page.",
        ),
        (LINKS, "index.html", '<a href="../out.html">', "index.html links to ../out.html, which is not"),
        (LINKS, "index.html", '<script src="gone.js">', "index.html links to gone.js, which is not there"),
        (LINKS, "index.html", '<a href="javascript:x()">', "'javascript:x()'; only http and https are"),
        (LINKS, "index.html", '<p id="a"><b id="a">', "index.html has the id 'a' more than once."),
        (LINKS, "index.html", '<a href="a&amp;b.html">', "links to a&b.html, which is not there."),
        (
            "charts_have_tables", "index.html", '<figure class="chart wide" id="c"><svg></svg></figure><table>',
            "The chart 'c' of index.html has no data table.",
        ),
        (OUTSIDE, "index.html", '<img alt="" src="//x.org/a.png">', "index.html loads '//x.org/a.png'; "),
        (OUTSIDE, "index.html", '<link href="https://x.org/a.css">', "loads 'https://x.org/a.css'; keep a"),
        (OUTSIDE, "b.svg", '<svg><image href="http://x.org/a.png"/>', "b.svg loads 'http://x.org/a.png'; k"),
        (OUTSIDE, "style.css", "p{background:url('http://x.org/a.png')}", "style.css loads 'http://x.org/a"),
        (OUTSIDE, "style.css", "@import '//x.org/a.css'", "style.css loads '//x.org/a.css' for its style"),
        (
            OUTSIDE, "index.html", '<p style="background:url(&#39;https://x.org/a&#39;)">',
            "index.html loads 'https://x.org/a' for its style; keep a copy in the site.",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_place(name: str, path: str, page: str, sentence: str) -> None:
    found = looked_over({**GOOD, path: page})
    assert sentence in found[name].sentence


def test_escaped_text_is_no_markup() -> None:
    text = "&lt;img src=&#34;http://x.org/a.png&#34;&gt; url(http://x.org) &lt;a href=&#34;gone.html&#34;&gt;"
    found = looked_over({**GOOD, "index.html": f"<p>{text}</p>"})
    assert [finding.name for finding in found.values() if finding.count] == []


def test_a_page_that_is_too_large() -> None:
    found = looked_over({**GOOD, "repo/b.html": "é" * (LARGEST_PAGE // 2 + 500)})
    assert found["pages_are_small"].problems == ("repo/b.html has 301 KB, more than 300; show fewer rows.",)
    assert not looked_over({**GOOD, "repo/b.html": "é" * (LARGEST_PAGE // 2)})["pages_are_small"].count


def test_pages_that_are_missing_or_not_expected() -> None:
    files = {**GOOD, "repositories.html": "", "repositories-2.html": "", "other.html": ""}
    found = looked_over(files, {"index.html", "repo/a.html", "repositories.html", "goals.html"}, ("team/x.html",))
    assert found["all_pages"].problems == (
        "goals.html is missing.", "team/*.html is missing.", "other.html is a page that nobody expected.",
    )  # fmt: skip


def test_the_address_of_a_teams_page_stands_on_no_other_page() -> None:
    files = {**GOOD, "team/x.html": '<a href="x.html#a">'}
    assert looked_over(files, private=("team/x.html",))["links_lead_somewhere"].count == 1  # there is no #a
    files = {**GOOD, "team/x.html": '<p id="a"><a href="#a">', "goals.html": '<a href="team/x.html">'}
    (problem,) = looked_over(files, private=("team/x.html",))["links_lead_somewhere"].problems
    assert problem == "goals.html links to team/*.html, whose address only its team may know."
    files = {**GOOD, "team/x.html": '<a href="x.csv">', "team/x.csv": "", "goals.html": '<a href="team/x.csv">'}
    (problem,) = looked_over(files, private=("team/x.html",))["links_lead_somewhere"].problems
    assert problem.startswith("goals.html links to team/*.csv, whose")


def test_what_is_wrong_with_a_teams_page_does_not_say_where_it_is() -> None:
    """Findings stand in the Dagster UI, where everybody reads them."""
    secret = "0123456789abcdef"
    page = f'<a href="gone.html"><img src="//evil.example"><figure class="chart"><svg></figure>{"x" * LARGEST_PAGE}'
    found = looked_over({**GOOD, f"team/{secret}.html": page}, private=(f"team/{secret}.html",))
    assert sum(finding.count for finding in found.values()) == 5
    assert all(secret not in finding.sentence for finding in found.values())


def test_of_many_problems_some_are_listed() -> None:
    links = "".join(f'<a href="gone-{number}.html">' for number in range(25))
    finding = looked_over({**GOOD, "index.html": links})["links_lead_somewhere"]
    assert (finding.count, len(finding.problems)) == (25, 10)
    assert finding.sentence.endswith(" And 15 more.")
