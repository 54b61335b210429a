"""The entry of the room: one body in, its health out.

Deletion and an unseen generation come first for every kind. Then a health check of the environment, where there is one
for the kind; then the rule of a built-in kind; then conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.health import backends, custom, kinds, pods, workloads
from reconciler.health.status import terminating, unobserved
from reconciler.model.identity import GroupKind, GroupVersionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.environment import HealthCheck
    from reconciler.model.outcome import Health

RULES: Final[Mapping[GroupKind, Callable[[dict[str, Any], Sequence[dict[str, Any]]], Health]]] = {
    GroupKind("", "Namespace"): kinds.namespace,
    GroupKind("", "PersistentVolume"): kinds.volume,
    GroupKind("", "PersistentVolumeClaim"): kinds.claim,
    GroupKind("", "Pod"): pods.pod,
    GroupKind("", "ReplicationController"): workloads.replica_set,
    GroupKind("", "Service"): kinds.service,
    GroupKind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): backends.webhooks,
    GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): backends.webhooks,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): kinds.definition,
    GroupKind("apiregistration.k8s.io", "APIService"): kinds.api_service,
    GroupKind("apps", "DaemonSet"): workloads.daemon_set,
    GroupKind("apps", "Deployment"): workloads.deployment,
    GroupKind("apps", "ReplicaSet"): workloads.replica_set,
    GroupKind("apps", "StatefulSet"): workloads.stateful_set,
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): kinds.autoscaler,
    GroupKind("batch", "Job"): workloads.job,
    GroupKind("networking.k8s.io", "Ingress"): kinds.ingress,
    GroupKind("policy", "PodDisruptionBudget"): kinds.disruption_budget,
    GroupKind("gateway.networking.k8s.io", "Gateway"): kinds.gateway,
    GroupKind("gateway.networking.k8s.io", "GatewayClass"): kinds.gateway_class,
    GroupKind("gateway.networking.k8s.io", "GRPCRoute"): kinds.route,
    GroupKind("gateway.networking.k8s.io", "HTTPRoute"): kinds.route,
    GroupKind("gateway.networking.k8s.io", "TCPRoute"): kinds.route,
    GroupKind("gateway.networking.k8s.io", "TLSRoute"): kinds.route,
    GroupKind("gateway.networking.k8s.io", "UDPRoute"): kinds.route,
}

CALLED: Final = frozenset(kind for kind, rule in RULES.items() if rule is backends.webhooks)
"""Kinds that are judged by the EndpointSlices of their Services; where nobody knows these, they are Current."""

PASSIVE: Final = frozenset(
    GroupKind(group, kind)
    for group, names in {
        "": "ConfigMap Endpoints Event LimitRange PodTemplate ResourceQuota Secret ServiceAccount",
        "admissionregistration.k8s.io": "ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy "
        "MutatingAdmissionPolicyBinding",
        "batch": "CronJob",
        "discovery.k8s.io": "EndpointSlice",
        "networking.k8s.io": "IngressClass NetworkPolicy",
        "node.k8s.io": "RuntimeClass",
        "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
        "scheduling.k8s.io": "PriorityClass",
        "storage.k8s.io": "CSIDriver StorageClass",
    }.items()
    for kind in names.split()
)
"""Kinds that are Current as soon as they are stored: nothing is ever to be waited for."""


def health(
    body: dict[str, Any], *, checks: Sequence[HealthCheck] = (), related: Sequence[dict[str, Any]] | None = None
) -> Health:
    """Return the health of one object.

    `related` are other objects that may explain it: Pods of a workload, Pods and the StorageClass of a claim, the
    EndpointSlices behind a webhook, the other Ingresses of a class; None where they were not read. Raises ConfigError
    where a health check is no CEL.
    """
    kind = GroupVersionKind.of(body).group_kind
    early = terminating(body) or unobserved(body)
    if early is not None:
        return early
    check = check_for(kind, checks)
    if check is not None:
        return custom.by_check(body, check)
    if kind in PASSIVE or (kind in CALLED and related is None):
        return kinds.passive(body)
    return RULES.get(kind, custom.by_conditions)(body, related or ())


def check_for(kind: GroupKind, checks: Sequence[HealthCheck]) -> HealthCheck | None:
    """Return the first health check that is meant for a kind."""
    return next((item for item in checks if (item.group, item.kind) == kind), None)
