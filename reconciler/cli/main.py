"""`reconciler`: the commands, the options before them, and the one place where an error becomes an exit code."""

from __future__ import annotations

import gc
import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from reconciler import __version__
from reconciler.cli import streams
from reconciler.cli.exits import Exit, code_of
from reconciler.cli.invocation import PATH, Invocation, LogFormat, configure_logs
from reconciler.cli.signals import ending
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM: Final = "reconciler"
HELP: Final = (
    "GitOps reconciliation for container platforms.\n\n"
    "Reads the working tree, or the committed tree of --revision; renders the layers of an environment; compares the "
    "result with its cluster; applies what differs in dependency order.\n\n"
    "Exit codes: 0 fine, 1 something failed, 2 wrong usage or invalid configuration, 3 `diff --exit-code` found "
    "changes, 4 the plan was refused before the first write, 130 interrupted."
)
COMMANDS: Final[Mapping[str, str]] = {
    "build": "build.build",
    "render": "render.render",
    "validate": "validate.validate",
    "graph": "graph.graph",
    "diff": "diff.diff",
    "apply": "apply.apply",
    "status": "status.status",
    "history": "history.history",
    "import": "importing.import_",
    "blame": "blame.blame",
    "pin-chart": "pin_chart.pin_chart",
    "vendor": "vendor.vendor",
    "preview": "preview.preview",
    "preflight": "preflight.preflight",
    "skew": "skew.skew",
    "agent": "agent.agent",
    "sandbox": "sandbox.group",
    "completion": "completion.completion",
}
"""Each command with its module of `cli` and its name there, in the order of `--help`."""


class Commands(click.Group):
    """The commands, each loaded when it is asked for: to load all costs more than many of them need for their work."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - they are the same everywhere
        """Return the names of all commands, in the order of `--help`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(importlib.import_module(f"reconciler.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named; one that does not exist is told with those that look like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None


@click.group(cls=Commands, help=HELP, context_settings={"show_default": True})
@click.option(
    "--repo", type=PATH, default=Path(), show_default="here", help="The config repository, or a directory in it."
)
@click.option("--revision", help="A commit, branch or tag; the working tree where it is not given.")
@click.option(
    "--log-format", type=click.Choice(get_args(LogFormat)), default="console", help="How logs look on stderr."
)
@click.option("--verbose", "-v", count=True, show_default=False, help="Tell more; twice for details.")
@click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version and exit.")
@click.pass_context
def cli(context: click.Context, repo: Path, revision: str | None, log_format: LogFormat, verbose: int) -> None:
    """Keep the options that stand before the command."""
    context.obj = Invocation(repo, revision, log_format, verbose)
    if verbose or log_format == "json":
        configure_logs(context.obj)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; the only place that turns errors into text.

    Click itself leaves by SystemExit where nobody reads stdout any more, and where a shell asks what may follow.
    """
    try:
        result = cli.main(arguments, PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return Exit.INVALID
    except (click.Abort, KeyboardInterrupt):
        return _told("interrupted", Exit.INTERRUPTED)
    except ReconcilerError as error:
        return _told(f"errors:\n{error}" if "\n" in str(error) else f"error: {error}", code_of(error))
    except Exception as error:  # noqa: BLE001 - the last resort: a defect ends with its traceback and code 1
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
        return _told("error: this is a defect of reconciler; please report it with the lines above", Exit.FAILED)
    return int(result) if isinstance(result, int) else Exit.OK


def _told(message: str, code: Exit) -> Exit:
    sys.stderr.write(message + "\n")
    return code


def run() -> None:
    """Enter from the shell."""
    gc.disable()  # a short-lived process holds trees of millions of entries: looking for cycles among them is waste
    for number in ending():
        signal.signal(number, signal.default_int_handler)  # ends as Ctrl-C does, even where that is ignored
    streams.install()
    code = main()
    sys.exit(code or Exit.FAILED if streams.tell() else code)


if __name__ == "__main__":
    run()
