"""What the cluster in memory offers to tests beyond the port; the rest is held to the contract in tests/contract."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import NotFound, Unavailable
from tests.fakes.cluster import FakeCluster

BODY: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "default"},
    "data": {"a": "1"},
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}


DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"))


@given(alice=DATA, bob=DATA)
def test_what_a_manager_no_longer_sets_goes_and_nothing_else(alice: dict[str, str], bob: dict[str, str]) -> None:
    """Fields that two set alike are shared; those taken by force are lost to the one who had them."""
    cluster = FakeCluster()
    cluster.seed_apply({**BODY, "data": alice}, "alice")
    both = cluster.seed_apply({**BODY, "data": bob}, "bob", force=True)
    assert both.get("data", {}) == alice | bob
    left = cluster.seed_apply({**BODY, "data": {}}, "bob")
    assert left.get("data", {}) == {key: value for key, value in alice.items() if bob.get(key, value) == value}


@pytest.mark.parametrize("late", [False, True])
async def test_a_fault_may_come_before_or_after_the_deed(late: bool) -> None:
    cluster = FakeCluster()
    cluster.fail("apply", name="c", error=Unavailable("lost"), late=late)
    with pytest.raises(Unavailable):
        await cluster.apply(cluster.resource("ConfigMap"), BODY, field_manager="x")
    assert (cluster.find("ConfigMap", "default", "c") is not None) == late
    await cluster.apply(cluster.resource("ConfigMap"), BODY, field_manager="x")


async def test_a_compacted_history_is_too_old_for_a_watch() -> None:
    cluster = FakeCluster()
    _, version = await cluster.list_version(cluster.resource("ConfigMap"))
    cluster.seed(BODY)
    cluster.forget_history()
    with pytest.raises(NotFound) as caught:
        await anext(aiter(cluster.watch(cluster.resource("ConfigMap"), resource_version=version)))
    assert caught.value.status == 410


async def test_watches_end_when_told_to() -> None:
    cluster = FakeCluster()
    found: list[str] = []

    async def follow() -> None:
        async for event in cluster.watch(cluster.resource("ConfigMap"), resource_version=str(cluster.store.version)):
            found.append(event.type)  # noqa: PERF401 - events count even where the watch is cut short

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    cluster.seed(BODY)
    await asyncio.sleep(0)
    cluster.end_watches()
    async with asyncio.timeout(5):
        await task
    assert found[0] == "ADDED"


@pytest.mark.parametrize("settle", [True, False])
async def test_workloads_are_healthy_unless_the_test_wants_to_say_so_itself(settle: bool) -> None:
    cluster = FakeCluster() if settle else FakeCluster(settle=None)
    cluster.seed_apply(DEPLOYMENT)
    if not settle:
        cluster.set_status("Deployment", "default", "web", {"readyReplicas": 1})
    status = (cluster.find("Deployment", "default", "web") or {})["status"]
    assert status["readyReplicas"] == (2 if settle else 1)


async def test_dependents_and_contents_go_with_what_holds_them() -> None:
    cluster = FakeCluster()
    cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    owner = cluster.seed({**BODY, "metadata": {"name": "owner", "namespace": "shop"}})["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    for name, references in {"owned": [reference], "free": []}.items():
        cluster.seed({**BODY, "metadata": {"name": name, "namespace": "shop", "ownerReferences": references}})
    cluster.remove("ConfigMap", "shop", "owner")
    assert cluster.find("ConfigMap", "shop", "owned") is None
    assert cluster.find("ConfigMap", "shop", "free") is not None
    cluster.remove("Namespace", "", "shop")
    assert cluster.find("ConfigMap", "shop", "free") is None
