"""Pauses, and the end of tasks that do not want to end."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from reconciler.agent import waiting
from reconciler.agent.threads import MOST, Daemons


def test_pauses_double_up_to_the_longest_and_any_number_of_failures_has_one() -> None:
    assert [waiting.backoff(failures, 30) for failures in range(1, 7)] == [2, 4, 8, 16, 30, 30]
    assert waiting.backoff(100_000, 300) == 300
    assert waiting.backoff(1, 0.5) == 0.5


async def test_a_task_is_cut_off_as_often_as_it_takes() -> None:
    """What waits for a dead server to say goodbye to it waits again, and again."""
    cut = 0

    async def stubborn() -> None:
        nonlocal cut
        for _ in range(3):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            cut += 1

    task = asyncio.create_task(stubborn())
    begun = time.monotonic()
    await waiting.ended(task, 0.01)
    assert (task.done(), cut) == (True, 3)
    assert time.monotonic() - begun < 2 * waiting.CUT_SECONDS + 0.5


async def test_a_task_that_ends_by_itself_is_let_be() -> None:
    async def failing() -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError

    task = asyncio.create_task(failing())
    await waiting.ended(task, 5)
    assert isinstance(task.exception(), RuntimeError)


async def test_work_in_threads_comes_back_and_so_do_its_errors() -> None:
    asyncio.get_running_loop().set_default_executor(Daemons())

    def fails() -> None:
        raise LookupError("no")

    assert await asyncio.gather(*(asyncio.to_thread(pow, 2, number) for number in range(3 * MOST))) == [
        2**number for number in range(3 * MOST)
    ]
    with suppress(LookupError):
        await asyncio.to_thread(fails)
        raise AssertionError
