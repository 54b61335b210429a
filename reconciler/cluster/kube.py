"""The real adapter of the cluster port: one API server over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from reconciler.cluster import credentials, discovery
from reconciler.cluster.documents import Documents
from reconciler.cluster.transport import Transport
from reconciler.errors import NotFound, Unavailable
from reconciler.model.api import WatchEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from reconciler.cluster.port import Bodies, Body
    from reconciler.model.api import ApiResource, Discovery, RequestCount

PAGE: Final = 500
WATCH_SECONDS: Final = 300
APPLY_TYPE: Final = "application/apply-patch+yaml"
PATCH_TYPES: Final = {"json": "application/json-patch+json", "merge": "application/merge-patch+json"}
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class KubeCluster:
    """One API server, as one user. See `cluster.port.Cluster` for what each method promises."""

    def __init__(self, transport: Transport, documents: Documents) -> None:
        """Use a transport and a folder of OpenAPI documents."""
        self._transport = transport
        self._documents = documents

    @classmethod
    async def connect(
        cls, *, kubeconfig: str | None = None, context: str | None = None, in_cluster: bool = False, cache_dir: Path
    ) -> KubeCluster:
        """Read credentials; nothing is sent yet. Raises ConfigError where they cannot be used."""
        found = await credentials.load(kubeconfig=kubeconfig, context=context, in_cluster=in_cluster)
        return cls(Transport(found), Documents(cache_dir))

    @property
    def name(self) -> str:
        """The server's address."""
        return self._transport.server

    @property
    def requests(self) -> RequestCount:
        """The requests sent so far."""
        return self._transport.requests

    async def discover(self) -> Discovery:
        """Read all served kinds."""
        contents = await asyncio.gather(
            *(self._transport.send("discovery", "GET", path, accept=discovery.ACCEPT) for path in ("/api", "/apis"))
        )
        return discovery.read(orjson.loads(content) for content in contents)

    async def openapi(self, group_versions: Iterable[str]) -> Mapping[str, Body]:
        """Read OpenAPI documents, from disk where their hash is known."""
        index = orjson.loads(await self._transport.send("openapi", "GET", "/openapi/v3"))["paths"]
        wanted = {}
        for group_version in group_versions:
            entry = index.get(f"apis/{group_version}" if "/" in group_version else f"api/{group_version}")
            if entry is not None:
                wanted[group_version] = entry["serverRelativeURL"]
        found = await asyncio.gather(*(self._document(address) for address in wanted.values()))
        return dict(zip(wanted, found, strict=True))

    async def _document(self, address: str) -> Body:
        key = f"{self.name}{address}"
        kept = self._documents.get(key)
        if kept is not None:
            return kept
        path, _, query = address.partition("?")
        pairs = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        content = await self._transport.send("openapi", "GET", path, query=pairs)
        if pairs.get("hash"):
            self._documents.put(key, content)
        body: Body = orjson.loads(content)
        return body

    async def list(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Body]:
        """Yield the objects of a collection, page by page."""
        async for page in self._pages(resource, namespace, selector, metadata_only=metadata_only):
            for item in page["items"]:
                yield _typed(item, resource)

    async def list_version(
        self, resource: ApiResource, *, namespace: str = "", selector: str = ""
    ) -> tuple[Bodies, str]:
        """Return a whole collection and its resourceVersion."""
        items: Bodies = []
        version = ""
        async for page in self._pages(resource, namespace, selector, metadata_only=False):
            items.extend(_typed(item, resource) for item in page["items"])
            version = page["metadata"].get("resourceVersion", "")
        return items, version

    async def _pages(
        self, resource: ApiResource, namespace: str, selector: str, *, metadata_only: bool
    ) -> AsyncIterator[Body]:
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        accept = METADATA_ONLY if metadata_only else "application/json"
        while True:
            page = orjson.loads(
                await self._transport.send("list", "GET", resource.path(namespace), query=query, accept=accept)
            )
            page["items"] = page.get("items") or []
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            query = {**query, "continue": token}

    async def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Read one object."""
        return await self._json("get", "GET", resource.path(namespace, name))

    async def log_tail(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 1) -> str:
        """Read the last lines of a container's log."""
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        content = await self._transport.send("get", "GET", path, query=query, accept="*/*", retry=False)
        return content.decode(errors="replace")

    async def apply(
        self, resource: ApiResource, body: Body, *, field_manager: str, force: bool = False, dry_run: bool = False
    ) -> Body:
        """Server-side apply one object."""
        query = {"fieldManager": field_manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        metadata = body["metadata"]
        return await self._json(
            "dry_run" if dry_run else "apply",
            "PATCH",
            resource.path(metadata.get("namespace", ""), metadata["name"]),
            query={**query, "dryRun": "All"} if dry_run else query,
            body=body,
            content_type=APPLY_TYPE,
        )

    async def create(self, resource: ApiResource, body: Body) -> Body:
        """Create one object; not tried again where it may have happened."""
        path = resource.path(body["metadata"].get("namespace", ""))
        query = {"fieldValidation": "Strict", "fieldManager": "reconciler"}
        return await self._json("create", "POST", path, query=query, body=body, retry=False)

    async def update(self, resource: ApiResource, body: Body) -> Body:
        """Replace one object."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"])
        return await self._json("update", "PUT", path, query={"fieldManager": "reconciler"}, body=body)

    async def patch(
        self,
        resource: ApiResource,
        namespace: str,
        name: str,
        patch: Any,
        *,
        kind: Literal["json", "merge"],
        field_manager: str,
    ) -> Body:
        """Patch one object."""
        return await self._json(
            "patch",
            "PATCH",
            resource.path(namespace, name),
            query={"fieldManager": field_manager},
            body=patch,
            content_type=PATCH_TYPES[kind],
        )

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
        """Delete one object under preconditions."""
        preconditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
        }
        await self._transport.send("delete", "DELETE", resource.path(namespace, name), body=options)

    async def watch(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", resource_version: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes until the server ends the stream."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        query |= {"labelSelector": selector} if selector else {}
        query |= {"resourceVersion": resource_version} if resource_version else {}
        async for line in self._transport.lines(resource.path(namespace), query):
            event = orjson.loads(line)
            body = event["object"]
            if event["type"] == "ERROR":
                code = int(body.get("code") or 500)
                kind = NotFound if code == 410 else Unavailable
                raise kind(str(body.get("message", "")), status=code, reason=str(body.get("reason", "")))
            yield WatchEvent(event["type"], _typed(body, resource))

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def _json(self, *arguments: Any, **options: Any) -> Body:
        body: Body = orjson.loads(await self._transport.send(*arguments, **options))
        return body


def _typed(item: Body, resource: ApiResource) -> Body:
    """Give a list's item the kind that the server leaves out there."""
    item["apiVersion"] = resource.gvk.api_version
    item["kind"] = resource.kind
    return item
