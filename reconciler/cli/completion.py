"""`reconciler completion SHELL`."""

from __future__ import annotations

import sys
from typing import Final, Literal, get_args

import click

Shell = Literal["bash", "zsh", "fish"]

VARIABLE: Final = "_RECONCILER_COMPLETE"  # by it the script asks the program for what may follow


@click.command
@click.argument("shell", type=click.Choice(get_args(Shell)), help="The shell that is to read the script.")
@click.pass_context
def completion(context: click.Context, shell: Shell) -> None:
    """Print the script that lets a shell complete commands, options and environments.

    For every session: `source <(reconciler completion bash)` in ~/.bashrc, the same with zsh in ~/.zshrc, or
    `reconciler completion fish > ~/.config/fish/completions/reconciler.fish`.
    """
    from click.shell_completion import get_completion_class

    root = context.find_root()
    script = get_completion_class(shell)(root.command, {}, root.command_path, VARIABLE)
    sys.stdout.write(script.source())
