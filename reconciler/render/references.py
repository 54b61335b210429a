"""Names that refer to other objects: when an object's name changed, whoever refers to it follows.

Which fields refer to which kinds is Kustomize's own table, written down as data.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.origin import Origin
from reconciler.model.tree import Map, Seq
from reconciler.render.fieldspec import FieldSpec, holders
from reconciler.render.kinds import CLUSTER_SCOPED, POD_SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.render.configuration import NameReference
    from reconciler.render.item import Item

_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


def _pods(*paths: str) -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(f"{spec}/{path}", kind) for kind, spec in POD_SPECS.items() for path in paths)


def _each_container(path: str) -> tuple[str, ...]:
    return tuple(f"{name}/{path}" for name in _CONTAINERS)


_RULES: Final = (FieldSpec("rules/resourceNames", "Role"), FieldSpec("rules/resourceNames", "ClusterRole"))
_WORKLOADS: Final = tuple(
    FieldSpec("spec/scaleTargetRef/name", kind) for kind in ("HorizontalPodAutoscaler", "VerticalPodAutoscaler")
)
_WEBHOOKS: Final = tuple(
    FieldSpec("webhooks/clientConfig/service", kind)
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
)

REFERENCES: Final[Mapping[str, tuple[FieldSpec, ...]]] = {
    "ConfigMap": (
        *_pods(
            "volumes/configMap/name",
            "volumes/projected/sources/configMap/name",
            *_each_container("env/valueFrom/configMapKeyRef/name"),
            *_each_container("envFrom/configMapRef/name"),
        ),
        FieldSpec("spec/configSource/configMap", "Node"),
        *_RULES,
    ),
    "Secret": (
        *_pods(
            "volumes/secret/secretName",
            "volumes/projected/sources/secret/name",
            "volumes/csi/nodePublishSecretRef/name",
            "imagePullSecrets/name",
            *_each_container("env/valueFrom/secretKeyRef/name"),
            *_each_container("envFrom/secretRef/name"),
        ),
        FieldSpec("imagePullSecrets/name", "ServiceAccount"),
        FieldSpec("secrets/name", "ServiceAccount"),
        FieldSpec("spec/tls/secretName", "Ingress"),
        FieldSpec("parameters/secretName", "StorageClass"),
        *(
            FieldSpec(f"spec/{volume}/{field}/name", "PersistentVolume")
            for volume, field in (
                ("rbd", "secretRef"),
                ("cephfs", "secretRef"),
                ("iscsi", "secretRef"),
                ("csi", "controllerPublishSecretRef"),
                ("csi", "nodeStageSecretRef"),
                ("csi", "nodePublishSecretRef"),
            )
        ),
        *_RULES,
    ),
    "Service": (
        FieldSpec("spec/serviceName", "StatefulSet"),
        FieldSpec("spec/rules/http/paths/backend/service/name", "Ingress"),
        FieldSpec("spec/defaultBackend/service/name", "Ingress"),
        FieldSpec("spec/rules/http/paths/backend/serviceName", "Ingress"),
        FieldSpec("spec/backend/serviceName", "Ingress"),
        FieldSpec("spec/service", "APIService"),
        *_WEBHOOKS,
    ),
    "ServiceAccount": _pods("serviceAccountName"),
    "PersistentVolumeClaim": _pods("volumes/persistentVolumeClaim/claimName"),
    "PersistentVolume": (FieldSpec("spec/volumeName", "PersistentVolumeClaim"), *_RULES),
    "StorageClass": (
        FieldSpec("spec/storageClassName", "PersistentVolumeClaim"),
        FieldSpec("spec/storageClassName", "PersistentVolume"),
        FieldSpec("spec/volumeClaimTemplates/spec/storageClassName", "StatefulSet"),
    ),
    "PriorityClass": _pods("priorityClassName"),
    "IngressClass": (FieldSpec("spec/ingressClassName", "Ingress"),),
    "Deployment": _WORKLOADS,
    "ReplicaSet": _WORKLOADS,
    "ReplicationController": _WORKLOADS,
    "StatefulSet": _WORKLOADS,
    "ValidatingAdmissionPolicy": (FieldSpec("spec/policyName", "ValidatingAdmissionPolicyBinding"),),
}
BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")


@dataclass(frozen=True, slots=True)
class _Index:
    """Objects by kind and each name that they had; only kinds in which something was renamed."""

    by_name: dict[tuple[str, str], list[Item]]
    renamed: frozenset[str]


def follow(items: Iterable[Item], configured: Iterable[NameReference] = ()) -> None:
    """Let every reference follow the renames of what it refers to; `configured` are fields beside the usual ones."""
    items = list(items)
    index = _index(items)
    if not index.renamed:
        return
    by_kind = _fields(index, configured)
    for item in items:
        gvk = item.gvk
        for target, spec in (*by_kind.get(gvk.kind, ()), *by_kind.get("", ())):
            if spec.fits(gvk):
                for node, key in holders(item.body, spec, None):
                    _follow(index, item, target, node, key)
        if gvk.kind in BINDINGS:
            _binding(index, item)


def _fields(index: _Index, configured: Iterable[NameReference]) -> dict[str, list[tuple[str, FieldSpec]]]:
    """Return the fields that refer to something renamed, by the kind that has them: the kind meant, and the field."""
    by_kind: dict[str, list[tuple[str, FieldSpec]]] = defaultdict(list)
    tables = [*REFERENCES.items(), *((reference.kind, reference.specs) for reference in configured)]
    for target, specs in tables:
        if target in index.renamed:
            for spec in specs:
                by_kind[spec.kind].append((target, spec))
    return by_kind


def _index(items: list[Item]) -> _Index:
    by_name: dict[tuple[str, str], list[Item]] = defaultdict(list)
    renamed: set[str] = set()
    for item in items:
        kind = item.gvk.kind
        for name in dict.fromkeys(one.name for one in item.names):
            by_name[kind, name].append(item)
        if item.earlier:
            renamed.add(kind)
    return _Index(by_name, frozenset(renamed))


def _follow(index: _Index, item: Item, target: str, node: Map, key: str) -> None:
    value = node[key]
    if isinstance(value, str):
        found = _meant(index, item, target, value, item.name.namespace)
        if found is not None and found.name.name != value:
            node.put(key, found.name.name, _cause(found))
    elif isinstance(value, Map) and isinstance(value.get("name"), str):
        _whole(index, item, target, value)
    elif isinstance(value, Seq):
        for position, one in enumerate(value):
            found = _meant(index, item, target, one, item.name.namespace) if isinstance(one, str) else None
            if found is not None and found.name.name != one:
                value.put(position, found.name.name, _cause(found))


def _whole(index: _Index, item: Item, target: str, value: Map) -> None:
    """Follow a reference that names a namespace, too."""
    found = _meant(index, item, target, value["name"], str(value.get("namespace") or item.name.namespace))
    if found is None:
        return
    if found.name.name != value["name"]:
        value.put("name", found.name.name, _cause(found))
    if found.name.namespace and value.get("namespace") not in (None, found.name.namespace):
        value.put("namespace", found.name.namespace, _cause(found, "namespace"))


def _binding(index: _Index, item: Item) -> None:
    role = item.body.get("roleRef")
    if isinstance(role, Map) and isinstance(role.get("name"), str) and role.get("kind") in index.renamed:
        _follow(index, item, str(role["kind"]), role, "name")
    for subject in item.body.get("subjects") or ():
        if (
            isinstance(subject, Map)
            and subject.get("kind") == "ServiceAccount"
            and isinstance(subject.get("name"), str)
        ):
            _whole(index, item, "ServiceAccount", subject)


def _meant(index: _Index, item: Item, kind: str, name: str, namespace: str) -> Item | None:
    """Return the object that a name means: in the right namespace, and of those the nearest in the tree of builds."""
    found = index.by_name.get((kind, name), [])
    if kind not in CLUSTER_SCOPED and len(found) > 1:
        found = [one for one in found if namespace in {known.namespace for known in one.names}] or found
    if len(found) > 1:
        best = max(_shared(one, item) for one in found)
        found = [one for one in found if _shared(one, item) == best]
    if len({one.name for one in found}) != 1:
        return None
    return found[0]


def _shared(one: Item, other: Item) -> int:
    count = 0
    for left, right in zip(one.scope, other.scope, strict=False):
        if left != right:
            break
        count += 1
    return count


def _cause(found: Item, key: str = "name") -> Origin:
    at = found.metadata.origins.get(key, found.origin)
    return Origin(at.source, at.line, "nameReference")
