"""`reconciler agent` from outside: what it refuses to begin with, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.cli import main
from tests.unit.agent.world import Repository

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = ("--source", "/nowhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--source"),
        ((*SOURCE, "--in-cluster"), "--in-cluster needs exactly one --environment"),
        ((*SOURCE, "--in-cluster", "--environment", "a", "--environment", "b"), "exactly one --environment"),
        ((*SOURCE, "--listen", "8080x"), "expected HOST:PORT"),
        ((*SOURCE, "--listen", "localhost:70000"), "expected HOST:PORT"),
        ((*SOURCE, "--listen", "localhost:²"), "expected HOST:PORT"),
        ((*SOURCE, "--poll", "0"), "--poll"),
        (("--source", "relative/path"), "is no address of a repository"),
        (("--source", "https://user:secret@example.com/a.git"), "the address holds a password"),
        ((*SOURCE, "--branch", "a..b"), "is no name of a branch"),
        ((*SOURCE, "--ssh-key", "/nowhere/key"), "the SSH key /nowhere/key is not there"),
        ((*SOURCE, "--token", "t"), "--token"),
        ((*SOURCE, "--webhook-secret", "t"), "--webhook-secret"),
    ],
)
def test_wrong_options_are_told_with_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert main.main(["agent", *arguments]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert ":secret@" not in told.err


def test_a_mirror_in_use_and_a_taken_port_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ("--source", str(Repository.make(tmp_path / "remote").root))
    (tmp_path / "used").mkdir()
    with (tmp_path / "used" / "reconciler.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main.main(["agent", *source, "--mirror", str(tmp_path / "used"), "--listen", "127.0.0.1:0"]) == 2
        assert "is used by another process: give each agent a --mirror of its own" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main.main(["agent", *source, "--mirror", str(tmp_path / "free"), "--listen", listen]) == 2
    told = capsys.readouterr().err
    assert f"{listen} cannot be listened on" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_seconds_though_git_does_not_answer(tmp_path: Path, number: signal.Signals) -> None:
    """The server takes the connection and says nothing: the fetch is under way when the signal comes."""
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        command = [sys.executable, "-m", "reconciler.cli.main", "--log-format", "json", "agent"]
        command += ["--source", f"http://127.0.0.1:{stalled.getsockname()[1]}/a.git"]
        command += ["--mirror", str(tmp_path / "mirror"), "--listen", "127.0.0.1:0"]
        environment = {**os.environ, "RECONCILER_CACHE_DIR": str(tmp_path)}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stderr is not None
            try:
                assert json.loads(process.stderr.readline())["event"] == "agent.started"
                stalled.settimeout(10)
                connection, _ = stalled.accept()
                with connection:
                    begun = time.monotonic()
                    process.send_signal(number)
                    _, told = process.communicate(timeout=20)
                seconds = time.monotonic() - begun
            finally:
                process.kill()
        assert process.returncode == 0
        assert seconds < 3
        assert json.loads(told.splitlines()[-1])["event"] == "agent.stopped"
