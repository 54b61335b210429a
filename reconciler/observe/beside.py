"""What health is judged with beside the objects themselves: the EndpointSlices behind webhooks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reconciler.errors import Forbidden
from reconciler.health.assess import CALLED
from reconciler.health.backends import ENDPOINT_SLICES, SERVICE_NAME, services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Cluster
    from reconciler.model.identity import ObjectId


async def beside(cluster: Cluster, live: Mapping[ObjectId, dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the EndpointSlices of every Service that live webhooks call; None where they may not be read."""
    called = {service for identity, body in live.items() if identity.group_kind in CALLED for service in services(body)}

    async def read(namespace: str, name: str) -> list[dict[str, Any]]:
        selector = f"{SERVICE_NAME}={name}"
        return [body async for body in cluster.list(ENDPOINT_SLICES, namespace=namespace, selector=selector)]

    try:
        found = await asyncio.gather(*(read(*service) for service in sorted(called)))
    except Forbidden:
        return None
    return [body for bodies in found for body in bodies]
