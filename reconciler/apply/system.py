"""The reconciler's own namespace and the kinds that it keeps there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import NotFound
from reconciler.model.api import ApiResource
from reconciler.model.applyset import FIELD_MANAGER, SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.cluster.port import Body, Cluster

CONFIG_MAPS: Final = ApiResource("", "v1", "ConfigMap", "configmaps", namespaced=True)
LEASES: Final = ApiResource("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
NAMESPACES: Final = ApiResource("", "v1", "Namespace", "namespaces", namespaced=False)


async def in_namespace(cluster: Cluster, write: Callable[[], Awaitable[Body]]) -> Body:
    """Write something into the reconciler's namespace; the namespace is made where that shows that it is missing."""
    try:
        return await write()
    except NotFound:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
        await cluster.apply(NAMESPACES, body, field_manager=FIELD_MANAGER, force=True)
        return await write()
