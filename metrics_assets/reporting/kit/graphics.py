"""Small graphics that stand in a line or a cell: sparks, bars, strips, heat maps, progress. Each says its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup, escape

from metrics_assets.reporting import wording
from metrics_assets.reporting.kit.tables import link_to

SPARK_WIDTH, SPARK_HEIGHT = 100, 28
HEAT_LEVELS = 5
MOST_HEAT_LABELS = 16


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a whole or a bar: its name, its size, and the size in words; `href` is relative to the page."""

    label: str
    value: float
    text: str
    href: str | None = None


def spark(values: Sequence[float | None], *, label: str) -> Markup:
    """Return a small line over equal steps; None leaves a gap, and nothing known draws an empty box."""
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    spread = (high - low) or 1.0
    step = (SPARK_WIDTH - 4) / max(1, len(values) - 1)
    path: list[str] = []
    was_known = False
    last = ""
    for index, value in enumerate(values):
        last = ""
        if value is not None:
            share = (value - low) / spread if high > low else 0.5
            x, y = round(2 + index * step, 1), round(SPARK_HEIGHT - 3 - share * (SPARK_HEIGHT - 6), 1)
            path.append(f"{'L' if was_known else 'M'}{x:g} {y:g}{'' if was_known else 'h0'}")
            last = f'<path class="end" d="M{x:g} {y:g}h0"/>'
        was_known = value is not None
    line = f'<path d="{"".join(path)}"/>' if path else ""
    return Markup(
        f'<svg class="spark" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{line}{last}</svg>'
    )


def stacked(parts: Sequence[Part], *, label: str) -> Markup:
    """Return one bar of parts of a whole, in their order, with each part's name and size beneath."""
    shown = [part for part in parts if part.value > 0]
    bar = "".join(f'<i class="p-{index % 6}" style="flex:{part.value:.6g}"></i>' for index, part in enumerate(shown))
    words = "".join(
        f'<li><i class="p-{index % 6}"></i>{_named(part)} <b>{escape(part.text)}</b></li>'
        for index, part in enumerate(shown)
    )
    nothing = [part for part in parts if part.value <= 0]
    words += "".join(f"<li>{_named(part)} <b>{escape(part.text)}</b></li>" for part in nothing)
    return Markup(
        f'<div class="stacked"><div class="stack" role="img" aria-label="{escape(label)}">{bar}</div>'
        f'<ul class="keys">{words}</ul></div>'
    )


def bars(parts: Sequence[Part], *, label: str) -> Markup:
    """Return one bar beneath the other, each with its name and size; their lengths share one scale from zero."""
    top = max((part.value for part in parts), default=0) or 1
    rows = "".join(
        f'<li><span class="name">{_named(part)}</span><span class="length" aria-hidden="true">'
        f'<i style="width:{max(0.0, part.value) / top * 100:.1f}%"></i></span><b>{escape(part.text)}</b></li>'
        for part in parts
    )
    return Markup(f'<ul class="lengths" aria-label="{escape(label)}">{rows}</ul>')


def heatmap(
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    label: str,
    texts: Sequence[Sequence[str]],
) -> Markup:
    """Return a table whose cells are shaded by value, none being hatched; `texts` says each cell in words.

    Raises ValueError where the rows or the columns of labels, values and texts differ in number.
    """
    sizes = {len(row) for row in (*values, *texts)}
    if len(values) != len(row_labels) or len(texts) != len(row_labels) or sizes - {len(column_labels)}:
        raise ValueError(
            f"The heat map '{label}' has {len(row_labels)} names of rows and {len(column_labels)} of columns; "
            "give it values and texts of that size."
        )
    top = max((value for row in values for value in row if value is not None), default=0.0)
    every = max(1, -(-len(column_labels) // MOST_HEAT_LABELS))
    head = "".join(
        f"<th scope=col>{escape(name)}</th>"
        if index % every == 0 and index + every <= len(column_labels)
        else f"<th scope=col><i>{escape(name)}</i></th>"
        for index, name in enumerate(column_labels)
    )
    body = "".join(
        f"<tr><th scope=row>{escape(name)}</th>"
        + "".join(
            f"<td class={_level(value, top)}><i>{escape(text)}</i></td>" for value, text in zip(row, said, strict=True)
        )
        + "</tr>\n"
        for name, row, said in zip(row_labels, values, texts, strict=True)
    )
    key = "".join(f'<i class="h{level}"></i>' for level in range(HEAT_LEVELS))
    name, width = escape(label), 9 + 0.7 * len(column_labels)
    return Markup(
        f'<div class="scroll" role="group" aria-label="{name}" tabindex="0">'
        f'<table class="heat" style="min-width:{width:.1f}rem"><caption class="hidden">{name}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>\n{body}</tbody></table></div>"
        f'<p class="heatkey" aria-hidden="true">less {key} more <i class="hn"></i> not known</p>'
    )


def strip(values: Sequence[float], *, own: float | None, unit: str, label: str) -> Markup:
    """Return nameless peers as grey dots on a line by their values, the own one orange, the peers' median a tick."""
    known = sorted([*values, *([] if own is None else [own])])
    if not known:
        return Markup('<p class="muted empty">{}</p>').format("Nothing to compare with.")
    low, high = known[0], known[-1]

    def place(value: float) -> int:
        return round(1000 * (value - low) / (high - low)) if high > low else 500

    middle = median(values) if values else None
    shapes = "".join(f'<path class="peer" d="M{place(value)} 20h0"/>' for value in sorted(values))
    if middle is not None:
        shapes += f'<path class="middle" d="M{place(middle)} 6v28"/>'
    if own is not None:
        shapes += f'<path class="own" d="M{place(own)} 20h0"/>'
    said = [f"lowest {wording.quantity(low, unit)}", f"highest {wording.quantity(high, unit)}"]
    if middle is not None:
        said.insert(0, f"median of the others {wording.quantity(middle, unit)}")
    if own is not None:
        said.insert(0, f"own {wording.quantity(own, unit)}")
    return Markup(
        f'<div class="strip"><svg viewBox="0 0 1000 40" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}: {escape(", ".join(said))}"><path class="rule" d="M0 20H1000"/>{shapes}</svg>'
        f'<p class="ends"><span>{escape(wording.quantity(low, unit))}</span>'
        f"<span>{escape(wording.quantity(high, unit))}</span></p></div>"
    )


def progress(share: float | None, *, expected: float | None, label: str) -> Markup:
    """Return a bar of the way done (0 to 1) with a tick where it should be by now; unknown is an empty, hatched bar."""
    if share is None:
        return Markup(f'<span class="progress unknown" role="img" aria-label="{escape(label)}"></span>')
    done = min(1.0, max(0.0, share))
    tick = "" if expected is None else f'<b style="left:{min(1.0, max(0.0, expected)) * 100:.0f}%"></b>'
    return Markup(
        f'<span class="progress" role="img" aria-label="{escape(label)}">'
        f'<i style="width:{done * 100:.0f}%"></i>{tick}</span>'
    )


def _named(part: Part) -> str:
    name = str(escape(part.label))
    target = link_to(part.href, "")
    return f'<a href="{escape(target)}">{name}</a>' if target else name


def _level(value: float | None, top: float) -> str:
    if value is None:
        return "hn"
    if value <= 0:
        return "h0"
    return f"h{min(HEAT_LEVELS - 1, 1 + int(value / top * (HEAT_LEVELS - 1) - 1e-9))}"
