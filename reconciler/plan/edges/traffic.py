"""The class that makes an Ingress or a Gateway work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.identity import ObjectId
from reconciler.plan.edges.objects import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects

_CLASSES = {
    ("networking.k8s.io", "Ingress"): ("IngressClass", "ingressClassName"),
    ("gateway.networking.k8s.io", "Gateway"): ("GatewayClass", "gatewayClassName"),
}


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edge of an Ingress or of a Gateway to its class."""
    found = _CLASSES.get(identity.group_kind)
    if found is not None:
        kind, key = found
        needed = ObjectId(identity.group, kind, "", str(at(body, ("spec", key)) or ""))
        yield objects.edge(identity, needed, "it is served by this class", at=("spec", key))
