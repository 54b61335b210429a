"""Plans carried out on FakeCluster: order, failures, waits, replace, adoption, records."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from reconciler.apply import history
from reconciler.errors import Forbidden, Invalid
from reconciler.model.outcome import HealthState, Phase, Result
from tests.fakes.cluster import FakeCluster
from tests.unit.apply.world import CRD, WIDGET, World, config_map, deployment, namespace, writes

if TYPE_CHECKING:
    from reconciler.model.outcome import Report
    from tests.unit.apply.world import Settings


def results(report: Report) -> dict[str, Result]:
    return {f"{item.id.kind}/{item.id.name}": item.result for item in report.outcomes}


def message(report: Report, name: str) -> str:
    return next(item.message for item in report.outcomes if item.id.name == name)


def applied_order(cluster: FakeCluster) -> list[str]:
    return [f"{kind}/{name}" for verb, kind, name in writes(cluster) if verb == "apply"]


async def test_everything_is_applied_in_order_and_the_next_plan_is_empty() -> None:
    """An object comes after its Namespace, a custom resource after its CRD, a component after what it depends on."""
    world = World()
    parts = {"base": namespace() + CRD, "app": config_map("settings") + WIDGET, "last": config_map("end")}
    settings = {"app": {"dependsOn": ("base",)}, "last": {"dependsOn": ("app",)}}
    report = await world.apply(parts, settings)
    assert not report.failed
    assert set(results(report).values()) == {Result.APPLIED}
    order = [item for item in applied_order(world.cluster) if not item.startswith("Namespace/reconciler")]
    assert order.index("Namespace/shop") < order.index("ConfigMap/settings")
    assert order.index("CustomResourceDefinition/widgets.example.com") < order.index("Widget/gear")
    assert order.index("Widget/gear") < order.index("ConfigMap/end")
    assert (await world.plan(parts, settings)).empty


async def test_inventories_are_written_before_the_first_object() -> None:
    world = World()
    await world.apply({"base": namespace() + config_map("a")})
    order = applied_order(world.cluster)
    assert order.index("ConfigMap/dev.base") < order.index("Namespace/shop")


async def test_an_empty_plan_writes_nothing() -> None:
    """A second run sends no write at all, not even its record."""
    world = World()
    parts = {"base": namespace() + config_map("a")}
    await world.apply(parts)
    await world.apply(parts)
    world.cluster.calls.clear()
    report = await world.apply(parts)
    assert writes(world.cluster) == []
    assert set(results(report).values()) == {Result.UNCHANGED}


async def test_a_failure_holds_back_only_what_needs_it() -> None:
    """Dependents of a failed object are skipped with its name, everything independent is applied."""
    world = World()
    world.cluster.fail("apply", kind="ConfigMap", name="first", error=Invalid("no such field", status=422), times=-1)
    text = namespace() + config_map("first") + config_map("second", needs="first") + config_map("other")
    report = await world.apply({"base": text, "app": config_map("third")}, {"app": {"dependsOn": ("base",)}})
    assert results(report) == {
        "Namespace/shop": Result.APPLIED,
        "ConfigMap/first": Result.FAILED,
        "ConfigMap/second": Result.SKIPPED,
        "ConfigMap/other": Result.APPLIED,
        "ConfigMap/third": Result.SKIPPED,
    }
    assert message(report, "first") == "no such field"
    assert "ConfigMap/first" in message(report, "second")
    assert "component base" in message(report, "third")


async def test_a_component_waits_until_the_one_it_needs_is_healthy() -> None:
    """The dependent goes out after the Deployment is ready, and not when it is merely applied."""
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    sent: list[str] = []

    def become_ready(call: object) -> None:
        sent.append(getattr(call, "name", ""))
        if getattr(call, "verb", "") == "watch" and getattr(call, "kind", "") == "Deployment":
            assert "late" not in sent
            world.cluster.set_status("Deployment", "shop", "web", ready)

    world.cluster.before = become_ready
    report = await world.apply(
        {"base": namespace() + deployment("web"), "app": config_map("late")}, {"app": {"dependsOn": ("base",)}}
    )
    assert not report.failed
    phases = [event.phase for event in world.events if event.id.name == "web"]
    assert phases == [Phase.STARTED, Phase.APPLIED, Phase.HEALTHY], "a wait that is over at once is not told"


async def test_a_component_that_is_not_waited_for_does_not_hold_others() -> None:
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    parts = {"base": namespace() + deployment("web"), "app": config_map("late")}
    report = await world.apply(parts, {"base": {"wait": False}, "app": {"dependsOn": ("base",)}})
    assert not report.failed
    assert world.clock.seconds == 0


async def test_no_wait_does_not_wait() -> None:
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    parts = {"base": namespace() + deployment("web"), "app": deployment("late")}
    report = await world.apply(parts, {"app": {"dependsOn": ("base",)}}, wait=False)
    assert not report.failed
    assert world.clock.seconds == 0
    assert world.cluster.sent("watch") == []


async def test_what_never_gets_healthy_fails_after_the_component_timeout_and_says_why() -> None:
    """The reason names the Pod, the container, its image and its last log line."""
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    world.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    waiting = {"name": "main", "ready": False, "restartCount": 4, "image": "web:1", "imageID": ""}
    waiting["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    waiting["lastState"] = {"terminated": {"exitCode": 3}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "web:1"}]},
    }
    world.cluster.seed(pod)
    world.cluster.set_status("Pod", "shop", "web-1", {"phase": "Running", "containerStatuses": [waiting]})
    world.cluster.logs["shop", "web-1", "main", True] = "starting\nno database"

    def observed(call: object) -> None:
        if getattr(call, "verb", "") == "watch":
            status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
            world.cluster.set_status("Deployment", "shop", "web", status)

    world.cluster.before = observed
    report = await world.apply({"app": deployment("web")}, {"app": {"timeout": "90s"}})
    told = message(report, "web")
    assert "not healthy after 90 s: 0 of 1 replicas ready" in told
    assert "Pod/web-1, container main of image web:1: CrashLoopBackOff: exit code 3, 4 restarts" in told
    assert told.endswith("its last log line: no database")
    assert 90 <= world.clock.seconds < 95
    assert report.outcomes[0].health is not None
    assert report.outcomes[0].health.state is HealthState.IN_PROGRESS
    assert any(event.phase is Phase.WAITING for event in world.events[3:]), "a heartbeat while it waits"


async def test_a_run_gives_way_once_it_only_waits() -> None:
    """What can be sent is sent first; what was waited for is told as unfinished, and nothing that needs it is sent."""
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    way = asyncio.Event()
    way.set()
    parts = {"base": namespace() + deployment("web"), "app": config_map("late"), "other": config_map("free")}
    report = await world.apply(parts, {"app": {"dependsOn": ("base",)}}, give_way=way)
    assert report.interrupted
    assert results(report) == {
        "Namespace/shop": Result.APPLIED,
        "Deployment/web": Result.APPLIED,
        "ConfigMap/free": Result.APPLIED,
        "ConfigMap/late": Result.SKIPPED,
    }
    assert message(report, "web") == "the run ended before it was healthy"
    assert world.clock.seconds == 0


async def test_a_run_that_has_nothing_to_wait_for_comes_to_its_end() -> None:
    world = World()
    way = asyncio.Event()
    way.set()
    assert not (await world.apply({"base": namespace() + config_map("a")}, give_way=way)).interrupted


async def test_a_failed_object_ends_its_wait_at_once() -> None:
    def broken(body: dict[str, object]) -> dict[str, object] | None:
        if body["kind"] == "Job":
            return {"startTime": "t", "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimit"}]}
        return {"phase": "Active"} if body["kind"] == "Namespace" else None

    job = """
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: shop}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "migrate:1"}]}
"""
    world = World(FakeCluster(settle=broken))
    report = await world.apply({"app": namespace() + job})
    assert results(report)["Job/migrate"] is Result.FAILED
    assert "BackoffLimit" in message(report, "migrate")
    assert world.clock.seconds < 5


async def test_an_unchanged_object_is_checked_where_something_new_needs_it() -> None:
    """A run that follows an unhealthy one waits again before it sends what was held back."""
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    parts = {"base": namespace() + deployment("web"), "app": config_map("late")}
    settings: Settings = {"base": {"timeout": "5s"}, "app": {"dependsOn": ("base",)}}
    first = await world.apply(parts, settings)
    assert results(first)["ConfigMap/late"] is Result.SKIPPED
    second = await world.apply(parts, settings)
    assert results(second)["Deployment/web"] is Result.FAILED
    assert results(second)["ConfigMap/late"] is Result.SKIPPED
    ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    world.cluster.set_status("Deployment", "shop", "web", ready)
    third = await world.apply(parts, settings)
    assert results(third)["Deployment/web"] is Result.UNCHANGED
    assert results(third)["ConfigMap/late"] is Result.APPLIED


async def test_a_kind_that_may_not_be_watched_is_a_clear_failure() -> None:
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    world.cluster.fail("watch", kind="Deployment", error=Forbidden("no right to watch deployments", status=403))
    report = await world.apply({"app": namespace() + deployment("web")})
    assert "cannot be watched: no right to watch deployments" in message(report, "web")


async def test_watches_survive_an_end_and_a_compaction() -> None:
    """Ended by the server, then too old a version: the wait goes on and sees the change."""
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    watches, watching = 0, asyncio.Event()

    def interfere(call: object) -> None:
        nonlocal watches
        watches += getattr(call, "verb", "") == "watch"
        if watches:
            watching.set()
        if getattr(call, "verb", "") == "watch" and watches == 2:
            world.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "noise"}})
            world.cluster.forget_history()
        elif getattr(call, "verb", "") == "watch" and watches == 3:
            world.cluster.set_status("Deployment", "shop", "web", ready)

    async def end_the_first() -> None:
        await watching.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        world.cluster.end_watches()

    world.cluster.before = interfere
    ending = asyncio.create_task(end_the_first())
    report = await world.apply({"app": namespace() + deployment("web")})
    await ending
    assert not report.failed
    assert watches >= 3


async def test_the_record_of_a_run_can_be_read_again() -> None:
    world = World()
    report = await world.apply({"base": namespace() + config_map("a")})
    last = (await history.read(world.cluster, "dev")).last
    assert last is not None
    assert (last.plan_id, last.result) == (report.plan_id, "applied")
    assert last.components == {"base": {"applied": 2}}


async def test_an_inventory_that_cannot_be_written_keeps_its_objects_from_being_sent() -> None:
    world = World()
    world.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    world.cluster.fail("apply", name="dev.bad", error=Forbidden("not allowed", status=403), times=-1)
    report = await world.apply({"bad": config_map("a"), "good": config_map("b")})
    assert results(report) == {"ConfigMap/a": Result.FAILED, "ConfigMap/b": Result.APPLIED}
    assert "inventory of component bad cannot be written: not allowed" in message(report, "a")


async def test_an_object_with_a_problem_of_its_own_is_told_so_and_never_sent() -> None:
    """Known before the first write: failed without a request, even where something that it needs fails as well."""
    world = World()
    odd = "apiVersion: nowhere.example.com/v1\nkind: %s\nmetadata: {name: %s%s}\n---\n"
    marks = ", annotations: {reconciler.dev/depends-on: nowhere.example.com/Odd/one}"
    parts = {"base": namespace() + odd % ("Odd", "one", "") + odd % ("Odder", "two", marks) + config_map("fine")}
    report = await world.apply(parts)
    told = {name: result for name, result in results(report).items() if result is Result.FAILED}
    assert set(told) == {"Odd/one", "Odder/two"}
    assert not [name for _, _, name in writes(world.cluster) if name in ("one", "two")]
    assert results(report)["ConfigMap/fine"] is Result.APPLIED


async def test_no_secret_value_is_told() -> None:
    """Neither in the words of a server that quotes it, nor in those about another object, nor in events."""
    control = "hunter2-canary"
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: shop}\nstringData: {password: %s}\n---\n"
    text = namespace() + secret % ("bad", control) + secret % ("good", control) + config_map("a")
    quoting = Invalid(f'.data.password: expected string, got "{control}"', status=422, reason="Invalid")
    world.cluster.fail("apply", kind="Secret", name="bad", error=quoting, times=-1)
    world.cluster.fail("apply", name="a", error=Invalid(f"env has {control} in it", status=422), times=-1)
    report = await world.apply({"base": text})
    assert "does not accept it at data.password (HTTP 422, Invalid)" in message(report, "bad")
    assert message(report, "a") == "env has (secret) in it"
    assert control not in repr(report)
    assert control not in repr(world.events)


async def test_kubectl_fields_become_ours_before_the_apply() -> None:
    """A field that kubectl had set and git does not have really goes."""
    world = World()
    world.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    metadata = {"name": "a", "namespace": "shop", "annotations": applied}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    world.cluster.seed({**body, "data": {"keep": "1", "old": "2"}}, "kubectl-client-side-apply")
    report = await world.apply({"base": config_map("a", keep="1")})
    assert not report.failed, report.outcomes
    live = world.cluster.find("ConfigMap", "shop", "a")
    assert live is not None
    assert live["data"] == {"keep": "1"}
    assert not live["metadata"].get("annotations")
    assert {entry["manager"] for entry in live["metadata"]["managedFields"]} == {"reconciler"}


async def test_sixteen_requests_are_in_flight_and_no_more() -> None:
    world = World()
    await world.apply({"base": namespace() + "".join(config_map(f"c{number}") for number in range(60))})
    assert 12 <= world.cluster.peak <= 16


@pytest.mark.parametrize("mode", ["Immediate", "WaitForFirstConsumer"])
async def test_a_claim_is_waited_for_where_its_class_binds_at_once(mode: str) -> None:
    phases = {"Namespace": "Active", "PersistentVolumeClaim": "Pending"}
    world = World(FakeCluster(settle=lambda body: {"phase": phases[body["kind"]]} if body["kind"] in phases else None))
    classes = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disks"}}
    world.cluster.seed({**classes, "provisioner": "example.com/disks", "volumeBindingMode": mode})
    claim = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: shop}
spec: {storageClassName: disks, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
    report = await world.apply({"base": namespace() + claim}, {"base": {"timeout": "5s"}})
    assert report.failed is (mode == "Immediate")
    assert "not bound yet by StorageClass/disks" in message(report, "disk") or not report.failed


JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: shop, annotations: {reconciler.dev/replace: allowed}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "job:%s"}]}}}
---
"""


