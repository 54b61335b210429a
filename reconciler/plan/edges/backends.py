"""What the API server calls: webhooks and aggregated APIs need their Service and the workload behind it.

The workload is awaited: a webhook that is registered before its backend answers refuses what it guards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.identity import ObjectId
from reconciler.plan.edges.objects import at, items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects, Steps

_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edges of a webhook configuration or of an APIService."""
    if identity.group == "admissionregistration.k8s.io" and identity.kind in _WEBHOOKS:
        for index, _ in items(body.get("webhooks")):
            yield from _backend(identity, body, ("webhooks", index, "clientConfig", "service"), objects)
    elif identity.group_kind == ("apiregistration.k8s.io", "APIService"):
        yield from _backend(identity, body, ("spec", "service"), objects)


def _backend(identity: ObjectId, body: Body, steps: Steps, objects: Objects) -> Iterator[Edge | None]:
    reference = mapping(at(body, steps))
    service = ObjectId("", "Service", str(reference.get("namespace")), str(reference.get("name")))
    if service not in objects:
        return
    yield objects.edge(identity, service, "the API server calls it", at=(*steps, "name"))
    selector = mapping(at(objects.bodies[service], ("spec", "selector")))
    for workload, metadata in objects.workloads.get(service.namespace, ()):
        labels = mapping(metadata.get("labels"))
        if selector and all(labels.get(key) == value for key, value in selector.items()):
            why = f"it answers for Service/{service.name}"
            yield objects.edge(identity, workload, why, at=(*steps, "name"), awaited=True)
