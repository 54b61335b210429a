"""The declared objects of Harbor: read with the values that Harbor has, and written to Harbor after the API server."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ClusterError, Conflict, Invalid, NotFound, Unavailable
from reconciler.harbor import endpoint, overlay, passwords
from reconciler.harbor.kinds import NOTHING
from reconciler.harbor.reading import Reading
from reconciler.harbor.wire import Wire
from reconciler.harbor.writing import Writer
from reconciler.model import tree
from reconciler.model.harbor import SERVER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from reconciler.cluster.port import Bodies, Body, Cluster
    from reconciler.harbor.endpoint import Endpoint
    from reconciler.harbor.port import Harbor, Item
    from reconciler.model.api import ApiResource

STATUS_MANAGER: Final = "reconciler-harbor"
FRESH: Final = 3.0  # seconds for which one look at a Harbor is believed: as long as the lists of one observation take
PATIENCE: Final = 60.0  # seconds in which a Harbor that has just been started may begin to answer
PAUSE: Final = 2.0


@dataclass(slots=True)
class _Known:
    """What one connection knows of the Harbors of a cluster; shared with its guarded twins."""

    wires: dict[Endpoint, Wire] = field(default_factory=dict)
    endpoints: dict[str, tuple[float, Endpoint]] = field(default_factory=dict)
    readings: dict[str, tuple[float, Reading]] = field(default_factory=dict)
    absent: dict[str, float] = field(default_factory=dict)  # since when a Harbor does not answer
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))


class Declared:
    """What is declared of the Harbors of one cluster."""

    def __init__(self, cluster: Cluster, *, adopts: bool) -> None:
        """Read and write through a cluster; `adopts` says whether what others made in Harbor may be taken over."""
        self._cluster, self._adopts = cluster, adopts
        self._known = _Known()
        self._guard: Callable[[], None] | None = None

    def guarded(self, cluster: Cluster, guard: Callable[[], None] | None) -> Declared:
        """Return the same by a guarded connection, with `guard` called before every try of a write to Harbor."""
        twin = copy.copy(self)
        twin._cluster, twin._guard = cluster, guard  # noqa: SLF001 - our own twin
        return twin

    async def list(self, listed: AsyncIterator[Body]) -> AsyncIterator[Body]:
        """Yield the custom resources of one kind with the values that Harbor has."""
        spaces: dict[str, list[Body]] = defaultdict(list)
        async for body in listed:
            spaces[body["metadata"]["namespace"]].append(body)
        for bodies in await asyncio.gather(*(self._seen(space, found) for space, found in spaces.items())):
            for body in bodies:
                yield body

    async def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Read one object with the values that Harbor has, also where only Harbor has it; raises NotFound."""
        try:
            body = await self._cluster.get(resource, namespace, name)
        except NotFound:
            found = await self._alone(resource, namespace, name)
            if found is None:
                raise
            return found
        return (await self._seen(namespace, [body]))[0]

    async def write(self, resource: ApiResource, made: Body, wanted: Body) -> Body:
        """Write to Harbor what was applied, and keep what became of it; an error names the place of what was wanted."""
        namespace = made["metadata"]["namespace"]
        self._known.readings.pop(namespace, None)
        try:
            harbor = await self._harbor(namespace)
            writer = Writer(
                harbor, self._cluster, lambda there, told: self._note(resource, there, told), adopts=self._adopts
            )
            status = await writer.write(made, await self._current(writer, made))
        except ClusterError as error:
            await self._note(resource, made, {}, error)
            raise _placed(error, wanted) from error
        return await self._note(resource, made, status)

    async def delete(self, resource: ApiResource, namespace: str, name: str, uid: str, version: str) -> str:
        """Delete one object from Harbor where it is ours; return the API server's part of its resourceVersion."""
        body = await self._cluster.get(resource, namespace, name)
        if body["metadata"]["uid"] != uid:
            raise Conflict(f"{resource.kind}/{name} -n {namespace} is another object by now", status=409)
        status = body.get("status") or {}
        if status.get("id") is not None or status.get("creating"):
            try:
                harbor = await self._harbor(namespace)
            except NotFound as error:  # not that it is gone: nobody can tell
                raise ClusterError(f"it cannot be deleted from Harbor: {error}") from error
            await Writer(harbor, self._cluster, self._unnoted, adopts=False).delete(body)
            self._known.readings.pop(namespace, None)
        return overlay.plain(version)

    async def leave(self) -> None:
        """Release the connections."""
        for wire in self._known.wires.values():
            await wire.close()

    async def _seen(self, namespace: str, bodies: Bodies) -> Bodies:
        """Return custom resources of one kind and namespace as the plan is to see them."""
        try:
            reading = await self._reading(namespace)
            found = await reading.find(bodies)
            known = await reading.references(bodies[0]["kind"], bodies)
        except ClusterError as error:
            return [overlay.unasked(body, str(error)) for body in bodies]
        reasons = await passwords.reasons(self._cluster, namespace, bodies, found)
        return [
            overlay.seen(
                body,
                found[body["kind"], body["metadata"]["name"]],
                known,
                reasons.get(body["metadata"]["name"], ""),
            )
            for body in bodies
        ]

    async def _alone(self, resource: ApiResource, namespace: str, name: str) -> Body | None:
        """Return what Harbor has under a name that the cluster does not know."""
        asked = {"kind": resource.kind, "metadata": {"name": name, "namespace": namespace}}
        try:
            reading = await self._reading(namespace)
            item = (await reading.find([asked]))[resource.kind, name]
            known = NOTHING
            if item is not None:
                every = {"spec": {"proxyCache": {}, "storageQuota": ""}}
                known = await reading.references(resource.kind, [every])
        except (NotFound, Unavailable):
            return None  # there is no HarborServer yet, or it does not answer: found out when it is applied
        return overlay.alone(resource, namespace, name, item, known) if item is not None else None

    async def _reading(self, namespace: str) -> Reading:
        async with self._known.locks[namespace]:
            known = self._known.readings.get(namespace)
            if known is None or time.monotonic() - known[0] > FRESH:
                known = (time.monotonic(), Reading(await self._harbor(namespace)))
                self._known.readings[namespace] = known
            return known[1]

    async def _current(self, writer: Writer, body: Body) -> Item | None:
        """Return what Harbor has of an object, once it answers: it may have been started just now."""
        namespace = body["metadata"]["namespace"]
        while True:
            try:
                item = await writer.current(body)
            except Unavailable:
                deadline = self._known.absent.setdefault(namespace, time.monotonic()) + PATIENCE
                if time.monotonic() >= deadline:
                    raise
            else:
                self._known.absent.pop(namespace, None)
                return item
            await asyncio.sleep(PAUSE)

    async def _harbor(self, namespace: str) -> Harbor:
        """Return the Harbor of a namespace; raises NotFound where no HarborServer names one."""
        known = self._known.endpoints.get(namespace)
        if known is None or time.monotonic() - known[0] > FRESH:
            found = await endpoint.find(self._cluster, await self._server(namespace))
            known = self._known.endpoints[namespace] = (time.monotonic(), found)
        wire = self._known.wires.get(known[1])
        if wire is None:
            wire = self._known.wires[known[1]] = Wire(known[1], self._cluster, self._cluster.requests)
        return wire.guarded(self._guard)

    async def _server(self, namespace: str) -> Body:
        try:
            found = [body async for body in self._cluster.list(SERVER, namespace=namespace)]
        except NotFound as error:
            raise NotFound("the cluster has no kind HarborServer: apply its CustomResourceDefinition") from error
        if len(found) != 1:
            names = ", ".join(body["metadata"]["name"] for body in found) or "none"
            raise (Invalid if found else NotFound)(
                f"namespace {namespace} has to have one HarborServer, for that is the Harbor of its objects; it has {names}"
            )
        return found[0]

    async def _note(
        self, resource: ApiResource, body: Body, status: dict[str, Any], error: ClusterError | None = None
    ) -> Body:
        """Keep what became of an object in its status, where that says something new."""
        old = body.get("status") or {}
        ready = status.get("given") is not None
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": "Written" if ready else "Refused" if error else "Creating",
            "message": str(error)[:1000] if error else "",
            "observedGeneration": body["metadata"].get("generation", 0),
        }
        before: dict[str, Any] = next(iter(old.get("conditions") or ()), {})
        changed = {name: value for name, value in status.items() if old.get(name) != value}
        if not changed and {**condition, "lastTransitionTime": None} == {**before, "lastTransitionTime": None}:
            return body
        since = before.get("lastTransitionTime") if before.get("status") == condition["status"] else None
        condition["lastTransitionTime"] = since or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        patch = {"status": {**status, "conditions": [condition]}}
        metadata = body["metadata"]
        return await self._cluster.patch(
            resource,
            metadata["namespace"],
            metadata["name"],
            patch,
            kind="merge",
            field_manager=STATUS_MANAGER,
            subresource="status",
        )

    @staticmethod
    async def _unnoted(body: Body, _: dict[str, Any]) -> Body:
        return body


def _placed(error: ClusterError, body: Body) -> ClusterError:
    """Return an error that also names the place in git of what was to be written."""
    origin = tree.origin_at(body, ("spec",))
    if origin is None:
        return error
    return type(error)(
        f"{origin}: {error}",
        status=error.status,
        reason=error.reason,
        details=error.details,
        retry_after=error.retry_after,
    )
