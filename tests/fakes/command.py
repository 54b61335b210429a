"""The command line in a process of its own, on a cluster in memory.

`python -m tests.fakes.command FILE ARGUMENTS` writes to FILE, when it is over, the names of the objects that it applied.
"""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli import connect
from reconciler.cli.main import run
from reconciler.observe.memory import Memory
from tests.fakes.cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.environment import Environment

COMMAND = (sys.executable, "-m", "tests.fakes.command")


def main(told: Path, arguments: list[str]) -> None:
    """Run a command line."""
    cluster = FakeCluster()

    @asynccontextmanager
    async def connected(_: Environment) -> AsyncIterator[tuple[FakeCluster, Memory]]:
        yield cluster, Memory(None, {})

    connect.connected = connected  # type: ignore[assignment]
    if sys.stdin is not None and sys.stdin.isatty():
        os.close(os.open(os.ttyname(0), os.O_RDWR))  # becomes the terminal of this session: its keys send signals
    sys.argv[1:] = arguments
    try:
        run()
    finally:
        told.write_text(" ".join(call.name for call in cluster.sent("apply")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
