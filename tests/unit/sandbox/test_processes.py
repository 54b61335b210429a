"""Processes by pid: ended when asked, left alone when the pid is somebody else's."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def test_starts_and_stops(tmp_path: Path) -> None:
    process = Process("sleep", tmp_path)
    process.start(SLEEP)
    assert process.pid is not None
    assert Process("sleep", tmp_path).pid == process.pid
    process.stop()
    assert process.pid is None
    assert not (tmp_path / "sleep.pid").exists()


def test_ends_what_does_not_want_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores SIGTERM is killed."""
    monkeypatch.setattr("reconciler.sandbox.processes.STOP_SECONDS", 0.2)
    process = Process("stubborn", tmp_path)
    process.start(STUBBORN)
    while "up" not in process.last_words():
        time.sleep(0.01)
    process.stop()
    assert process.pid is None


def test_a_pid_that_now_belongs_to_another_is_left_alone(tmp_path: Path) -> None:
    """The start time in the pid file tells that this is not the process that was started."""
    (tmp_path / "gone.pid").write_text(f"{os.getpid()} 1\n")
    process = Process("gone", tmp_path)
    assert process.pid is None
    process.stop()


def test_a_damaged_pid_file_means_not_running(tmp_path: Path) -> None:
    (tmp_path / "odd.pid").write_text("?")
    assert Process("odd", tmp_path).pid is None


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="/nowhere/etcd cannot be run: No such file"):
        Process("etcd", tmp_path).start(["/nowhere/etcd"])