async def test_nothing_is_deleted_where_the_new_object_would_be_refused() -> None:
    """A policy that came after the old object: asked first, under another name, as the old one still has its own."""
    world = World()
    await world.apply({"base": namespace() + JOB % 1})
    denied = Forbidden("ValidatingAdmissionPolicy 'p' denied request: no", status=403)
    world.cluster.fail("dry_run", name="once-anew", error=denied, times=-1)
    report = await world.apply({"base": namespace() + JOB % 2})
    assert "left as it is, since the object made anew would be refused: ValidatingAdmission" in message(report, "once")
    assert world.cluster.sent("delete") == []


async def test_what_the_old_object_still_has_does_not_keep_it_from_being_replaced() -> None:
    """A quota that it fills, or a port that it holds, is free once it is gone."""
    world = World()
    await world.apply({"base": namespace() + JOB % 1})
    full = Forbidden("exceeded quota: few", status=403)
    world.cluster.fail("dry_run", name="once-anew", error=full, times=-1)
    assert not (await world.apply({"base": namespace() + JOB % 2})).failed
    assert len(world.cluster.sent("delete")) == 1


async def test_a_definition_that_was_just_changed_is_given_a_moment() -> None:
    """The server takes the new schema a little later than the definition; what stays invalid is told after ten seconds."""
    world = World()
    await world.apply({"base": namespace() + CRD + WIDGET})
    grown = CRD.replace("type: object,", "type: object, description: grown,") + WIDGET.replace("size: 3", "size: %d")
    late = Invalid("failed to create typed patch object: .spec.size: field not declared in schema", status=500)
    world.cluster.fail("apply", kind="Widget", error=late, times=3)
    assert not (await world.apply({"base": namespace() + grown % 4})).failed
    assert 0 < world.clock.seconds < 2
    world.cluster.fail("apply", kind="Widget", error=late, times=-1)
    begun = world.clock.seconds
    assert "field not declared" in message(
        await world.apply({"base": namespace() + grown.replace("grown", "more") % 5}), "gear"
    )
    assert 10 <= world.clock.seconds - begun < 12
    begun = world.clock.seconds
    assert (await world.apply({"base": namespace() + grown.replace("grown", "more") % 6})).failed
    assert world.clock.seconds == begun, "the definition stays as it is: there is nothing to wait for"


