"""When which environment is reconciled: APScheduler, one job an environment, never two runs of one at once.

APScheduler drops a run that comes while another of the same job is under way, so what was pushed in the meantime would
wait for a whole interval. Here the environment is marked dirty instead, and runs again right after.

It also goes by the time of day: set back by an hour, nothing would run for an hour. So the time of day is compared with the
monotonic clock, and where it was set, everything runs at once.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from reconciler.clock import SystemClock
from reconciler.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.clock import Clock

SYSTEM_CLOCK: Final = SystemClock()

JITTER: Final = 0.1  # of the interval, at most; added to it
LOOK_EVERY: Final = 5.0  # seconds between two looks at the time of day
SET: Final = 2.0  # seconds that it has to be off to count as set, and not as adjusted bit by bit


@dataclass(slots=True)
class _Job:
    run: Callable[[], Awaitable[None]]
    one: asyncio.Lock  # held by the run of this name that is under way, be it of this job or of one it replaced
    running: bool = False
    dirty: bool = False
    gone: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Schedule:
    """The jobs of an agent. All methods are called from the event loop that it was started in."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK, look_every: float = LOOK_EVERY) -> None:
        """Begin empty; nothing runs before `start`."""
        self._clock, self._look_every = clock, look_every
        self._watch: asyncio.Task[None] | None = None
        # a late job still runs (misfire_grace_time None), several late ones once (coalesce)
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler: Any = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        self._jobs: dict[str, _Job] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of what `dirty` takes care of

    def start(self) -> None:
        """Begin to run jobs."""
        self._scheduler.start()
        self._watch = asyncio.get_running_loop().create_task(self._watch_time())

    def close(self) -> None:
        """End everything, runs under way included."""
        if self._watch is not None:
            self._watch.cancel()
        self._scheduler.shutdown(wait=False)

    def put(self, name: str, interval: float, run: Callable[[], Awaitable[None]]) -> None:
        """Run a job now and from then on every `interval` seconds and up to a tenth; replaces one of that name."""
        self.remove(name)  # a new job, or APScheduler would drop its first run while one of the old one is under way
        self._jobs[name] = job = _Job(run, self._locks.setdefault(name, asyncio.Lock()))
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=interval, jitter=interval * JITTER, timezone=UTC),
            args=(job,),
            id=job.id,
            next_run_time=_now(),
        )

    def remove(self, name: str) -> None:
        """Run a job no more; a run under way is its owner's to end."""
        job = self._jobs.pop(name, None)
        if job is not None:
            job.dirty, job.gone = False, True
            self._scheduler.remove_job(job.id)

    def known(self, name: str) -> bool:
        """Whether there is a job of that name."""
        return name in self._jobs

    def change(self, name: str, interval: float) -> None:
        """Run a job at another interval from now on."""
        trigger = IntervalTrigger(seconds=interval, jitter=interval * JITTER, timezone=UTC)
        self._scheduler.reschedule_job(self._jobs[name].id, trigger=trigger)

    def running(self, name: str) -> bool:
        """Whether a run of a job is under way."""
        job = self._jobs.get(name)
        return job is not None and job.running

    def now(self, name: str) -> None:
        """Run a job now; one that is under way runs again right after."""
        job = self._jobs.get(name)
        if job is None:
            return
        if job.running:
            job.dirty = True
        else:
            self._scheduler.modify_job(job.id, next_run_time=_now())

    def soon(self, name: str, seconds: float) -> None:
        """Run a job again in that many seconds, if its interval does not come first."""
        job = self._jobs.get(name)
        when = _now() + timedelta(seconds=seconds)
        if job is not None and when < self._scheduler.get_job(job.id).next_run_time:
            self._scheduler.modify_job(job.id, next_run_time=when)

    async def _watch_time(self) -> None:
        """Run everything whenever the time of day was set."""
        offset = self._offset()
        while True:
            await asyncio.sleep(self._look_every)
            before, offset = offset, self._offset()
            if abs(offset - before) > SET:
                logger().warning("clock.set", seconds=round(offset - before, 3))
                for name in self._jobs:
                    self.now(name)

    def _offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def _run(self, job: _Job) -> None:
        async with job.one:
            job.running = job.dirty = not job.gone
            try:
                while job.dirty:
                    job.dirty = False
                    await job.run()
            finally:
                job.running = False


def _now() -> datetime:
    return datetime.now(UTC)
