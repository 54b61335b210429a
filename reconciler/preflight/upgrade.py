"""What stands in the way of an upgrade: skew, API versions that go, budgets that block drains, no room for a node's Pods."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.preflight import Finding
from reconciler.plan.quantity import amount
from reconciler.preflight.version import OLDER_KUBELETS, Minor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.preflight import Sight
    from reconciler.model.resource import Desired

REMOVED: Final[Mapping[str, str]] = {
    "admissionregistration.k8s.io/v1beta1": "1.22",
    "apiextensions.k8s.io/v1beta1": "1.22",
    "apiregistration.k8s.io/v1beta1": "1.22",
    "authentication.k8s.io/v1beta1": "1.22",
    "authorization.k8s.io/v1beta1": "1.22",
    "autoscaling/v2beta1": "1.25",
    "autoscaling/v2beta2": "1.26",
    "batch/v1beta1": "1.25",
    "certificates.k8s.io/v1beta1": "1.22",
    "coordination.k8s.io/v1beta1": "1.22",
    "discovery.k8s.io/v1beta1": "1.25",
    "events.k8s.io/v1beta1": "1.25",
    "extensions/v1beta1": "1.22",
    "flowcontrol.apiserver.k8s.io/v1beta1": "1.26",
    "flowcontrol.apiserver.k8s.io/v1beta2": "1.29",
    "flowcontrol.apiserver.k8s.io/v1beta3": "1.32",
    "networking.k8s.io/v1beta1": "1.22",
    "node.k8s.io/v1beta1": "1.25",
    "policy/v1beta1": "1.25",
    "rbac.authorization.k8s.io/v1beta1": "1.22",
    "scheduling.k8s.io/v1beta1": "1.22",
    "storage.k8s.io/v1beta1": "1.27",
}
"""When an API version was or will be taken away (https://kubernetes.io/docs/reference/using-api/deprecation-guide/)."""

RESOURCES: Final = ("cpu", "memory")


def skew(sight: Sight, target: Minor) -> Iterator[Finding]:
    """Yield versions that do not work with an API server of the target, and steps that are too large."""
    server = Minor.of(sight.version)
    if server is None:
        return
    if target.minor > server.minor + 1:
        told = f"from {server} to {target} is {target.minor - server.minor} steps"
        yield Finding("skew", "blocker", "version", told, f"go to {server.major}.{server.minor + 1} first")
    if target.minor < server.minor:
        told = f"{target} is older than what runs, {server}: the store cannot be read by it"
        yield Finding("skew", "blocker", "version", told)
    for node in sight.nodes:
        name = f"Node/{node['metadata']['name']}"
        kubelet = Minor.of(str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", "")))
        if kubelet is None:
            continue
        if kubelet.minor > target.minor:
            yield Finding("skew", "blocker", name, f"kubelet {kubelet} is newer than the API server {target}")
        elif kubelet.minor < target.minor - OLDER_KUBELETS:
            told = f"kubelet {kubelet} is more than {OLDER_KUBELETS} minors behind {target}"
            yield Finding("skew", "blocker", name, told, "upgrade the node first")


def deprecated(desired: Desired, sight: Sight, target: Minor) -> Iterator[Finding]:
    """Yield what git, or somebody who talks to the API server, still uses of what the target has not."""
    for _, resource in desired.resources:
        gone = Minor.of(REMOVED.get(resource.gvk.api_version, ""))
        if gone is not None and gone <= target:
            told = f"{resource.gvk.api_version} is not served from {gone} on"
            yield Finding("deprecated", "blocker", str(resource.id), told, "use a newer version", resource.origin)
    for used in sight.deprecated:
        gone = Minor.of(used.get("removed_release", ""))
        name = ".".join(filter(None, (used.get("resource"), used.get("version"), used.get("group"))))
        if gone is not None and gone <= target:
            told = f"somebody still asks for it, and it is not served from {gone} on"
            yield Finding("deprecated", "blocker", name, told, "the API server's audit log says who")
        elif gone is not None:
            yield Finding("deprecated", "warning", name, f"somebody still asks for it; it goes with {gone}")


def budgets(sight: Sight) -> Iterator[Finding]:
    """Yield the budgets that let no Pod go, so that a drain of its node would never end."""
    for budget in sight.budgets:
        status = budget.get("status") or {}
        if status.get("expectedPods") and not status.get("disruptionsAllowed"):
            metadata = budget["metadata"]
            healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
            told = f"lets none of its {status['expectedPods']} Pods go: {healthy} are healthy, {wanted} have to be"
            name = f"PodDisruptionBudget/{metadata['name']} -n {metadata['namespace']}"
            yield Finding("budgets", "blocker", name, told, "wait until they are healthy, or run more of them")


def capacity(sight: Sight) -> Iterator[Finding]:
    """Yield the nodes whose Pods would find no room on the others (requests against what can be allocated, in sum)."""
    room: dict[str, dict[str, Fraction]] = {}
    for node in sight.nodes:
        spec, status = node.get("spec") or {}, node.get("status") or {}
        if not spec.get("unschedulable"):
            room[node["metadata"]["name"]] = {
                name: _exact((status.get("allocatable") or {}).get(name)) for name in RESOURCES
            }
    spent: dict[str, dict[str, Fraction]] = defaultdict(lambda: dict.fromkeys(RESOURCES, Fraction(0)))
    moving: dict[str, dict[str, Fraction]] = defaultdict(lambda: dict.fromkeys(RESOURCES, Fraction(0)))
    for pod in sight.pods:
        name = str((pod.get("spec") or {}).get("nodeName") or "")
        if not name or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        stays = any(owner.get("kind") == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())
        for resource, value in _requests(pod).items():
            spent[name][resource] += value
            moving[name][resource] += 0 if stays else value
    for name in room:
        for resource in RESOURCES:
            free = sum((room[other][resource] - spent[other][resource] for other in room if other != name), Fraction(0))
            if moving[name][resource] > free:
                told = f"its Pods ask for {_told(resource, moving[name][resource])} {resource}"
                told += (
                    f", and the other nodes have {_told(resource, max(free, Fraction(0)))} left: it cannot be drained"
                )
                yield Finding("capacity", "blocker", f"Node/{name}", told, "add a node first")


def _requests(pod: Mapping[str, Any]) -> dict[str, Fraction]:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return {
        resource: sum(
            (_exact(((item.get("resources") or {}).get("requests") or {}).get(resource)) for item in containers),
            Fraction(0),
        )
        for resource in RESOURCES
    }


def _exact(quantity: object) -> Fraction:
    return amount(str(quantity)) or Fraction(0) if quantity is not None else Fraction(0)


def _told(resource: str, value: Fraction) -> str:
    return f"{float(value):.1f}" if resource == "cpu" else f"{float(value / 1024**3):.1f} GiB of"
