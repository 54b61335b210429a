"""A forge of its own for tests and demos: Gitea on a loopback port, with all it writes in one folder.

    with gitea.running(directory) as forge:
        forge.create_repository("infra")
        forge.push(checkout, "infra", "main")

The program is built at the first use (see `build`). The forge ends with the block, and also where this process dies:
the kernel ends it with the thread that started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.sandbox import ready
from tests.forge.build import program
from tests.forge.client import Forge, Refused, plain_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Forge", "Refused", "program", "running"]

USER: Final = "admin"
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 2
PAUSE_SECONDS: Final = 0.05
LOG_LINES: Final = 15
TAKEN: Final = "address already in use"

# The first line lets root run it, and has to be before all sections. SQLite and queues in memory: nothing to survive.
SETTINGS: Final = """\
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
RUN_MODE = prod
WORK_PATH = {directory}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
GRACEFUL_HAMMER_TIME = 3s
[database]
DB_TYPE = sqlite3
PATH = {directory}/gitea.db
[security]
INSTALL_LOCK = true
ALLOWED_HOST_LIST = loopback
[repository]
DEFAULT_BRANCH = main
[queue]
TYPE = channel
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[cron]
ENABLED = false
[log]
LEVEL = Warn
MODE = console
"""

# Runs as a Python program that becomes Gitea: setting this between fork and exec is not safe beside threads. 1 is
# PR_SET_PDEATHSIG; whoever lost its parent before it was set ends by itself.
LEASH: Final = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def running(directory: Path, *, tell: Callable[[str], None] = lambda _: None) -> Iterator[Forge]:
    """Run a forge in an empty folder as long as the block lasts.

    Raises:
        SandboxError: The program cannot be built.
        RuntimeError: It does not start; with the end of what it said.
    """
    binary, static = program(tell)
    port = ready.free_ports(1)[0]
    home = _Home(binary, directory.resolve(), f"http://127.0.0.1:{port}")
    home.directory.mkdir(parents=True, exist_ok=True)
    home.settings.write_text(SETTINGS.format(directory=home.directory, port=port, url=home.url, static=static))
    home.run("migrate")
    home.run(
        *("admin", "user", "create", "--username", USER, "--email", f"{USER}@example.com"),
        *("--admin", "--random-password", "--must-change-password=false"),
    )
    token = home.run(
        *("admin", "user", "generate-access-token", "--username", USER),
        *("--token-name", "tests", "--scopes", "all", "--raw"),
    ).split()[-1]
    with home.serving():
        forge = Forge(home.url, USER, token)
        forge.api("GET", "/user")  # refused by somebody else's forge, were one quicker to take the port
        yield forge


@dataclass(frozen=True, slots=True)
class _Home:
    """A forge's folder, and the program that works in it."""

    binary: Path
    directory: Path
    url: str

    @property
    def settings(self) -> Path:
        """The file of settings, to which Gitea adds the secrets that it makes."""
        return self.directory / "app.ini"

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of its processes, whose home is the folder."""
        return {**plain_environment(), "HOME": str(self.directory)}

    def run(self, *arguments: str) -> str:
        """Run a command of the program to its end; return what it printed."""
        done = subprocess.run(
            (str(self.binary), "--config", str(self.settings), *arguments),
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"gitea {' '.join(arguments)} failed:\n{_end(done.stdout + done.stderr)}")
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve, from when it answers to the end of the block."""
        command = (str(self.binary), "--config", str(self.settings), "web")
        log = self.directory / "web.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                (sys.executable, "-I", "-S", "-c", LEASH, str(os.getpid()), *command),
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(process, log)
            yield
        finally:
            _stop(process)

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        until = time.monotonic() + READY_SECONDS
        while not self._healthy():
            words = _end(log.read_text(errors="replace"))
            if process.poll() is not None:
                raise RuntimeError(f"gitea ended with {process.returncode}; the end of its log:\n{words}")
            if TAKEN in words:  # it says so, but stays
                raise RuntimeError(f"gitea cannot listen; the end of its log:\n{words}")
            if time.monotonic() > until:
                raise RuntimeError(f"gitea does not answer after {READY_SECONDS:.0f} s; the end of its log:\n{words}")
            time.sleep(PAUSE_SECONDS)

    def _healthy(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/api/healthz", timeout=ANSWER_SECONDS) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, then make it. Its children, which are git's, end with it by its own arrangement."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_LINES:])
