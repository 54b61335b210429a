"""What an import leaves out: what controllers make by themselves, what passes, what must not be in git."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.identity import GroupKind
from reconciler.plan.managed import entries

if TYPE_CHECKING:
    from collections.abc import Mapping

_PASSING: Final = frozenset(
    GroupKind(group, kind)
    for group, names in {
        "": "Event Endpoints PodTemplate",
        "apps": "ControllerRevision",
        "coordination.k8s.io": "Lease",
        "discovery.k8s.io": "EndpointSlice",
        "events.k8s.io": "Event",
        "metrics.k8s.io": "PodMetrics",
        "storage.k8s.io": "CSIStorageCapacity",
    }.items()
    for kind in names.split()
)
PROGRAMS: Final = ("kube-controller-manager", "kube-scheduler", "kube-apiserver", "kubelet")
"""What the field managers of the control plane's programs begin with."""

_MADE: Final = frozenset((("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")))
_TOKENS: Final = ("kubernetes.io/service-account-token", "helm.sh/release.v1")


def listed(kind: GroupKind) -> bool:
    """Whether objects of a kind may be worth keeping at all."""
    return kind not in _PASSING


def reason(body: Mapping[str, Any], *, secrets: bool) -> str:
    """Return why an object is left out; "" where it is imported. `secrets`: Secrets are to be written too."""
    if made := _made(body):
        return made
    if "deletionTimestamp" in body["metadata"]:
        return "is being deleted"
    if (body["apiVersion"], body["kind"]) != ("v1", "Secret"):
        return ""
    if body.get("type") in _TOKENS:
        return f"a record of type {body['type']}, which its maker writes anew"
    return (
        "" if secrets else "a Secret: its values do not belong in git unencrypted; --secrets writes them all the same"
    )


def _made(body: Mapping[str, Any]) -> str:
    """Return what made an object by itself; "" where somebody asked for it."""
    metadata = body["metadata"]
    controller = next((item for item in metadata.get("ownerReferences") or () if item.get("controller")), None)
    if controller is not None:
        return f"made by {controller.get('kind')}/{controller.get('name')}"
    writers = {entry.manager for entry in entries(body) if not entry.subresource}
    if writers and all(name.startswith(PROGRAMS) for name in writers):
        return f"made by {', '.join(sorted(writers))}"
    if body["apiVersion"] == "v1" and (body["kind"], metadata["name"]) in _MADE:
        return "made by the control plane in every namespace"
    return ""
