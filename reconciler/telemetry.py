"""Structured logs on stderr: for people on a console, as JSON for machines.

Events are dotted constants in the past tense (`plan.made`), values are keys. Only the rooms at the border log; pure
stages never do.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LogFormat = Literal["console", "json"]


def configure(log_format: LogFormat = "console", verbosity: int = 0, *, color: bool = False) -> None:
    """Send logs to stderr: warnings only at verbosity 0, facts of the run at 1, details at 2 and above."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=color)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger() -> FilteringBoundLogger:
    """Return a logger that carries the context bound so far (run, environment, revision, component)."""
    if not structlog.is_configured():
        configure()
    log: FilteringBoundLogger = structlog.get_logger()
    return log
