"""`reconciler`: the commands, the options before them, and the one place where an error becomes an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reconciler import __version__
from reconciler.cli.exits import Exit, code_of
from reconciler.cli.invocation import Invocation, LogFormat, configure_logs
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    "sandbox": "sandbox.app",
}
"""Each command with its module of `cli` and its name there, in the order of `--help`."""

WITH_VALUE: Final = frozenset(("--repo", "--revision", "--log-format"))


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command line with the command that the arguments name; with all of them where that is not clear.

    To read what every command takes costs more than many of them need to do their work.
    """
    made = typer.Typer(
        name="reconciler",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    made.callback()(options)
    chosen = named(arguments)
    for name in COMMANDS if chosen is None else (chosen,):
        module, _, attribute = COMMANDS[name].partition(".")
        found = getattr(importlib.import_module(f"reconciler.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name)(found)
    return made


def named(arguments: Sequence[str]) -> str | None:
    """Return the command that arguments name, after options that stand before it; None where that is not certain."""
    rest = iter(arguments)
    for item in rest:
        if item in WITH_VALUE:
            next(rest, None)
        elif not item.startswith("-"):
            return item if item in COMMANDS else None
        elif item not in ("-v", "-vv", "--verbose") and item.partition("=")[0] not in WITH_VALUE:
            return None
    return None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reconciler {__version__}")
        raise typer.Exit


def options(
    context: typer.Context,
    repo: Annotated[
        Path, typer.Option(help="The config repository, or a directory in it.", show_default="here")
    ] = Path(),
    revision: Annotated[
        str | None, typer.Option(help="A commit, branch or tag; the working tree where it is not given.")
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="How logs look on stderr.")] = "console",
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Tell more; twice for details.")] = 0,
    version: Annotated[  # noqa: ARG001 - typer calls it back
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep the options that stand before the command."""
    context.obj = Invocation(repo, revision, log_format, verbose)
    if verbose or log_format == "json":
        configure_logs(context.obj)


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; the only place that turns errors into text."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        result = application(given)(args=arguments, standalone_mode=False)
    except typer.Exit as ended:
        return ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _told("interrupted", Exit.INTERRUPTED)
    except ReconcilerError as error:
        return _told(f"errors:\n{error}" if "\n" in str(error) else f"error: {error}", code_of(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001 - the last resort: a defect ends with its traceback and code 1
        return _usage_or_crash(error)
    return int(result) if isinstance(result, int) else Exit.OK


def _told(message: str, code: Exit) -> Exit:
    sys.stderr.write(message + "\n")
    return code


def _usage_or_crash(error: Exception) -> int:
    """Show a usage error of the command line parser as it is; anything else is a defect and says so."""
    show = getattr(error, "show", None)
    if show is not None:
        show(file=sys.stderr)
        return Exit.INVALID
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
    return _told("error: this is a defect of reconciler; please report it with the lines above", Exit.FAILED)


def run() -> None:
    """Enter from the shell."""
    gc.disable()  # a short-lived process holds trees of millions of entries: looking for cycles among them is waste
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, even where that is ignored
    sys.exit(main())


if __name__ == "__main__":
    run()
