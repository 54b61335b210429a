"""What the build has to know of built-in kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.render.tables import scopes

if TYPE_CHECKING:
    from reconciler.model.identity import GroupVersionKind


def cluster_scoped(gvk: GroupVersionKind) -> bool:
    """Whether Kustomize knows a kind as one without namespaces; every kind that it does not know has some."""
    return scopes().get("/".join(filter(None, gvk))) is False


_LATER: Final = frozenset(
    {
        *(
            ("admissionregistration.k8s.io", f"{what}AdmissionPolicy{end}")
            for what in ("Mutating", "Validating")
            for end in ("", "Binding")
        ),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        *(("flowcontrol.apiserver.k8s.io", kind) for kind in ("FlowSchema", "PriorityLevelConfiguration")),
        *(("networking.k8s.io", kind) for kind in ("IPAddress", "ServiceCIDR")),
        *(("resource.k8s.io", kind) for kind in ("DeviceClass", "ResourceSlice")),
        ("storage.k8s.io", "VolumeAttributesClass"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
    }
)
_GROUPS: Final = frozenset(
    {
        *("", "apps", "autoscaling", "batch", "policy"),
        *("coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io"),
        *("resource.k8s.io", "storage.k8s.io"),
    }
)


def surely_namespaced(gvk: GroupVersionKind) -> bool:
    """Whether a kind is a built-in one with namespaces."""
    return gvk.group in _GROUPS and not cluster_scoped(gvk) and not surely_cluster_scoped(gvk)


def surely_cluster_scoped(gvk: GroupVersionKind) -> bool:
    """Whether a kind is a built-in one without namespaces that Kustomize does not know as such yet."""
    return (gvk.group, gvk.kind) in _LATER


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
