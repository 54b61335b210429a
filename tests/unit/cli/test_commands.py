"""The command line loads the command that is named, and all of them where that is not certain."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from reconciler.cli.main import COMMANDS, application, main, named


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("diff dev", "diff"),
        ("--repo diff apply dev", "apply"),
        ("--repo=x -v --log-format json sandbox up", "sandbox"),
        ("-vv status dev --help", "status"),
        ("", None),
        ("--help", None),
        ("--help diff", None),
        ("dif dev", None),
        ("-- diff", None),
        ("--repo", None),
        ("--unknown diff", None),
    ],
)
def test_the_command_is_told_from_the_arguments(line: str, command: str | None) -> None:
    assert named(line.split()) == command


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_the_same_alone_and_among_all(name: str) -> None:
    every, alone = (typer.main.get_command(application(given)) for given in ((), (name,)))
    assert list(every.commands) == list(COMMANDS)  # type: ignore[attr-defined]
    assert list(alone.commands) == [name]  # type: ignore[attr-defined]
    helps = [found.commands[name].get_help(typer.Context(found.commands[name])) for found in (every, alone)]  # type: ignore[attr-defined]
    assert helps[0] == helps[1]


def test_a_command_that_does_not_exist_is_told_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dif", "dev"]) == 2
    assert "No such command 'dif'" in capsys.readouterr().err


def test_a_command_loads_no_other() -> None:
    code = (
        "import sys; from reconciler.cli.main import main; main(['diff', '--help'])\n"
        "print({name for name in sys.modules if name.startswith('reconciler.cli.')})"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "reconciler.cli.diff" in loaded
    assert "reconciler.cli.preview" not in loaded
