"""Fields that the API server does not let change: an object whose field of these differs is made anew, or rejected.

From the validation of the built-in kinds (`ValidateDeploymentUpdate` and its like in k8s.io/kubernetes/pkg/apis).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import FieldChange

_SELECTOR: Final[dict[str, object]] = {"spec.selector": None}
FIELDS: Final[dict[tuple[str, str], dict[str, object]]] = {
    ("", "PersistentVolumeClaim"): {
        **dict.fromkeys(("spec.storageClassName", "spec.accessModes", "spec.selector", "spec.volumeName")),
        "spec.volumeMode": "Filesystem",
    },
    ("", "Secret"): {"type": "Opaque"},
    ("", "Service"): dict.fromkeys(("spec.clusterIP", "spec.clusterIPs")),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): dict.fromkeys(
        ("spec.group", "spec.scope", "spec.names.kind")
    ),
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "ReplicaSet"): _SELECTOR,
    ("apps", "StatefulSet"): {
        **_SELECTOR,
        "spec.podManagementPolicy": "OrderedReady",
        **dict.fromkeys(("spec.serviceName", "spec.volumeClaimTemplates")),
    },
    ("batch", "Job"): {
        **_SELECTOR,
        "spec.completionMode": "NonIndexed",
        "spec.manualSelector": False,
        "spec.template": None,
    },
    ("networking.k8s.io", "IngressClass"): {"spec.controller": None},
    ("node.k8s.io", "RuntimeClass"): {"handler": None},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"roleRef": None},
    ("rbac.authorization.k8s.io", "RoleBinding"): {"roleRef": None},
    ("scheduling.k8s.io", "PriorityClass"): {"value": None, "preemptionPolicy": "PreemptLowerPriority"},
    ("storage.k8s.io", "CSIDriver"): {"spec.attachRequired": True, "spec.volumeLifecycleModes": ["Persistent"]},
    ("storage.k8s.io", "StorageClass"): {
        **dict.fromkeys(("provisioner", "parameters")),
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    },
}
"""Paths by group and kind, each with what the server takes for it where it is missing; what lies below counts as well."""


def changed(identity: ObjectId, fields: Iterable[FieldChange], *, frozen: bool) -> tuple[str, ...]:
    """Return the paths that differ and may not; `frozen` says that the old object has `immutable: true`."""
    fixed = FIELDS.get((identity.group, identity.kind), {})
    if frozen and identity.group_kind in (("", "ConfigMap"), ("", "Secret")):
        fixed = {**fixed, **dict.fromkeys(("data", "binaryData", "immutable"))}
    return tuple(
        item.path
        for item in fields
        if any(_within(item.path, path) and not _is_default(item, path, default) for path, default in fixed.items())
    )


def _is_default(field: FieldChange, path: str, default: object) -> bool:
    """Whether a field says, before or after, what the server takes for it anyway."""
    return (
        field.path == path and default is not None and {repr(field.old), repr(field.new)} <= {repr(None), repr(default)}
    )


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith((f"{parent}.", f"{parent}["))
