"""What the build has to know of built-in kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.render.tables import scopes

if TYPE_CHECKING:
    from reconciler.model.identity import GroupVersionKind


def cluster_scoped(gvk: GroupVersionKind) -> bool:
    """Whether Kustomize knows a kind as one without namespaces; every kind that it does not know has some."""
    return scopes().get("/".join(filter(None, gvk))) is False


POD_SPECS: Final = {
    "Pod": "spec",
    "Deployment": "spec/template/spec",
    "ReplicaSet": "spec/template/spec",
    "DaemonSet": "spec/template/spec",
    "StatefulSet": "spec/template/spec",
    "ReplicationController": "spec/template/spec",
    "Job": "spec/template/spec",
    "CronJob": "spec/jobTemplate/spec/template/spec",
}
"""Where the kinds that hold Pods hold them."""

_FIRST: Final = (
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def rank(kind: str, first: tuple[str, ...] = _FIRST, last: tuple[str, ...] = _LAST) -> int:
    """Return where a kind stands in the order of output: before, among, or after the kinds that are not named."""
    if kind in first:
        return first.index(kind) - len(first)
    return last.index(kind) + 1 if kind in last else 0
