"""`apply` asks on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.fakes.command import COMMAND
from tests.unit.test_pipeline import repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("key", "code", "told"),
    [
        ("\x03", 130, "interrupted, nothing was written"),
        ("\x04", 130, "interrupted, nothing was written"),
        ("n\n", 1, "nothing was written"),
    ],
    ids=["Ctrl-C", "Ctrl-D", "no"],
)
def test_one_answer_is_enough_to_write_nothing(
    key: str, code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, monkeypatch)
    written = tmp_path / "written"
    screen, terminal = pty.openpty()
    command = (*COMMAND, str(written), "--repo", str(tmp_path), "apply", "dev")
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True) as asked:
        try:
            assert _until(screen, "apply this plan? [y/N]: ")
            time.sleep(
                0.3
            )  # until it reads: C code that has told the question looks at signals only when that is broken off
            os.write(screen, key.encode())
            assert told in _until(screen, told)
            assert asked.wait(30) == code
        finally:
            asked.kill()
            os.close(terminal)
            os.close(screen)
    assert written.read_text() == ""


def _until(screen: int, text: str) -> str:
    """Return what is on a screen up to a text, or up to where nothing more comes."""
    seen = ""
    while text not in seen and select.select([screen], [], [], 30)[0]:
        seen += os.read(screen, 4096).decode()
    return seen
