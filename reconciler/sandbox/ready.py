"""Free ports before a start, and waiting for what was started."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from reconciler.sandbox.processes import Process

PORTS: Final = range(20_000, 32_000)  # below the range that outgoing connections take theirs from
READY_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 2
PAUSE_SECONDS: Final = 0.05


class PortTaken(SandboxError):
    """Somebody took a port between our look and our use: worth another try."""


def free_ports(count: int) -> list[int]:
    """Return free ports that no outgoing connection will take; the kernel says which are free."""
    found: list[int] = []
    start = time.monotonic_ns() // 1000 % len(PORTS)
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise SandboxError(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")


def port_at(address: str, wanted: int, *, otherwise: int) -> int:
    """Return the wanted port where nobody has it at an address of this machine, else the other."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: old connections do not keep it taken
        try:
            probe.bind((address, wanted))
        except OSError:
            return otherwise
    return wanted


def answers(server: str, authority: Path) -> bool:
    """Whether an API server says that it is ready. It is on this machine, so no proxy is asked."""
    context = ssl.create_default_context(cafile=str(authority))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(f"{server}/readyz", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait(ready: Callable[[], bool], processes: Sequence[Process], seconds: float = READY_SECONDS) -> None:
    """Wait until it is ready; raises SandboxError with a log's end where a process ends or the time is over."""
    until = time.monotonic() + seconds
    while not ready():
        for process in processes:
            if process.pid is None:
                _ended(process)
        if time.monotonic() > until:
            logs = "\n".join(f"{item.name}: {line}" for item in processes for line in item.last_words(1))
            raise SandboxError(f"the control plane is not ready after {seconds:.0f} s; last words:\n{logs}")
        time.sleep(PAUSE_SECONDS)


def _ended(process: Process) -> None:
    words = "\n".join(process.last_words())
    kind = PortTaken if "address already in use" in words else SandboxError
    raise kind(f"{process.name} ended at once; the end of its log:\n{words}")
