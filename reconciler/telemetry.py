"""Structured logs on stderr: for people on a console, as JSON for machines.

Events are dotted constants in the past tense (`plan.made`), values are keys. Only the rooms at the border log; pure
stages never do. structlog is loaded where there is something to say: most commands say nothing.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

LogFormat = Literal["console", "json"]


def configure(log_format: LogFormat = "console", verbosity: int = 0, *, color: bool = False) -> None:
    """Send logs to stderr: warnings only at verbosity 0, facts of the run at 1, details at 2 and above."""
    import structlog

    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    renderer: Processor = (
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


class _Quiet:
    """A logger before logs are configured: what is below a warning goes nowhere, the rest configures them first."""

    def debug(self, event: str, **values: object) -> None:
        """Leave a detail out."""

    def info(self, event: str, **values: object) -> None:
        """Leave a fact of the run out."""

    def __getattr__(self, name: str) -> Any:
        configure()
        return getattr(logger(), name)


def logger() -> FilteringBoundLogger:
    """Return a logger that carries the context bound so far (run, environment, revision, component)."""
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        return cast("FilteringBoundLogger", _Quiet())
    return cast("FilteringBoundLogger", structlog.get_logger())
