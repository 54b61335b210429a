"""Plans carried out on a real API server: the whole life of an environment, adoption, kills, the Lease, figures."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from reconciler.apply import history, lease, run
from reconciler.clock import SystemClock
from reconciler.cluster.kube import KubeCluster
from reconciler.errors import LeaseHeld, NotFound
from reconciler.model.applyset import ENVIRONMENT_LABEL, SYSTEM_NAMESPACE
from reconciler.model.identity import GroupKind
from reconciler.model.outcome import Result
from tests.unit.apply.world import config_map, deployment, namespace, planned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from reconciler.model.outcome import Event, Report
    from reconciler.model.plan import Plan
    from reconciler.sandbox.control import Sandbox
    from tests.unit.apply.world import Planned, Settings

pytestmark = pytest.mark.cluster

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%N.example.com}
spec:
  group: %N.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {size: {type: integer}}}}
---
"""
WIDGET = """
apiVersion: %N.example.com/v1
kind: Widget
metadata: {name: gear, namespace: %N}
spec: {size: 3}
---
"""
REST = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: %N}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: %N}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web, namespace: %N}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: %N}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web, namespace: %N}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: %N}
spec: {storageClassName: "", volumeName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
"""


@dataclass(slots=True)
class Site:
    """One environment with a name of its own, which is also its namespace, on a real API server."""

    cluster: KubeCluster
    name: str
    clock: SystemClock = field(default_factory=SystemClock)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    events: list[Event] = field(default_factory=list)

    def text(self, text: str) -> str:
        """Put the environment's name into a text."""
        return text.replace("%N", self.name)

    def base(self) -> str:
        """Return the environment's Namespace."""
        return namespace(self.name)

    def config(self, name: str, **data: str) -> str:
        """Return a ConfigMap in it."""
        return config_map(name, self.name, **data)

    async def plan(self, components: Mapping[str, str], settings: Settings | None = None) -> Plan:
        """Plan."""
        return (await planned(self.cluster, self.name, components, settings or {})).plan

    async def apply(
        self, components: Mapping[str, str], settings: Settings | None = None, *, wait: bool = True
    ) -> Report:
        """Plan and apply."""
        return await self.carry_out(await planned(self.cluster, self.name, components, settings or {}), wait=wait)

    async def carry_out(self, made: Planned, *, wait: bool = True) -> Report:
        """Apply what was planned."""
        return await run.apply(
            self.cluster,
            made.plan,
            made.environment,
            made.observation.discovery,
            clock=self.clock,
            stop=self.stop,
            emit=self.events.append,
            options=run.Options(wait),
        )

    async def members(self, *kinds: GroupKind) -> set[str]:
        """Return what carries the environment's label, as `Kind/name`."""
        discovery = await self.cluster.discover()
        found = set()
        for kind in kinds:
            resource = discovery.preferred[kind]
            selector = f"{ENVIRONMENT_LABEL}={self.name}"
            async for body in self.cluster.list(resource, selector=selector, metadata_only=True):
                found.add(f"{kind.kind}/{body['metadata']['name']}")
        return found


@pytest.fixture
async def site(control_plane: Sandbox, tmp_path: Path) -> AsyncIterator[Site]:
    """Return a fresh environment; what it leaves is pruned in the end."""
    cluster = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig), context=None, cache_dir=tmp_path)
    made = Site(cluster, f"apply-{secrets.token_hex(4)}")
    try:
        yield made
    finally:
        await cluster.close()


def told(report: Report) -> dict[str, tuple[Result, str]]:
    return {f"{item.id.kind}/{item.id.name}": (item.result, item.message) for item in report.outcomes}


