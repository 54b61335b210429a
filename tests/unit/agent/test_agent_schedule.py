"""The schedule on the real APScheduler and the real event loop, with short intervals."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from reconciler.agent.schedule import JITTER, Schedule
from reconciler.clock import SystemClock
from tests.unit.agent.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONG = 3600.0


@asynccontextmanager
async def started() -> AsyncIterator[Schedule]:
    schedule = Schedule()
    schedule.start()
    try:
        yield schedule
    finally:
        schedule.close()


class Runs:
    """A job that takes as long as the test wants, and counts."""

    def __init__(self) -> None:
        """Begin at none; a run ends at once."""
        self.begun = self.now = self.most = 0
        self.times: list[float] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> None:
        """Run."""
        self.begun += 1
        self.times.append(time.monotonic())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go.wait()
        finally:
            self.now -= 1


class JumpingClock(SystemClock):
    """The clock of this machine, beside a time of day that somebody sets."""

    jump = timedelta()

    def now(self) -> datetime:
        """Return the time of day, as far off as it was set."""
        return super().now() + self.jump


def next_run(schedule: Schedule, name: str) -> float:
    """Return in how many seconds a job runs next."""
    planned = schedule._scheduler.get_job(schedule._jobs[name].id).next_run_time
    return float((planned - datetime.now(UTC)).total_seconds())


async def test_it_runs_at_once_and_then_at_its_interval() -> None:
    runs = Runs()
    async with started() as schedule:
        schedule.put("dev", 0.05, runs)
        await until(lambda: runs.begun >= 4)
    pauses = [later - sooner for sooner, later in pairwise(runs.times)]
    assert min(pauses) >= 0.04


async def test_no_two_runs_of_one_environment_at_once() -> None:
    """Not by its interval, nor by a push, nor by a job that replaces another one in mid-run; others go on meanwhile."""
    slow, other = Runs(), Runs()
    async with started() as schedule:
        slow.go.clear()
        schedule.put("dev", 0.02, slow)
        schedule.put("prod", 0.02, other)
        await until(lambda: other.begun >= 5)
        schedule.now("dev")
        schedule.put("dev", 0.02, slow)
        await until(lambda: other.begun >= 10)
        assert (slow.begun, slow.most) == (1, 1)
        slow.go.set()
        await until(lambda: slow.begun >= 4)
        assert slow.most == 1


async def test_pushes_during_a_run_make_one_more_run_right_after() -> None:
    runs = Runs()
    async with started() as schedule:
        runs.go.clear()
        schedule.put("dev", LONG, runs)
        await until(lambda: runs.begun)
        for _ in range(50):
            schedule.now("dev")
        assert schedule.running("dev")
        runs.go.set()
        await until(lambda: runs.begun == 2)
        await asyncio.sleep(0.1)
        assert runs.begun == 2
        assert not schedule.running("dev")


async def test_a_push_in_the_very_moment_a_run_ends_is_not_lost() -> None:
    seen: list[int] = []
    pushed = 0
    async with started() as schedule:
        loop = asyncio.get_running_loop()

        def push() -> None:
            nonlocal pushed
            pushed += 1
            schedule.now("dev")

        async def run() -> None:
            seen.append(pushed)
            if pushed < 100:  # at every distance from the end
                hops = pushed % 10

                def later(left: int) -> None:
                    push() if left == 0 else loop.call_soon(later, left - 1)

                loop.call_soon(later, hops)

        schedule.put("dev", LONG, run)
        await until(lambda: seen and seen[-1] == 100)


async def test_apscheduler_alone_would_lose_such_a_push() -> None:
    """Why there is more than APScheduler: what comes during a run is dropped, and waits for the next interval."""
    scheduler: Any = AsyncIOScheduler(timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None})
    runs = Runs()
    scheduler.start()
    try:
        runs.go.clear()
        scheduler.add_job(runs.__call__, "interval", seconds=LONG, id="dev", next_run_time=datetime.now(UTC))
        await until(lambda: runs.begun)
        scheduler.modify_job("dev", next_run_time=datetime.now(UTC))
        await asyncio.sleep(0.05)
        runs.go.set()
        await asyncio.sleep(0.1)
        assert runs.begun == 1
        assert scheduler.get_job("dev").next_run_time > datetime.now(UTC) + timedelta(seconds=LONG / 2)
    finally:
        scheduler.shutdown(wait=False)


async def test_a_late_job_still_runs_and_once() -> None:
    """The loop was busy for many intervals and for longer than APScheduler forgives by itself (a second)."""
    runs = Runs()
    async with started() as schedule:
        schedule.put("dev", 0.1, runs)
        await until(lambda: runs.begun)
        schedule.change("dev", 0.2)
        before = runs.begun
        time.sleep(1.3)  # noqa: ASYNC251 - blocks the loop on purpose
        begun = time.monotonic()
        await until(lambda: runs.begun > before)
        assert time.monotonic() - begun < 0.1
        assert runs.begun == before + 1


async def test_a_removed_job_runs_no_more() -> None:
    """Be it in mid-run and dirty, or due, or already on its way."""
    runs = Runs()
    async with started() as schedule:
        runs.go.clear()
        schedule.put("dev", 0.02, runs)
        await until(lambda: runs.begun)
        schedule.now("dev")
        schedule.remove("dev")
        runs.go.set()
        await asyncio.sleep(0.1)
        assert runs.begun == 1
        schedule.put("dev", LONG, runs)
        schedule.remove("dev")
        schedule.remove("dev")
        schedule.now("dev")
        schedule.soon("dev", 0)
        await asyncio.sleep(0.05)
        assert runs.begun == 1
        assert not schedule.known("dev")


async def test_soon_comes_before_the_interval_and_never_after_it() -> None:
    runs = Runs()
    async with started() as schedule:
        schedule.put("dev", 100, runs)
        await until(lambda: runs.begun)
        schedule.soon("dev", 500)
        assert 99 < next_run(schedule, "dev") <= 110
        schedule.soon("dev", 0.05)
        await until(lambda: runs.begun == 2)
        await asyncio.sleep(0.01)
        assert 99 < next_run(schedule, "dev") <= 110, "the interval counts from then on"


async def test_the_interval_can_be_changed() -> None:
    runs = Runs()
    async with started() as schedule:
        schedule.put("dev", LONG, runs)
        await until(lambda: runs.begun)
        schedule.change("dev", 0.03)
        await until(lambda: runs.begun >= 4)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_where_the_time_of_day_is_set_everything_runs_at_once(hours: int) -> None:
    """Jobs are planned by the time of day: set back by an hour, each would wait for an hour and its interval."""
    runs, clock = Runs(), JumpingClock()
    schedule = Schedule(clock, look_every=0.02)
    schedule.start()
    try:
        schedule.put("dev", LONG, runs)
        await until(lambda: runs.begun == 1)
        await asyncio.sleep(0.1)
        clock.jump = timedelta(hours=hours)
        await until(lambda: runs.begun == 2)
        await asyncio.sleep(0.1)
        assert runs.begun == 2
    finally:
        schedule.close()


async def test_jitter_spreads_runs_within_a_tenth() -> None:
    async def run() -> None:
        pass

    async with started() as schedule:
        names = [f"env{number}" for number in range(60)]
        for name in names:
            schedule.put(name, 1000, run)
        await until(lambda: all(next_run(schedule, name) > 1 for name in names))
        waits = [next_run(schedule, name) for name in names]
    assert min(waits) > 990
    assert max(waits) <= 1000 * (1 + JITTER)
    assert max(waits) - min(waits) > 20, "they do not all come at once"


async def test_a_run_that_raises_is_not_the_last_one() -> None:
    runs = Runs()

    async def failing() -> None:
        await runs()
        raise RuntimeError

    async with started() as schedule:
        schedule.put("dev", 0.03, failing)
        await until(lambda: runs.begun >= 3)
        assert not schedule.running("dev")
