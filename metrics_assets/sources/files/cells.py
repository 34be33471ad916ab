"""The cells of one row as values. What is wrong is said in a sentence that says how to write it instead.

A row is judged as a whole: every method notes what is wrong with its cell and goes on, so that a person mends a row
once and not cell by cell.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time

# What PostgreSQL's index takes for each part of a key, with room for four bytes a character; and a page of text.
_LONGEST_KEY = 200
_LONGEST_TEXT = 10_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ADDRESS = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_REPOSITORY = re.compile(r"[^/\s]+(/[^/\s]+)+")
_YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_EARLIEST = date(1970, 1, 1)


class Cells:
    """The cells of a row by column, and what is wrong with them."""

    def __init__(self, cells: Mapping[str, str], today: date) -> None:
        self._cells = cells
        self._today = today
        self.problems: list[str] = []

    def text(self, column: str) -> str | None:
        """A text as it is; None where the cell is empty."""
        text = self._cells.get(column, "").strip()
        if len(text) > _LONGEST_TEXT:
            self.problems.append(f"{column} has {len(text)} characters; at most {_LONGEST_TEXT} are kept, shorten it")
        if "\0" in text:
            self.problems.append(f"{column} holds a NUL character; remove it")
        return text or None

    def name(self, column: str, *, may_be_empty: bool = False) -> str:
        """A text that is part of a row's key."""
        text = self.text(column) or ""
        if len(text) > _LONGEST_KEY:
            self.problems.append(f"{column} has {len(text)} characters; at most {_LONGEST_KEY} are kept, shorten it")
        if not text and not may_be_empty:
            self.problems.append(f"{column} is empty; fill it in")
        return text

    def one_of(self, column: str, allowed: Collection[str], what: str, otherwise: Mapping[str, str]) -> str:
        """A name that has to be known.

        Args:
            what: what it is a name of, as in 'no metric that is fed'.
            otherwise: names that are known but cannot be used here, and why.
        """
        name = self.name(column)
        if not name or name in allowed:
            return name
        if name in otherwise:
            self.problems.append(f"{column} '{shown(name)}' {otherwise[name]}")
        else:
            self.problems.append(f"{column} '{shown(name)}' is {what}; {suggestion(name, allowed)}")
        return name

    def day(self, column: str) -> date:
        """A date, written 2025-12-31, not in the future."""
        text = self.name(column)
        try:
            if not _DATE.fullmatch(text):
                raise ValueError
            found = date.fromisoformat(text)
        except ValueError:
            if text:
                self.problems.append(f"{column} '{shown(text)}' is no date; write it like 2025-12-31")
            return _EARLIEST
        self._check_age(column, text, found)
        return found

    def moment(self, column: str) -> datetime:
        """A time in UTC. Without a time it is midnight, without a zone UTC."""
        text = self.name(column)
        try:
            if not _TIME.fullmatch(text):
                raise ValueError
            found = datetime.fromisoformat(text.replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            if text:
                self.problems.append(
                    f"{column} '{shown(text)}' is no time; write it like 2025-12-31 or 2025-12-31T14:30:00Z"
                )
            return datetime.combine(_EARLIEST, time(), UTC)
        self._check_age(column, text, found.date())
        return found

    def _check_age(self, column: str, text: str, day: date) -> None:
        if day > self._today:
            self.problems.append(f"{column} {shown(text)} lies in the future (today is {self._today}, UTC)")
        if day < _EARLIEST:
            self.problems.append(f"{column} {shown(text)} is before {_EARLIEST}; correct the year")

    def number(self, column: str, *, may_be_empty: bool = False, yes_or_no: bool = False) -> float | None:
        """A number with a decimal point; 1 or 0 for yes or no where those are asked for."""
        text = self.text(column)
        if text is None:
            if not may_be_empty:
                self.problems.append(f"{column} is empty; fill it in, or leave the row out: no data is not 0")
            return None
        if yes_or_no:
            if text.lower() not in _YES_OR_NO:
                self.problems.append(f"{column} '{shown(text)}' is neither yes nor no; write one of them")
                return None
            return float(_YES_OR_NO[text.lower()])
        if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        self.problems.append(f"{column} '{shown(text)}' {_how_to_write(text)}")
        return None

    def yes_or_no(self, column: str) -> bool | None:
        found = self.number(column, may_be_empty=True, yes_or_no=True)
        return None if found is None else bool(found)

    def issue_number(self, column: str) -> int:
        text = self.name(column).removeprefix("#")
        if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0:
            return int(text)
        if text:
            self.problems.append(f"{column} '{shown(text)}' is no number of an issue; write it like 123")
        return 0

    def repository(self, column: str) -> str:
        name = self.name(column)
        if name and not _REPOSITORY.fullmatch(name):
            self.problems.append(f"{column} '{shown(name)}' is no repository; write it like owner/name")
        return name

    def address(self, column: str) -> str | None:
        """An address to click on, so nothing but http and https."""
        text = self.text(column)
        if text is not None and not _ADDRESS.fullmatch(text):
            self.problems.append(
                f"{column} '{shown(text)}' is no address; write one that begins with https://, or leave it empty"
            )
        return text


def _how_to_write(text: str) -> str:
    """What is wrong with a number, and how it is written."""
    bare = text.replace(" ", "").replace("\u00a0", "").replace("\u202f", "")
    if bare.endswith("%") and _NUMBER.fullmatch(bare[:-1].replace(",", ".")):
        return f"has a per cent sign; write it as a share: {float(bare[:-1].replace(',', '.')) / 100:.12g}"
    if bare.lower().lstrip("+-") in ("nan", "inf", "infinity", "na", "n/a", "null", "none", "-"):
        return "is no number; leave the row out where nothing is known"
    if _NUMBER.fullmatch(bare.replace(",", ".")) and "," in bare:
        whole, _, part = bare.partition(",")
        also = f", or {whole}{part} if the comma separates thousands" if len(part) == 3 else ""
        return f"has a comma; write it with a decimal point: {whole}.{part}{also}"
    if text != (plain := bare.replace(",", "")) and _NUMBER.fullmatch(plain):
        return f"has separators; write it without them: {plain}"
    if _NUMBER.fullmatch(bare):
        return "is too large for a number; correct it"
    return "is no number; write the number alone, like 1234.5"


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """'did you mean ...?', or what there is."""
    names = sorted(allowed)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names:
        return "there is none yet"
    return f"there are {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"


def shown(text: str) -> str:
    """A cell as a sentence shows it."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
