"""The real adapter of the cluster port: one Kubernetes API server over HTTP."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import orjson

from reconciler.cluster import credentials, discovery, failures
from reconciler.cluster import kubeconfig as kubeconfig_file
from reconciler.cluster.documents import Documents, index_key, needed
from reconciler.cluster.requests import IN_FLIGHT, Request, Requests
from reconciler.cluster.transport import READ_SECONDS, Transport
from reconciler.cluster.wire import encoded
from reconciler.errors import NotFound, NotJson, Unavailable
from reconciler.model.api import WatchEvent
from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from reconciler.cluster.credentials import Access
    from reconciler.cluster.failures import Answer
    from reconciler.cluster.port import Bodies, Body
    from reconciler.model.api import ApiResource, Discovery, RequestCount

PAGE = 500
WATCH_SECONDS = 290  # a little less than what proxies usually allow
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
BRIEF = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"
APPLY = "application/apply-patch+yaml"
PATCHES = {"json": "application/json-patch+json", "merge": "application/merge-patch+json"}


class KubeCluster:
    """One API server, as one user; see `cluster.port.Cluster` for what its methods promise."""

    def __init__(
        self, access: Access, cache_dir: Path, in_flight: int = IN_FLIGHT, read_seconds: float = READ_SECONDS
    ) -> None:
        """Prepare to talk to a server, with so many requests under way at a time; nothing is sent yet."""
        self._access = access
        self._transport = Transport(access, read_seconds)
        send, slots = self._transport.send, asyncio.Semaphore(in_flight)
        self._requests = Requests(access.server, send, self._transport.open, access.authorize, slots=slots)
        self._documents = Documents(cache_dir)

    @classmethod
    async def connect(
        cls,
        *,
        kubeconfig: str | None,
        context: str | None,
        in_cluster: bool = False,
        cache_dir: Path,
        in_flight: int = IN_FLIGHT,
        read_seconds: float = READ_SECONDS,
    ) -> KubeCluster:
        """Find the server and the credentials; the first request tells whether they are right.

        Raises ConfigError where there is no usable kubeconfig, no such context, or no credentials.
        """
        if in_cluster:
            access = await credentials.of_service_account()
        else:
            chosen = kubeconfig_file.load(kubeconfig, context)
            access = await credentials.of_context(chosen, lambda: kubeconfig_file.load(kubeconfig, chosen.name))
        return cls(access, cache_dir, in_flight, read_seconds)

    @property
    def name(self) -> str:
        """The server's address."""
        return self._access.server

    @property
    def requests(self) -> RequestCount:
        """The requests sent so far."""
        return self._requests.count

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server has warned of, each warning once."""
        return tuple(self._requests.warnings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What did not go as it should, and did no harm."""
        return (self._documents.note,) if self._documents.note else ()

    def guarded(self, guard: Callable[[], None]) -> KubeCluster:
        """Return the same connection, with `guard` called before every try of a write."""
        twin = copy.copy(self)
        twin._requests = replace(self._requests, guard=guard)  # noqa: SLF001 - our own twin
        return twin

    async def discover(self) -> Discovery:
        """Read all served kinds (aggregated discovery, two requests)."""
        answers = await asyncio.gather(
            *(
                self._requests.object(Request("discovery", "GET", path, accept=discovery.ACCEPT))
                for path in discovery.PATHS
            )
        )
        return discovery.read(answers, self.name)

    async def version(self) -> str:
        """Read the server's version, e.g. `v1.36.4`."""
        told = await self._requests.json(Request("get", "GET", "/version"))
        return str(told.get("gitVersion", ""))

    async def metrics(self) -> str:
        """Read the API server's own metrics in Prometheus' text format."""
        answer = await self._requests.answer(Request("get", "GET", "/metrics", accept="text/plain"))
        return answer.body.decode(errors="replace")

    async def kubelet_settings(self, node: str) -> Body:
        """Read the configuration that a node's kubelet runs with."""
        told = await self._requests.json(Request("get", "GET", f"/api/v1/nodes/{node}/proxy/configz"))
        return dict(told.get("kubeletconfig") or {})

    async def openapi(self, group_versions: Iterable[str]) -> Mapping[str, Body]:
        """Read OpenAPI v3 documents; group/versions that the server does not know, or not yet, are left out.

        Of a group that has just been made, the index names a document that is still empty.
        """
        wanted = tuple(group_versions)
        if not wanted:
            return {}
        index = (await self._requests.json(Request("openapi", "GET", "/openapi/v3")))["paths"]
        served = [(name, index[index_key(name)]["serverRelativeURL"]) for name in wanted if index_key(name) in index]
        documents = await asyncio.gather(*(self._document(name, url) for name, url in served))
        return {name: document for (name, _), document in zip(served, documents, strict=True) if document is not None}

    async def _document(self, group_version: str, url: str) -> Body | None:
        found = self._documents.find(group_version, url)
        if found is None:
            path, _, query = url.partition("?")
            pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
            try:
                found = needed(await self._requests.json(Request("openapi", "GET", path, pairs)))
            except (NotFound, NotJson):
                return None
            self._documents.keep(group_version, url, found)
        return found

    async def list(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Body]:
        """Yield the objects of a collection, paged by 500; each body carries apiVersion and kind."""
        accept = METADATA if metadata_only else "application/json"
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page, following = await self._page(resource, namespace, query, accept)
            for body in page.get("items") or ():
                yield body
            if not following:
                return
            query = {**query, "continue": following}

    async def _page(
        self, resource: ApiResource, namespace: str, query: Mapping[str, str], accept: str
    ) -> tuple[dict[str, Any], str]:
        """Return one page and the token of the next.

        Where a token has expired the server gives another one, to go on with the collection as it is now: objects that
        were there all the time are still all found.
        """
        while True:
            request = Request("list", "GET", resource.path(namespace), query, accept=accept)
            try:
                page = await self._requests.object(request)
            except NotFound as error:
                fresh = error.details.get("continue")
                if error.status != 410 or not fresh:
                    raise
                query = {**query, "continue": str(fresh)}
            else:
                for body in page.get("items") or ():
                    body["apiVersion"], body["kind"] = resource.gvk.api_version, resource.kind
                return page, (page.get("metadata") or {}).get("continue") or ""

    async def list_version(
        self, resource: ApiResource, *, namespace: str = "", selector: str = ""
    ) -> tuple[Bodies, str]:
        """Return a whole collection and its resourceVersion, from which a watch can go on."""
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        found: Bodies = []
        version = ""
        while True:
            page, following = await self._page(resource, namespace, query, "application/json")
            version = version or page["metadata"]["resourceVersion"]
            found += page.get("items") or ()
            if not following:
                return found, version
            query = {**query, "continue": following}

    async def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Read one object."""
        return await self._object(Request("get", "GET", resource.path(namespace, name)))

    async def log_tail(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 1) -> str:
        """Read the last lines of a container's log."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        answer = await self._requests.answer(Request("get", "GET", path, query, accept="*/*"))
        return answer.body.decode(errors="replace").rstrip("\n")

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
        """Server-side apply one object (KEP-555); returns it as the server has it, or its metadata alone where `brief`.

        Fields that the schema does not know are refused whatever `fieldValidation` is: an apply patch has to fit it. What
        `Strict` adds is a second look at the text for keys that stand twice, which JSON made from a mapping cannot hold.
        """
        query = {"fieldManager": field_manager, "force": str(force).lower(), "fieldValidation": "Ignore"}
        if dry_run:
            query |= {"dryRun": "All", "fieldValidation": "Strict"}
        path = resource.path(*_place(body))
        verb: Literal["dry_run", "apply"] = "dry_run" if dry_run else "apply"
        accept = BRIEF if brief else "application/json"
        return await self._object(Request(verb, "PATCH", path, query, encoded(body), APPLY, accept=accept))

    async def create(self, resource: ApiResource, body: Body) -> Body:
        """Create one object; sent again only where it certainly did not arrive."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        path = resource.path(_place(body)[0])
        return await self._object(Request("create", "POST", path, query, orjson.dumps(body), repeatable=False))

    async def update(self, resource: ApiResource, body: Body) -> Body:
        """Replace one object; its resourceVersion is the precondition, so a second try would not fit any more."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        path = resource.path(*_place(body))
        return await self._object(Request("update", "PUT", path, query, orjson.dumps(body), repeatable=False))

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
        """Patch one object, or a subresource of it, with JSON Patch (RFC 6902) or JSON Merge Patch (RFC 7396)."""
        query = {"fieldManager": field_manager, "fieldValidation": "Strict"}
        path = resource.path(namespace, name) + (f"/{subresource}" if subresource else "")
        data = orjson.dumps(patch)
        return await self._object(
            Request("patch", "PATCH", path, query, data, PATCHES[kind], repeatable=kind == "merge")
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
        """Delete one object if its uid (and resourceVersion, where given) still are these."""
        conditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": conditions,
            "propagationPolicy": propagation,
        }
        await self._requests.answer(
            Request("delete", "DELETE", resource.path(namespace, name), body=orjson.dumps(options))
        )

    async def watch(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", resource_version: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes from a resourceVersion on, bookmarks included; ends when the server or the connection does."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        query |= {"labelSelector": selector} if selector else {}
        query |= {"resourceVersion": resource_version} if resource_version else {}
        request = Request("watch", "GET", resource.path(namespace), query)
        stream = await self._requests.stream(request)
        try:
            async for line in stream.lines():
                yield self._event(line, request)
        except Unavailable as error:
            if error.status:
                raise
        finally:
            stream.close()

    def _event(self, line: bytes, request: Request) -> WatchEvent:
        """Read one line of a watch; raises the ClusterError tree where it tells of an error, or of nothing."""
        try:
            event = orjson.loads(line)
            kind, body = event["type"], event["object"]
        except (orjson.JSONDecodeError, TypeError, KeyError) as error:
            raise NotJson(f"{self.name} answered a watch of {request.path} with something that is no event") from error
        if kind == "ERROR":
            raise failures.of_status(body, int(body.get("code", 500)))
        return WatchEvent(kind, body)

    async def relay(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send one request once to what the API server leads to, and return its answer as it came."""
        return await self._requests.relay(partial(self._transport.relay, method, path, headers, body))

    async def close(self) -> None:
        """Release connections."""
        await self._transport.close()

    async def _object(self, request: Request) -> Body:
        return await self._requests.object(request)


def _place(body: Body) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata.get("namespace") or "", metadata["name"]
