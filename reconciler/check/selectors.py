"""Selectors have to select something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.check.world import Finding, World, mapping, selects
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORKLOADS = tuple(GroupKind("apps", kind) for kind in ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"))


def service_selector(world: World) -> Iterator[Finding]:
    """A Service's selector fits a Pod of its namespace."""
    for service in world.by_kind[GroupKind("", "Service")]:
        selector = mapping(mapping(service.body.get("spec")).get("selector"))
        if selector and not _any(world, service.id.namespace, {"matchLabels": selector}):
            yield Finding(
                service,
                ("spec", "selector"),
                f"selects no Pod: {_told(selector)}",
                _nearest(world, service.id.namespace, selector),
            )


def workload_selector(world: World) -> Iterator[Finding]:
    """A workload's selector fits its own Pods."""
    for pod in world.pods:
        if pod.resource.id.group_kind in WORKLOADS:
            selector = mapping(mapping(pod.resource.body.get("spec")).get("selector"))
            if not selector:
                yield Finding(pod.resource, ("spec",), "has no selector", "set spec.selector.matchLabels")
            elif not selects(selector, pod.labels):
                yield Finding(
                    pod.resource, ("spec", "selector"), "its selector does not fit the labels of its own Pods"
                )


def budget_selector(world: World) -> Iterator[Finding]:
    """A PodDisruptionBudget's selector fits a Pod of its namespace."""
    for budget in world.by_kind[GroupKind("policy", "PodDisruptionBudget")]:
        selector = mapping(mapping(budget.body.get("spec")).get("selector"))
        if not _any(world, budget.id.namespace, selector):
            yield Finding(budget, ("spec", "selector"), "selects no Pod")


def policy_selector(world: World) -> Iterator[Finding]:
    """A NetworkPolicy is for a Pod of its namespace; one that is for all Pods is for those to come, too."""
    for policy in world.by_kind[GroupKind("networking.k8s.io", "NetworkPolicy")]:
        selector = mapping(mapping(policy.body.get("spec")).get("podSelector"))
        if selector and not _any(world, policy.id.namespace, selector):
            yield Finding(policy, ("spec", "podSelector"), "is for no Pod", "it protects nothing, or allows nothing")


def _any(world: World, namespace: str, selector: Mapping[str, Any]) -> bool:
    return any(selects(selector, pod.labels) for pod in world.pods_in[namespace])


def _told(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


def _nearest(world: World, namespace: str, selector: Mapping[str, str]) -> str:
    """Return the Pod that fits the most labels, as a hint."""
    pods = world.pods_in[namespace]
    if not pods:
        return f"there are no Pods in namespace {namespace}"
    best = max(pods, key=lambda pod: sum(pod.labels.get(key) == value for key, value in selector.items()))
    return f"{best.resource.id.kind}/{best.resource.id.name} has {_told(best.labels) or 'no labels'}"
