"""Time, as a parameter: what waits or expires is given a clock, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock and a way to wait by it."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for durations and deadlines."""

    def now(self) -> datetime:
        """Return the time of day in UTC, for records that people read."""

    async def sleep(self, seconds: float) -> None:
        """Wait this many seconds."""


class SystemClock:
    """The clock of this machine."""

    def monotonic(self) -> float:
        """Return the system's monotonic clock."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the system's time of day."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait by the event loop's clock."""
        await asyncio.sleep(seconds)
