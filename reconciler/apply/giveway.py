"""Giving way: a run that only waits for health ends where another one is about to apply something else.

What it waits for may well be what the other one mends. Nothing is lost: the other run continues what this one has begun.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from reconciler.apply.lease import Held


@asynccontextmanager
async def giving_way(held: Held, content: Callable[[], str]) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set once another run waits for the Lease that is about to apply something else than `content`."""
    event = asyncio.Event()

    async def listen() -> None:
        ours = ""
        while not event.is_set():
            await held.asked.wait()
            held.asked.clear()
            ours = ours or content()
            if held.wanted[1] != ours:
                event.set()

    listening = asyncio.create_task(listen())
    try:
        yield event
    finally:
        listening.cancel()


def told(held: Held) -> str:
    """Return why a run that gave way was interrupted."""
    return f"gave way to {held.wanted[0]}, which applies something else while this run only waited"
