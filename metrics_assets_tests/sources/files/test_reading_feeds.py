"""Files as people write them: what is read, what is set aside, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics_assets.sources.files.layouts import EVENTS, GATE_EVIDENCE, INCIDENT_LINKS, KPI_VALUES, Known, Layout
from metrics_assets.sources.files.reading import FedFile, fed_files
from metrics_assets.sources.records import Record

KNOWN = Known(
    metrics={"revenue": "dollars", "unit_test_coverage": "ratio", "audited": "yes or no"},
    others={"stars_new": "is not fed: it is made from what is collected"},
    gates={"mvp": {"independent_validation", "load_test"}},
    today=date(2026, 11, 21),
    person=lambda login: f"key of {login}",
)
HEADER = "metric_key,period_start,period_end,value,segment,source_url,entered_by\n"
GOOD = "revenue,2026-10-01,2026-10-31,1200.5,,https://example.org/q,ann\n"

Read = Callable[..., tuple[list[tuple[int, Any]], FedFile]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reading(content: str | bytes, layout: Layout = KPI_VALUES) -> tuple[list[tuple[int, Record]], FedFile]:
        path = tmp_path / f"{layout.name}.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = FedFile(path, layout)
        return list(file.rows(KNOWN)), file

    return reading


def problem_of(read: Read, row: str, layout: Layout = KPI_VALUES, header: str = HEADER) -> str:
    """What is said of the one row of a file."""
    rows, file = read(header + row + "\n", layout)
    assert rows == []
    (rejected,) = file.rejected
    assert rejected.line == 2
    return rejected.problem


def test_a_plain_file(read: Read) -> None:
    ((line, row),), file = read(HEADER + GOOD)
    assert line == 2
    assert (row.metric, row.period_start, row.period_end, row.value) == (
        "revenue",
        date(2026, 10, 1),
        date(2026, 10, 31),
        1200.5,
    )
    assert (row.segment, row.source_url, row.entered_by_key) == ("", "https://example.org/q", "key of ann")
    assert (file.rows_read, file.rejected, file.remarks) == (1, [], [])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + GOOD).encode(),
        (HEADER + GOOD).replace(",", ";").encode(),
        (HEADER + GOOD).replace(",", "\t").encode(),
        (HEADER + GOOD).replace("\n", "\r\n").encode(),
        (HEADER + GOOD).replace("\n", "\r").encode(),
        (HEADER + GOOD).encode("utf-16"),
        ("sep=;\n\n" + (HEADER + GOOD).replace(",", ";")).encode(),
        (HEADER + "\n,,,,,,\n" + GOOD + "\n\n").encode(),
        (HEADER + GOOD.replace("revenue", '" revenue "').replace("ann", " @ann ")).encode(),
        (b"Value;Metric key;Period end;period-start;;source_url;entered_by\n"
         b"1200.5;revenue;2026-10-31;2026-10-01;;https://example.org/q;ann\n"),
        (HEADER + GOOD.rstrip("\n")).encode(),
        (HEADER + GOOD).replace("\n", ",,,\n").encode(),
    ],
    ids=[
        "mark", "semicolons", "tabs", "crlf", "cr", "utf-16", "sep", "blanks", "spaces", "order", "no end", "more",
    ],
)  # fmt: skip
def test_the_forms_that_spreadsheets_write(read: Read, content: bytes) -> None:
    rows, file = read(content)
    assert file.rejected == []
    ((_, row),) = rows
    assert (row.metric, row.value, row.period_end, row.entered_by_key) == (
        "revenue",
        1200.5,
        date(2026, 10, 31),
        "key of ann",
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("revenu,2026-10-01,2026-10-31,1,,,", "metric_key 'revenu' is no metric that is fed; did you mean revenue?"),
        ("stars_new,2026-10-01,2026-10-31,1,,,", "'stars_new' is not fed: it is made from what is collected."),
        (",2026-10-01,2026-10-31,1,,,", "metric_key is empty; fill it in."),
        ("revenue,2026-10-01,2026-10-31,1,Team:web,,", "segment 'Team:web' looks like a team; write team: in small"),
        ("revenue,01.10.2026,2026-10-31,1,,,", "period_start '01.10.2026' is no date; write it like 2025-12-31."),
        ("revenue,2026-10-01,31/10/2026,1,,,", "period_end '31/10/2026' is no date"),
        ("revenue,2026-10-01,20261031,1,,,", "period_end '20261031' is no date"),
        ("revenue,2026-10-01,2026-02-30,1,,,", "period_end '2026-02-30' is no date"),
        ("revenue,2026-10-01,2026-09-30,1,,,", "period_end 2026-09-30 is before period_start 2026-10-01; swap or"),
        ("revenue,2026-10-01,2026-12-31,1,,,", "period_end 2026-12-31 lies in the future (today is 2026-11-21, UTC)."),
        ("revenue,0026-10-01,2026-10-31,1,,,", "period_start 0026-10-01 is before 1970-01-01; correct the year."),
        ('revenue,2026-10-01,2026-10-31,"1,5",,,', "value '1,5' has a comma; write it with a decimal point: 1.5."),
        ('revenue,2026-10-01,2026-10-31,"1,234",,,', "write it with a decimal point: 1.234, or 1234 if the comma"),
        ('revenue,2026-10-01,2026-10-31,"1,234.5",,,', "has separators; write it without them: 1234.5."),
        ("revenue,2026-10-01,2026-10-31,1,5,,,", "the row has 8 cells, the header has 7; write numbers with a decimal"),
        ("revenue,2026-10-01,2026-10-31,1 234,,,", "value '1 234' has separators; write it without them: 1234."),
        ("revenue,2026-10-01,2026-10-31,1", "the row has 4 cells, the header has 7; write every cell"),
        ("unit_test_coverage,2026-10-01,2026-10-31,95%,,,", "has a per cent sign; write it as a share: 0.95."),
        ('unit_test_coverage,2026-10-01,2026-10-31,"99,5 %",,,', "write it as a share: 0.995."),
        ("revenue,2026-10-01,2026-10-31,NaN,,,", "value 'NaN' is no number; leave the row out"),
        ("revenue,2026-10-01,2026-10-31,-inf,,,", "value '-inf' is no number; leave the row out"),
        ("revenue,2026-10-01,2026-10-31,1e999,,,", "value '1e999' is too large for a number"),
        ("revenue,2026-10-01,2026-10-31,1_000,,,", "value '1_000' is no number; write the number alone"),
        ("revenue,2026-10-01,2026-10-31,$5,,,", "value '$5' is no number; write the number alone"),
        ("revenue,2026-10-01,2026-10-31,٣,,,", "value '٣' is no number"),
        ("revenue,2026-10-01,2026-10-31,,,,", "value is empty; fill it in, or leave the row out: no data is not 0."),
        ("audited,2026-10-01,2026-10-31,maybe,,,", "value 'maybe' is neither yes nor no; write one of them."),
        ("revenue,2026-10-01,2026-10-31,1,,javascript:alert(1),", "source_url 'javascript:alert(1)' is no address"),
        (f"revenue,2026-10-01,2026-10-31,1,{'s' * 201},,", "segment has 201 characters; at most 200 are kept"),
        ("revenue,2026-10-01,2026-10-31,1,a\0b,,", "segment holds a NUL character; remove it."),
        ("revenu,2026-10-01,x,95%,,,", "period_end 'x' is no date; write it like 2025-12-31; value '95%' has a per"),
    ],
)
def test_what_is_wrong_is_said_with_how_to_write_it(read: Read, row: str, said: str) -> None:
    assert said in problem_of(read, row)


def test_a_bad_row_does_not_stop_the_others_and_lines_are_those_of_the_file(read: Read) -> None:
    rows, file = read(
        HEADER
        + GOOD
        + 'revenue,2026-10-01,2026-10-31,x,"a\nnote over\nlines",,\n'
        + "\n"
        + "audited,2026-09-01,2026-09-30,Yes,,,\n"
        + "revenue,2026-09-01,2026-09-30,1,,,,ann\n"
    )
    assert [(line, row.value) for line, row in rows] == [(2, 1200.5), (7, 1.0)]
    assert [row.line for row in file.rejected] == [3, 8]
    assert (file.rows_read, file.rows_rejected) == (4, 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty; its first line must be: metric_key,period_start,period_end,value,segment"),
        ("\n\n  \n", "the file is empty"),
        ("metric_key,period_start,value\nrevenue,2026-10-01,1\n", "the column period_end is missing; its first line"),
        ("revenue,2026-10-01,2026-10-31,1\n", "the column metric_key and period_start and period_end and value is"),
        (HEADER.replace("segment", "segmnt") + GOOD, "the column 'segmnt' is not known; did you mean segment?"),
        (HEADER.replace("segment", "value") + GOOD, "the column value stands twice; keep one"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe", "is missing; its first line must name the columns"),
        (b"PK\x03\x04" + bytes(range(256)) * 50, "is missing; its first line must name the columns"),
    ],
)
def test_files_that_cannot_be_taken_at_all(read: Read, content: str | bytes, said: str) -> None:
    rows, file = read(content)
    assert rows == []
    (rejected,) = file.rejected
    assert said in rejected.problem
    assert rejected.line in (1, 2)


def test_a_header_alone_is_a_file_without_rows(read: Read) -> None:
    rows, file = read(HEADER)
    assert (rows, file.rejected, file.rows_read) == ([], [], 0)


def test_columns_that_nobody_knows_are_said_and_left_out(read: Read) -> None:
    rows, file = read(HEADER.strip() + ",colour\n" + GOOD.strip() + ",red\n")
    assert len(rows) == 1
    assert file.remarks == ["has columns that are not read: colour"]


def test_latin_1_is_read_and_said(read: Read) -> None:
    ((_, row),), file = read((HEADER + GOOD.replace("31,1200.5,,", "31,1200.5,Zürich,")).encode("latin-1"))
    assert row.segment == "Zürich"
    assert "is not UTF-8" in file.remarks[0]


def test_a_quotation_mark_that_is_not_closed_takes_the_rest_and_says_so(read: Read) -> None:
    rows, file = read(HEADER + GOOD + 'revenue,2026-09-01,2026-09-30,1,"open,,\n' + GOOD * 3)
    assert len(rows) == 1
    assert [row.line for row in file.rejected] == [3]
    assert "it goes on to line 6: perhaps a quotation mark is not closed" in file.rejected[0].problem
    rows, file = read(HEADER + GOOD + 'revenue,2026-09-01,2026-09-30,1,"open,,\n' + GOOD * 5000)
    assert len(rows) >= 1
    assert "perhaps a quotation mark is not closed" in file.rejected[0].problem


def test_formulas_are_text(read: Read) -> None:
    ((_, row),), _ = read(HEADER + "revenue,2026-10-01,2026-10-31,1,\"=cmd|'/C calc'!A0\",,\n")
    assert row.segment == "=cmd|'/C calc'!A0"


def test_the_person_of_a_bad_row_is_hidden(read: Read) -> None:
    _, file = read(HEADER + "revenue,2026-10-01,2026-10-31,x,,,ann\nrevenue,2026-10-01,2026-10-31,1,5,,,ann\nx,ann\n")
    assert [row.content for row in file.rejected] == [
        "revenue,2026-10-01,2026-10-31,x,,,…",
        "revenue,2026-10-01,2026-10-31,1,5,,…,…",
        "x,…",
    ]


def test_bad_rows_are_kept_beside_the_file_until_they_are_mended(read: Read, tmp_path: Path) -> None:
    beside = tmp_path / "kpi_values.rejected.csv"
    _, file = read(HEADER.replace(",", ";") + "revenue;2026-09-01;2026-09-30;1,5;;;ann\nshort\n")
    file.write_rejected()
    assert beside.read_text() == (
        "metric_key;period_start;period_end;value;segment;source_url;entered_by;problem\n"
        "revenue;2026-09-01;2026-09-30;1,5;;;ann;\"value '1,5' has a comma; write it with a decimal point: 1.5.\"\n"
        'short;;;;;;;"the row has 1 cells, the header has 7; write every cell, also the empty ones."\n'
    )
    _, file = read(HEADER + GOOD)
    file.write_rejected()
    assert not beside.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["kpi_values.csv"]


def test_events(read: Read) -> None:
    header = "occurred_at,kind,title,url,severity,note\n"
    rows, file = read(
        header
        + "2026-10-02,talk,FOSDEM,,,\n"
        + "2026-10-02T14:30:00+02:00,talk,FOSDEM,,,\n"
        + "2026-10-02 12:30,talk,FOSDEM,https://a.example,,another note\n"
        + "2026-10-02T25:00,talk,FOSDEM,,,\n"
        + "2027-01-01,talk,FOSDEM,,,\n"
        + "2026-10-02,,,,,\n",
        EVENTS,
    )
    assert [row.occurred_at for _, row in rows] == [
        datetime(2026, 10, 2, tzinfo=UTC),
        datetime(2026, 10, 2, 12, 30, tzinfo=UTC),
        datetime(2026, 10, 2, 12, 30, tzinfo=UTC),
    ]
    assert rows[1][1].event_id == rows[2][1].event_id != rows[0][1].event_id
    assert [row.problem for row in file.rejected] == [
        "occurred_at '2026-10-02T25:00' is no time; write it like 2025-12-31 or 2025-12-31T14:30:00Z.",
        "occurred_at 2027-01-01 lies in the future (today is 2026-11-21, UTC).",
        "kind is empty; fill it in; title is empty; fill it in.",
    ]


def test_gate_evidence(read: Read) -> None:
    rows, file = read(
        "gate,criterion,met,value,evidence_url,decided_by,decided_at\n"
        "mvp,independent_validation,yes,,https://a.example,ann,2026-10-02\n"
        "mvp,load_test,,1200000,,,2026-10-02\n"
        "mvp,load_tst,no,,,,2026-10-02\n"
        "vmp,load_test,no,,,,2026-10-02\n"
        "mvp,load_test,,,,,2026-10-02\n",
        GATE_EVIDENCE,
    )
    assert [(row.met, row.value, row.decided_by_key) for _, row in rows] == [
        (True, None, "key of ann"),
        (None, 1200000.0, None),
    ]
    assert [row.problem for row in file.rejected] == [
        "criterion 'load_tst' is no criterion of gate mvp; did you mean load_test?",
        "gate 'vmp' is no gate; did you mean mvp?",
        "met and value are both empty; write yes or no into met, or a number into value.",
    ]


def test_incident_links(read: Read) -> None:
    rows, file = read(
        "repository,issue_number,deployment,verdict,note,decided_by,decided_at\n"
        "acme/api,#12,v1.2.3,Caused,,ann,2026-10-02\n"
        "acme/api,12,abc,not caused,,,2026-10-02\n"
        "api,twelve,abc,perhaps,,,2026-10-02\n",
        INCIDENT_LINKS,
    )
    assert [(row.issue_number, row.verdict) for _, row in rows] == [(12, "caused"), (12, "not caused")]
    assert file.rejected[0].problem == (
        "verdict 'perhaps' is not known; write caused or not caused; repository 'api' is no repository; write it like "
        "owner/name; issue_number 'twelve' is no number of an issue; write it like 123."
    )


def test_which_files_are_fed(tmp_path: Path) -> None:
    for name in (
        "kpi_values.csv", "kpi_values-2026-10.csv", "KPI_values.finance.CSV", "events.csv", "gate_evidence.csv",
        "incident_links.csv", "kpi_values.rejected.csv", ".kpi_values.csv", "~$kpi_values.csv", "notes.txt",
        "kpis.csv", "kpi_values.xlsx", "kpi_valuesnew.csv",
    ):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / "kpi_values.d.csv").mkdir()
    files, remarks = fed_files(tmp_path)
    assert [(file.name, file.layout.name) for file in files] == [
        ("KPI_values.finance.CSV", "kpi_values"),
        ("events.csv", "events"),
        ("gate_evidence.csv", "gate_evidence"),
        ("incident_links.csv", "incident_links"),
        ("kpi_values-2026-10.csv", "kpi_values"),
        ("kpi_values.csv", "kpi_values"),
    ]
    assert [remark.split(" ")[0] for remark in remarks] == ["kpi_values.xlsx", "kpi_valuesnew.csv", "kpis.csv"]
    assert fed_files(tmp_path / "nothing") == ([], [])


@given(st.binary(max_size=400))
def test_no_bytes_are_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("feeds") / "kpi_values.csv"
    for start in (b"", HEADER.encode(), (HEADER + GOOD).encode()):
        path.write_bytes(start + content)
        file = FedFile(path, KPI_VALUES)
        taken = len(list(file.rows(KNOWN)))
        file.write_rejected()
        assert file.rows_rejected or taken == file.rows_read
