"""Which news count for a wait: of the state that was written or a later one, of the same object, from its own feed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from reconciler.apply.feed import News, Scope, earlier, older
from reconciler.apply.ledger import Ledger
from reconciler.apply.waits import Goal, Wait, Waits
from reconciler.model.api import ApiResource
from reconciler.model.identity import ObjectId
from reconciler.model.plan import Action, Change
from tests.fakes.cluster import FakeCluster
from tests.unit.apply.world import PatientClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.model.outcome import Health

DEPLOYMENTS = ApiResource("apps", "v1", "Deployment", "deployments", namespaced=True)
WEB = ObjectId("apps", "Deployment", "shop", "web")


def web(generation: int, version: int, *, seen: int, uid: str = "u1") -> dict[str, Any]:
    """Return a Deployment that was ready when its controller saw this generation."""
    metadata = {
        "name": "web",
        "namespace": "shop",
        "generation": generation,
        "resourceVersion": str(version),
        "uid": uid,
    }
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    status = {"observedGeneration": seen, **counts}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 1},
        "status": status,
    }


@asynccontextmanager
async def waiting() -> AsyncIterator[tuple[Waits, list[bool], Wait]]:
    """Begin to wait for the second generation, written at version 10."""
    clock, done = PatientClock(), []

    def finish(wait: Wait, health: Health, reached: bool) -> None:
        done.append(reached)

    async with asyncio.TaskGroup() as group:
        waits = Waits(FakeCluster(), "dev", clock, ledger=Ledger(clock, lambda _: None), group=group)
        wait = Wait(Change(Action.UPDATE, "app", WEB), Goal.HEALTHY, 1e9, finish, since=web(2, 10, seen=1))
        waits.healthy(wait, DEPLOYMENTS)
        yield waits, done, wait
        await waits.close()


async def test_news_of_an_earlier_state_do_not_count() -> None:
    """The watch lags: the old generation was ready, which says nothing of the new one."""
    async with waiting() as (waits, done, wait):
        assert wait.feed is not None
        waits._news(wait.feed, News(WEB, web(1, 9, seen=1), gone=False))
        assert done == []
        waits._news(wait.feed, News(WEB, web(2, 11, seen=2), gone=False))
        assert done == [True]


async def test_the_end_of_a_namesake_does_not_count() -> None:
    """What was replaced goes after its successor was made, as this watch sees it."""
    async with waiting() as (waits, done, wait):
        assert wait.feed is not None
        waits._news(wait.feed, News(WEB, web(1, 9, seen=1, uid="u0"), gone=True))
        assert done == []
        waits._news(wait.feed, News(WEB, web(2, 12, seen=1), gone=True))
        assert done == [False]


async def test_another_feed_does_not_count() -> None:
    async with waiting() as (waits, done, _):
        other = waits.follow(Scope(DEPLOYMENTS, "shop"))
        waits._news(other, News(WEB, web(2, 11, seen=2), gone=False))
        assert done == []


def test_versions_are_compared_only_where_they_are_numbers() -> None:
    assert earlier("9", "10")
    assert not earlier("10", "9")
    assert not earlier("a9", "b10")
    assert older(web(1, 20, seen=1), web(2, 10, seen=1)), "a generation tells by itself"
