"""Deletes: what is ours and nothing else, in reverse order, bound to what was looked at; and what a killed run leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.apply.pruning import foreign
from reconciler.errors import Conflict, Forbidden, Unavailable
from reconciler.model.applyset import GROUP_KINDS, PART_OF_LABEL
from reconciler.model.outcome import Phase, Result
from tests.fakes.cluster import FakeCluster
from tests.unit.apply.world import CRD, WIDGET, WRITES, World, config_map, deployment, namespace, writes

if TYPE_CHECKING:
    from reconciler.model.outcome import Report

BASE = namespace() + config_map("keep")
CHAIN = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: one}
provisioner: example.com/disks
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: two, namespace: shop}
spec: {storageClassName: one, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
""" + deployment("three", claim="two")


def results(report: Report) -> dict[str, Result]:
    return {f"{item.id.kind}/{item.id.name}": item.result for item in report.outcomes}


def message(report: Report, name: str) -> str:
    return next(item.message for item in report.outcomes if item.id.name == name)


def deleted(world: World) -> list[str]:
    return [name for verb, _, name in writes(world.cluster) if verb == "delete"]


async def test_what_needs_others_goes_first_and_each_delete_is_bound() -> None:
    """Reverse graph order; every delete carries the uid and the resourceVersion that were read."""
    world = World()
    await world.apply({"base": BASE + CHAIN})
    report = await world.apply({"base": BASE})
    assert results(report)["StorageClass/one"] is Result.PRUNED
    assert deleted(world) == ["three", "two", "one"]
    for call in world.cluster.sent("delete"):
        assert call.details["uid"]
        assert call.details["resource_version"]
    assert world.members() == {"Namespace/shop", "ConfigMap/keep"}


async def test_a_namespace_goes_after_what_lies_in_it() -> None:
    world = World()
    await world.apply({"base": BASE, "extra": namespace("more") + config_map("inside", "more")})
    report = await world.apply({"base": BASE})
    assert not report.failed
    assert deleted(world) == ["inside", "more", "dev.extra"], "and the empty parent of the component that is gone"


async def test_components_are_pruned_in_reverse_order() -> None:
    world = World()
    settings = {"app": {"dependsOn": ("base",)}}
    await world.apply({"base": BASE + config_map("lower"), "app": config_map("stay") + config_map("upper")}, settings)
    await world.apply({"base": BASE, "app": config_map("stay")}, settings)
    assert deleted(world) == ["upper", "lower"]


async def test_the_inventory_shrinks_to_what_is_there() -> None:
    world = World()
    await world.apply({"base": BASE + deployment("web")})
    await world.apply({"base": BASE})
    parent = world.cluster.find("ConfigMap", "reconciler-system", "dev.base")
    assert parent is not None
    assert parent["metadata"]["annotations"][GROUP_KINDS] == "ConfigMap,Namespace"


class SlowAnswers(FakeCluster):
    """A cluster whose answers to deletes come long after its watches have told of them."""

    async def delete(self, *args: Any, **details: Any) -> None:
        """Delete at once, answer late."""
        await super().delete(*args, **details)
        for _ in range(50):
            await asyncio.sleep(0)


async def test_a_delete_that_the_watch_tells_of_before_its_answer_is_over() -> None:
    """The run ends as any other: the outcome is final, the parent of the vanished component is deleted."""
    world = World(SlowAnswers())
    await world.apply({"base": BASE, "extra": config_map("one") + config_map("two")})
    report = await world.apply({"base": BASE})
    assert not report.failed
    assert [item.message for item in report.outcomes if item.result is Result.PRUNED] == ["", ""]
    assert world.cluster.find("ConfigMap", "reconciler-system", "dev.extra") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metadata": {"labels": {PART_OF_LABEL: "another"}}}, "no longer carries the label"),
        ({"metadata": {"ownerReferences": [{"controller": True, "kind": "Boss", "name": "b"}]}}, "belongs to Boss/b"),
    ],
)
async def test_what_is_no_longer_ours_is_left_alone(change: dict[str, Any], why: str) -> None:
    """Changed after the plan was made: the second look sees it."""
    world = World()
    await world.apply({"base": BASE + config_map("odd")})
    listed = 0

    def meddle(call: object) -> None:
        nonlocal listed
        if getattr(call, "verb", "") == "list" and getattr(call, "kind", "") == "ConfigMap":
            listed += 1
            if listed == 2:
                world.cluster.edit("ConfigMap", "shop", "odd", change)

    world.cluster.before = meddle
    report = await world.apply({"base": BASE})
    assert results(report)["ConfigMap/odd"] is Result.UNCHANGED
    assert why in message(report, "odd")
    assert deleted(world) == []


