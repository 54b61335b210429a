"""What one look at the cluster finds, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import ClusterError, Forbidden, Unavailable, UnsafePlan
from reconciler.model import applyset
from reconciler.model.applyset import Inventory, member_labels, parent_body, parent_id
from reconciler.model.identity import GroupKind, GroupVersionKind, ObjectId
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map
from reconciler.observe.read import observe
from tests.fakes.cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Iterable

Body = dict[str, Any]
CRD: Body = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.x.dev"},
    "spec": {
        "group": "x.dev",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True, "storage": True}],
    },
}


def thing(kind: str, name: str, namespace: str = "shop", api_version: str = "v1", **fields: Any) -> Body:
    """Return an object as git wants it, a member of dev's component `app`."""
    metadata = {"name": name, "labels": member_labels("dev", "app")} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def desired(bodies: Iterable[Body]) -> Desired:
    """Return what git wants, all of it in one component."""
    resources = [Resource(ObjectId.of(body), GroupVersionKind.of(body).version, Map(body)) for body in bodies]
    return Desired("dev", None, {"app": tuple(resources)})


def inventory(*kinds: GroupKind) -> Body:
    """Return the parent of the component's inventory."""
    identity = applyset.applyset_id(parent_id("dev", "app"))
    return parent_body("dev", Inventory("app", identity, frozenset(kinds), frozenset({"shop"})))


@pytest.fixture
def cluster() -> FakeCluster:
    """Return a cluster with the namespaces of the tests."""
    cluster = FakeCluster()
    for name in ("shop", applyset.SYSTEM_NAMESPACE):
        cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return cluster


MEMBERS = [
    thing("ConfigMap", "settings", data={"a": "1"}),
    thing("Secret", "password", data={"a": "MQ=="}),
    thing("ServiceAccount", "app"),
]


async def test_a_run_without_a_change_costs_one_list_per_kind(cluster: FakeCluster) -> None:
    for body in [*MEMBERS, inventory(GroupKind("", "ConfigMap"), GroupKind("", "Secret"))]:
        cluster.seed_apply(body)
    found = await observe(cluster, desired(MEMBERS), "dev")
    assert set(found.live) == {ObjectId.of(body) for body in MEMBERS}
    assert cluster.requests.snapshot() == {"discovery": 2, "openapi": 1, "list": 3}
    assert set(found.openapi) == {"v1"}
    assert found.inventories["app"].group_kinds == {GroupKind("", "ConfigMap"), GroupKind("", "Secret")}
    assert found.namespaces == {"shop"}


async def test_kinds_that_only_the_inventory_knows_are_listed(cluster: FakeCluster) -> None:
    cluster.seed_apply(inventory(GroupKind("", "Secret"), GroupKind("gone.dev", "Thing")))
    cluster.seed_apply(MEMBERS[1])
    found = await observe(cluster, desired([]), "dev")
    assert set(found.live) == {ObjectId.of(MEMBERS[1])}
    assert found.unserved == frozenset(), "git does not want the kind that is gone"


@pytest.mark.parametrize("tool", ["kubectl/v1.37.2", "reconciler/v1"])
async def test_a_parent_of_another_tool_under_our_name_is_found_though_it_has_no_label_of_ours(
    cluster: FakeCluster, tool: str
) -> None:
    """One of ours that lost its labels gets them back; both cost one list, and only where an inventory is missing."""
    body = inventory()
    body["metadata"]["labels"] = {applyset.ID_LABEL: body["metadata"]["labels"][applyset.ID_LABEL]}
    body["metadata"]["annotations"][applyset.TOOLING] = tool
    cluster.seed(body)
    if tool.startswith("kubectl"):
        with pytest.raises(UnsafePlan, match=f"ConfigMap/dev.app -n reconciler-system: .* is {tool}, expected"):
            await observe(cluster, desired(MEMBERS), "dev")
    else:
        await observe(cluster, desired(MEMBERS), "dev")
    assert len([call for call in cluster.sent("list") if call.namespace == applyset.SYSTEM_NAMESPACE]) == 1


