"""Fields that the API server does not let change: an object whose field of these differs is made anew, or rejected.

From the validation of the built-in kinds (`ValidateDeploymentUpdate` and its like in k8s.io/kubernetes/pkg/apis).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import FieldChange

_WORKLOADS: Final = ("spec.selector",)
_SOURCE: Final = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")

FIELDS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "PersistentVolumeClaim"): ("spec.storageClassName", "spec.accessModes", "spec.volumeMode", "spec.selector"),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP", "spec.clusterIPs"),
    ("apps", "DaemonSet"): _WORKLOADS,
    ("apps", "Deployment"): _WORKLOADS,
    ("apps", "ReplicaSet"): _WORKLOADS,
    ("apps", "StatefulSet"): (
        *_WORKLOADS,
        "spec.podManagementPolicy",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): (*_WORKLOADS, "spec.completionMode", "spec.manualSelector", "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "CSIDriver"): ("spec.attachRequired", "spec.volumeLifecycleModes"),
    ("storage.k8s.io", "StorageClass"): _SOURCE,
}
"""Paths by group and kind; whatever lies below a path counts as well."""


def changed(identity: ObjectId, fields: Iterable[FieldChange], *, frozen: bool) -> tuple[str, ...]:
    """Return the paths that differ and may not; `frozen` says that the old object has `immutable: true`."""
    fixed = FIELDS.get((identity.group, identity.kind), ())
    if frozen and identity.group_kind in (("", "ConfigMap"), ("", "Secret")):
        fixed = (*fixed, "data", "binaryData", "immutable")
    return tuple(item.path for item in fields if any(_within(item.path, path) for path in fixed))


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))
