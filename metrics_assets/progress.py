"""What a person at the terminal sees of a run: a line when a step begins, moves on, and ends."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import dagster as dg


class ProgressHandler(logging.Handler):
    """Prints Dagster's events as short lines with the seconds since the run began."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._began = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._line(record)
            if line:
                sys.stderr.write(f"{time.monotonic() - self._began:7.1f} s  {line}\n")
                sys.stderr.flush()
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str | None:
        meta: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        event = meta.get("dagster_event")
        step = str(meta.get("step_key") or meta.get("run_id", "")[:8]).replace("__", ".")
        if event is None:
            text = meta.get("orig_message") or record.getMessage()
            return f"  {text}" if record.levelno >= logging.INFO else None
        if event.event_type_value == "STEP_START":
            return step
        if event.event_type_value == "STEP_FAILURE":
            return f"  {step} FAILED: {_reason(event)}"
        if event.event_type_value == "STEP_UP_FOR_RETRY":
            return f"  {step} will be tried again: {_reason(event)}"
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.event_specific_data.passed:
            data = event.event_specific_data
            return f"  CHECK FAILED {data.asset_key.to_user_string()} {data.check_name}: {data.description}"
        return None


def _reason(event: Any) -> str:
    error = event.event_specific_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip().splitlines()[-1] if error else "see the run in the Dagster UI"


@dg.logger(None, description="Short progress lines on the terminal; the whole log is in the Dagster UI.")
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """The logger `progress`."""
    logger = logging.Logger("metrics_assets.progress", level=logging.DEBUG)
    logger.addHandler(ProgressHandler())
    return logger
