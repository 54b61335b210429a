"""What a signal does to a command that runs for another one."""

from __future__ import annotations

import signal
import subprocess

from reconciler.cli import sandbox


def test_a_signal_that_comes_before_the_command_is_known_is_passed_on_then() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with sandbox._ended_by_its_command() as obeyed_by:
        signal.raise_signal(signal.SIGTERM)
        command = subprocess.Popen(("sleep", "60"))
        obeyed_by(command)
        assert command.wait(timeout=30) == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
