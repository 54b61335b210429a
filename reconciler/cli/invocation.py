"""The options that stand before the command, and the arguments and options that commands share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import click

LogFormat = Literal["console", "json"]
Output = Literal["text", "json", "yaml"]  # what a reading command prints
PlanOutput = Literal["text", "json", "yaml", "markdown"]  # what `diff` and `preview` print

PATH: Final = click.Path(readable=False, path_type=Path)  # what is wrong with it is told by what opens it


class Seconds(click.FloatRange):
    """A time that is no shorter than the least; for Click, what is no number is in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time in seconds; `inf` is one."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number.", param, ctx)
        return seconds


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


def environment_names(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return the environments whose names begin so, for a shell to offer; told from names alone, nothing is loaded."""
    try:
        here = context.find_root().params["repo"].resolve()
        root = next(place for place in (here, *here.parents) if (place / "environments").is_dir())
        names = [file.parent.name for file in root.glob("environments/*/environment.yaml")]
    except (OSError, RuntimeError, StopIteration):  # RuntimeError: a link to itself, before Python 3.13
        return []
    return sorted(name for name in names if name.isascii() and name.startswith(begun))


environment_argument = click.argument(
    "environment",
    metavar="ENV",
    shell_complete=environment_names,
    help="The environment: a directory below environments/.",
)
output_option = click.option(
    "--output", "-o", type=click.Choice(get_args(Output)), default="text", help="What to print."
)
plan_output_option = click.option(
    "--output", "-o", type=click.Choice(get_args(PlanOutput)), default="text", help="What to print."
)
