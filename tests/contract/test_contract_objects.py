"""Creating, replacing, patching, deleting; reading, listing, watching; what is served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import AlreadyExists, Conflict, Invalid, LeaseLost, NotFound
from reconciler.model.api import ApiResource, WatchEvent
from reconciler.model.identity import GroupKind, GroupVersionKind

if TYPE_CHECKING:
    from tests.contract.lab import Lab


async def watched(lab: Lab, count: int, **options: str) -> list[WatchEvent]:
    """Return the first events of a watch on ConfigMaps, bookmarks left out."""
    found: list[WatchEvent] = []
    events = lab.cluster.watch(lab.config_maps, namespace=lab.namespace, **options)
    async with asyncio.timeout(10):
        async for event in events:
            if event.type != "BOOKMARK" and event.object["metadata"]["name"] != "kube-root-ca.crt":
                found.append(event)
            if len(found) == count:
                break
    await events.aclose()  # type: ignore[attr-defined]
    return found


async def test_discovery_knows_the_usual_kinds(lab: Lab) -> None:
    discovery = await lab.cluster.discover()
    deployment = discovery.preferred[GroupKind("apps", "Deployment")]
    assert (deployment.plural, deployment.namespaced, deployment.version) == ("deployments", True, "v1")
    assert {"list", "patch", "watch", "delete"} <= deployment.verbs
    assert not discovery.resources[GroupVersionKind("", "v1", "Namespace")].namespaced
    assert discovery.failed == ()


async def test_discovery_costs_two_requests(lab: Lab) -> None:
    before = lab.cluster.requests.snapshot()["discovery"]
    await lab.cluster.discover()
    assert lab.cluster.requests.snapshot()["discovery"] == before + 2


async def test_a_guard_is_asked_before_writes_and_for_nothing_else(lab: Lab) -> None:
    """What it raises ends the write before it is sent; the connection that it was made from is not guarded."""

    def no() -> None:
        raise LeaseLost("not yours")

    guarded = lab.cluster.guarded(no)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": lab.namespace}}
    before = lab.cluster.requests.snapshot()
    with pytest.raises(LeaseLost, match="not yours"):
        await guarded.apply(lab.config_maps, body, field_manager="alice")
    assert lab.cluster.requests.snapshot().get("apply", 0) == before.get("apply", 0)
    await guarded.apply(lab.config_maps, body, field_manager="alice", dry_run=True)
    await lab.cluster.apply(lab.config_maps, body, field_manager="alice")
    assert (await guarded.get(lab.config_maps, lab.namespace, "held"))["metadata"]["name"] == "held"


async def test_openapi_tells_keyed_lists_and_leaves_out_what_is_not_served(lab: Lab) -> None:
    documents = await lab.cluster.openapi(["v1", "apps/v1", "nowhere.dev/v1"])
    assert set(documents) == {"v1", "apps/v1"}
    schemas = documents["apps/v1"]["components"]["schemas"]
    pod = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert pod["containers"]["x-kubernetes-list-map-keys"] == ["name"]
    kinds = [item for schema in schemas.values() for item in schema.get("x-kubernetes-group-version-kind", ())]
    assert {"group": "apps", "version": "v1", "kind": "Deployment"} in kinds


async def test_openapi_is_read_once(lab: Lab) -> None:
    await lab.cluster.openapi(["v1"])
    before = lab.cluster.requests.snapshot()["openapi"]
    await lab.cluster.openapi(["v1"])
    assert lab.cluster.requests.snapshot()["openapi"] == before + 1, "the index alone"


async def test_create_refuses_a_second_one(lab: Lab) -> None:
    made = await lab.cluster.create(lab.config_maps, lab.config_map(data={"a": "1"}))
    assert made["metadata"]["resourceVersion"]
    with pytest.raises(AlreadyExists) as caught:
        await lab.cluster.create(lab.config_maps, lab.config_map(data={"a": "1"}))
    assert str(caught.value) == 'configmaps "settings" already exists'


async def test_get_names_what_is_missing(lab: Lab) -> None:
    with pytest.raises(NotFound, match='configmaps "nothing" not found'):
        await lab.get("nothing")
    with pytest.raises(NotFound, match=r'deployments\.apps "nothing" not found'):
        await lab.cluster.get(lab.kind("Deployment", "apps"), lab.namespace, "nothing")


async def test_the_log_of_a_pod_that_is_not_there_is_not_found(lab: Lab) -> None:
    with pytest.raises(NotFound, match='pods "nothing" not found'):
        await lab.cluster.log_tail(lab.namespace, "nothing", "web", previous=False)


async def test_a_kind_that_is_not_served_is_not_found(lab: Lab) -> None:
    unknown = ApiResource("nowhere.dev", "v1", "Thing", "things", namespaced=True)
    with pytest.raises(NotFound):
        await lab.cluster.get(unknown, lab.namespace, "x")
    with pytest.raises(NotFound):
        _ = [body async for body in lab.cluster.list(unknown)]


async def test_update_replaces_under_its_version(lab: Lab) -> None:
    made = await lab.cluster.create(lab.config_maps, lab.config_map(data={"a": "1"}))
    changed = await lab.cluster.update(lab.config_maps, {**made, "data": {"b": "2"}})
    assert changed["data"] == {"b": "2"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(Conflict, match="the object has been modified"):
        await lab.cluster.update(lab.config_maps, {**made, "data": {"c": "3"}})


async def test_an_update_that_changes_nothing_keeps_the_version(lab: Lab) -> None:
    made = await lab.cluster.create(lab.config_maps, lab.config_map(data={"a": "1"}))
    assert await lab.cluster.update(lab.config_maps, made) == made


async def test_update_needs_something_to_replace(lab: Lab) -> None:
    with pytest.raises(NotFound):
        await lab.cluster.update(lab.config_maps, lab.config_map(data={"a": "1"}))


async def test_patches_change_and_test(lab: Lab) -> None:
    await lab.cluster.create(lab.config_maps, lab.config_map(data={"a": "1", "b": "1"}))

    async def patched(operations: list[dict[str, Any]]) -> dict[str, Any]:
        return await lab.cluster.patch(
            lab.config_maps, lab.namespace, "settings", operations, kind="json", field_manager="bob"
        )

    made = await patched([{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/c", "value": "3"}])
    assert made["data"] == {"b": "1", "c": "3"}
    with pytest.raises(Invalid):
        await patched([{"op": "test", "path": "/data/b", "value": "2"}, {"op": "remove", "path": "/data/b"}])


@pytest.mark.parametrize("condition", ["uid", "version"])
async def test_delete_refuses_what_is_not_meant(lab: Lab, condition: str) -> None:
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    await lab.apply(lab.config_map(data={"a": "2"}))
    version = made["metadata"]["resourceVersion"] if condition == "version" else ""
    uid = made["metadata"]["uid"] if condition == "version" else "another"
    with pytest.raises(Conflict, match="in the precondition"):
        await lab.cluster.delete(lab.config_maps, lab.namespace, "settings", uid=uid, resource_version=version)
    assert (await lab.get())["data"] == {"a": "2"}


async def test_delete_takes_away_what_is_meant(lab: Lab) -> None:
    made = (await lab.apply(lab.config_map(data={"a": "1"})))["metadata"]
    version = made["resourceVersion"]
    await lab.cluster.delete(lab.config_maps, lab.namespace, "settings", uid=made["uid"], resource_version=version)
    with pytest.raises(NotFound):
        await lab.get()
    with pytest.raises(NotFound):
        await lab.cluster.delete(lab.config_maps, lab.namespace, "settings", uid=made["uid"])


async def test_finalizers_hold_an_object_until_the_last_is_gone(lab: Lab) -> None:
    finalizers = ["example.dev/one", "example.dev/two"]
    made = await lab.apply(lab.config_map(data={"a": "1"}, finalizers=finalizers))
    await lab.cluster.delete(lab.config_maps, lab.namespace, "settings", uid=made["metadata"]["uid"])
    going = await lab.get()
    assert going["metadata"]["deletionTimestamp"]
    assert set(going["metadata"]["finalizers"]) == set(finalizers)
    await lab.apply(lab.config_map(data={"a": "1"}, finalizers=finalizers[:1]))
    assert (await lab.get())["metadata"]["finalizers"] == finalizers[:1]
    await lab.apply(lab.config_map(data={"a": "1"}))
    with pytest.raises(NotFound):
        await lab.get()


async def test_lists_choose_by_label_and_namespace(lab: Lab) -> None:
    for name, labels in {"one": {"set": "a"}, "two": {"set": "b"}, "three": {"set": "a"}}.items():
        await lab.apply(lab.config_map(name, {"k": name}, labels={**labels, "lab": lab.namespace}))
    found = [body async for body in lab.cluster.list(lab.config_maps, selector=f"lab={lab.namespace},set=a")]
    assert sorted(body["metadata"]["name"] for body in found) == ["one", "three"]
    assert {(body["apiVersion"], body["kind"]) for body in found} == {("v1", "ConfigMap")}
    assert all(body["metadata"]["managedFields"] for body in found)
    elsewhere = lab.cluster.list(lab.config_maps, namespace="default", selector=f"lab={lab.namespace}")
    assert [body async for body in elsewhere] == []


async def test_a_list_of_metadata_has_no_more_than_that(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1"}, labels={"lab": "x"}))
    listed = lab.cluster.list(lab.config_maps, namespace=lab.namespace, selector="lab=x", metadata_only=True)
    (found,) = [body async for body in listed]
    assert set(found) == {"apiVersion", "kind", "metadata"}
    assert (found["apiVersion"], found["kind"], found["metadata"]["name"]) == ("v1", "ConfigMap", "settings")


async def test_long_lists_come_in_pages_of_500(lab: Lab) -> None:
    bodies = [lab.config_map(f"c{number}", {"a": "1"}, labels={"lab": "x"}) for number in range(501)]
    await asyncio.gather(*(lab.apply(body) for body in bodies))
    before = lab.cluster.requests.snapshot().get("list", 0)
    listed = lab.cluster.list(lab.config_maps, namespace=lab.namespace, selector="lab=x")
    names = {body["metadata"]["name"] async for body in listed}
    assert names == {body["metadata"]["name"] for body in bodies}
    assert lab.cluster.requests.snapshot()["list"] == before + 2


async def test_a_watch_goes_on_from_a_list(lab: Lab) -> None:
    await lab.apply(lab.config_map("before", {"a": "1"}))
    bodies, version = await lab.cluster.list_version(lab.config_maps, namespace=lab.namespace)
    assert "before" in {body["metadata"]["name"] for body in bodies}
    made = await lab.apply(lab.config_map(data={"a": "1"}))
    await lab.apply(lab.config_map(data={"a": "2"}))
    await lab.cluster.delete(lab.config_maps, lab.namespace, "settings", uid=made["metadata"]["uid"])
    events = await watched(lab, 3, resource_version=version)
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[0].object["data"] == {"a": "1"}
    assert events[1].object["kind"] == "ConfigMap"


async def test_a_watch_waits_for_what_comes(lab: Lab) -> None:
    _, version = await lab.cluster.list_version(lab.config_maps, namespace=lab.namespace, selector="lab=x")
    waiting = asyncio.create_task(watched(lab, 1, resource_version=version, selector="lab=x"))
    await asyncio.sleep(0.05)
    await lab.apply(lab.config_map("other", {"a": "1"}))
    await lab.apply(lab.config_map(data={"a": "1"}, labels={"lab": "x"}))
    (event,) = await waiting
    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "settings")


async def test_what_no_longer_fits_the_selector_is_gone_for_a_watch(lab: Lab) -> None:
    await lab.apply(lab.config_map(data={"a": "1"}, labels={"lab": "x"}))
    _, version = await lab.cluster.list_version(lab.config_maps, namespace=lab.namespace, selector="lab=x")
    await lab.apply(lab.config_map(data={"a": "1"}))
    (event,) = await watched(lab, 1, resource_version=version, selector="lab=x")
    assert event.type == "DELETED"


async def test_a_crd_makes_its_kind_served(lab: Lab) -> None:
    group = f"{lab.namespace}.example.dev"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    crds = lab.kind("CustomResourceDefinition", "apiextensions.k8s.io")
    made = await lab.cluster.apply(crds, crd, field_manager="alice")
    try:
        widgets = await _served(lab, GroupKind(group, "Widget"))
        place = {"name": "w", "namespace": lab.namespace}
        body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": place, "spec": {"size": 1}}
        answer = await _accepted(lab, widgets, body)
        assert answer["spec"] == {"size": 1}
        with pytest.raises(Invalid):
            await lab.cluster.apply(widgets, {**body, "spec": {"sizes": 1}}, field_manager="alice")
    finally:
        await lab.cluster.delete(crds, "", crd["metadata"]["name"], uid=made["metadata"]["uid"])  # type: ignore[index]


async def _served(lab: Lab, kind: GroupKind) -> ApiResource:
    async with asyncio.timeout(20):
        while True:
            found = (await lab.cluster.discover()).preferred.get(kind)
            if found is not None:
                return found
            await asyncio.sleep(0.1)


async def _accepted(lab: Lab, resource: ApiResource, body: dict[str, Any]) -> dict[str, Any]:
    """Apply an object of a kind that has just appeared; a real server may not know its URL for a moment."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await lab.cluster.apply(resource, body, field_manager="alice")
            except NotFound:
                await asyncio.sleep(0.1)
