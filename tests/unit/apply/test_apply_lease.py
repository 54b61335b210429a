"""The Lease: held, waited for, taken over when it has run out, lost, given back."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.apply import giveway, lease, system
from reconciler.errors import LeaseHeld, LeaseLost, Unavailable
from tests.fakes.cluster import FakeCluster
from tests.unit.apply.world import PatientClock

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

SPACE = "reconciler-system"
NAME = "reconciler-dev"


class JumpingClock(PatientClock):
    """Time that goes on as it should, beside a time of day that somebody sets."""

    jump = timedelta()

    def now(self) -> datetime:
        """Return the time of day, as far off as it was set."""
        return super().now() + self.jump


def take(
    cluster: FakeCluster, clock: PatientClock, holder: str, told: list[str], patience: float = 60, wanted: str = ""
) -> AbstractAsyncContextManager[lease.Held]:
    patient = lease.Patience(patience, told.append, wanted=(lambda: wanted) if wanted else None)
    return lease.hold(cluster, "dev", holder=holder, patience=patient, clock=clock)


def holder_of(cluster: FakeCluster) -> str:
    body = cluster.find("Lease", SPACE, NAME)
    assert body is not None
    return str(body["spec"]["holderIdentity"])


async def test_it_is_made_with_its_namespace_and_given_back() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        assert holder_of(cluster) == "ada"
        assert not held.lost.is_set()
    assert holder_of(cluster) == ""


async def test_it_is_renewed_while_held() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []):
        before = cluster.find("Lease", SPACE, NAME)
        await clock.sleep(16)
        after = cluster.find("Lease", SPACE, NAME)
    assert before is not None
    assert after is not None
    assert before["spec"]["renewTime"] < after["spec"]["renewTime"]
    assert len(cluster.sent("update")) == 4, "three renewals and the end"


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_wall_clock_that_jumps_neither_loses_nor_gives_it(hours: int) -> None:
    """The holder's clock jumps while it renews, the one that waits has its own: nobody compares times of day."""
    cluster, clock = FakeCluster(), JumpingClock()
    async with take(cluster, clock, "ada", []) as held:
        clock.jump = timedelta(hours=hours)
        with pytest.raises(LeaseHeld):
            await take(cluster, clock, "bob", [], 40).__aenter__()
        assert not held.lost.is_set()
        held.require()
    assert holder_of(cluster) == ""


async def test_another_holder_is_named_and_waited_for() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    told: list[str] = []
    async with take(cluster, clock, "ada", []):
        with pytest.raises(LeaseHeld, match="held by ada, which was waited for for 20 s"):
            await take(cluster, clock, "bob", told, 20).__aenter__()
    assert told == ["ada"]
    assert 20 <= clock.seconds < 22


async def test_a_dead_holder_costs_its_duration() -> None:
    """Never renewed: taken over after 15 s by our own clock, whatever its times say."""
    cluster, clock = FakeCluster(), PatientClock()
    cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "2099-01-01T00:00:00.000000Z"}
    metadata = {"name": NAME, "namespace": SPACE}
    cluster.seed({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})
    told: list[str] = []
    async with take(cluster, clock, "bob", told):
        assert holder_of(cluster) == "bob"
        assert 15 <= clock.seconds < 17
    assert told == ["dead"]


async def test_a_released_one_is_taken_at_once() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    for holder in ("ada", "bob"):
        async with take(cluster, clock, holder, []):
            assert holder_of(cluster) == holder
    assert clock.seconds == 0


async def test_it_is_lost_to_another_holder_and_then_not_touched() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        cluster.edit("Lease", SPACE, NAME, {"spec": {"holderIdentity": "thief"}})
        async with asyncio.timeout(5):
            await held.lost.wait()
    assert holder_of(cluster) == "thief"


def word(cluster: FakeCluster) -> str:
    body = cluster.find("Lease", SPACE, NAME)
    assert body is not None
    return str((body["metadata"].get("annotations") or {}).get(lease.WANTED, ""))


async def test_the_holder_hears_what_the_one_that_waits_is_about_to_apply() -> None:
    """With the next renewal; the word goes with the Lease's next holder."""
    cluster, clock = FakeCluster(), PatientClock()
    holding = take(cluster, clock, "ada", [])
    held = await holding.__aenter__()
    waiting = asyncio.create_task(take(cluster, clock, "bob", [], wanted="abc").__aenter__())
    await held.asked.wait()
    assert held.wanted == ("bob", "abc")
    assert clock.seconds < 7
    held.require()
    await holding.__aexit__(None, None, None)
    await waiting
    assert (holder_of(cluster), word(cluster)) == ("bob", "")


async def test_a_word_is_taken_back_by_the_one_that_gives_up() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        with pytest.raises(LeaseHeld):
            await take(cluster, clock, "bob", [], 8, wanted="abc").__aenter__()
        assert word(cluster) == ""
        assert not held.lost.is_set()