async def test_other_environments_are_not_seen(cluster: FakeCluster) -> None:
    other = thing("ConfigMap", "theirs", data={"a": "1"})
    other["metadata"]["labels"] = member_labels("prod", "app")
    cluster.seed_apply(other)
    found = await observe(cluster, desired([]), "dev")
    assert found.live == {}
    assert found.inventories == {}


async def test_members_in_the_system_namespace_are_seen_and_parents_are_not(cluster: FakeCluster) -> None:
    ours = thing("ConfigMap", "agent", applyset.SYSTEM_NAMESPACE, data={"a": "1"})
    for body in (ours, inventory()):
        cluster.seed_apply(body)
    found = await observe(cluster, desired([ours]), "dev")
    assert set(found.live) == {ObjectId.of(ours)}


@pytest.mark.parametrize("count", [3, 4])
async def test_wanted_objects_of_others_are_found_whole(cluster: FakeCluster, count: int) -> None:
    """Few are read one by one, many are looked for by one list of metadata first."""
    wanted = [thing("ConfigMap", f"c{number}", data={"a": "1"}) for number in range(count)]
    foreign = {"name": "c1", "namespace": "shop"}
    cluster.seed({"apiVersion": "v1", "kind": "ConfigMap", "metadata": foreign, "data": {"a": "2"}})
    found = await observe(cluster, desired(wanted), "dev")
    (body,) = found.live.values()
    assert body["data"] == {"a": "2"}
    assert body["metadata"]["managedFields"]
    assert "shop" in found.namespaces
    bare = [call for call in cluster.sent("list") if call.details.get("metadata_only") and call.namespace == "shop"]
    assert (len(bare), len(cluster.sent("get"))) == ((0, 3) if count == 3 else (1, 1))


async def test_nothing_is_looked_for_in_a_namespace_that_does_not_exist(cluster: FakeCluster) -> None:
    found = await observe(cluster, desired([thing("ConfigMap", "c", "new", data={"a": "1"})]), "dev")
    assert "new" not in found.namespaces
    assert not cluster.sent("get")


async def test_an_empty_cluster_reads_as_empty() -> None:
    found = await observe(FakeCluster(), desired(MEMBERS), "dev")
    assert (found.live, found.inventories) == ({}, {})


async def test_kinds_that_are_not_served_are_told(cluster: FakeCluster) -> None:
    widget = thing("Widget", "w", api_version="x.dev/v1")
    found = await observe(cluster, desired([widget]), "dev")
    assert found.unserved == {GroupKind("x.dev", "Widget")}
    cluster.seed(CRD)
    found = await observe(cluster, desired([widget]), "dev")
    assert found.unserved == frozenset()


async def test_a_list_that_failed_is_an_error(cluster: FakeCluster) -> None:
    cluster.fail("list", kind="Secret", error=Unavailable("busy"))
    with pytest.raises(Unavailable, match="busy"):
        await observe(cluster, desired(MEMBERS), "dev")


async def test_every_right_that_is_missing_is_named_at_once(cluster: FakeCluster) -> None:
    for kind in ("Secret", "ServiceAccount"):
        cluster.fail("list", kind=kind, error=Forbidden(f"cannot list {kind}"))
    with pytest.raises(Forbidden, match=r"cannot list Secret\ncannot list ServiceAccount"):
        await observe(cluster, desired(MEMBERS), "dev")


async def test_a_wanted_object_that_cannot_be_read_is_an_error(cluster: FakeCluster) -> None:
    cluster.fail("get", error=Forbidden("cannot get"))
    with pytest.raises(ClusterError, match="cannot get"):
        await observe(cluster, desired(MEMBERS), "dev")


async def test_a_backend_that_is_silent_leaves_its_kinds_unknown(cluster: FakeCluster) -> None:
    cluster.failed_groups = ("x.dev/v1",)
    with pytest.raises(Unavailable, match=r"what x\.dev/v1 serves, and Widget/w -n shop needs it"):
        await observe(cluster, desired([thing("Widget", "w", api_version="x.dev/v1")]), "dev")
    cluster.seed_apply(inventory(GroupKind("x.dev", "Widget")))
    with pytest.raises(Unavailable, match="the inventory of app needs it"):
        await observe(cluster, desired([]), "dev")
    await observe(cluster, desired(MEMBERS), "prod")
