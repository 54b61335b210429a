"""Everything that an environment renders, indexed for the rules, and what a plain cluster has by itself."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.identity import GroupKind, ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.resource import Resource

Steps = tuple[str | int, ...]

NAMESPACES: Final = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
GIVEN: Final = frozenset(
    {
        ("ServiceAccount", "default"),
        ("ConfigMap", "kube-root-ca.crt"),
        ("PriorityClass", "system-node-critical"),
        ("PriorityClass", "system-cluster-critical"),
        ("ClusterRole", "admin"),
        ("ClusterRole", "cluster-admin"),
        ("ClusterRole", "edit"),
        ("ClusterRole", "view"),
        ("Role", "extension-apiserver-authentication-reader"),
    }
)
"""Objects that every cluster has, by kind and name; those of the control plane begin with `system:`."""

POD_SPECS: Final[Mapping[GroupKind, Steps]] = {
    GroupKind("", "Pod"): (),
    GroupKind("apps", "Deployment"): ("spec", "template"),
    GroupKind("apps", "ReplicaSet"): ("spec", "template"),
    GroupKind("apps", "DaemonSet"): ("spec", "template"),
    GroupKind("apps", "StatefulSet"): ("spec", "template"),
    GroupKind("", "ReplicationController"): ("spec", "template"),
    GroupKind("batch", "Job"): ("spec", "template"),
    GroupKind("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which object, where in it, what, and what may help."""

    resource: Resource
    steps: Steps
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod, or the template of one. `at` leads to what has its metadata and spec."""

    resource: Resource
    at: Steps
    body: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.resource.id.namespace

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return mapping(mapping(self.body.get("metadata")).get("labels"))

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec."""
        return mapping(self.body.get("spec"))

    @property
    def containers(self) -> Iterator[tuple[Steps, Mapping[str, Any]]]:
        """Its containers of every sort, each with the way to it from the object."""
        for field in ("initContainers", "containers", "ephemeralContainers"):
            for index, container in items(self.spec.get(field)):
                yield (*self.at, "spec", field, index), container


class World:
    """What the rules look things up in."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Index all objects of an environment."""
        self.resources = tuple(resources)
        self.by_kind: dict[GroupKind, list[Resource]] = defaultdict(list)
        self._by_id: dict[ObjectId, Resource] = {}
        for resource in self.resources:
            self.by_kind[resource.id.group_kind].append(resource)
            self._by_id.setdefault(resource.id, resource)
        self.pods = tuple(_pods(self.resources))
        self.pods_in: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            self.pods_in[pod.namespace].append(pod)

    def get(self, group: str, kind: str, namespace: str, name: str) -> Resource | None:
        """Return an object; None where nothing makes it."""
        return self._by_id.get(ObjectId(group, kind, namespace, name))

    def missing(self, group: str, kind: str, namespace: str, name: str) -> str | None:
        """Return None where an object is there, else a hint at the nearest one of its kind and namespace."""
        given = (kind, name) in GIVEN or (kind in ("ClusterRole", "Role") and name.startswith("system:"))
        if given or self.get(group, kind, namespace, name) is not None:
            return None
        around = self.by_kind[GroupKind(group, kind)]
        names = [item.id.name for item in around if item.id.namespace == namespace]
        near = difflib.get_close_matches(name, names, 1, 0.5)
        if near:
            return f"did you mean {near[0]}?"
        elsewhere = sorted({item.id.namespace for item in around if item.id.name == name})
        return f"there is one in namespace {', '.join(elsewhere)}" if elsewhere and namespace else "nothing makes it"


@cache
def builtin() -> Mapping[str, Any]:
    """Return the kinds that a plain API server serves: `group/Kind` to scope and versions."""
    found: Mapping[str, Any] = json.loads(Path(__file__).with_name("kinds.json").read_text())
    return found


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a mapping, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the mappings of a list with their index."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a `metav1.LabelSelector` fits labels; an empty one fits all."""
    if any(labels.get(key) != value for key, value in mapping(selector.get("matchLabels")).items()):
        return False
    for _, term in items(selector.get("matchExpressions")):
        key, values = str(term.get("key")), term.get("values") or []
        fits = {
            "In": labels.get(key) in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not fits.get(str(term.get("operator")), False):
            return False
    return True


def _pods(resources: Iterable[Resource]) -> Iterator[Pod]:
    for resource in resources:
        at = POD_SPECS.get(resource.id.group_kind)
        if at is not None:
            body: Any = resource.body
            for step in at:
                body = mapping(body).get(str(step))
            if isinstance(body, dict):
                yield Pod(resource, at, body)
