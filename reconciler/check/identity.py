"""Kinds, namespaces, and that each object is there once."""

from __future__ import annotations

import difflib
from collections import defaultdict
from typing import TYPE_CHECKING

from reconciler.check.world import NAMESPACES, Finding, World, builtin, items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.identity import ObjectId
    from reconciler.model.resource import Resource


def twice(world: World) -> Iterator[Finding]:
    """One object must not be rendered twice, by one component or by two."""
    seen: dict[ObjectId, list[Resource]] = defaultdict(list)
    for resource in world.resources:
        seen[resource.id].append(resource)
    for found in seen.values():
        for other in found[1:]:
            first = f"first in {found[0].origin}" if found[0].origin else ""
            yield Finding(other, (), "is rendered twice", first)


def unknown_kind(world: World) -> Iterator[Finding]:
    """A kind has to be built in or defined by a CustomResourceDefinition that is rendered too."""
    known = _scopes(world)
    for resource in world.resources:
        kind = str(resource.id.group_kind)
        if kind not in known:
            near = difflib.get_close_matches(kind, known, 1)
            hint = f"did you mean {near[0]}?" if near else "render its CustomResourceDefinition in this environment"
            yield Finding(resource, ("kind",), f"the kind {kind} is not known", hint)
        elif resource.version not in known[kind][1]:
            versions = ", ".join(known[kind][1])
            yield Finding(resource, ("apiVersion",), f"{kind} has no version {resource.version}", f"it has {versions}")


def scope(world: World) -> Iterator[Finding]:
    """A namespaced object needs a namespace, another must have none."""
    known = _scopes(world)
    for resource in world.resources:
        namespaced, _ = known.get(str(resource.id.group_kind), (bool(resource.id.namespace), ()))
        if namespaced and not resource.id.namespace:
            yield Finding(resource, ("metadata",), "has no namespace", "set namespace in its kustomization")
        elif not namespaced and resource.id.namespace:
            yield Finding(resource, ("metadata", "namespace"), "is of a kind that is in no namespace, and names one")


def namespace(world: World) -> Iterator[Finding]:
    """The namespace of an object has to be made by this environment, or be one that every cluster has."""
    for resource in world.resources:
        name = resource.id.namespace
        if name and name not in NAMESPACES and (hint := world.missing("", "Namespace", "", name)):
            yield Finding(resource, ("metadata", "namespace"), f"its namespace {name} does not exist", hint)


def _scopes(world: World) -> Mapping[str, tuple[bool, tuple[str, ...]]]:
    known = {kind: (bool(entry["namespaced"]), tuple(entry["versions"])) for kind, entry in builtin().items()}
    for definition in world.resources:
        if definition.id.kind == "CustomResourceDefinition":
            spec = mapping(definition.body.get("spec"))
            versions = tuple(str(item.get("name")) for _, item in items(spec.get("versions")) if item.get("served"))
            kind = f"{spec.get('group')}/{mapping(spec.get('names')).get('kind')}"
            known[kind] = (spec.get("scope") == "Namespaced", versions)
    return known
