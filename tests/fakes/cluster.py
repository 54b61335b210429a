"""FakeCluster: the port to a cluster, in memory, for tests. `tests/contract` keeps it honest.

It has the real schemas of the usual kinds, server-side apply with owners and conflicts, dry-run, versions, finalizers,
namespaces, CRDs that make kinds served, watches, faults on demand, and a log of every request. Workloads are given the
status of a healthy cluster at once; `FakeCluster(settle=None)` leaves that to `set_status`.

    cluster = FakeCluster()
    cluster.seed(body, manager="kubectl-client-side-apply")   # what others did before the test
    cluster.edit("Deployment", "web", "shop", {"spec": {"replicas": 5}}, manager="kubectl-edit")
    cluster.fail("apply", kind="ConfigMap", error=Unavailable("no"), times=2)
    cluster.calls                                             # what was asked, in order
"""

from __future__ import annotations

import asyncio
import bisect
import copy
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from reconciler.errors import ClusterError, NotFound, Unavailable
from reconciler.model.api import WRITES, ApiResource, Discovery, RequestCount, Verb, WatchEvent
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.identity import GroupKind
from tests.fakes import kinds, patches, rules
from tests.fakes.ownership import Owner
from tests.fakes.store import Store, label_match

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from reconciler.cluster.failures import Answer
    from tests.fakes.store import Happening

Body = dict[str, Any]
Bodies = list[Body]
PARTIAL = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}
T = TypeVar("T")
PAGE = 500


