"""ConfigMaps and Secrets that Pods read: the objects and their keys."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.check.world import Finding, Pod, World, items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.check.world import Steps


@dataclass(frozen=True, slots=True)
class Use:
    """One reference: to an object of a kind, or with `key` to one of its entries."""

    kind: str
    name: Any
    key: Any
    steps: Steps


def config(world: World) -> Iterator[Finding]:
    """A ConfigMap or Secret that a Pod names is made and has the keys that it asks for, unless that is optional."""
    for pod in world.pods:
        for use in (*_in_containers(pod), *_in_volumes(pod), *_pull_secrets(pod), *_sub_paths(pod)):
            found = world.get("", use.kind, pod.namespace, str(use.name))
            hint = world.missing("", use.kind, pod.namespace, str(use.name))
            if found is None and hint is not None:
                yield Finding(pod.resource, use.steps, f"the {use.kind} {use.name} does not exist", hint)
            elif found is not None and use.key is not None:
                keys = _keys(found.body)
                if use.key not in keys:
                    near = difflib.get_close_matches(str(use.key), keys, 1)
                    told = f"did you mean {near[0]}?" if near else f"its keys are {', '.join(sorted(keys)) or 'none'}"
                    yield Finding(pod.resource, use.steps, f"the {use.kind} {use.name} has no key {use.key}", told)


def _keys(body: Mapping[str, Any]) -> set[str]:
    return {key for field in ("data", "binaryData", "stringData") for key in mapping(body.get(field))}


def _in_containers(pod: Pod) -> Iterator[Use]:
    for steps, container in pod.containers:
        for index, variable in items(container.get("env")):
            source = mapping(variable.get("valueFrom"))
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = mapping(source.get(field))
                if reference and not reference.get("optional"):
                    place = (*steps, "env", index, "valueFrom", field)
                    yield Use(kind, reference.get("name"), reference.get("key"), place)
        for index, entry in items(container.get("envFrom")):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                reference = mapping(entry.get(field))
                if reference and not reference.get("optional"):
                    yield Use(kind, reference.get("name"), None, (*steps, "envFrom", index, field))


def _sources(volume: Mapping[str, Any], steps: Steps) -> Iterator[tuple[str, Any, Mapping[str, Any], Steps]]:
    """Yield kind, name, source and place of each ConfigMap and Secret that a volume is made of."""
    if mapping(volume.get("configMap")):
        yield "ConfigMap", volume["configMap"].get("name"), volume["configMap"], (*steps, "configMap")
    if mapping(volume.get("secret")):
        yield "Secret", volume["secret"].get("secretName"), volume["secret"], (*steps, "secret")
    for index, part in items(mapping(volume.get("projected")).get("sources")):
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if mapping(part.get(field)):
                yield kind, part[field].get("name"), part[field], (*steps, "projected", "sources", index, field)


def _in_volumes(pod: Pod) -> Iterator[Use]:
    for index, volume in items(pod.spec.get("volumes")):
        for kind, name, source, steps in _sources(volume, (*pod.at, "spec", "volumes", index)):
            if source.get("optional"):
                continue
            yield Use(kind, name, None, steps)
            for position, entry in items(source.get("items")):
                yield Use(kind, name, entry.get("key"), (*steps, "items", position, "key"))


def _sub_paths(pod: Pod) -> Iterator[Use]:
    """Yield the keys that containers mount one by one: a subPath of a volume made of one object without items."""
    whole: dict[str, tuple[str, Any]] = {}
    for _, volume in items(pod.spec.get("volumes")):
        for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            source = mapping(volume.get(field))
            if source and not source.get("optional") and not source.get("items"):
                whole[str(volume.get("name"))] = (kind, source.get(key))
    for steps, container in pod.containers:
        for index, mount in items(container.get("volumeMounts")):
            if mount.get("subPath") and mount.get("name") in whole:
                kind, name = whole[str(mount["name"])]
                yield Use(kind, name, mount["subPath"], (*steps, "volumeMounts", index, "subPath"))


def _pull_secrets(pod: Pod) -> Iterator[Use]:
    for index, entry in items(pod.spec.get("imagePullSecrets")):
        yield Use("Secret", entry.get("name"), None, (*pod.at, "spec", "imagePullSecrets", index, "name"))
