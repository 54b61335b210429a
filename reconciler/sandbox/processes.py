"""Processes of a sandbox: started in sessions of their own, stopped by pid, never by guess.

A pid file holds the pid and the time at which the kernel started it, so that a pid that was given to another process
meanwhile is left alone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Sequence

STOP_SECONDS: Final = 10.0
LOG_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a sandbox, known by its files in the sandbox's folder."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / f"{self.name}.log"

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """The pid of the running process; None where it does not run (any more)."""
        try:
            pid, started = map(int, self._file.read_text().split())
        except (OSError, ValueError):
            return None
        return pid if _started(pid) == started else None

    def start(self, command: Sequence[str]) -> None:
        """Start the process; its output goes to its log. Raises SandboxError where it cannot be run."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            pid = os.posix_spawn(
                command[0],
                list(command),
                os.environ,
                setsid=True,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(self.log), flags, 0o644),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
            )
        except OSError as error:
            raise SandboxError(f"{command[0]} cannot be run: {error.strerror}") from error
        self._file.write_text(f"{pid} {_started(pid) or 0}\n")

    def stop(self) -> None:
        """Ask the process to end, then make it."""
        pid = self.pid
        if pid is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                if self._gone(pid, STOP_SECONDS):
                    break
            else:
                raise SandboxError(f"{self.name} (pid {pid}) does not end")
        self._file.unlink(missing_ok=True)

    def last_words(self, lines: int = LOG_LINES) -> tuple[str, ...]:
        """Return the last lines of the log."""
        try:
            return tuple(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ()

    def _gone(self, pid: int, patience: float) -> bool:
        until = time.monotonic() + patience
        while time.monotonic() < until:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if self.pid is None:
                return True
            time.sleep(0.02)
        return False


def _started(pid: int) -> int | None:
    """Return when a process was started, in clock ticks since boot; None where there is none or it is a zombie.

    The first thread of a killed process may be a zombie while others still end, and with them its ports stay taken.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return None
    return None if fields[0] == "Z" and threads <= 1 else int(fields[19])
