"""What a shell may ask: which commands, options and environments begin with what is typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from reconciler.cli.completion import VARIABLE
from reconciler.cli.main import cli, main


def completed(*words: str) -> list[str]:
    """Return what may stand in place of the last word."""
    shell = ShellComplete(cli, {}, "reconciler", VARIABLE)
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def repository(tmp_path: Path) -> str:
    for name in ("dev", "prod-eks", "prod-gke"):
        (tmp_path / "environments" / name).mkdir(parents=True)
        (tmp_path / "environments" / name / "environment.yaml").touch()
    (tmp_path / "environments" / "none").mkdir()
    (tmp_path / "base").mkdir()
    return str(tmp_path)


def test_commands_and_options_are_completed() -> None:
    assert completed("pre") == ["preview", "preflight"]
    assert completed("sandbox", "re") == ["recover"]
    assert completed("diff", "--") == ["--exit-code", "--save", "--output", "--help"]
    assert completed("diff", "-o", "m") == ["markdown"]


@pytest.mark.parametrize("below", ["", "base", "environments/dev"])
def test_environments_are_completed(repository: str, below: str) -> None:
    place = f"{repository}/{below}"
    assert completed("--repo", place, "diff", "") == ["dev", "prod-eks", "prod-gke"]
    assert completed("--repo", place, "skew", "dev", "prod") == ["prod-eks", "prod-gke"]
    assert completed("--repo", place, "validate", "dev", "prod-eks", "d") == ["dev"]


def test_where_there_are_no_environments_none_is_offered(tmp_path: Path) -> None:
    assert completed("--repo", str(tmp_path), "diff", "") == []
    assert completed("--repo", str(tmp_path / "gone"), "diff", "") == []
    (tmp_path / "loop").symlink_to("loop")
    assert completed("--repo", str(tmp_path / "loop"), "diff", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_by_the_variable(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"{VARIABLE}={shell}_complete" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_by_the_script(repository: str, tmp_path: Path) -> None:
    program = tmp_path / "reconciler"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler.cli.main "$@"\n')
    program.chmod(0o755)
    script = """
        source <(reconciler completion bash)
        COMP_WORDS=(reconciler diff p) COMP_CWORD=2
        _reconciler_completion reconciler
        echo "${COMPREPLY[@]}"
    """
    surroundings = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    done = subprocess.run(
        ("bash", "-c", script), cwd=repository, env=surroundings, capture_output=True, text=True, check=True
    )
    assert done.stdout == "prod-eks prod-gke\n", done.stderr
