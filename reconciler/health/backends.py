"""The health of what the API server calls for its answers: webhook configurations need a Service that answers.

A webhook without a backend makes every request that it guards fail, so it is healthy once it can be called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.health.status import CURRENT, Body, in_progress, items, section
from reconciler.model.api import ApiResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.outcome import Health

ENDPOINT_SLICES: Final = ApiResource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", namespaced=True)
SERVICE_NAME: Final = "kubernetes.io/service-name"
"""The label by which an EndpointSlice says whose it is."""


def services(body: Body) -> tuple[tuple[str, str], ...]:
    """Return namespace and name of every Service that a webhook configuration has called."""
    found = (section(hook, "clientConfig", "service") for hook in items(body, "webhooks"))
    return tuple(dict.fromkeys((str(item.get("namespace")), str(item.get("name"))) for item in found if item))


def webhooks(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a webhook configuration: each of its Services has a ready endpoint, and the certificate is known.

    `related` are the EndpointSlices of its Services.
    """
    for hook in items(body, "webhooks"):
        service = section(hook, "clientConfig", "service")
        if not service:
            continue
        namespace, name = str(service.get("namespace")), str(service.get("name"))
        if not any(_ready(item, namespace, name) for item in related):
            return in_progress(
                f"webhook {hook.get('name')} cannot be called: Service/{name} -n {namespace} has no ready endpoint"
            )
        if not section(hook, "clientConfig").get("caBundle"):
            return in_progress(f"webhook {hook.get('name')} cannot be called: its caBundle is not set yet")
    return CURRENT


def _ready(item: Body, namespace: str, service: str) -> bool:
    metadata = section(item, "metadata")
    return (
        item.get("kind") == "EndpointSlice"
        and metadata.get("namespace") == namespace
        and section(metadata, "labels").get(SERVICE_NAME) == service
        and any(section(endpoint, "conditions").get("ready") is not False for endpoint in items(item, "endpoints"))
    )