async def test_a_conflict_is_looked_at_again_and_only_then_repeated() -> None:
    """Changed between the second look and the delete: read again, still ours, deleted as it is now."""
    world = World()
    await world.apply({"base": BASE + config_map("busy")})
    meddled: list[str] = []

    def meddle(call: object) -> None:
        if getattr(call, "verb", "") == "delete" and not meddled:
            meddled.append("once")
            world.cluster.edit("ConfigMap", "shop", "busy", {"data": {"x": "y"}})

    world.cluster.before = meddle
    report = await world.apply({"base": BASE})
    assert results(report)["ConfigMap/busy"] is Result.PRUNED
    assert deleted(world) == ["busy", "busy"]


async def test_an_object_moved_away_meanwhile_is_not_deleted() -> None:
    world = World()
    await world.apply({"base": BASE + config_map("busy")})

    def meddle(call: object) -> None:
        if getattr(call, "verb", "") == "delete":
            labels = {"metadata": {"labels": {PART_OF_LABEL: "another"}}}
            world.cluster.edit("ConfigMap", "shop", "busy", labels)

    world.cluster.before = meddle
    report = await world.apply({"base": BASE})
    assert results(report)["ConfigMap/busy"] is Result.UNCHANGED
    assert "ConfigMap/busy" in world.members()


async def test_a_finalizer_that_hangs_is_named_and_keeps_what_comes_after() -> None:
    world = World()
    await world.apply({"base": BASE + CHAIN})
    world.cluster.edit("Deployment", "shop", "three", {"metadata": {"finalizers": ["example.com/hold"]}})
    report = await world.apply({"base": BASE}, {"base": {"timeout": "30s"}})
    assert results(report)["Deployment/three"] is Result.FAILED
    assert "still there after 30 s: is being deleted, held by example.com/hold" in message(report, "three")
    assert results(report)["PersistentVolumeClaim/two"] is Result.SKIPPED
    assert results(report)["StorageClass/one"] is Result.SKIPPED
    assert {"PersistentVolumeClaim/two", "StorageClass/one"} <= world.members()


async def test_nothing_is_deleted_of_a_component_that_was_not_applied() -> None:
    world = World()
    await world.apply({"base": BASE + config_map("old"), "app": config_map("other")})
    world.cluster.fail("apply", name="new", error=Forbidden("quota", status=403), times=-1)
    report = await world.apply({"base": BASE + config_map("new"), "app": ""})
    assert results(report)["ConfigMap/old"] is Result.SKIPPED
    assert message(report, "old") == "kept: not everything of component base was applied"
    assert results(report)["ConfigMap/other"] is Result.PRUNED
    assert "ConfigMap/old" in world.members()


async def test_a_deletion_that_hangs_keeps_what_is_protected_and_says_so() -> None:
    """The second step is for when everything else is gone: what is still there keeps it, and is what is told."""
    world = World(policy={"deletions": {"max": 100, "protect": ["PersistentVolumeClaim"]}})
    held = config_map("held").replace("name: held", "finalizers: [example.com/hold]\n  name: held")
    claim = CHAIN.partition("apiVersion: apps")[0]
    await world.apply({"base": BASE + claim + held, "app": config_map("a")}, {"app": {"dependsOn": ("base",)}})
    report = await world.apply({"base": BASE, "app": config_map("a")}, {"base": {"timeout": "30s"}})
    assert message(report, "held") == (
        "deleted, but still there after 30 s: is being deleted, held by example.com/hold; "
        "finalizer example.com/hold: git sets it, and who it is meant for has to remove it"
    )
    assert message(report, "two") == "kept: not everything that component base no longer has is gone"
    waited = [event.message for event in world.events if event.phase is Phase.WAITING and event.id.name == "held"]
    assert waited[0].startswith("is being deleted")


async def test_what_cannot_be_listed_again_is_not_deleted() -> None:
    world = World()
    await world.apply({"base": BASE + config_map("old")})
    lists = 0

    def refuse(call: object) -> None:
        nonlocal lists
        if getattr(call, "verb", "") == "list" and getattr(call, "kind", "") == "ConfigMap":
            lists += 1
            if lists == 2:
                raise Unavailable("the server is away", status=503)

    world.cluster.before = refuse
    report = await world.apply({"base": BASE})
    assert results(report)["ConfigMap/old"] is Result.FAILED
    assert deleted(world) == []


