"""Works a schedule off: so many requests at a time, nothing new once the run is to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.apply.schedule import Schedule
    from reconciler.model.identity import ObjectId


class Flow:
    """One schedule being worked off. `wake` is called by whatever moves the schedule outside of a request."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        act: Callable[[ObjectId], Awaitable[None]],
        idle: Callable[[ObjectId], bool],
        on_skip: Callable[[ObjectId, str], None],
        pending: Callable[[], bool],
        stop: asyncio.Event,
        give_way: asyncio.Event,
        in_flight: int,
    ) -> None:
        """Take what the schedule is worked off with.

        Once `give_way` is set, it is to stop as soon as nothing is left but to wait.

        `act` sends the requests of one object; `idle` deals with one that needs none, and says whether it was one;
        `pending` tells whether anything is waited for that will move the schedule.
        """
        self._schedule, self._act, self._idle, self._on_skip, self._stop = schedule, act, idle, on_skip, stop
        self._pending, self._in_flight, self._give_way = pending, in_flight, give_way
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look at the schedule again."""
        self._wake.set()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Return once everything is settled, or after the requests in flight once the run is to stop."""
        waking = [group.create_task(self._wake_on(event)) for event in (self._stop, self._give_way)]
        while not self._stop.is_set():
            self._send_ready(group)
            if self._schedule.done:
                break
            if self._give_way.is_set() and not self._sending:
                self._stop.set()
                break
            if not self._sending and not self._pending():
                for item in self._schedule.unfinished:
                    self._schedule.abandon(item, "waits for what waits for it: a circle in the dependency graph")
                break
            await self._wake.wait()
            self._wake.clear()
        for task in waking:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)
        self._tell_skipped()

    def _send_ready(self, group: asyncio.TaskGroup) -> None:
        ready = self._schedule.ready
        while ready and len(self._sending) < self._in_flight:
            item = ready.popleft()
            if not self._idle(item):
                task = group.create_task(self._send(item))
                self._sending.add(task)
                task.add_done_callback(self._sent)
        self._tell_skipped()

    async def _send(self, item: ObjectId) -> None:
        await self._act(item)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._wake.set()

    def _tell_skipped(self) -> None:
        while self._schedule.skipped:
            self._on_skip(*self._schedule.skipped.popleft())

    async def _wake_on(self, event: asyncio.Event) -> None:
        await event.wait()
        self._wake.set()