async def test_the_whole_life_of_an_environment(site: Site) -> None:
    """Applied in one run with its CRD, unchanged, changed, pruned in part, and gone without a trace."""
    base, app = site.base() + site.text(CRD), site.config("settings", a="1") + site.text(WIDGET + REST)
    app += deployment("web", site.name, replicas=2)
    parts, settings = {"base": base, "app": app}, {"app": {"dependsOn": ("base",), "timeout": "60s"}}
    first = await site.apply(parts, settings)
    assert not first.failed, told(first)
    again = await site.plan(parts, settings)
    assert again.empty, [(str(item.id), item.fields) for item in again.changes if item.fields]

    parts["app"] = site.config("settings", a="2") + deployment("web", site.name, replicas=1)
    second = await site.apply(parts, settings)
    assert not second.failed, told(second)
    results = {name: result for name, (result, _) in told(second).items()}
    assert results["ConfigMap/settings"] is Result.APPLIED
    assert results["Widget/gear"] is Result.PRUNED
    assert results["RoleBinding/web"] is Result.PRUNED

    last = await site.apply({"other": config_map("last", "default")})
    assert not last.failed, told(last)
    everything = (GroupKind("", "ConfigMap"), GroupKind("", "Namespace"), GroupKind("apps", "Deployment"))
    assert await site.members(*everything) == {"ConfigMap/last", f"ConfigMap/{site.name}.other"}
    record = (await history.read(site.cluster, site.name)).last
    assert record is not None
    assert record.result == "applied"


async def test_what_the_server_rejects_fails_alone(site: Site) -> None:
    bad = site.text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: bad, namespace: %N}\nspec: {clusterIP: nonsense}\n---\n"
    )
    report = await site.apply({"base": site.base() + bad + site.config("good")})
    results = told(report)
    assert results["Service/bad"][0] is Result.FAILED
    assert "clusterIP" in results["Service/bad"][1]
    assert results["ConfigMap/good"][0] is Result.APPLIED


async def test_a_workload_that_cannot_run_is_explained(site: Site) -> None:
    """A quota that allows no Pods: the reason is the server's own words."""
    quota = site.text(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none, namespace: %N}\nspec: {hard: {pods: '0'}}\n---\n"
    )
    assert not (await site.apply({"base": site.base() + quota})).failed
    parts = {"base": site.base() + quota, "app": deployment("web", site.name)}
    report = await site.apply(parts, {"app": {"timeout": "8s"}})
    result, message = told(report)["Deployment/web"]
    assert result is Result.FAILED
    assert message.startswith("not healthy after 8 s: ")
    assert "exceeded quota: none" in message


async def test_what_kubectl_had_applied_becomes_ours(site: Site) -> None:
    discovery = await site.cluster.discover()
    await site.apply({"base": site.base()})
    kind = discovery.preferred[GroupKind("", "ConfigMap")]
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    metadata = {"name": "old", "namespace": site.name, "annotations": applied}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    await site.cluster.create(kind, {**body, "data": {"keep": "1", "drop": "2"}})
    live = await site.cluster.get(kind, site.name, "old")
    entries = [{**live["metadata"]["managedFields"][0], "manager": "kubectl-client-side-apply"}]
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": entries}]
    await site.cluster.patch(kind, site.name, "old", patch, kind="json", field_manager="test")
    report = await site.apply({"base": site.base() + site.config("old", keep="1")})
    assert not report.failed, told(report)
    live = await site.cluster.get(kind, site.name, "old")
    assert live["data"] == {"keep": "1"}
    assert [item["manager"] for item in live["metadata"]["managedFields"]] == ["reconciler"]


async def test_an_immutable_field_is_replaced_where_allowed(site: Site) -> None:
    allowed = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once, namespace: %N, annotations: "
        "{reconciler.dev/replace: allowed, reconciler.dev/wait: disabled}}\nspec: {suspend: true, template: {spec: "
        "{restartPolicy: Never, containers: [{name: main, image: 'job:%V'}]}}}\n"
    )
    one, two = (site.text(allowed.replace("%V", version)) for version in ("1", "2"))
    assert not (await site.apply({"base": site.base() + one})).failed
    report = await site.apply({"base": site.base() + two})
    assert not report.failed, told(report)
    kind = (await site.cluster.discover()).preferred[GroupKind("batch", "Job")]
    live = await site.cluster.get(kind, site.name, "once")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "job:2"


async def test_a_stopped_run_is_continued(site: Site) -> None:
    """Stopped after a few writes, in the middle of apply: the next run ends what it began."""
    names = [f"item-{number}" for number in range(60)]
    text = site.base() + "".join(site.config(name) for name in names)

    class Stopping(list):  # type: ignore[type-arg]
        def append(self, item: object) -> None:
            super().append(item)
            if len(self) == 50:
                site.stop.set()

    site.events = Stopping()
    first = await site.apply({"base": text})
    assert first.interrupted
    site.stop.clear()
    site.events = []
    assert not (await site.apply({"base": text})).failed
    assert (await site.plan({"base": text})).empty


