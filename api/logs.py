"""Structured logs: one JSON object a line on standard error, never a personal value.

Exceptions are told by their type and where they were raised: their text may quote what somebody typed, and
PostgreSQL's details quote whole keys. That holds for libraries too, whose warnings come through here, and for an
exception that ends the process.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from types import TracebackType
from typing import TextIO, cast

import structlog

from api import metrics
from api.log_bounds import Bounds


def configure(level: str) -> None:
    """Sets up logging for this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            Bounds(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(cast(TextIO, _Unfailing())),
        cache_logger_on_first_use=False,
    )
    heed(logging.getLogger())
    sys.excepthook = crashed


def traced(error: BaseException) -> str:
    """Where a bug is, without the values that were at hand: those may be personal."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return f"{type(error).__name__} at " + " < ".join(reversed(frames[-12:]))


class _Unfailing(io.TextIOBase):
    """Standard error, whatever that is by then; a line that it does not take, its disk being full, is counted and lost.

    Nobody's request fails because it could not be written down that it was served.
    """

    def write(self, text: str) -> int:
        try:
            return sys.stderr.write(text)
        except OSError:
            metrics.LOG_LOST.inc()
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


class _Heeded(logging.Handler):
    """What a library logs, in our form: its sentence, and where an exception was raised, without the values at hand."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[1] if record.exc_info else None
        more = {} if problem is None else {"error": traced(problem)}
        sentence = record.getMessage().partition("\n")[0]  # asyncio writes exceptions, with their text, into the rest
        structlog.get_logger(f"wushe.{record.name}").log(record.levelno, sentence, **more)


def heed(logger: logging.Logger) -> None:
    """Sends a library's warnings and errors into our log, and nowhere else."""
    if not any(isinstance(handler, _Heeded) for handler in logger.handlers):
        handler = _Heeded()
        handler.setLevel(logging.WARNING)
        logger.addHandler(handler)


def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says what ended the process. A keyboard's interrupt is no crash."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger("wushe").critical("crashed", error=traced(error.with_traceback(trace)))
