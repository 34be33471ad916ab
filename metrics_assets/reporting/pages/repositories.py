"""All repositories, a hundred to a page, and one CSV file of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from metrics_assets import addresses
from metrics_assets.reporting import wording
from metrics_assets.reporting.data import TIERS, MetricInfo, SiteInfo
from metrics_assets.reporting.frame import render
from metrics_assets.reporting.pages.repository_tables import lights_table, repositories_csv
from metrics_assets.reporting.pages.summaries import STARS, Summary
from metrics_assets.reporting.verdict import WEAK, no_repository, population

PER_PAGE = 100
CSV = "data/repositories.csv"


@dataclass(frozen=True, slots=True)
class RepositoriesData:
    """Every repository of the portfolio."""

    metrics: Mapping[str, MetricInfo]
    summaries: tuple[Summary, ...]


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page of the list: its number, its path, and the first and last name on it."""

    number: int
    path: str
    first: str
    last: str


def page_path(number: int) -> str:
    """Where the list's pages stand: repositories.html, repositories-2.html, ..."""
    return addresses.REPOSITORIES if number == 1 else addresses.REPOSITORIES.replace(".html", f"-{number}.html")


def repositories_files(site: SiteInfo, data: RepositoriesData) -> Iterator[tuple[str, str | bytes]]:
    """The pages of the list, by name, and the CSV file of all."""
    ordered = sorted(data.summaries, key=lambda summary: (summary.repository.casefold(), summary.repository))
    pages = [ordered[start : start + PER_PAGE] for start in range(0, len(ordered), PER_PAGE)] or [[]]
    links = [
        PageLink(number, page_path(number), part[0].repository if part else "", part[-1].repository if part else "")
        for number, part in enumerate(pages, start=1)
    ]
    for link, part in zip(links, pages, strict=True):
        yield link.path, _page(site, data, link, links, part)
    yield CSV, repositories_csv(site, data.metrics, ordered)


def _page(
    site: SiteInfo, data: RepositoriesData, link: PageLink, links: Sequence[PageLink], part: Sequence[Summary]
) -> str:
    note = ""
    if len(links) > 1:
        first = (link.number - 1) * PER_PAGE + 1
        last = first + len(part) - 1
        note = f"{first:,} to {last:,} of {len(data.summaries):,}; all are in the CSV file."
    return render(
        "repositories.html.j2",
        path=link.path,
        site=site,
        title="Repositories" if link.number == 1 else f"Repositories, page {link.number}",
        period=f"28 days to {wording.day(site.data_through)} · {population(data.summaries)}",
        sentences=list_sentences(data.summaries),
        table_view=lights_table(site, data.metrics, part, note=note, csv=CSV),
        list_pages=links if len(links) > 1 else (),
        shown=link,
    )


def list_sentences(summaries: Sequence[Summary]) -> tuple[str, ...]:
    """How many repositories are rated how, and how their traffic lights stand."""
    nothing = no_repository(summaries)
    if nothing is not None:
        return (nothing,)
    active = [summary for summary in summaries if summary.state == "active"]
    tiers = Counter(summary.weakest for summary in active if summary.weakest is not None)
    rated = sum(tiers.values())
    if not rated:
        said = ["No repository can be rated yet."]
    else:
        weak = sum(tiers[tier] for tier in WEAK)
        counts = wording.listed([f"{tiers[tier]:,} {tier.title()}" for tier in TIERS if tiers[tier]])
        if rated == 1:
            said = [f"One repository is rated: by the weakest of its keys it is {counts.partition(' ')[2]}."]
        elif weak:
            said = [
                f"{weak:,} of {rated:,} rated repositories {'is' if weak == 1 else 'are'} Medium or Low in some key."
            ]
            said.append(f"By the weakest of their keys: {counts}.")
        else:
            said = [f"All {rated:,} rated repositories are High or better in every key that is known."]
    critical = sum(1 for summary in active if summary.critical)
    if critical:
        said.append(f"{wording.repositories(critical)} {'has' if critical == 1 else 'have'} a critical alert open.")
    lights = Counter(summary.figure(STARS).light for summary in active)
    words = [f"{lights[light]:,} {light}" for light in ("green", "yellow", "red") if lights[light]]
    if words:
        said.append(f"Stars: {wording.listed(words)}.")
    return tuple(said)
