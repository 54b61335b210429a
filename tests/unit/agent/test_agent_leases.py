"""Replicas of one environment: handed over, taken over, and never two that write."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.agent import waiting
from reconciler.model.api import WRITES
from reconciler.observe.memory import Memory
from tests.fakes import rules
from tests.fakes.cluster import FakeCluster
from tests.unit.agent.world import EVENTS, SPACE, Quiet, until
from tests.unit.apply.world import deployment, namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from reconciler.agent.worker import Worker
    from reconciler.environment import Environment
    from tests.unit.agent.world import Stage


class Line(FakeCluster):
    """A replica's connection to the cluster: ends with the replica, and notes what it writes."""

    __slots__ = ("_check", "_replica")

    def __init__(self, cluster: FakeCluster, replica: Replica, check: Callable[[], None] = lambda: None) -> None:
        """Connect a replica."""
        self.__dict__ = cluster.__dict__
        self._replica, self._check = replica, check

    @property
    def guard(self) -> Callable[[], None]:
        """What is asked before every write."""
        return self._check

    def guarded(self, guard: Callable[[], None]) -> Line:
        """Return the same connection with another guard."""
        return Line(self, self._replica, guard)

    @asynccontextmanager
    async def _request(self, verb: Any, resource: Any = None, *place: Any, **details: Any) -> AsyncIterator[None]:
        if self._replica.dead:
            await asyncio.Event().wait()
        async with super()._request(verb, resource, *place, **details):
            if self._replica.dead:
                await asyncio.Event().wait()
            leasing = resource is None or resource.kind == "Lease" or SPACE in place[1:]  # the Lease's own namespace
            if verb in WRITES and not leasing:
                lease = self.find("Lease", SPACE, "reconciler-dev.agent")
                self._replica.wrote.append((self._replica.name, lease["spec"]["holderIdentity"] if lease else ""))
            yield


@dataclass
class Replica:
    """One agent's worker, as a process that can die."""

    stage: Stage
    name: str
    wrote: list[tuple[str, str]] = field(default_factory=list)
    dead: bool = False
    schedule: Quiet = field(default_factory=Quiet)
    worker: Worker = field(init=False)
    task: asyncio.Task[None] = field(init=False)

    @asynccontextmanager
    async def connect(self, _: Environment) -> AsyncIterator[tuple[FakeCluster, Memory]]:
        """Connect."""
        yield Line(self.stage.cluster, self), Memory(None, {})

    def start(self, revision: str = "") -> Replica:
        """Begin to serve."""
        self.schedule.start()
        self.worker = self.stage.worker(holder=self.name, schedule=self.schedule, connect=self.connect)
        if revision:
            self.worker.move(self.worker.environment, revision)
        self.task = asyncio.create_task(self.worker.serve())
        return self

    def crash(self) -> None:
        """Die: nothing of it reaches the cluster any more, and nothing is given back."""
        self.dead = True

    async def stop(self) -> None:
        """End as on SIGTERM."""
        self.worker.stop()
        await asyncio.wait((self.task,), timeout=5)
        assert self.task.done()
        await self.bury()

    async def bury(self) -> None:
        """Take what is left of it away."""
        await waiting.ended(self.task, 0)
        if self.worker._run is not None:
            await waiting.ended(self.worker._run, 0)
        if self.schedule._scheduler.running:
            self.schedule.close()


async def test_a_replica_that_stops_hands_over_at_once(stage: Stage) -> None:
    """Both Leases are given back, and the other one needs no more than its next look."""
    ada, bob = Replica(stage, "ada").start(), Replica(stage, "bob")
    await until(lambda: stage.runs("applied") == 1)
    bob.start()
    await stage.clock.advance(30)
    assert (stage.holder(), bob.wrote) == ("ada", [])
    await ada.stop()
    assert (stage.holder(), stage.holder("reconciler-dev")) == ("", "")
    await stage.passing(lambda: stage.holder() == "bob", 2)
    await until(lambda: stage.runs("applied") == 2)
    await bob.stop()


