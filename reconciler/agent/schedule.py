"""When which environment is reconciled: APScheduler, one job an environment, never two runs of one at once.

APScheduler drops a run that comes while another of the same job is under way, so what was pushed in the meantime would
wait for a whole interval. Here the environment is marked dirty instead, and runs again right after.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

JITTER: Final = 0.1  # of the interval, to either side


@dataclass(slots=True)
class _Job:
    run: Callable[[], Awaitable[None]]
    running: bool = False
    dirty: bool = False


class Schedule:
    """The jobs of an agent. All methods are called from the event loop that it was started in."""

    def __init__(self) -> None:
        """Begin empty; nothing runs before `start`."""
        # a late job still runs (misfire_grace_time None), several late ones once (coalesce)
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler: Any = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        self._jobs: dict[str, _Job] = {}
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of what `dirty` takes care of

    def start(self) -> None:
        """Begin to run jobs."""
        self._scheduler.start()

    def stop(self) -> None:
        """Start no further run; those under way are their owners' to end."""
        for job in self._jobs.values():
            job.dirty = False
        self._scheduler.remove_all_jobs()

    def close(self) -> None:
        """End everything, runs under way included."""
        self._scheduler.shutdown(wait=False)

    def put(self, name: str, interval: float, run: Callable[[], Awaitable[None]]) -> None:
        """Run a job now and from then on every `interval` seconds, a tenth more or less; replaces one of that name."""
        self._jobs[name] = job = _Job(run)
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=interval, jitter=interval * JITTER, timezone=UTC),
            args=(job,),
            id=name,
            replace_existing=True,
            next_run_time=_now(),
        )

    def remove(self, name: str) -> None:
        """Run a job no more; a run under way is its owner's to end."""
        job = self._jobs.pop(name, None)
        if job is not None:
            job.dirty = False
            self._scheduler.remove_job(name)

    def known(self, name: str) -> bool:
        """Whether there is a job of that name."""
        return name in self._jobs

    def change(self, name: str, interval: float) -> None:
        """Run a job at another interval from now on."""
        trigger = IntervalTrigger(seconds=interval, jitter=interval * JITTER, timezone=UTC)
        self._scheduler.reschedule_job(name, trigger=trigger)

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
            self._scheduler.modify_job(name, next_run_time=_now())

    def soon(self, name: str, seconds: float) -> None:
        """Run a job again in that many seconds, if its interval does not come first."""
        try:
            planned = self._scheduler.get_job(name)
            when = _now() + timedelta(seconds=seconds)
            if planned is not None and (planned.next_run_time is None or when < planned.next_run_time):
                self._scheduler.modify_job(name, next_run_time=when)
        except JobLookupError:
            return  # removed in the meantime

    async def _run(self, job: _Job) -> None:
        if job.running:
            job.dirty = True
            return
        job.running = True
        try:
            job.dirty = True
            while job.dirty:
                job.dirty = False
                await job.run()
        finally:
            job.running = False


def _now() -> datetime:
    return datetime.now(UTC)