async def test_a_run_gives_way_to_what_it_does_not_apply_itself() -> None:
    """Another run of the same is waited out; the next one, of something else, is not."""
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held, giveway.giving_way(held, lambda: "same") as event:
        with pytest.raises(LeaseHeld):
            await take(cluster, clock, "bob", [], 8, wanted="same").__aenter__()
        assert not event.is_set()
        with pytest.raises(LeaseHeld):
            await take(cluster, clock, "eve", [], 8, wanted="other").__aenter__()
        assert event.is_set()
        assert giveway.told(held).startswith("gave way to eve, ")


async def test_the_word_of_a_process_that_died_is_written_over_in_time() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        cluster.edit("Lease", SPACE, NAME, {"metadata": {"annotations": {lease.WANTED: "dead same"}}})
        with pytest.raises(LeaseHeld):
            await take(cluster, clock, "bob", [], 30, wanted="other").__aenter__()
        assert held.wanted == ("bob", "other")


async def test_words_do_not_keep_a_dead_holder_alive() -> None:
    """Two that wait change the Lease, and see each other's changes: it runs out all the same."""
    cluster, clock = FakeCluster(), PatientClock()
    cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    metadata, spec = {"name": NAME, "namespace": SPACE}, {"holderIdentity": "dead", "leaseDurationSeconds": 15}
    cluster.seed({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})
    both = [asyncio.create_task(take(cluster, clock, name, [], wanted=name).__aenter__()) for name in ("bob", "eve")]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    assert clock.seconds < 20
    for task in both:
        task.cancel()


async def test_an_edit_of_somebody_does_not_lose_it() -> None:
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        cluster.edit("Lease", SPACE, NAME, {"metadata": {"labels": {"a": "b"}}})
        await clock.sleep(20)
        assert not held.lost.is_set()
        assert len(cluster.sent("update")) >= 3


async def test_it_is_lost_when_renewing_fails_for_too_long() -> None:
    """Given up before another holder may take it."""
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        cluster.fail("update", kind="Lease", error=Unavailable("away", status=503), times=-1)
        await held.lost.wait()
        assert clock.seconds <= lease.DURATION


async def test_a_renewal_without_an_answer_loses_it_in_time() -> None:
    """A server that takes requests and never answers them."""
    clock = PatientClock()

    class Silent(FakeCluster):
        """Its updates are never answered."""

        async def update(self, *_: object) -> dict[str, object]:
            """Wait for ever."""
            await asyncio.Event().wait()
            raise AssertionError

    async with take(Silent(), clock, "ada", []) as held:
        await held.lost.wait()
        assert clock.seconds == lease.KEPT


async def test_a_holder_that_slept_through_its_time_writes_nothing() -> None:
    """As after SIGSTOP: time has passed, nothing has told it so, and the first write is refused all the same."""
    cluster, clock = FakeCluster(), PatientClock()
    async with take(cluster, clock, "ada", []) as held:
        guarded = cluster.guarded(held.require)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": SPACE}}
        await guarded.apply(system.CONFIG_MAPS, body, field_manager="reconciler")
        clock.seconds += lease.KEPT
        assert not held.lost.is_set()
        with pytest.raises(LeaseLost, match="Lease/reconciler-dev -n reconciler-system is no longer ours"):
            await guarded.apply(system.CONFIG_MAPS, body, field_manager="reconciler")
        await guarded.get(system.CONFIG_MAPS, SPACE, "a")


async def test_the_agents_lease_is_another_one_and_names_the_dead() -> None:
    """Taken from a dead holder, whose writer's Lease is then not waited for a second time."""
    cluster, clock = FakeCluster(), PatientClock()
    told: list[str] = []
    cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    for name in (NAME, f"{NAME}.agent"):
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15}
        metadata = {"name": name, "namespace": SPACE}
        cluster.seed({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})
    leading = lease.hold(
        cluster, "dev", holder="bob", patience=lease.Patience(60, told.append), clock=clock, role=lease.Role.AGENT
    )
    async with leading as led:
        assert led.predecessor == "dead"
        since = clock.seconds
        writing = lease.hold(
            cluster, "dev", holder="bob", patience=lease.Patience(0, dead=led.predecessor), clock=clock
        )
        async with writing:
            assert clock.seconds == since
            assert holder_of(cluster) == "bob"


async def test_waiting_ends_when_it_is_told_to_stop() -> None:
    cluster, clock, stop = FakeCluster(), PatientClock(), asyncio.Event()

    def told(_: str) -> None:
        stop.set()

    async with take(cluster, clock, "ada", []):
        patience = lease.Patience(float("inf"), told, stop)
        with pytest.raises(LeaseHeld, match="held by ada"):
            await lease.hold(cluster, "dev", holder="bob", patience=patience, clock=clock).__aenter__()
    assert clock.seconds < lease.RENEW_EVERY
