"""Following git: fetch now and then, or when told to, and say so when the branch has moved."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

from reconciler.errors import SourceError
from reconciler.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.agent.metrics import Metrics
    from reconciler.clock import Clock
    from reconciler.source.mirror import Mirror

FIRST_PAUSE: Final = 2.0  # seconds after a fetch that failed; doubled each time
LONGEST_PAUSE: Final = 300.0


class Follower:
    """Keeps a mirror up to date. `revision` is the newest commit that was fetched, None before the first one."""

    def __init__(self, mirror: Mirror, poll: float, clock: Clock, metrics: Metrics) -> None:
        """Follow a mirror, asking every `poll` seconds."""
        self._mirror, self._poll, self._clock, self._metrics = mirror, poll, clock, metrics
        self._told = asyncio.Event()
        self.revision: str | None = None

    def nudge(self) -> None:
        """Fetch now: somebody says that the branch has moved."""
        self._told.set()

    async def follow(self, on_revision: Callable[[str], Awaitable[None]]) -> None:
        """Fetch until cancelled; `on_revision` is awaited with each new commit."""
        failures = 0
        while True:
            self._told.clear()
            try:
                revision = await asyncio.to_thread(self._mirror.fetch)
            except SourceError as error:
                failures += 1
                self._metrics.fetches.labels("failed").inc()
                logger().error("git.unreachable", error=str(error), failures=failures)
            else:
                if failures:
                    logger().info("git.reachable_again", failures=failures)
                failures = 0
                self._metrics.fetches.labels("fetched").inc()
                self._metrics.fetched.set(time.time())
                if revision != self.revision:
                    logger().info("git.moved", revision=revision, before=self.revision)
                    self.revision = revision
                    await on_revision(revision)
            await self._pause(failures)

    async def _pause(self, failures: int) -> None:
        seconds = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE) if failures else self._poll
        sleep = asyncio.ensure_future(self._clock.sleep(seconds * random.uniform(0.9, 1.1)))  # noqa: S311 - no secret
        told = asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait((sleep, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            told.cancel()
