"""The time of day jumps while a run holds its Lease and writes: nobody compares it, so nothing is lost and nobody else writes."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from reconciler.apply import history, lease, run
from reconciler.clock import SystemClock
from reconciler.cluster.kube import KubeCluster
from reconciler.errors import LeaseHeld
from reconciler.model.outcome import Result
from tests.unit.apply.world import config_map, namespace, planned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from reconciler.model.outcome import Report
    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

MAPS = 300


class JumpingClock(SystemClock):
    """The clock of this machine, with a time of day that is set forth and back each time that it is asked."""

    def __init__(self) -> None:
        """Begin with a day too many."""
        self._days = cycle((1, -1, 0, 400))

    def now(self) -> datetime:
        """Return the time of day, days off."""
        return super().now() + timedelta(days=next(self._days))


@pytest.fixture
async def cluster(control_plane: Sandbox, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    made = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig), context=None, cache_dir=tmp_path)
    try:
        yield made
    finally:
        await made.close()


async def test_a_run_whose_clock_jumps_keeps_its_lease_and_others_out(cluster: KubeCluster) -> None:
    """The one that waits has a clock that jumps, too; it waits for longer than a Lease lasts, and gives up with the name."""
    name = f"clocks-{secrets.token_hex(4)}"
    clock = JumpingClock()

    def hold(holder: str, seconds: float) -> AbstractAsyncContextManager[lease.Held]:
        return lease.hold(cluster, name, holder=holder, patience=lease.Patience(seconds), clock=clock)

    async with hold("ada", 1) as held:
        waiting = asyncio.create_task(hold("bob", lease.DURATION + 3).__aenter__())
        first = await applied(cluster, name, clock, held, MAPS)
        second = await applied(cluster, name, clock, held, MAPS // 2)
        with pytest.raises(LeaseHeld, match="held by ada"):
            await waiting
        held.require()
    assert {item.result for item in first.outcomes} == {Result.APPLIED}
    assert sum(item.result is Result.PRUNED for item in second.outcomes) == MAPS // 2
    assert [item.count("pruned") for item in (await history.read(cluster, name)).runs] == [MAPS // 2, 0]
    async with hold("bob", 1) as after:
        assert after.predecessor == "", "it was given back, and not taken from a dead one"


async def applied(cluster: KubeCluster, name: str, clock: SystemClock, held: lease.Held, maps: int) -> Report:
    """Apply so many ConfigMaps; every write asks for the Lease."""
    text = namespace(name) + "".join(config_map(f"c-{number}", name) for number in range(maps))
    made = await planned(cluster, name, {"base": text}, {})
    return await run.apply(
        cluster.guarded(held.require),
        made.plan,
        made.environment,
        made.observation.discovery,
        clock=clock,
        stop=asyncio.Event(),
        emit=lambda _: None,
    )
