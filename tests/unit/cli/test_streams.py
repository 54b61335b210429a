"""Streams that cannot be written to."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.command import COMMAND
from tests.unit.test_pipeline import OBJECTS, repository

if TYPE_CHECKING:
    from pathlib import Path

FULL = "error: the output could not be written: No space left on device\n"
CLOSED = "error: the output could not be written: Bad file descriptor\n"


def run(root: Path, arguments: str, streams: str) -> subprocess.CompletedProcess[str]:
    """Run a command line with its streams as a shell writes them."""
    command = ("sh", "-c", f'"$@" {arguments} {streams}', "sh", *COMMAND, f"{root}/written", "--repo", str(root))
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("streams", "told"), [("> /dev/full", FULL), (">&-", CLOSED), ("> /dev/full 2>&1", "")])
@pytest.mark.parametrize("command", ["diff dev", "diff dev -o json", "graph dev", "--help"])
def test_output_that_is_lost_is_a_failure_in_one_line(
    command: str, streams: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    done = run(tmp_path, command, streams)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)


def test_a_reader_that_has_enough_is_told_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path, monkeypatch)
    done = run(tmp_path, "diff dev", "| true")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("streams", "code", "told"),
    [
        ("> /dev/full", 1, f"web: 2 to change\n{FULL}"),
        (">&-", 1, f"web: 2 to change\n{CLOSED}"),
        ("2> /dev/full", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >&- 2>&-", 1, ""),
        ("| true", 0, "web: 2 to change\n"),
    ],
)
def test_what_cannot_be_told_is_applied(
    streams: str, code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    done = run(tmp_path, "apply dev --yes", streams)
    assert (done.returncode, done.stderr) == (code, told)
    assert {"web", "settings"} <= set((tmp_path / "written").read_text().split())


def test_a_wrong_command_line_keeps_its_exit_code(tmp_path: Path) -> None:
    assert run(tmp_path, "diff dev -o xml", "2>&-").returncode == 2


def test_a_closed_stdin_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path, monkeypatch)
    done = run(tmp_path, "apply dev", "<&-")
    assert (done.returncode, done.stderr.partition(":")[2]) == (
        2,
        " there is no terminal to ask on: pass --yes, --plan FILE or --acknowledge ID\n",
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_on_stderr_is_told_at_once(unbuffered: str) -> None:
    code = "import os, sys; from reconciler.cli.streams import install; install(); sys.stderr.write('told\\n'); os._exit(0)"
    surroundings = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run((sys.executable, "-c", code), env=surroundings, capture_output=True, text=True, check=True)
    assert done.stderr == "told\n"


def test_documents_are_utf8_and_texts_are_escaped_where_the_encoding_is_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = repository(tmp_path, monkeypatch)
    (web / "objects.yaml").write_text(OBJECTS.replace("blue", "grün"), encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert "grün" in run(tmp_path, "render dev", "").stdout
    assert "grün" in run(tmp_path, "render dev -o json", "").stdout
    (web / "kustomization.yaml").write_text("resources: [grün.yaml]\n", encoding="utf-8")
    assert "gr\\xfcn.yaml" in run(tmp_path, "validate", "").stdout