async def test_an_immutable_field_is_replaced_and_a_stop_in_between_is_told() -> None:
    """Deleted with its uid, gone, made again; stopped in between it is a failure that says so, and the next run ends it."""
    world = World()
    await world.apply({"base": namespace() + JOB % 1})

    def stop(call: object) -> None:
        if getattr(call, "verb", "") == "delete":
            world.stop.set()

    world.cluster.before = stop
    report = await world.apply({"base": namespace() + JOB % 2})
    assert report.interrupted
    assert results(report)["Job/once"] is Result.FAILED
    assert "the next apply creates it" in message(report, "once")
    world.stop.clear()
    world.cluster.before = lambda _: None
    report = await world.apply({"base": namespace() + JOB % 2})
    assert results(report)["Job/once"] is Result.APPLIED
    report = await world.apply({"base": namespace() + JOB % 3})
    assert results(report)["Job/once"] is Result.APPLIED
    live = world.cluster.find("Job", "shop", "once")
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "job:3"


async def test_where_pods_tell_nothing_an_event_does() -> None:
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    world.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    about = {"kind": "ReplicaSet", "name": "web-abc", "namespace": "shop"}
    for number, words in enumerate(("volume disk is not there", "an old story")):
        metadata = {"name": f"e{number}", "namespace": "shop"}
        told = {
            "type": "Warning",
            "reason": "FailedMount",
            "message": words,
            "lastTimestamp": f"2030-01-0{2 - number}T00:00:00Z",
        }
        world.cluster.seed({"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, **told})
    report = await world.apply({"app": deployment("web")}, {"app": {"timeout": "5s"}})
    assert message(report, "web").endswith("event of ReplicaSet/web-abc: FailedMount: volume disk is not there")


async def test_an_unchanged_object_that_nothing_new_needs_is_not_waited_for() -> None:
    """An unhealthy neighbour costs a small change neither time nor requests."""
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    await world.apply({"base": namespace() + deployment("web")}, wait=False)
    world.cluster.calls.clear()
    report = await world.apply({"base": namespace() + deployment("web") + config_map("a")})
    assert not report.failed
    assert world.clock.seconds == 0
    assert "Deployment" not in {call.kind for call in world.cluster.sent("watch")}


async def test_a_pod_that_waits_for_its_volume_names_the_claim() -> None:
    world = World(FakeCluster(settle=lambda body: {"phase": "Active"} if body["kind"] == "Namespace" else None))
    world.cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    metadata = {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}}
    volumes = [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]
    spec = {"containers": [{"name": "main", "image": "web:1"}], "volumes": volumes}
    world.cluster.seed(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}
    )
    claim = {
        "storageClassName": "slow",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    place = {"name": "disk", "namespace": "shop"}
    world.cluster.seed({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": place, "spec": claim})
    report = await world.apply({"app": deployment("web")}, {"app": {"timeout": "5s"}})
    assert message(report, "web").endswith("Pod/web-1 waits for PersistentVolumeClaim/disk (slow), which is not bound")
