"""How messages are written for the services, and what they say about when to come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metrics_assets.alerting.channels.base import retry_after
from metrics_assets.alerting.channels.writing import as_html, as_markdown, as_slack, as_text
from metrics_assets.alerting.messages import Message, Section
from metrics_assets_tests.alerting.receiving import (
    NOON,
)  # fmt: skip
from metrics_assets_tests.alerting.samples import MESSAGE


def test_a_message_as_text_fits_a_phone() -> None:
    assert as_text(MESSAGE) == (
        "Change failure rate: 32 % (n = 25), above 25 %.\n"
        "28 days: ▁▂▃·▅▆▇█ (8 % to 32 %)\n\n"
        "On the same days\n- 2026-01-05: release v2.1.0\n- 2026-01-06: Stars: 14, unusual (6 expected)\n\n"
        "What to do\n- Look.\n\n"
        "Acknowledge: https://a.example/alerts/1?token=t0ken\nSite: https://s.example"
    )


@pytest.mark.parametrize("write", [as_text, as_slack, as_markdown])
def test_what_is_too_long_loses_the_end_of_its_longest_section_first(write: Any) -> None:
    many = replace(
        MESSAGE, sections=(Section("Which", tuple(f"acme/{n}: high" for n in range(500))), MESSAGE.sections[1])
    )
    text = write(many, 1000)
    assert 900 < len(text) <= 1000
    for kept in ("acme/0: high", "What to do", "https://s.example"):
        assert kept in text
    assert len(write(replace(MESSAGE, lines=("x" * 5000,)), 1000)) == 1000


def test_nothing_at_all_is_nothing() -> None:
    empty = Message("t", (), (), (), {}, "message", "info")
    assert (as_text(empty), as_slack(empty, 99), as_markdown(empty, 99), as_html(empty)) == ("", "", "", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("0", 0.0), ("100000", 3600.0), ("", None), ("-5", None), ("soon", None),
     ("Wed, 07 Jan 2026 12:00:30 GMT", 30.0), ("Wed, 07 Jan 2026 11:00:00 GMT", 0.0),
     ("Wed, 07 Jan 2026 12:00:30", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, lambda: NOON) == seconds
