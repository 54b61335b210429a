"""How the parts of the agent wait: for a time or a word, longer after each failure, and for tasks that are to end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reconciler.clock import Clock

FIRST_PAUSE: Final = 2.0  # seconds after the first failure; doubled with each one
MOST_DOUBLED: Final = 30  # times: days of failures must not make a number that is too large
CUT_SECONDS: Final = 1.0  # what a task that is cut off may take before it is cut off again


def backoff(failures: int, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row; never more than `longest`."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, MOST_DOUBLED), longest)


async def pause(clock: Clock, seconds: float, end: asyncio.Event) -> None:
    """Wait so many seconds, or until `end` is set."""
    waits = (asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(end.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for item in waits:
            item.cancel()


async def ended(task: asyncio.Task[Any], grace: float) -> None:
    """Wait until a task has ended; one that has not within `grace` seconds is cut off, as often as it needs.

    Once does not always do: what a task does on its way out may wait for a server that does not answer, too. What came
    of the task is not raised.
    """
    _, pending = await asyncio.wait((task,), timeout=grace)
    while pending:
        task.cancel()
        _, pending = await asyncio.wait((task,), timeout=CUT_SECONDS)
