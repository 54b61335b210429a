"""What is lost when an object is deleted, where git alone cannot bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def losses(live: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what goes with a live object, in words; nothing where an apply makes all of it again."""
    group = live["apiVersion"].rpartition("/")[0]
    found = _KINDS.get((group, live["kind"]))
    return tuple(found(live)) if found is not None else ()


def stopped(live: Mapping[str, Any]) -> str:
    """Return which Pods stop when a workload is deleted, in words; "" where there are none."""
    status = live.get("status") or {}
    group = live["apiVersion"].rpartition("/")[0]
    if (group, live["kind"]) not in _WORKLOADS:
        return ""
    count = status.get("replicas") or status.get("currentNumberScheduled") or status.get("active") or 0
    return f"its {count} running Pod{'s' if count != 1 else ''}" if count else ""


def _claim(live: Mapping[str, Any]) -> Iterable[str]:
    volume = (live.get("spec") or {}).get("volumeName")
    if volume:
        yield f"the data on PersistentVolume {volume}, unless its reclaim policy is Retain"


def _volume(live: Mapping[str, Any]) -> Iterable[str]:
    spec = live.get("spec") or {}
    claim = spec.get("claimRef") or {}
    if spec.get("persistentVolumeReclaimPolicy") == "Delete":
        yield "the data on it (reclaim policy Delete)"
    elif claim:
        yield f"its binding to PersistentVolumeClaim {claim.get('namespace', '')}/{claim.get('name', '')}"


def _service(live: Mapping[str, Any]) -> Iterable[str]:
    spec = live.get("spec") or {}
    addresses = _addresses(live)
    if spec.get("type") == "LoadBalancer":
        yield f"its load balancer and the address {', '.join(addresses)}" if addresses else "its load balancer"
    ports = sorted(str(port["nodePort"]) for port in spec.get("ports") or () if port.get("nodePort"))
    if spec.get("type") == "NodePort" and ports:
        yield f"its node ports {', '.join(ports)}, unless git names them"


def _ingress(live: Mapping[str, Any]) -> Iterable[str]:
    addresses = _addresses(live)
    if addresses:
        yield f"the way in by {', '.join(addresses)}"


def _addresses(live: Mapping[str, Any]) -> list[str]:
    balancer = (live.get("status") or {}).get("loadBalancer") or {}
    return [item.get("ip") or item.get("hostname") or "" for item in balancer.get("ingress") or ()]


def _stateful_set(live: Mapping[str, Any]) -> Iterable[str]:
    spec = live.get("spec") or {}
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    if spec.get("volumeClaimTemplates") and retention.get("whenDeleted") == "Delete":
        yield "the data on its PersistentVolumeClaims (whenDeleted: Delete)"


def _namespace(_: Mapping[str, Any]) -> Iterable[str]:
    yield "everything in it"


def _definition(live: Mapping[str, Any]) -> Iterable[str]:
    names = (live.get("spec") or {}).get("names") or {}
    yield f"every {names.get('kind', 'object')} in the cluster"


_WORKLOADS: Final = frozenset(
    (("apps", "StatefulSet"), ("apps", "Deployment"), ("apps", "DaemonSet"), ("apps", "ReplicaSet"), ("batch", "Job"))
)
_KINDS: Final[Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Iterable[str]]]] = {
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _volume,
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("apps", "StatefulSet"): _stateful_set,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