async def test_a_move_changes_labels_and_deletes_nothing() -> None:
    world = World()
    await world.apply({"base": BASE + config_map("nomad"), "app": config_map("other")})
    report = await world.apply({"base": BASE, "app": config_map("other") + config_map("nomad")})
    assert not report.failed
    assert deleted(world) == []
    assert (await world.plan({"base": BASE, "app": config_map("other") + config_map("nomad")})).empty


FIRST = {"base": BASE + CHAIN + deployment("web"), "gone": config_map("leaving") + deployment("away")}
SECOND = {"base": BASE + config_map("four") + config_map("five", needs="four"), "app": deployment("web")}
SETTINGS = {"app": {"dependsOn": ("base",)}}


@pytest.mark.parametrize("gracefully", [True, False])
async def test_a_run_that_ends_at_any_request_is_continued_by_the_next(gracefully: bool) -> None:
    """Stopped, or killed without a word, at its k-th write for every k: the next run comes to the same end."""
    reference = World()
    await reference.apply(FIRST)
    await reference.apply(SECOND, SETTINGS)
    stopped = 0
    for k in range(1, 30):
        world = World()
        await world.apply(FIRST)
        count = 0

        def end(call: object, world: World = world, k: int = k) -> None:
            nonlocal count
            count += getattr(call, "verb", "") in WRITES
            if count >= k and gracefully:
                world.stop.set()
            elif count > k:
                raise Killed

        world.cluster.before = end
        try:
            report = await world.apply(SECOND, SETTINGS)
        except* Killed:
            stopped += 1
        else:
            stopped += report.interrupted
        world.cluster.before = lambda _: None
        world.stop.clear()
        final = await world.apply(SECOND, SETTINGS)
        assert not final.failed, (k, final.outcomes)
        assert world.members() == reference.members(), k
        assert (await world.plan(SECOND, SETTINGS)).empty, k
    assert stopped > 2, "the kills have to hit"


class Killed(Exception):
    """Stands for kill -9: nothing of the run goes on."""


async def test_a_stopped_run_says_what_was_not_done() -> None:
    """No new write after the stop but the record; what was not sent is skipped with that reason."""
    world = World()

    def stop(call: object) -> None:
        if (getattr(call, "verb", ""), getattr(call, "name", "")) == ("apply", "one"):
            world.stop.set()

    world.cluster.before = stop
    report = await world.apply({"base": BASE + CHAIN})
    assert report.interrupted
    assert results(report)["StorageClass/one"] is Result.APPLIED
    assert results(report)["Deployment/three"] is Result.SKIPPED
    assert message(report, "three") == "the run was stopped before it was sent"
    assert "Deployment/three" not in world.members()


async def test_a_conflict_that_never_ends_is_a_failure() -> None:
    world = World()
    await world.apply({"base": BASE + config_map("old")})
    world.cluster.fail("delete", error=Conflict("changed again", status=409), times=-1)
    report = await world.apply({"base": BASE})
    assert results(report)["ConfigMap/old"] is Result.FAILED
    assert message(report, "old") == "not deleted: changed again"


async def test_parents_go_with_a_component_that_took_its_own_kind_along() -> None:
    """The CRD is pruned in the same run as its objects: a kind that is no longer served has no members left."""
    world = World()
    await world.apply({"base": BASE, "extra": CRD + WIDGET})
    report = await world.apply({"base": BASE})
    assert not report.failed
    assert deleted(world) == ["gear", "widgets.example.com", "dev.extra"]


async def test_what_a_component_needs_stays_while_the_component_does() -> None:
    world = World()
    settings = {"app": {"dependsOn": ("base",), "timeout": "5s"}}
    await world.apply({"base": BASE + config_map("lower"), "app": config_map("stay") + config_map("upper")}, settings)
    world.cluster.edit("ConfigMap", "shop", "upper", {"metadata": {"finalizers": ["example.com/hold"]}})
    report = await world.apply({"base": BASE, "app": config_map("stay")}, settings)
    assert results(report)["ConfigMap/upper"] is Result.FAILED
    assert results(report)["ConfigMap/lower"] is Result.SKIPPED
    assert "ConfigMap/lower" in world.members()


async def test_after_a_failure_the_inventory_stays_as_wide_as_it_was() -> None:
    world = World()
    await world.apply({"base": BASE + config_map("stuck") + deployment("web")})
    world.cluster.edit("ConfigMap", "shop", "stuck", {"metadata": {"finalizers": ["example.com/hold"]}})
    report = await world.apply({"base": BASE}, {"base": {"timeout": "5s"}})
    assert results(report)["Deployment/web"] is Result.PRUNED
    parent = world.cluster.find("ConfigMap", "reconciler-system", "dev.base")
    assert parent is not None
    assert parent["metadata"]["annotations"][GROUP_KINDS] == "ConfigMap,Deployment.apps,Namespace"


