"""The command line loads the command that is named and no other, and all of them where all are listed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from reconciler.cli.main import COMMANDS, cli, main

if TYPE_CHECKING:
    from pathlib import Path


def modules_after(*arguments: str) -> set[str]:
    """Return what a process has loaded once it has run a command line."""
    code = f"import sys; from reconciler.cli.main import main; main({list(arguments)}); print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_what_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: reconciler {name} ")
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_help_lists_all_commands_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    _, _, told = capsys.readouterr().out.partition("\nCommands:\n")
    assert [line.split()[0] for line in told.splitlines()] == list(COMMANDS)


def test_without_a_command_the_help_is_told_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Commands:" in told.err


def test_a_command_that_does_not_exist_is_told_with_one_that_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dif", "dev"]) == 2
    assert "No such command 'dif'. Did you mean 'diff'?" in capsys.readouterr().err


def test_wrong_usage_is_told_with_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "dev", "-o", "JSON"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Usage: reconciler diff [OPTIONS] ENV\n")
    assert "'JSON' is not one of 'text', 'json', 'yaml', 'markdown'" in told


@pytest.mark.parametrize("seconds", ["-1", "nan", "soon"])
def test_a_time_is_a_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "dev", "--lock-timeout", seconds]) == 2
    assert "Invalid value for '--lock-timeout'" in capsys.readouterr().err


def test_a_command_loads_no_other_and_nothing_that_draws_or_connects() -> None:
    loaded = modules_after("diff", "--help")
    assert {name for name in loaded if name.startswith("reconciler.cli.")} == {
        f"reconciler.cli.{name}" for name in ("main", "exits", "invocation", "signals", "streams", "diff")
    }
    assert not loaded & {"rich", "pydantic", "aiohttp", "git"}


def test_the_list_of_all_commands_loads_nothing_that_draws_or_connects() -> None:
    assert not modules_after("--help") & {"rich", "pydantic", "aiohttp", "git"}


@pytest.mark.parametrize(
    "command", [["validate"], ["build"], ["diff", "dev"], ["preview", "--base", "a", "--head", "b"]]
)
def test_a_directory_that_was_removed_under_the_shell_is_told(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(command) == 2
    assert capsys.readouterr().err == "error: --repo .: there is no such directory\n"


@pytest.mark.parametrize("output", ["mermaid", "dot"])
def test_a_chain_of_needs_is_not_drawn(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "dev", "--why", "a", "b", "-o", output]) == 2
    assert f"--why is told as text, json or yaml, not drawn as {output}" in capsys.readouterr().err
