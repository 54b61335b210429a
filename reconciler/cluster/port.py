"""The port to a Kubernetes API server: all that the stages may ask of a cluster.

`cluster.kube` is its only real adapter, `tests/fakes/cluster.py` the other one; `tests/contract` holds both to the same
behaviour. Every method raises the ClusterError tree of `reconciler.errors` and nothing else. Unavailable answers (429,
5xx, a lost connection) are retried inside the adapter with backoff that honours Retry-After, a conflict never is; what
comes out has been tried enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from reconciler.cluster.failures import Answer
    from reconciler.model.api import ApiResource, Discovery, RequestCount, WatchEvent

Body = dict[str, Any]
Bodies = list[Body]


class Cluster(Protocol):
    """One API server, as one user."""

    @property
    def name(self) -> str:
        """What to call this cluster in messages: the server's address."""

    @property
    def requests(self) -> RequestCount:
        """The requests sent so far."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the server has warned of (deprecated versions and the like), each warning once."""

    @property
    def notes(self) -> Sequence[str]:
        """What did not go as it should and did no harm, e.g. a cache that cannot be written."""

    def guarded(self, guard: Callable[[], None]) -> Cluster:
        """Return the same connection, with `guard` called before every try of a write; what it raises ends the write."""

    async def discover(self) -> Discovery:
        """Read all served kinds (aggregated discovery, two requests)."""

    async def openapi(self, group_versions: Iterable[str]) -> Mapping[str, Body]:
        """Read OpenAPI v3 documents by group/version (`v1`, `apps/v1`); cached on disk by the server's hash."""

    async def version(self) -> str:
        """Read the server's version, e.g. `v1.36.4`."""

    async def metrics(self) -> str:
        """Read the API server's own metrics in Prometheus' text format; needs the right to get `/metrics`."""

    async def kubelet_settings(self, node: str) -> Body:
        """Read the configuration that a node's kubelet runs with (KubeletConfiguration, with all defaults).

        The API server asks the kubelet for it; that needs the right to get `nodes/proxy`.
        """

    def list(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Body]:
        """Yield the objects of a collection, paged by 500; each body carries apiVersion and kind."""

    async def list_version(
        self, resource: ApiResource, *, namespace: str = "", selector: str = ""
    ) -> tuple[Bodies, str]:
        """Return a whole collection and its resourceVersion, from which a watch can go on."""

    async def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Read one object."""

    async def log_tail(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 1) -> str:
        """Read the last lines of a container's log."""

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

        What the schema of its kind does not know is Invalid.
        """

    async def create(self, resource: ApiResource, body: Body) -> Body:
        """Create one object."""

    async def update(self, resource: ApiResource, body: Body) -> Body:
        """Replace one object; its resourceVersion is the precondition."""

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

    def watch(
        self, resource: ApiResource, *, namespace: str = "", selector: str = "", resource_version: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Yield changes from a resourceVersion on, bookmarks included.

        Ends when the server ends it; raises NotFound with status 410 where the version is too old: list again.
        """

    async def relay(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send one request once to what the API server leads to (`…/proxy/…`), and return its answer as it came."""

    async def close(self) -> None:
        """Release connections."""
