"""Volumes: mounted ones exist, existing ones are mounted, and what they are made of is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.check.world import Finding, Pod, World, items, mapping
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Iterator


def mount(world: World) -> Iterator[Finding]:
    """What a container mounts is a volume of its Pod, or a claim template of its StatefulSet."""
    for pod in world.pods:
        known = _volumes(pod) | _claims(pod)
        for steps, container in pod.containers:
            for field in ("volumeMounts", "volumeDevices"):
                for index, one in items(container.get(field)):
                    if one.get("name") not in known:
                        message = (
                            f"container {container.get('name')} mounts the volume {one.get('name')}, which is not there"
                        )
                        hint = f"volumes are {', '.join(sorted(known))}" if known else "the Pod has no volumes"
                        yield Finding(pod.resource, (*steps, field, index, "name"), message, hint)


def unused(world: World) -> Iterator[Finding]:
    """A volume of a Pod is mounted by one of its containers."""
    for pod in world.pods:
        mounted = {
            one.get("name")
            for _, container in pod.containers
            for field in ("volumeMounts", "volumeDevices")
            for _, one in items(container.get(field))
        }
        for index, volume in items(pod.spec.get("volumes")):
            if volume.get("name") not in mounted:
                steps = (*pod.at, "spec", "volumes", index, "name")
                yield Finding(pod.resource, steps, f"the volume {volume.get('name')} is mounted by no container")


def claim(world: World) -> Iterator[Finding]:
    """A claim that a Pod names is made."""
    for pod in world.pods:
        for index, volume in items(pod.spec.get("volumes")):
            name = mapping(volume.get("persistentVolumeClaim")).get("claimName")
            if name and (hint := world.missing("", "PersistentVolumeClaim", pod.namespace, str(name))):
                steps = (*pod.at, "spec", "volumes", index, "persistentVolumeClaim", "claimName")
                yield Finding(pod.resource, steps, f"the claim {name} does not exist", hint)


def storage_class(world: World) -> Iterator[Finding]:
    """A class that a claim names is made; there is one default at most."""
    for resource in world.by_kind[GroupKind("", "PersistentVolumeClaim")]:
        name = mapping(resource.body.get("spec")).get("storageClassName")
        if name and (hint := world.missing("storage.k8s.io", "StorageClass", "", str(name))):
            yield Finding(resource, ("spec", "storageClassName"), f"the StorageClass {name} does not exist", hint)
    for resource in world.by_kind[GroupKind("apps", "StatefulSet")]:
        for index, template in items(mapping(resource.body.get("spec")).get("volumeClaimTemplates")):
            name = mapping(template.get("spec")).get("storageClassName")
            if name and (hint := world.missing("storage.k8s.io", "StorageClass", "", str(name))):
                steps = ("spec", "volumeClaimTemplates", index, "spec", "storageClassName")
                yield Finding(resource, steps, f"the StorageClass {name} does not exist", hint)
    classes = world.by_kind[GroupKind("storage.k8s.io", "StorageClass")]
    default = [
        item for item in classes if item.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    ]
    for other in default[1:]:
        yield Finding(
            other, ("metadata", "annotations"), f"is a second default StorageClass beside {default[0].id.name}"
        )


def _volumes(pod: Pod) -> set[str]:
    return {str(volume.get("name")) for _, volume in items(pod.spec.get("volumes"))}


def _claims(pod: Pod) -> set[str]:
    templates = mapping(pod.resource.body.get("spec")).get("volumeClaimTemplates")
    return {str(mapping(item.get("metadata")).get("name")) for _, item in items(templates)}
