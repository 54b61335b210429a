"""The options that stand before the command, and the option types that commands share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

LogFormat = Literal["console", "json"]


class Output(StrEnum):
    """What a reading command prints."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class PlanOutput(StrEnum):
    """What `diff` prints."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options of one run of the command."""

    repo: Path
    revision: str | None = None
    log_format: LogFormat = "console"
    verbosity: int = 0


def configure_logs(options: Invocation, least: int = 0) -> None:
    """Send logs to stderr as the options say, and at least as much as a command needs."""
    import os
    import sys

    from reconciler import telemetry

    color = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    telemetry.configure(options.log_format, max(options.verbosity, least), color=color)


def invocation(context: typer.Context) -> Invocation:
    """Return the global options that the main callback kept."""
    kept = context.find_object(Invocation)
    return kept if kept is not None else Invocation(Path())


EnvironmentName = Annotated[
    str, typer.Argument(metavar="ENV", help="The environment: a directory below environments/.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="What to print.")]
ColorOption = Annotated[bool, typer.Option("--color/--no-color", help="Colour; only on a terminal by default.")]