OURS = {"manager": "reconciler", "operation": "Apply"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, ""),
        ({"uid": "u2"}, "it is another object of the same name than the one in the plan"),
        ({"labels": {PART_OF_LABEL: "other"}}, f"it no longer carries the label {PART_OF_LABEL} of this component"),
        ({"ownerReferences": [{"controller": True, "kind": "Service", "name": "web"}]}, "it belongs to Service/web"),
        ({"ownerReferences": [{"kind": "Service", "name": "web"}]}, ""),
        ({"managedFields": []}, "reconciler has applied none of its fields"),
        ({"managedFields": [{**OURS, "operation": "Update"}]}, "reconciler has applied none of its fields"),
    ],
)
def test_each_mark_of_ours_is_asked_for(change: dict[str, Any], why: str) -> None:
    metadata = {"uid": "u1", "labels": {PART_OF_LABEL: "set"}, "managedFields": [OURS]}
    assert foreign({"metadata": metadata | change}, "set", "u1") == why


async def test_an_object_whose_controller_is_quicker_is_deleted_in_the_end() -> None:
    """A quota's status changes several times a second while the Pods that it counts go."""
    world = World()
    await world.apply({"base": BASE, "app": config_map("gone")})
    world.cluster.fail("delete", error=Conflict("changed again", status=409), times=9)
    report = await world.apply({"base": BASE})
    assert results(report)["ConfigMap/gone"] is Result.PRUNED
    assert world.clock.seconds > 5


async def test_what_a_component_kept_is_kept_when_the_component_is_renamed() -> None:
    """Its inventory remembers `prune: false`; listed again without it, the component lets go of what it had."""
    world, kept = World(), {"a": {"prune": False}}
    both = namespace() + config_map("x") + config_map("y")
    await world.apply({"a": both}, kept)
    await world.apply({"a": namespace() + config_map("x")}, kept)
    renamed = {"b": namespace() + config_map("x")}
    plan = await world.plan(renamed)
    assert [(item.id.name, item.reason) for item in plan.kept] == [
        ("y", "component a, which git no longer has, had prune: false")
    ]
    assert not (await world.apply(renamed)).failed
    assert world.members() == {"Namespace/shop", "ConfigMap/x", "ConfigMap/y"}
    assert not (await world.apply({**renamed, "a": ""})).failed
    assert world.members() == {"Namespace/shop", "ConfigMap/x"}


async def test_that_a_component_is_not_to_be_pruned_is_written_down_though_nothing_else_changes() -> None:
    world, parts = World(), {"a": namespace() + config_map("x"), "b": config_map("y")}
    await world.apply(parts)
    plan = await world.plan(parts, {"b": {"prune": False}})
    assert (plan.empty, plan.bookkeeping) == (True, frozenset({"b"}))
    await world.apply(parts, {"b": {"prune": False}})
    assert (await world.plan(parts, {"b": {"prune": False}})).bookkeeping == frozenset()
    assert [item.id.name for item in (await world.plan({"a": parts["a"]})).kept] == ["y"]


async def test_what_stays_with_a_renamed_component_keeps_its_inventory() -> None:
    """An object that git leaves alone does not move: its old component is still asked for it, and no other kind is."""
    world = World()
    left = config_map("y").replace("annotations: {}", "annotations: {reconciler.dev/reconcile: disabled}")
    await world.apply({"a": namespace() + config_map("x") + config_map("y")})
    await world.apply({"b": namespace() + config_map("x") + left})
    assert world.cluster.find("ConfigMap", "reconciler-system", "dev.a") is not None
    world.cluster.calls.clear()
    plan = await world.plan({"b": namespace() + config_map("x") + left})
    assert (plan.empty, plan.warnings) == (True, ())
    assert len([call for call in world.cluster.calls if call.verb == "list"]) <= 2


async def test_copied_labels_are_no_lost_inventory() -> None:
    """A controller has copied our labels to a Secret of its own, and the component is gone since."""
    world = World()
    await world.apply({"a": namespace(), "b": config_map("y")})
    body = world.cluster.find("ConfigMap", "shop", "y")
    assert body is not None
    copy = {"name": "copy", "namespace": "shop", "labels": body["metadata"]["labels"]}
    world.cluster.seed({"apiVersion": "v1", "kind": "Secret", "metadata": copy}, "external-secrets")
    await world.apply({"a": namespace()})
    world.cluster.calls.clear()
    assert (await world.plan({"a": namespace()})).warnings == ()
    assert len([call for call in world.cluster.calls if call.verb == "list"]) <= 2
