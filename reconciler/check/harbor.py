"""What is declared of a Harbor: one HarborServer in the namespace, and registries and projects that are declared beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.check.world import Finding, World, items, mapping
from reconciler.model.harbor import GROUP, KINDS, POLICY, PROJECT, REGISTRY, ROBOT, SERVER
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.check.world import Steps
    from reconciler.model.resource import Resource


def server(world: World) -> Iterator[Finding]:
    """A namespace with objects of a Harbor has one HarborServer, which says where that Harbor is."""
    found = world.by_kind[GroupKind(GROUP, SERVER.kind)]
    spaces = [item.id.namespace for item in found]
    for item in found:
        if spaces.count(item.id.namespace) > 1:
            yield Finding(
                item, ("metadata", "name"), "its namespace has more than one HarborServer", "keep one of them"
            )
    for kind in sorted(KINDS):
        for item in world.by_kind[GroupKind(GROUP, kind)]:
            if item.id.namespace not in spaces:
                message = f"namespace {item.id.namespace} has no HarborServer"
                yield Finding(item, ("metadata",), message, "add one: it says which Harbor is meant")


def reference(world: World) -> Iterator[Finding]:
    """The registry of a policy or of a cache is declared, and so are the projects that a robot account may use."""
    for policy in world.by_kind[GroupKind(GROUP, POLICY)]:
        yield from _named(
            world, policy, REGISTRY, ("spec", "registry"), mapping(policy.body.get("spec")).get("registry")
        )
    for project in world.by_kind[GroupKind(GROUP, PROJECT)]:
        cache = mapping(mapping(project.body.get("spec")).get("proxyCache"))
        yield from _named(world, project, REGISTRY, ("spec", "proxyCache", "registry"), cache.get("registry"))
    for robot in world.by_kind[GroupKind(GROUP, ROBOT)]:
        spec = mapping(robot.body.get("spec"))
        yield from _named(world, robot, PROJECT, ("spec", "project"), spec.get("project"))
        for index, permission in items(spec.get("permissions")):
            if permission.get("kind") == "project" and permission.get("namespace") != "*":
                steps = ("spec", "permissions", index, "namespace")
                yield from _named(world, robot, PROJECT, steps, permission.get("namespace"))


def _named(world: World, resource: Resource, kind: str, steps: Steps, name: object) -> Iterator[Finding]:
    if name and (hint := world.missing(GROUP, kind, resource.id.namespace, str(name))):
        yield Finding(resource, steps, f"the {kind} {name} is not declared", hint)
