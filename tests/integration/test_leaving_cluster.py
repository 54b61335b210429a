"""What leaves git on a real API server: released, protected, held by finalizers, moved, and what controllers made."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.apply import run
from reconciler.cluster.kube import KubeCluster
from reconciler.model.applyset import ENVIRONMENT_LABEL, PART_OF_LABEL
from reconciler.model.identity import GroupKind
from reconciler.model.outcome import Result
from reconciler.model.plan import Action
from tests.integration.test_apply_cluster import Site, told
from tests.unit.apply.world import FREE, config_map, planned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from reconciler.model.outcome import Report
    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

Body = dict[str, Any]
ORPHANS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %N, annotations: {reconciler.dev/prune: orphan, note: "1"}}
spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "web:1"}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: %N, annotations: {reconciler.dev/prune: orphan}}
data: {a: "1"}
---
"""


@pytest.fixture
async def site(control_plane: Sandbox, tmp_path: Path) -> AsyncIterator[Site]:
    """Return a fresh environment."""
    cluster = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig), context=None, cache_dir=tmp_path)
    try:
        yield Site(cluster, f"leave-{secrets.token_hex(4)}")
    finally:
        await cluster.close()


async def apply(site: Site, components: Mapping[str, str], policy: Mapping[str, Any] = FREE, **keys: Any) -> Report:
    """Plan and apply under a policy; `keys` are those of the component `app`."""
    made = await planned(site.cluster, site.name, components, {"app": keys}, policy)
    return await run.apply(
        site.cluster,
        made.plan,
        made.environment,
        made.observation.discovery,
        clock=site.clock,
        stop=site.stop,
        emit=site.events.append,
    )


async def live(site: Site, kind: str, name: str, group: str = "") -> Body:
    """Read one object of the environment's namespace."""
    resource = (await site.cluster.discover()).preferred[GroupKind(group, kind)]
    return await site.cluster.get(resource, site.name if resource.namespaced else "", name)


def core(body: Body) -> Body:
    """Return what a release must not touch."""
    kept = {key: body["metadata"].get(key) for key in ("uid", "creationTimestamp")}
    return {"metadata": kept, "spec": body.get("spec"), "data": body.get("data")}


async def test_an_orphan_is_released_and_can_be_taken_back(site: Site) -> None:
    """Also where its component has left environment.yaml: nothing but our marks goes, and nothing is known of it after."""
    base, app = site.base(), site.text(ORPHANS)
    assert not (await apply(site, {"base": base, "app": app}, wait=False)).failed
    before = [core(await live(site, "Deployment", "web", "apps")), core(await live(site, "ConfigMap", "settings"))]
    report = await apply(site, {"base": base})
    assert {name: result for name, (result, _) in told(report).items() if name != f"Namespace/{site.name}"} == {
        "Deployment/web": Result.RELEASED,
        "ConfigMap/settings": Result.RELEASED,
    }
    after = [await live(site, "Deployment", "web", "apps"), await live(site, "ConfigMap", "settings")]
    assert [core(body) for body in after] == before
    for body in after:
        metadata = body["metadata"]
        assert not {ENVIRONMENT_LABEL, PART_OF_LABEL} & set(metadata.get("labels") or {})
        assert not [key for key in metadata.get("annotations") or {} if key.startswith("reconciler.dev/")]
        assert "reconciler" not in [item["manager"] for item in metadata.get("managedFields") or ()]
    assert after[0]["metadata"]["annotations"]["note"] == "1"
    assert (await site.plan({"base": base})).summary == {
        **dict.fromkeys(map(str, Action), 0),
        "unchanged": 1,
        "held": 0,
    }
    changed = app.replace('a: "1"', 'a: "2"').replace("web:1", "web:2")
    taken = await apply(site, {"base": base, "app": changed}, wait=False)
    assert not taken.failed, told(taken)
    again = [await live(site, "Deployment", "web", "apps"), await live(site, "ConfigMap", "settings")]
    assert [item["metadata"]["uid"] for item in again] == [item["metadata"]["uid"] for item in after]
    assert again[1]["data"] == {"a": "2"}
    assert (await site.plan({"base": base, "app": changed})).empty


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: %N}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
"""
GUEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guest"}, "data": {}}
PROTECTING: Mapping[str, Any] = {"deletions": {"max": 100, "shrink": 100}}


async def test_a_namespace_goes_last_and_only_when_it_is_empty(site: Site, kubectl: Callable[..., str]) -> None:
    """Its objects go first; what somebody else has put there keeps it, and is named."""
    keep = config_map("keep", "default").replace("name: keep", f"name: keep-{site.name}")
    full = keep + site.base() + site.config("settings") + site.text(CLAIM)
    assert not (await apply(site, {"app": full}, PROTECTING, wait=False)).failed
    kubectl("apply", "-n", site.name, "-f", "-", stdin=json.dumps(GUEST))
    made = await planned(site.cluster, site.name, {"app": keep}, {}, PROTECTING)
    assert [(item.rule, item.acknowledgeable) for item in made.plan.refusals] == [("protected", True)] * 2

    report = await apply(site, {"app": keep}, PROTECTING, timeout="4s")
    results = told(report)
    assert results["ConfigMap/settings"][0] is Result.PRUNED
    assert results["PersistentVolumeClaim/data"][0] is Result.PRUNED
    assert results[f"Namespace/{site.name}"] == (
        Result.FAILED,
        f"not deleted: it is still needed by ConfigMap/guest -n {site.name}",
    )
    assert report.requests["list"] < 100, "every kind is listed once, and then only the kinds that were found"
    kubectl("delete", "configmap", "guest", "-n", site.name)
    report = await apply(site, {"app": keep}, PROTECTING)
    assert told(report)[f"Namespace/{site.name}"][0] is Result.PRUNED
