"""Images that say what is run, and Pods that their namespace's Pod Security level lets in.

The levels are those of the Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.check.world import Finding, Pod, World, items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEVEL: Final = "pod-security.kubernetes.io/enforce"
MOVING: Final = frozenset({"latest", "devel", "main", "master", "nightly", "edge"})
BASELINE_CAPABILITIES: Final = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
RESTRICTED_VOLUMES: Final = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
SECCOMP: Final = ("RuntimeDefault", "Localhost")


def image(world: World) -> Iterator[Finding]:
    """Every image has a tag that stays what it is, or a digest."""
    for pod in world.pods:
        for steps, container in pod.containers:
            name = str(container.get("image") or "")
            tag = re.search(r":([^:/@]+)$", name.partition("@")[0])
            if not name:
                yield Finding(pod.resource, steps, f"container {container.get('name')} has no image")
            elif "@" not in name and tag is None:
                yield Finding(pod.resource, (*steps, "image"), f"the image {name} has no tag", "name a version")
            elif "@" not in name and tag and tag[1] in MOVING:
                yield Finding(
                    pod.resource, (*steps, "image"), f"the tag of {name} says nothing of what is run", "name a version"
                )


def pod_security(world: World) -> Iterator[Finding]:
    """A Pod keeps to the level that its namespace enforces; the API server would refuse it."""
    for pod in world.pods:
        space = world.get("", "Namespace", "", pod.namespace)
        level = space.labels.get(LEVEL) if space is not None else None
        if level in ("baseline", "restricted"):
            for message in dict.fromkeys(_baseline(pod)):
                yield Finding(
                    pod.resource, (*pod.at, "spec"), f"{message}, which namespace {pod.namespace} ({level}) refuses"
                )
        if level == "restricted":
            for message in dict.fromkeys(_restricted(pod)):
                yield Finding(
                    pod.resource, (*pod.at, "spec"), f"{message}, which namespace {pod.namespace} (restricted) refuses"
                )


def _security(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(value.get("securityContext"))


def _baseline(pod: Pod) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field):
            yield f"it has {field}"
    for _, volume in items(pod.spec.get("volumes")):
        if "hostPath" in volume:
            yield f"the volume {volume.get('name')} is a hostPath"
    for _, container in pod.containers:
        name, own = container.get("name"), _security(container)
        if own.get("privileged"):
            yield f"container {name} is privileged"
        if any(port.get("hostPort") for _, port in items(container.get("ports"))):
            yield f"container {name} has a hostPort"
        added = set(mapping(own.get("capabilities")).get("add") or ())
        if added - BASELINE_CAPABILITIES:
            yield f"container {name} adds the capability {', '.join(sorted(added - BASELINE_CAPABILITIES))}"


def _restricted(pod: Pod) -> Iterator[str]:
    whole = _security(pod.spec)
    for _, volume in items(pod.spec.get("volumes")):
        kinds = set(volume) - {"name"}
        if kinds - RESTRICTED_VOLUMES - {"hostPath"}:
            yield f"the volume {volume.get('name')} is a {', '.join(sorted(kinds))}"
    for _, container in pod.containers:
        name, own = container.get("name"), _security(container)
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"container {name} does not set allowPrivilegeEscalation: false"
        if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
            yield f"container {name} does not set runAsNonRoot: true"
        if own.get("runAsUser", whole.get("runAsUser")) == 0:
            yield f"container {name} runs as root"
        profile = mapping(own.get("seccompProfile")) or mapping(whole.get("seccompProfile"))
        if profile.get("type") not in SECCOMP:
            yield f"container {name} has no seccompProfile"
        capabilities = mapping(own.get("capabilities"))
        if "ALL" not in (capabilities.get("drop") or ()):
            yield f"container {name} does not drop ALL capabilities"
        if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            yield f"container {name} adds capabilities"