VERSION = "v1.37.2"  # of the real one that the contract tests compare with


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it was sent; `details` are its options and, for a write, its `body`."""

    verb: Verb
    kind: str = ""
    namespace: str = ""
    name: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """An error to be raised for the next `times` fitting requests; `late`: the request is carried out all the same."""

    verb: Verb
    kind: str
    name: str
    times: int
    error: ClusterError
    late: bool

    def fits(self, call: Call) -> bool:
        """Whether a request is to fail."""
        fits = self.verb == call.verb and self.kind in ("", call.kind) and self.name in ("", call.name)
        return fits and self.times != 0


class FakeCluster:
    """A cluster in memory. Methods of the port are asynchronous, those for the test itself are not."""

    name = "https://fake.example:6443"

    def __init__(self, *, settle: Callable[[Body], Body | None] | None = rules.settled) -> None:
        """Start an empty cluster; `settle` gives each object its status after a write."""
        self.store = Store(settle or (lambda _: None))
        self.requests = RequestCount()
        self.calls: list[Call] = []
        self.before: Callable[[Call], None] = lambda _: None  # may raise, or note when to stop
        self.logs: dict[tuple[str, str, str, bool], str] = {}
        self.failed_groups: tuple[str, ...] = ()
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.peak = 0
        self.closed = False
        self._faults: list[Fault] = []
        self._in_flight = 0
        self._oldest = 0
        self._watches = 0
        self._tick = asyncio.Event()

    # For the test

    def seed(self, body: Body, manager: str = "kubectl-client-side-apply", *, subresource: str = "") -> Body:
        """Create or replace an object as another tool's update."""
        resource = self.store.resource(body["apiVersion"], body["kind"])
        return self._told(self.store.write(resource, body, Owner(manager, "Update", body["apiVersion"], subresource)))

    def seed_apply(self, body: Body, manager: str = FIELD_MANAGER, *, force: bool = False) -> Body:
        """Server-side apply an object without a request."""
        resource = self.store.resource(body["apiVersion"], body["kind"])
        return self._told(self.store.apply(resource, body, manager, force=force))

    def edit(
        self,
        kind: str,
        namespace: str,
        name: str,
        changes: Body,
        *,
        manager: str = "kubectl-edit",
        subresource: str = "",
    ) -> Body:
        """Merge changes into an object as another tool's update."""
        live = self.store.get(self.resource(kind), namespace, name)
        return self.seed(patches.merge_patch(live, changes), manager, subresource=subresource)

    def set_status(self, kind: str, namespace: str, name: str, status: Body) -> Body:
        """Set an object's status as its controller does."""
        body = {**self.store.get(self.resource(kind), namespace, name), "status": status}
        return self.seed(body, "kube-controller-manager", subresource="status")

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object as somebody else."""
        self.store.delete(self.resource(kind), namespace, name)
        self._told(None)

    def find(self, kind: str, namespace: str, name: str) -> Body | None:
        """Return a copy of an object, or None."""
        return copy.deepcopy(self.store.find(self.resource(kind), namespace, name))

    def resource(self, kind: str) -> ApiResource:
        """Return the first served kind of that name."""
        return next(item for item, _ in self.store.resources() if item.kind == kind)

    def fail(
        self, verb: Verb, *, error: ClusterError, kind: str = "", name: str = "", times: int = 1, late: bool = False
    ) -> None:
        """Let fitting requests fail; `times` -1: always. `late`: carried out, only the answer is lost."""
        self._faults.append(Fault(verb, kind, name, times, error, late))

    def sent(self, verb: Verb) -> list[Call]:
        """Return the requests of one verb."""
        return [call for call in self.calls if call.verb == verb]

    def forget_history(self) -> None:
        """Compact: watches from a version before now are too old."""
        self._oldest = self.store.version

    def end_watches(self) -> None:
        """End every watch, as a server does after some minutes."""
        self._watches += 1
        self._told(None)

    def _told(self, answer: T) -> T:
        """Wake the watches after a write."""
        self._tick.set()
        self._tick = asyncio.Event()
        return answer

    # The port

    @property
    def guard(self) -> Callable[[], None] | None:
        """What is asked before every write."""
        return None

    def guarded(self, guard: Callable[[], None]) -> FakeCluster:
        """Return the same cluster, with `guard` called before every write."""
        return _Guarded(self, guard)

    async def discover(self) -> Discovery:
        """Read all served kinds."""
        for path in ("/api", "/apis"):
            async with self._request("discovery", name=path):
                pass
        resources = {item.gvk: item for item, _ in self.store.resources()}
        preferred: dict[GroupKind, ApiResource] = {}
        for item in resources.values():
            preferred.setdefault(GroupKind(item.group, item.kind), item)
        return Discovery(resources, preferred, self.failed_groups)

    async def version(self) -> str:
        """Read the server's version."""
        async with self._request("get", name="/version"):
            return VERSION

    async def metrics(self) -> str:
        """Read the API server's own metrics."""
        async with self._request("get", name="/metrics"):
            return "# HELP apiserver_request_total How many requests there were.\n"

    async def kubelet_settings(self, node: str) -> Body:
        """Read a kubelet's configuration; nodes of this cluster have none."""
        async with self._request("get", name=f"/api/v1/nodes/{node}/proxy/configz"):
            raise NotFound(f"no kubelet answers on {node}", status=404, reason="NotFound")

    async def openapi(self, group_versions: Iterable[str]) -> Mapping[str, Body]:
        """Read OpenAPI v3 documents; those that are not served are left out."""
        async with self._request("openapi"):
            found: dict[str, list[tuple[ApiResource, Body | None]]] = {}
            for item, crd in self.store.resources():
                found.setdefault(item.gvk.api_version, []).append((item, crd))
            return {name: kinds.document(found[name]) for name in group_versions if name in found}

    async def list(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Body]:
        """Yield the objects of a collection, page by page."""
        details: Body = {"selector": selector, "metadata_only": metadata_only}
        async with self._request("list", resource, namespace, **details):
            found = self.store.select(resource, namespace, selector)
        for start in range(0, max(len(found), 1), PAGE):
            if start:
                async with self._request("list", resource, namespace, **details):
                    pass
            for body in found[start : start + PAGE]:
                yield {key: body[key] for key in ("apiVersion", "kind", "metadata")} if metadata_only else body

    async def list_version(
        self, resource: ApiResource, *, namespace: str = "", selector: str = ""
    ) -> tuple[Bodies, str]:
        """Return a whole collection and its resourceVersion."""
        async with self._request("list", resource, namespace, selector=selector):
            return self.store.select(resource, namespace, selector), str(self.store.version)

    async def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Read one object."""
        async with self._request("get", resource, namespace, name):
            return self.store.get(resource, namespace, name)

    async def log_tail(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 1) -> str:
        """Read the last lines of a container's log, as the test has set them in `logs`."""
        async with self._request("get", None, namespace, pod, container=container):
            if (namespace, pod, container, previous) not in self.logs:
                raise NotFound(f'pods "{pod}" not found', status=404, reason="NotFound")
            return "\n".join(self.logs[namespace, pod, container, previous].splitlines()[-lines:])

    async def relay(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Lead nowhere: there is nothing behind a fake API server."""
        raise Unavailable(f"no endpoints available for {path}", status=503)

    async def apply(
        self,
        resource: ApiResource,
        body: Body,
        *,
        field_manager: str,
        force: bool = False,
        dry_run: bool = False,
        brief: bool = False,
    ) -> Body:
        """Server-side apply one object."""
        metadata = body["metadata"]
        details = {"body": body, "force": force, "field_manager": field_manager}
        verb: Verb = "dry_run" if dry_run else "apply"
        async with self._request(verb, resource, metadata.get("namespace", ""), metadata.get("name", ""), **details):
            made = self._told(self.store.apply(resource, body, field_manager, force=force, dry_run=dry_run))
            return {**PARTIAL, "metadata": made["metadata"]} if brief else made

    async def create(self, resource: ApiResource, body: Body) -> Body:
        """Create one object."""
        async with self._request("create", resource, *_place(body), body=body):
            return self._told(self.store.write(resource, body, self._me(resource), create=True))

    async def update(self, resource: ApiResource, body: Body) -> Body:
        """Replace one object."""
        async with self._request("update", resource, *_place(body), body=body):
            return self._told(self.store.write(resource, body, self._me(resource), create=False))

    async def patch(
        self,
        resource: ApiResource,
        namespace: str,
        name: str,
        patch: Any,
        *,
        kind: Literal["json", "merge"],
        field_manager: str,
        subresource: str = "",
    ) -> Body:
        """Patch one object; of a subresource only its managers differ."""
        async with self._request("patch", resource, namespace, name, body=patch, patch=kind):
            live = self.store.get(resource, namespace, name)
            new = patches.json_patch(live, patch) if kind == "json" else patches.merge_patch(live, patch)
            owner = Owner(field_manager, "Update", resource.gvk.api_version, subresource)
            return self._told(self.store.write(resource, new, owner, create=False))

    async def delete(
        self,
        resource: ApiResource,
        namespace: str,
        name: str,
        *,
        uid: str,
        resource_version: str = "",
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        """Delete one object if it still is the one that is meant."""
        details = {"uid": uid, "resource_version": resource_version, "propagation": propagation}
        async with self._request("delete", resource, namespace, name, **details):
            self.store.delete(resource, namespace, name, uid, resource_version)
            self._told(None)

    async def watch(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", resource_version: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes from a version on, a bookmark after each batch; ends with `end_watches`."""
        async with self._request("watch", resource, namespace, selector=selector, resource_version=resource_version):
            self.store.shape(resource)
        if resource_version and int(resource_version) < self._oldest:
            raise NotFound(f"too old resource version: {resource_version}", status=410, reason="Expired")
        begun, seen = self._watches, int(resource_version or self.store.version)
        if not resource_version:
            for body in self.store.select(resource, namespace, selector):
                yield WatchEvent("ADDED", body)
        kind = GroupKind(resource.group, resource.kind)
        while True:
            tick, since = self._tick, seen
            start = bisect.bisect_right(self.store.history, since, key=lambda item: item.version)
            for item in [item for item in self.store.history[start:] if item.kind == kind]:
                seen = item.version
                event = _event(item, resource, namespace, selector)
                if event is not None:
                    yield event
            if begun != self._watches or self.closed:
                return
            if seen != since:
                yield WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": str(seen)}})
            if tick is self._tick:
                await tick.wait()

    async def close(self) -> None:
        """End every watch."""
        self.closed = True
        self._told(None)

    @staticmethod
    def _me(resource: ApiResource) -> Owner:
        return Owner(FIELD_MANAGER, "Update", resource.gvk.api_version)

    @asynccontextmanager
    async def _request(
        self, verb: Verb, resource: ApiResource | None = None, namespace: str = "", name: str = "", **details: Any
    ) -> AsyncIterator[None]:
        call = Call(verb, resource.kind if resource else "", namespace, name, copy.deepcopy(details))
        if self.guard is not None and verb in WRITES:
            self.guard()
        self.calls.append(call)
        self.requests.add(verb)
        self._in_flight += 1
        self.peak = max(self.peak, self._in_flight)
        try:
            await asyncio.sleep(0)
            self.before(call)
            fault = next((item for item in self._faults if item.fits(call)), None)
            if fault is not None:
                fault.times -= 1
                if not fault.late:
                    raise fault.error
            yield
            if fault is not None:
                raise fault.error
        finally:
            self._in_flight -= 1


class _Guarded(FakeCluster):
    """The same cluster, all of its state shared, with a guard of its own."""

    __slots__ = ("_guard",)

    def __init__(self, cluster: FakeCluster, guard: Callable[[], None]) -> None:
        self.__dict__ = cluster.__dict__
        self._guard = guard

    @property
    def guard(self) -> Callable[[], None]:
        return self._guard


def _place(body: Body) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"].get("name", "")


def _event(item: Happening, resource: ApiResource, namespace: str, selector: str) -> WatchEvent | None:
    """Return what a watch with this selector sees of a write."""
    shown = item.new or item.old or {}
    if namespace not in ("", shown["metadata"].get("namespace", "")):
        return None
    before, after = label_match(item.old, selector), label_match(item.new, selector)
    if not before and not after:
        return None
    kind: Literal["ADDED", "MODIFIED", "DELETED"] = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
    return WatchEvent(kind, Store.seen(shown, resource))
