"""Reading a fed file row by row: what is good is given on, what is not is set aside with the reason.

People write these files with spreadsheets, so separators, byte order marks, encodings and line ends are found out.
Values are not: what could be read in two ways is set aside.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from metrics_assets.sources.files.cells import Cells, shown, suggestion
from metrics_assets.sources.files.layouts import LAYOUTS, REJECTED, Known, Layout
from metrics_assets.sources.records import Record

# Bad rows that are kept of a file; the others are counted.
MOST_REJECTED = 10_000
_SEPARATORS = ",;\t|"
_CHUNK = 1 << 20
_HIDDEN = "…"
_LONGEST_CONTENT = 2_000


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was set aside.

    Attributes:
        line: in the file, where the header is line 1; of a row over several lines the first.
        content: the row with the cell that names a person hidden.
    """

    line: int
    cells: tuple[str, ...]
    content: str
    problem: str


@dataclass(slots=True)
class FedFile:
    """A file of the folder. What was found in it is complete when `rows` has been read to its end."""

    path: Path
    layout: Layout
    checksum: str = ""
    rows_read: int = 0
    rows_rejected: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    _header: list[str] = field(default_factory=list)
    _separator: str = ","

    @property
    def name(self) -> str:
        return self.path.name

    def rows(self, known: Known) -> Iterator[tuple[int, Record]]:
        """The good rows, each with its line."""
        try:
            encoding = self._look_over()
            with self.path.open(encoding=encoding, errors="replace", newline="") as file:
                yield from self._rows(file, known)
        except csv.Error as error:
            self._reject(1, [], f"the first line cannot be read ({error}); it must be: {','.join(self.layout.columns)}")
        except OSError as error:
            self._reject(1, [], f"the file cannot be read ({error.strerror}); mend its permissions or remove it")

    def write_rejected(self) -> None:
        """Keep the bad rows beside the file, in the same form with the problem as the last column; or none."""
        beside = self.path.with_name(self.path.name[: -len(".csv")] + REJECTED)
        if not self._header or not self.rejected:
            beside.unlink(missing_ok=True)
            return
        # Whoever reads the folder meets the file in whole; the name is none that is fed.
        descriptor, temporary = tempfile.mkstemp(prefix=".rejected-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
                writer = csv.writer(file, delimiter=self._separator, lineterminator="\n")
                writer.writerow([*self._header, "problem"])
                for row in self.rejected:
                    padding = [""] * (len(self._header) - len(row.cells))
                    writer.writerow([*row.cells, *padding, row.problem])
            Path(temporary).chmod(self.path.stat().st_mode & 0o666)
            Path(temporary).replace(beside)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _look_over(self) -> str:
        """Take the checksum, and find out how the text is encoded."""
        digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
        encoding = "utf-8-sig"
        with self.path.open("rb") as file:
            first = True
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                if first and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    encoding = "utf-16"
                first = False
                if encoding == "utf-8-sig" and not _decodes(decoder, chunk):
                    encoding = "cp1252"
        if encoding == "utf-8-sig" and not _decodes(decoder, b"", final=True):
            encoding = "cp1252"
        if encoding == "cp1252":
            self.remarks.append("is not UTF-8 and was read as Windows-1252; save it as UTF-8 if letters look wrong")
        self.checksum = digest.hexdigest()
        return encoding

    def _rows(self, file: TextIO, known: Known) -> Iterator[tuple[int, Record]]:
        before, header_line = self._find_header(file)
        if header_line is None:
            self._reject(1, [], f"the file is empty; its first line must be: {','.join(self.layout.columns)}")
            return
        self._separator = _separator(header_line, self.layout)
        self._header = next(csv.reader([header_line], delimiter=self._separator))
        columns = [_column(cell) for cell in self._header]
        problem = self._wrong_header(columns)
        if problem:
            self._reject(before + 1, self._header, problem)
            return
        for line, last, cells in self._cells(file, before + 1):
            self.rows_read += 1
            if isinstance(cells, str):
                self._reject(line, [], cells)
                continue
            record = self._record(line, last, cells, columns, known)
            if record is not None:
                yield line, record

    def _find_header(self, file: TextIO) -> tuple[int, str | None]:
        """The first line that says something, and how many come before it."""
        for before, line in enumerate(file):
            # What spreadsheets write in front to tell each other the separator.
            if line.strip().strip("".join(_SEPARATORS)) and not re.fullmatch(
                r'"?sep=.?"?', line.strip(), re.IGNORECASE
            ):
                return before, line
        return 0, None

    def _cells(self, file: TextIO, lines_before: int) -> Iterator[tuple[int, int, list[str] | str]]:
        """The rows under the header: first line, last line, and the cells; or what is wrong with all of the row."""
        reader = csv.reader(file, delimiter=self._separator)
        while True:
            first = lines_before + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                last = lines_before + reader.line_num
                yield first, last, f"lines {first} to {last} are one row that cannot be read ({error}); {_UNCLOSED}"
                continue
            if any(cell.strip() for cell in cells):
                yield first, lines_before + reader.line_num, cells

    def _record(self, line: int, last: int, cells: list[str], columns: list[str], known: Known) -> Record | None:
        # Also where what is too much is empty: a decimal comma would else cut a number in two, and nobody see it.
        if len(cells) != len(columns):
            problem = f"the row has {len(cells)} cells, the header has {len(columns)}"
            if last > line:
                problem += f"; it goes on to line {last}: {_UNCLOSED}"
            elif len(cells) > len(columns) and self._separator == ",":
                problem += "; write numbers with a decimal point, and put texts that hold a comma in quotation marks"
            else:
                problem += "; write every cell, also the empty ones"
            self._reject(line, cells, problem)
            return None
        row = Cells(dict(zip(columns, cells, strict=True)), known.today)
        record = self.layout.parse(row, known)
        if row.problems:
            self._reject(line, cells, "; ".join(row.problems))
            return None
        return record

    def _wrong_header(self, columns: Sequence[str]) -> str | None:
        """Why the file cannot be taken at all. A column that nobody knows is no reason, unless it is a slip."""
        missing = [name for name in self.layout.required if name not in columns]
        twice = sorted({name for name in columns if name and columns.count(name) > 1})
        unknown = [name for name in columns if name and name not in self.layout.columns]
        absent = [name for name in self.layout.columns if name not in columns]
        if missing:
            known = f"its first line must name the columns, at least {', '.join(self.layout.required)}"
            return f"the column {' and '.join(missing)} is missing; {known}"
        if twice:
            return f"the column {' and '.join(twice)} stands twice; keep one"
        for name in unknown:
            near = suggestion(name, absent)
            if near.startswith("did you mean"):
                return f"the column '{shown(name)}' is not known; {near}"
        if unknown:
            self.remarks.append(f"has columns that are not read: {', '.join(shown(name) for name in unknown)}")
        return None

    def _reject(self, line: int, cells: Sequence[str], problem: str) -> None:
        self.rows_rejected += 1
        if len(self.rejected) < MOST_REJECTED:
            self.rejected.append(
                Rejected(line, tuple(cells), self._content(cells), problem if problem.endswith("?") else f"{problem}.")
            )

    def _content(self, cells: Sequence[str]) -> str:
        """The row without the person that it names; where cells are out of place, without all that may be one."""
        columns = [_column(cell) for cell in self._header]
        shown_cells = list(cells)
        # What stands where no column of ours is may be anybody's name.
        if cells == self._header:
            shown_cells = [self._hidden_unless(cell, _column(cell)) for cell in cells]
        elif len(cells) == len(columns):
            shown_cells = [self._hidden_unless(cell, name) for cell, name in zip(cells, columns, strict=True)]
        if self.layout.person in columns and cells != self._header:
            place = columns.index(str(self.layout.person))
            if len(cells) == len(columns):
                shown_cells[place] = _HIDDEN if cells[place].strip() else ""
            else:
                kept = max(0, place - max(0, len(columns) - len(cells)))
                shown_cells[kept:] = [_HIDDEN] * (len(cells) - kept)
        return self._separator.join(shown_cells).replace("\0", "")[:_LONGEST_CONTENT]

    def _hidden_unless(self, cell: str, column: str) -> str:
        return cell if column in self.layout.columns else _HIDDEN if cell.strip() else ""


_UNCLOSED = "perhaps a quotation mark is not closed"


def fed_files(folder: Path) -> tuple[list[FedFile], list[str]]:
    """The files of a folder that are fed, by name, and what is to be said of the others. None if there is no folder."""
    files: list[FedFile] = []
    remarks: list[str] = []
    if not folder.is_dir():
        return files, remarks
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        return files, [f"{folder} cannot be read ({error.strerror}); mend its permissions."]
    for path in paths:
        name = path.name.lower()
        if not name.isprintable() or name.startswith((".", "~")) or name.endswith(REJECTED) or not path.is_file():
            continue
        layout = next((layout for layout in LAYOUTS if layout.fits(path)), None)
        if layout is not None:
            files.append(FedFile(path, layout))
        elif name.endswith(".csv") or name.startswith(tuple(layout.name for layout in LAYOUTS)):
            kinds = ", ".join(f"{layout.name}.csv" for layout in LAYOUTS)
            remarks.append(f"{path.name} is not read: its name must be one of {kinds}, or like kpi_values-2026-10.csv.")
    return files, remarks


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _column(cell: str) -> str:
    """A column's name as people write it: 'Period start' is period_start."""
    return re.sub(r"[\s-]+", "_", cell.strip().lower())


def _separator(header: str, layout: Layout) -> str:
    """The separator with which the most cells of the header are known columns."""

    def known(separator: str) -> int:
        cells = next(csv.reader([header], delimiter=separator))
        return sum(_column(cell) in layout.columns for cell in cells)

    return max(_SEPARATORS, key=known)