async def test_a_dead_replica_is_taken_over_from_after_fifteen_seconds(stage: Stage) -> None:
    """It dies amid its writes, with both Leases held: neither earlier, nor later by a second wait for the writer's."""
    stage.repository.values(**{f"m{number}": "1" for number in range(30)})
    ada, bob = Replica(stage, "ada"), Replica(stage, "bob")

    def die(call: Any) -> None:
        if call.verb == "apply" and call.name == "m3":
            ada.crash()

    stage.cluster.before = die
    ada.start()
    await until(lambda: ada.dead)
    assert (stage.holder(), stage.holder("reconciler-dev")) == ("ada", "ada")
    bob.start()
    await until(lambda: any(call.verb == "get" and call.kind == "Lease" for call in stage.cluster.calls))
    await stage.clock.advance(14)
    assert (stage.holder(), bob.wrote) == ("ada", [])
    await stage.passing(lambda: stage.holder() == "bob", 3)
    await until(lambda: stage.runs("applied") == 1)
    assert (stage.holder(), stage.value("m9")) == ("bob", "1")
    assert {held for _, held in bob.wrote} == {"bob"}
    await ada.bury()
    await bob.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_two_replicas_never_write_in_the_same_tenure(stage: Stage, seed: int) -> None:
    """Whatever crashes, stops, is pushed or edited: who writes has the Lease, and in the end all is as git says."""
    dice = random.Random(seed)  # noqa: S311 - a test's
    revisions = [stage.repository.values(a=str(number), b=str(number % 2)) for number in range(5)]
    stage.mirror.fetch()
    number, all_of_them = 0, []
    living: list[Replica] = []
    for _ in range(40):
        act = dice.choice(("start", "start", "crash", "stop", "push", "push", "edit", "rest", "rest"))
        if act == "start" and len(living) < 3:
            number += 1
            living.append(Replica(stage, f"replica{number}").start())
            all_of_them.append(living[-1])
        elif act == "crash" and living:
            living.pop(dice.randrange(len(living))).crash()
        elif act == "stop" and living:
            await living.pop(dice.randrange(len(living))).stop()
        elif act == "push":
            revision = dice.choice(revisions)
            for replica in living:
                replica.worker.move(replica.worker.environment, revision)
        elif act == "edit" and stage.value("a"):
            stage.cluster.edit("ConfigMap", "shop", "a", {"data": {"v": "by hand"}})
        await stage.clock.advance(dice.choice((0, 1, 4, 16)))
        await asyncio.sleep(dice.choice((0, 0.005, 0.02)))
    for replica in living:
        await replica.stop()
    last = Replica(stage, "last").start(revisions[3])
    await stage.passing(lambda: (stage.value("a"), stage.value("b")) == ("3", "1"), 60)
    await last.stop()
    assert len([replica for replica in all_of_them if replica.wrote]) >= 2
    assert [pair for replica in all_of_them for pair in replica.wrote if pair[0] != pair[1]] == []
    for replica in all_of_them:
        await replica.bury()


def sick() -> FakeCluster:
    """Return a cluster whose workloads never become healthy."""
    cluster = FakeCluster(settle=lambda body: rules.settled(body) if body["kind"] != "Deployment" else None)
    cluster.seed(EVENTS)
    return cluster


async def timed(worker: Worker, task: asyncio.Task[None]) -> float:
    """Stop a worker and return how long that took."""
    begun = time.monotonic()
    worker.stop()
    await asyncio.wait((task,), timeout=10)
    assert task.done()
    return time.monotonic() - begun


async def test_a_stop_ends_a_wait_for_health_at_once_and_gives_the_leases_back(stage: Stage) -> None:
    stage.repository.write("dev", namespace() + deployment("web"))
    stage.repository.commit("never healthy")
    stage.cluster = sick()
    worker = stage.worker()
    task = asyncio.create_task(worker.serve())
    await until(lambda: any(call.verb == "watch" and call.kind == "Deployment" for call in stage.cluster.calls))
    assert await timed(worker, task) < 0.4, "before the grace is over"
    assert (stage.holder(), stage.holder("reconciler-dev")) == ("", "")
    assert stage.runs("interrupted") == 1
    assert stage.events() == [], "the next run goes on, and tells"


async def test_a_run_that_hangs_is_cut_off_and_the_leases_are_given_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = asyncio.Event()

    async def discover(_: FakeCluster) -> None:
        hung.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(FakeCluster, "discover", discover)
    worker = stage.worker()
    task = asyncio.create_task(worker.serve())
    await hung.wait()
    grace = worker._settings.grace
    assert grace <= await timed(worker, task) < grace + 0.5
    assert (stage.holder(), stage.holder("reconciler-dev")) == ("", "")


async def test_a_cluster_that_hangs_does_not_hold_up_the_end(stage: Stage) -> None:
    """Neither one that never answered, which is cut off from outside, nor one that ceased to in mid-run."""
    replica = Replica(stage, "ada", dead=True).start()
    await asyncio.sleep(0.05)
    assert replica.worker.patience <= 2, "nothing is held yet: there is nothing to give back"
    begun = time.monotonic()
    await replica.worker.end(replica.task)
    assert time.monotonic() - begun < 2.5
    await replica.bury()
    other = Replica(stage, "bob")
    stage.cluster.before = lambda call: other.crash() if call.kind == "ConfigMap" and call.verb == "apply" else None
    other.start()
    await until(lambda: other.dead)
    begun = time.monotonic()
    await other.worker.end(other.task)
    assert time.monotonic() - begun < other.worker._settings.grace + 2.5
    assert other.worker._run is None
    await other.bury()


async def test_a_worker_that_waits_for_the_lease_ends_at_once(stage: Stage) -> None:
    ada, bob = Replica(stage, "ada").start(), Replica(stage, "bob")
    await until(lambda: stage.runs("applied") == 1)
    bob.start()
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    await bob.stop()
    assert time.monotonic() - begun < 0.3
    assert stage.holder() == "ada"
    await ada.stop()


async def test_a_lease_that_was_lost_is_taken_again_and_the_work_goes_on(stage: Stage) -> None:
    """As after minutes without a network: the other one has come and gone."""
    ada = Replica(stage, "ada").start()
    await until(lambda: stage.runs("applied") == 1)
    stage.cluster.edit("Lease", SPACE, "reconciler-dev.agent", {"spec": {"holderIdentity": "bob"}})
    stage.cluster.edit("ConfigMap", "shop", "a", {"data": {"v": "by hand"}})
    await stage.clock.advance(8)
    assert stage.holder() == "bob"
    assert stage.value("a") == "by hand"
    await stage.passing(lambda: stage.value("a") == "1", 20)
    assert stage.holder() == "ada"
    await until(lambda: stage.runs("applied") == 2)
    await ada.stop()
