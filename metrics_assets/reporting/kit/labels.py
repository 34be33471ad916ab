"""Labels that must not touch: how wide words are, and how labels on a line are moved apart."""

from __future__ import annotations

from collections.abc import Sequence

# Widths of characters in hundredths of the font's size, of a wide sans-serif (DejaVu Sans, Verdana), so that no
# common font is wider. What is not listed is taken as wide.
_WIDTHS = {
    **dict.fromkeys("iljI|'", 35), **dict.fromkeys(".,:;!ft()[]/\\- \u00a0r", 42), **dict.fromkeys("mwMW%@", 98),
    **dict.fromkeys("abcdeghknopqsuvxyzJ0123456789$#*?+<>=\u00b7", 64), **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ&~", 76),
}  # fmt: skip
_OTHER = 105


def text_width(text: str) -> float:
    """Return how wide a text is at most, in sizes of its font."""
    return sum(_WIDTHS.get(character, _OTHER) for character in text) / 100


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters, with an ellipsis where it was cut."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def moved_apart(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Return centres as close as can be to those wanted (in ascending order), so that no two labels touch.

    Each label takes its size around its centre. Neighbours that would touch form a group, which is set around the
    mean of what its members want and kept within `low` to `high`. Where all together are longer than that, they
    overrun at `high`: callers give few enough.
    """
    groups: list[tuple[float, float, int]] = []  # start, length, members
    for centre, size in zip(wanted, sizes, strict=True):
        start = _inside(centre - size / 2, size, low, high)
        groups.append((start, size, 1))
        while len(groups) > 1 and groups[-2][0] + groups[-2][1] > groups[-1][0]:
            second_start, second_length, second_members = groups.pop()
            first_start, first_length, first_members = groups.pop()
            members = first_members + second_members
            mean = (first_start * first_members + (second_start - first_length) * second_members) / members
            length = first_length + second_length
            groups.append((_inside(mean, length, low, high), length, members))
    centres: list[float] = []
    remaining = iter(sizes)
    for start, _, members in groups:
        at = start
        for _ in range(members):
            size = next(remaining)
            centres.append(at + size / 2)
            at += size
    return centres


def _inside(start: float, length: float, low: float, high: float) -> float:
    return max(low, min(start, high - length))
