"""The health of built-in kinds that are no workloads, and of the Gateway API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.health.status import (
    CURRENT,
    Body,
    conditions,
    count,
    failed,
    in_progress,
    items,
    outdated,
    section,
    status_conditions,
)
from reconciler.model.outcome import Health, HealthState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.health.status import Condition

# ruff: noqa: ARG001 - all rules take the same parameters


def passive(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a kind that is what it says as soon as it is stored."""
    return CURRENT


def namespace(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a Namespace: Active, or on its way out."""
    if section(body, "status").get("phase") == "Terminating":
        stuck = [item.text for item in status_conditions(body).values() if item.status == "True" and item.message]
        return Health(HealthState.TERMINATING, "; ".join(stuck) or "is being deleted")
    return CURRENT


def claim(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a PersistentVolumeClaim: bound, or pending with nothing that consumes it yet.

    A pending claim is Current unless a related Pod uses it, or a related StorageClass is known to bind at once
    (`volumeBindingMode: Immediate`): then its volume should be there.
    """
    phase = section(body, "status").get("phase")
    if phase == "Bound":
        return CURRENT
    if phase == "Lost":
        return failed("its volume is lost")
    consumer = next((item for item in related if _consumes(item, body)), None)
    if consumer is not None:
        return in_progress(f"not bound yet, and Pod/{section(consumer, 'metadata').get('name')} needs it")
    storage_class = section(body, "spec").get("storageClassName")
    immediate = any(
        item.get("kind") == "StorageClass"
        and section(item, "metadata").get("name") == storage_class
        and item.get("volumeBindingMode", "Immediate") == "Immediate"
        for item in related
    )
    if immediate:
        return in_progress(f"not bound yet by StorageClass/{storage_class}")
    return Health(HealthState.CURRENT, "waits for its first consumer")


def _consumes(item: Body, body: Body) -> bool:
    metadata = section(body, "metadata")
    return (
        item.get("kind") == "Pod"
        and section(item, "metadata").get("namespace") == metadata.get("namespace")
        and any(
            section(volume, "persistentVolumeClaim").get("claimName") == metadata.get("name")
            for volume in items(item, "spec", "volumes")
        )
    )


def volume(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a PersistentVolume by its phase."""
    status = section(body, "status")
    phase = status.get("phase", "Pending")
    if phase == "Failed":
        return failed(str(status.get("message") or "the volume failed"))
    return in_progress("the volume is pending") if phase == "Pending" else CURRENT


def disruption_budget(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a PodDisruptionBudget: as many healthy Pods as it wants."""
    status = section(body, "status")
    if "observedGeneration" not in status:
        return in_progress("not yet seen by its controller")
    healthy, wanted = count(status, "currentHealthy"), count(status, "desiredHealthy")
    return CURRENT if healthy >= wanted else in_progress(f"{healthy} of {wanted} Pods healthy")


def service(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a Service: one of type LoadBalancer has to have an address."""
    if section(body, "spec").get("type") != "LoadBalancer" or items(body, "status", "loadBalancer", "ingress"):
        return CURRENT
    return in_progress("its load balancer has no address yet")


def ingress(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge an Ingress: it has an address, or nothing shows that its class gives any.

    `related` are the other Ingresses and the IngressClasses. A controller need not publish addresses, so that one is
    waited for only where another Ingress of the same class has got one.
    """
    if items(body, "status", "loadBalancer", "ingress"):
        return CURRENT
    name = section(body, "spec").get("ingressClassName")
    served = any(
        item.get("kind") == "Ingress"
        and section(item, "spec").get("ingressClassName") == name
        and items(item, "status", "loadBalancer", "ingress")
        for item in related
    )
    if served:
        return in_progress("it has no address yet, others of its class have")
    classes = [section(item, "metadata").get("name") for item in related if item.get("kind") == "IngressClass"]
    if name is not None and related and name not in classes:
        return Health(HealthState.CURRENT, f"nobody serves it: there is no IngressClass/{name}")
    return CURRENT


def definition(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a CustomResourceDefinition: names accepted and established."""
    known = status_conditions(body)
    names, established = known.get("NamesAccepted"), known.get("Established")
    if names is not None and names.status == "False":
        return failed(f"its names are not accepted: {names.text}")
    if established is not None and established.status == "True":
        return CURRENT
    return in_progress("not established yet")


def api_service(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge an APIService: available."""
    return _required(body, status_conditions(body), ("Available",))


def autoscaler(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a HorizontalPodAutoscaler: able to read and change the scale of its target, whatever the load is."""
    able = status_conditions(body).get("AbleToScale")
    return in_progress(able.text) if able is not None and able.status == "False" else CURRENT


def gateway(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a Gateway: accepted and programmed (gateway.networking.k8s.io)."""
    return _required(body, status_conditions(body), ("Accepted", "Programmed"))


def gateway_class(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a GatewayClass: accepted."""
    return _required(body, status_conditions(body), ("Accepted",))


def route(body: Body, related: Sequence[Body] = ()) -> Health:
    """Judge a route: every parent has accepted it and resolved what it refers to."""
    parents = items(body, "status", "parents")
    if not parents and items(body, "spec", "parentRefs"):
        return in_progress("no Gateway has taken note of it yet")
    for parent in parents:
        found = _required(body, conditions(items(parent, "conditions")), ("Accepted", "ResolvedRefs"))
        if found is not CURRENT:
            name = section(parent, "parentRef").get("name")
            return in_progress(f"Gateway/{name}: {found.message}")
    return CURRENT


def _required(body: Body, known: Mapping[str, Condition], types: Sequence[str]) -> Health:
    for name in types:
        condition = known.get(name)
        if condition is None:
            return in_progress(f"{name} is not known yet")
        if (early := outdated(condition, body)) is not None:
            return early
        if condition.status != "True":
            return in_progress(condition.text)
    return CURRENT
