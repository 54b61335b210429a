"""A cluster whose declared Harbor objects are what Harbor has: the port to the API server, with Harbor behind it.

Everything passes through as it is, but for the kinds of `harbor.reconciler.dev`: those are `declared`'s, which is loaded with
the first of them. So planning, applying, pruning and reports know nothing of Harbor.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from reconciler.model.harbor import is_declared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from reconciler.cluster.failures import Answer
    from reconciler.cluster.port import Bodies, Body, Cluster
    from reconciler.harbor.declared import Declared
    from reconciler.model.api import ApiResource, Discovery, RequestCount, WatchEvent


class HarborCluster:
    """One API server and the Harbors that its HarborServers name."""

    def __init__(self, cluster: Cluster, *, adopts: bool) -> None:
        """Stand before a cluster; `adopts` says whether what others made in Harbor may be taken over."""
        self._cluster, self._adopts = cluster, adopts
        self._kept: list[Declared] = []  # none or one; shared with guarded twins
        self._guard: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        """What to call this cluster in messages."""
        return self._cluster.name

    @property
    def requests(self) -> RequestCount:
        """The requests sent so far, those to Harbor among them."""
        return self._cluster.requests

    @property
    def warnings(self) -> Sequence[str]:
        """What the API server has warned of."""
        return self._cluster.warnings

    @property
    def notes(self) -> Sequence[str]:
        """What did not go as it should and did no harm."""
        return self._cluster.notes

    def guarded(self, guard: Callable[[], None]) -> HarborCluster:
        """Return the same connection, with `guard` called before every try of a write, those to Harbor included."""
        twin = copy.copy(self)
        twin._cluster, twin._guard = self._cluster.guarded(guard), guard  # noqa: SLF001 - our own twin
        return twin

    async def discover(self) -> Discovery:
        """Read all served kinds."""
        return await self._cluster.discover()

    async def openapi(self, group_versions: Iterable[str]) -> Mapping[str, Body]:
        """Read OpenAPI v3 documents."""
        return await self._cluster.openapi(group_versions)

    async def version(self) -> str:
        """Read the server's version."""
        return await self._cluster.version()

    async def metrics(self) -> str:
        """Read the API server's own metrics."""
        return await self._cluster.metrics()

    async def kubelet_settings(self, node: str) -> Body:
        """Read the configuration that a node's kubelet runs with."""
        return await self._cluster.kubelet_settings(node)

    async def log_tail(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 1) -> str:
        """Read the last lines of a container's log."""
        return await self._cluster.log_tail(namespace, pod, container, previous=previous, lines=lines)

    async def relay(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send one request to what the API server leads to."""
        return await self._cluster.relay(method, path, headers, body)

    async def list_version(
        self, resource: ApiResource, *, namespace: str = "", selector: str = ""
    ) -> tuple[Bodies, str]:
        """Return a whole collection and its resourceVersion, as the API server has it."""
        return await self._cluster.list_version(resource, namespace=namespace, selector=selector)

    def watch(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", resource_version: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes of what the API server has."""
        return self._cluster.watch(resource, namespace=namespace, selector=selector, resource_version=resource_version)

    async def create(self, resource: ApiResource, body: Body) -> Body:
        """Create one object of the API server."""
        return await self._cluster.create(resource, body)

    async def update(self, resource: ApiResource, body: Body) -> Body:
        """Replace one object of the API server."""
        return await self._cluster.update(resource, body)

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
        """Patch one object of the API server."""
        return await self._cluster.patch(
            resource, namespace, name, patch, kind=kind, field_manager=field_manager, subresource=subresource
        )

    async def list(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Body]:
        """Yield the objects of a collection; declared Harbor objects with the values that Harbor has."""
        listed = self._cluster.list(resource, namespace=namespace, selector=selector, metadata_only=metadata_only)
        if not metadata_only and is_declared(resource.group, resource.kind):
            listed = self._declared.list(listed)
        async for body in listed:
            yield body

    async def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Read one object; a declared Harbor object with the values that Harbor has, also where only Harbor has it."""
        if is_declared(resource.group, resource.kind):
            return await self._declared.get(resource, namespace, name)
        return await self._cluster.get(resource, namespace, name)

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
        """Server-side apply one object; a declared Harbor object is written to Harbor after its custom resource."""
        declared = is_declared(resource.group, resource.kind)
        brief = brief and not declared  # what is written to Harbor has to be known
        made = await self._cluster.apply(
            resource, body, field_manager=field_manager, force=force, dry_run=dry_run, brief=brief
        )
        return await self._declared.write(resource, made, body) if declared and not dry_run else made

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
        """Delete one object; a declared Harbor object goes from Harbor first, and only where it is ours."""
        if is_declared(resource.group, resource.kind):
            resource_version = await self._declared.delete(resource, namespace, name, uid, resource_version)
        await self._cluster.delete(
            resource, namespace, name, uid=uid, resource_version=resource_version, propagation=propagation
        )

    async def leave(self) -> None:
        """Release the connections to Harbors; that to the API server stays."""
        for declared in self._kept:
            await declared.leave()

    async def close(self) -> None:
        """Release connections."""
        await self.leave()
        await self._cluster.close()

    @property
    def _declared(self) -> Declared:
        if not self._kept:
            from reconciler.harbor.declared import Declared

            self._kept.append(Declared(self._cluster, adopts=self._adopts))
        return self._kept[0].guarded(self._cluster, self._guard)