async def test_the_lease_keeps_a_second_writer_out(site: Site) -> None:
    waited: list[str] = []
    clock = SystemClock()

    def hold(holder: str) -> AbstractAsyncContextManager[lease.Held]:
        patience = lease.Patience(1.5, waited.append)
        return lease.hold(site.cluster, site.name, holder=holder, patience=patience, clock=clock)

    async with hold("ada"):
        with pytest.raises(LeaseHeld, match="held by ada"):
            await hold("bob").__aenter__()
    async with hold("bob"):
        assert waited == ["ada"]


async def test_an_object_that_somebody_made_anew_since_the_plan_is_left_as_it_was(site: Site) -> None:
    await site.apply({"base": site.base() + site.config("old", a="1")})
    kind = (await site.cluster.discover()).preferred[GroupKind("", "ConfigMap")]
    made = await planned(site.cluster, site.name, {"base": site.base() + site.config("old", a="2")}, {})
    old = await site.cluster.get(kind, site.name, "old")
    await site.cluster.delete(kind, site.name, "old", uid=old["metadata"]["uid"])
    metadata = {"name": "old", "namespace": site.name, "labels": {"app.kubernetes.io/managed-by": "Helm"}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "1"}}
    before = await site.cluster.apply(kind, body, field_manager="helm")
    (failed,) = (item for item in (await site.carry_out(made)).outcomes if item.failed)
    assert failed.message.startswith("somebody deleted it and made another of its name since the plan")
    assert await site.cluster.get(kind, site.name, "old") == before


async def test_a_lost_inventory_loses_nothing(site: Site) -> None:
    """Somebody deleted both: what git no longer has is found in every kind and goes, and both are there again."""
    account = f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: {site.name}}}\n---\n"
    await site.apply({"base": site.base(), "web": site.config("a") + account, "more": site.config("b")})
    names = [f"{site.name}.{component}" for component in ("base", "web", "more")]
    kind = (await site.cluster.discover()).preferred[GroupKind("", "ConfigMap")]
    for name in names:
        body = await site.cluster.get(kind, SYSTEM_NAMESPACE, name)
        await site.cluster.delete(kind, SYSTEM_NAMESPACE, name, uid=body["metadata"]["uid"])
    parts = {"base": site.base(), "web": site.config("a"), "more": site.config("b")}
    made = (await planned(site.cluster, site.name, parts, {})).plan
    assert [(str(change.action), change.id.kind) for change in made.changes if change.acts] == [
        ("delete", "ServiceAccount")
    ]
    assert len(made.warnings) == 3
    report = await site.apply(parts)
    assert not report.failed
    assert await site.members(GroupKind("", "ServiceAccount")) == set()
    for name in names:
        assert await site.cluster.get(kind, SYSTEM_NAMESPACE, name)
    assert (await planned(site.cluster, site.name, parts, {})).plan.warnings == ()


async def test_a_thousand_objects_go_and_come_with_one_write_each(site: Site) -> None:
    """First apply of 1,000 ConfigMaps, a run that changes nothing, prune of 500 until gone."""
    names = [f"item-{number}" for number in range(1000)]
    await site.apply({"base": site.base()})
    all_of_them = {"base": site.base() + "".join(site.config(name, value=name) for name in names)}
    half = {"base": site.base() + "".join(site.config(name, value=name) for name in names[:500])}
    for what, parts, applies, deletes in (
        ("first apply", all_of_them, 1002, 0),  # the inventory learns of a kind, and the run is recorded
        ("nothing changed", all_of_them, 1, 0),
        ("half goes", half, 1, 500),
    ):
        before = Counter(site.cluster.requests.snapshot())
        report = await site.apply(parts)
        assert not report.failed
        sent = Counter(site.cluster.requests.snapshot()) - before
        assert (sent["apply"], sent["delete"]) == (applies, deletes), (what, sent)
    kind = (await site.cluster.discover()).preferred[GroupKind("", "ConfigMap")]
    with pytest.raises(NotFound):
        await site.cluster.get(kind, site.name, "item-999")
    assert await site.cluster.get(kind, SYSTEM_NAMESPACE, f"{site.name}.base")
