"""Following git: fetch now and then, or when told to, and say so when the branch has moved."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from reconciler.agent import waiting
from reconciler.errors import SourceError
from reconciler.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.agent.metrics import Metrics
    from reconciler.clock import Clock
    from reconciler.source.mirror import Mirror

LONGEST_PAUSE: Final = 300.0  # seconds, after fetches that failed


class Follower:
    """Keeps a mirror up to date. `revision` is the newest commit that was told of, None before the first one."""

    def __init__(self, mirror: Mirror, poll: float, clock: Clock, metrics: Metrics) -> None:
        """Follow a mirror, asking every `poll` seconds."""
        self._mirror, self._poll, self._clock, self._metrics = mirror, poll, clock, metrics
        self._told = asyncio.Event()
        self.revision: str | None = None

    def nudge(self) -> None:
        """Fetch now: somebody says that the branch has moved."""
        self._told.set()

    async def follow(self, on_revision: Callable[[str], Awaitable[None]]) -> None:
        """Fetch until cancelled; `on_revision` is awaited with each new commit.

        A commit that it cannot read (SourceError) is told again after the next fetch, which mends a mirror that is
        damaged.
        """
        failures = 0
        while True:
            self._told.clear()
            try:
                await self._fetch(on_revision)
            except SourceError as error:
                failures += 1
                self._metrics.fetches.labels("failed").inc()
                logger().error("git.unreachable", error=str(error), failures=failures)
            else:
                if failures:
                    logger().info("git.reachable_again", failures=failures)
                failures = 0
            seconds = waiting.backoff(failures, LONGEST_PAUSE) if failures else self._poll
            await waiting.pause(self._clock, seconds * random.uniform(0.9, 1.1), self._told)  # noqa: S311 - no secret

    async def _fetch(self, on_revision: Callable[[str], Awaitable[None]]) -> None:
        revision = await asyncio.to_thread(self._mirror.fetch)
        self._metrics.fetches.labels("fetched").inc()
        self._metrics.fetched.set(self._clock.now().timestamp())
        if revision != self.revision:
            logger().info("git.moved", revision=revision, before=self.revision)
            await on_revision(revision)
            self.revision = revision
