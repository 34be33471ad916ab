"""Tables: columns, rows and cells of words, shown by one function in one pass."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

from metrics_assets.reporting import wording
from metrics_assets.reporting.data import MetricInfo, Point, Tier

ROLES = ("ok", "watch", "bad", "calm", "dim")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `numeric` ones are set to the right and sorted as numbers; a `said` one reads out with the pointer."""

    title: str
    numeric: bool = False
    said: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What a table says in a place.

    Args:
        text: the words; a value that is not known is words too.
        sort: what to sort by instead of the text; empty for what is not known, which stays last.
        href: a path in the site (with an anchor), an anchor of the page (#...), or an address (http, https).
        role: ok, watch, bad, calm or dim. All but dim need a glyph or a word that says the same.
        glyph: a sign before the words, hidden from screen readers.
        tier: bars of that tier; the word too where the text does not say it.
        under: small print beneath.
        mark: a graphic of this kit.
    """

    text: str
    sort: str | None = None
    href: str | None = None
    role: str | None = None
    glyph: str | None = None
    tier: Tier | None = None
    under: str | None = None
    mark: Markup | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row: as many cells as there are columns, the first of which is its header."""

    cells: tuple[Cell, ...]
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `caption` is said by screen readers; `note` stands above it, `empty` in its place without rows.

    Raises ValueError where a row has not as many cells as there are columns, or a cell an unknown role.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    csv: str | None = None
    empty: str = "Nothing to show."
    note: str = ""
    filterable: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"The table '{self.caption}' has {len(self.columns)} columns, "
                    f"but a row with {len(row.cells)} cells."
                )
            for cell in row.cells:
                if cell.role is not None and cell.role not in ROLES:
                    raise ValueError(
                        f"A cell of the table '{self.caption}' has the role '{cell.role}'. "
                        f"Use {wording.listed(list(ROLES))}."
                    )


def figure_cell(point: Point | None, metric: MetricInfo, *, tier: Tier | None = None, href: str | None = None) -> Cell:
    """Return the cell of a figure: its value with n beneath, or in words why there is none."""
    if point is None or point.value is None:
        is_few = point is not None and point.state == "too_few"
        under = f"n{wording.NO_BREAK}{point.n:,}" if is_few and point is not None and point.n is not None else None
        if under and metric.minimum_n:
            under += f" of {metric.minimum_n}"
        return Cell(wording.state("too_few" if is_few else "unknown"), sort="", href=href, role="dim", under=under)
    under = f"n{wording.NO_BREAK}{point.n:,}" if point.n is not None else None
    if point.state == "provisional":
        under = f"{under}, provisional" if under else "provisional"
    return Cell(str(wording.quantity(point.value, metric.unit)), repr(point.value), href, tier=tier, under=under)


def link_to(href: str | None, root: str) -> str | None:
    """Return where a link leads from a page: within it, in the site, or to http(s). Anything else leads nowhere."""
    # A browser leaves out tabs and ends of lines: what looks like a page of the site may be another host.
    if not href or any(letter <= " " or letter == "\x7f" for letter in href):
        return None
    if href.startswith(("#", "https://", "http://")):
        return href
    path = href.split("#", 1)[0]
    if ":" in path.split("/", 1)[0] or path.startswith(("/", "\\")):
        return None
    return root + href


def table_html(table: Table, root: str) -> Markup:
    """Return a table as HTML; `root` leads from the page to the head of the site."""
    if not table.rows:
        return Markup('<p class="muted empty">{}</p>').format(table.empty)
    out: list[str] = []
    name = wording.anchor("table", table.caption)
    if table.filterable:
        out.append(
            f'<div class="tools" hidden><label for="{name}-filter">Filter</label> <input id="{name}-filter" '
            f'type="search" autocomplete="off" data-filters="{name}"> <span class="muted shown"></span></div>'
        )
    if table.note:
        out.append(f'<p class="muted">{escape(table.note)}</p>')
    caption = escape(table.caption)
    out.append(
        f'<div class="scroll" role="group" aria-label="{caption}" tabindex="0"><table id="{name}" class="sortable">'
        f'<caption class="hidden">{caption}</caption><thead><tr>'
    )
    for column in table.columns:
        kind = ' class="num" data-num' if column.numeric else ""
        out.append(f'<th scope="col"{kind}{" data-said" if column.said else ""}>{escape(column.title)}</th>')
    out.append("</tr></thead><tbody>\n")
    for row in table.rows:
        out.append(f'<tr id="{escape(row.anchor)}">' if row.anchor else "<tr>")
        for index, (cell, column) in enumerate(zip(row.cells, table.columns, strict=True)):
            _cell(out, cell, column, root, is_header=index == 0)
        out.append("</tr>\n")
    out.append("</tbody></table></div>")
    if table.csv:
        out.append(f'<p class="muted file"><a href="{escape(root + table.csv)}" download>Download as CSV</a></p>')
    return Markup("".join(out))


def _cell(out: list[str], cell: Cell, column: Column, root: str, *, is_header: bool) -> None:
    tag = "th" if is_header else "td"
    classes = " ".join(name for name in ("num" if column.numeric else "", "dim" if cell.role == "dim" else "") if name)
    out.append(f'<{tag} scope="row"' if is_header else f"<{tag}")
    if classes:
        out.append(f' class="{classes}"')
    sort = _number(cell.text) if cell.sort is None and column.numeric else cell.sort
    if sort is not None:
        out.append(f' data-sort="{escape(sort)}"')
    out.append(">")
    text = str(escape(cell.text))
    if cell.tier:
        word = cell.tier.title()
        bars = f'<svg class="bars t-{cell.tier}" aria-hidden="true"><use href="#bars-{cell.tier}"/></svg>'
        if cell.text == word:
            text = f'<span class="chip t-{cell.tier}">{bars}{word}</span>'
        else:
            text = f'{bars}<span class="hidden">{word}: </span>{text}'
    if target := link_to(cell.href, root):
        text = f'<a href="{escape(target)}">{text}</a>'
    if cell.role and cell.role != "dim":
        glyph = f'<span aria-hidden="true">{escape(cell.glyph)}</span>&#160;' if cell.glyph else ""
        text = f'<span class="s-{cell.role}">{glyph}{text}</span>'
    elif cell.glyph:
        text = f'<span aria-hidden="true">{escape(cell.glyph)}</span>&#160;{text}'
    out.append(text)
    if cell.mark is not None:
        out.append(str(cell.mark))
    if cell.under:
        out.append(f"<small>{escape(cell.under)}</small>")
    out.append(f"</{tag}>")


def _number(text: str) -> str:
    """What a numeric column sorts a text by; empty where it is no number, so that it stays last."""
    try:
        return repr(float(text.replace(",", "")))
    except ValueError:
        return ""
