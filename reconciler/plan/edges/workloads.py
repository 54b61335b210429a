"""What a Pod cannot start without, and what a claim is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.identity import ObjectId
from reconciler.plan.edges.objects import at, items, mapping, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects, Steps

Reference = tuple[str, str, "Steps"]  # kind, name, where it is asked for

_VOLUMES: Final[tuple[tuple[str, str, str], ...]] = (
    ("configMap", "ConfigMap", "name"),
    ("secret", "Secret", "secretName"),
    ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
)
_SOURCES: Final = (("configMap", "ConfigMap"), ("secret", "Secret"))
_CONTAINERS: Final = ("initContainers", "containers")


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edges of a workload, or of a claim."""
    steps = template(identity)
    if steps is not None:
        spec = mapping(at(body, steps))
        for kind, name, where in _references(spec):
            needed = ObjectId("", kind, identity.namespace, name)
            yield objects.edge(identity, needed, "its Pods use it", at=(*steps, *where))
        priority = ObjectId("scheduling.k8s.io", "PriorityClass", "", str(spec.get("priorityClassName") or ""))
        yield objects.edge(identity, priority, "its Pods have this priority", at=(*steps, "priorityClassName"))
        runtime = ObjectId("node.k8s.io", "RuntimeClass", "", str(spec.get("runtimeClassName") or ""))
        yield objects.edge(identity, runtime, "its Pods run under it", at=(*steps, "runtimeClassName"))
        for index, claim in items(at(body, ("spec", "volumeClaimTemplates"))):
            yield _storage(identity, claim, ("spec", "volumeClaimTemplates", index), objects)
        for index, volume in items(spec.get("volumes")):
            place: Steps = ("ephemeral", "volumeClaimTemplate")
            yield _storage(identity, mapping(at(volume, place)), (*steps, "volumes", index, *place), objects)
    elif identity.group_kind == ("", "PersistentVolumeClaim"):
        yield _storage(identity, body, (), objects)
        yield from _origin(identity, mapping(body.get("spec")), objects)


def _storage(identity: ObjectId, claim: Body, steps: Steps, objects: Objects) -> Edge | None:
    name = str(mapping(claim.get("spec")).get("storageClassName") or "")
    needed = ObjectId("storage.k8s.io", "StorageClass", "", name)
    return objects.edge(identity, needed, "its volume is made by it", at=(*steps, "spec", "storageClassName"))


def _origin(identity: ObjectId, spec: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edges of a claim to the volume that it names, and to the claim or snapshot that it is filled from."""
    volume = ObjectId("", "PersistentVolume", "", str(spec.get("volumeName") or ""))
    yield objects.edge(identity, volume, "it names this volume", at=("spec", "volumeName"))
    for key in ("dataSource", "dataSourceRef"):
        source = mapping(spec.get(key))
        namespace = str(source.get("namespace") or identity.namespace)
        needed = ObjectId(
            str(source.get("apiGroup") or ""), str(source.get("kind")), namespace, str(source.get("name"))
        )
        yield objects.edge(identity, needed, "its volume is filled from it", at=("spec", key, "name"), awaited=True)


def _references(spec: Body) -> Iterator[Reference]:
    account = spec.get("serviceAccountName")
    if isinstance(account, str):
        yield "ServiceAccount", account, ("serviceAccountName",)
    for index, secret in items(spec.get("imagePullSecrets")):
        yield "Secret", str(secret.get("name")), ("imagePullSecrets", index, "name")
    for index, volume in items(spec.get("volumes")):
        yield from _volume(volume, ("volumes", index))
    for group in _CONTAINERS:
        for index, container in items(spec.get(group)):
            yield from _environment(container, (group, index))


def _volume(volume: Body, steps: Steps) -> Iterator[Reference]:
    for key, kind, name in _VOLUMES:
        source = mapping(volume.get(key))
        if isinstance(source.get(name), str) and not source.get("optional"):
            yield kind, source[name], (*steps, key, name)
    for index, source in items(mapping(volume.get("projected")).get("sources")):
        for key, kind in _SOURCES:
            part = mapping(source.get(key))
            if isinstance(part.get("name"), str) and not part.get("optional"):
                yield kind, part["name"], (*steps, "projected", "sources", index, key, "name")


def _environment(container: Body, steps: Steps) -> Iterator[Reference]:
    for index, source in items(container.get("envFrom")):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            part = mapping(source.get(key))
            if isinstance(part.get("name"), str) and not part.get("optional"):
                yield kind, part["name"], (*steps, "envFrom", index, key, "name")
    for index, variable in items(container.get("env")):
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            part = mapping(mapping(variable.get("valueFrom")).get(key))
            if isinstance(part.get("name"), str) and not part.get("optional"):
                yield kind, part["name"], (*steps, "env", index, "valueFrom", key, "name")
