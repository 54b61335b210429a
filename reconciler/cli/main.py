"""`reconciler`: the commands, the options before them, and the one place where an error becomes an exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from reconciler import __version__
from reconciler.cli import (
    agent,
    apply,
    blame,
    build,
    diff,
    graph,
    history,
    importing,
    pin_chart,
    preflight,
    preview,
    render,
    sandbox,
    skew,
    status,
    validate,
    vendor,
)
from reconciler.cli.exits import Exit, code_of
from reconciler.cli.invocation import Invocation, LogFormat, configure_logs
from reconciler.errors import ReconcilerError

app = typer.Typer(
    name="reconciler",
    help="GitOps reconciliation for container platforms.\n\n"
    "Reads the working tree, or the committed tree of --revision; renders the layers of an environment; compares the "
    "result with its cluster; applies what differs in dependency order.\n\n"
    "Exit codes: 0 fine, 1 something failed, 2 wrong usage or invalid configuration, 3 `diff --exit-code` found "
    "changes, 4 the plan was refused before the first write, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("build")(build.build)
app.command("render")(render.render)
app.command("validate")(validate.validate)
app.command("graph")(graph.graph)
app.command("diff")(diff.diff)
app.command("apply")(apply.apply)
app.command("status")(status.status)
app.command("history")(history.history)
app.command("import")(importing.import_)
app.command("blame")(blame.blame)
app.command("pin-chart")(pin_chart.pin_chart)
app.command("vendor")(vendor.vendor)
app.command("preview")(preview.preview)
app.command("preflight")(preflight.preflight)
app.command("skew")(skew.skew)
app.command("agent")(agent.agent)
app.add_typer(sandbox.app, name="sandbox")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"reconciler {__version__}")
        raise typer.Exit


@app.callback()
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
        result = app(args=arguments, standalone_mode=False)
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
