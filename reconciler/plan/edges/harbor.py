"""What is declared of a Harbor: the server first, then registries, projects, policies and robot accounts.

The server waits for the workloads behind its Service; where it is named by a URL only, the component's `dependsOn` says
what has to be there before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.harbor import GROUP, KINDS, POLICY, PROJECT, REGISTRY, ROBOT, SERVER
from reconciler.model.identity import GroupKind, ObjectId
from reconciler.plan.edges.objects import at, items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects, Steps


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edges of a HarborServer, or of what it holds."""
    if identity.group != GROUP:
        return
    yield from _secrets(identity, body, objects)
    if identity.kind == SERVER.kind:
        yield from _service(identity, body, objects)
    elif identity.kind in KINDS:
        for server in _all(identity, SERVER.kind, objects):
            yield objects.edge(identity, server, "it is where it is written to")
        yield from _named(identity, body, objects)


def _named(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    registry: Steps = ("spec", "registry") if identity.kind == POLICY else ("spec", "proxyCache", "registry")
    if identity.kind in (POLICY, PROJECT):
        needed = ObjectId(GROUP, REGISTRY, identity.namespace, str(at(body, registry)))
        yield objects.edge(identity, needed, "it names the registry", at=registry)
    if identity.kind == POLICY:
        for project in _all(identity, PROJECT, objects):
            yield objects.edge(identity, project, "it copies what projects hold")
    if identity.kind == ROBOT:
        for index, permission in items(at(body, ("spec", "permissions"))):
            project = ObjectId(GROUP, PROJECT, identity.namespace, str(permission.get("namespace")))
            yield objects.edge(
                identity, project, "it may use the project", at=("spec", "permissions", index, "namespace")
            )


def _secrets(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    for name in ("credentials", "certificateAuthority"):
        steps: Steps = ("spec", name, "secret")
        needed = ObjectId("", "Secret", identity.namespace, str(at(body, steps)))
        yield objects.edge(identity, needed, "it is used to connect", at=steps)


def _service(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    reference = mapping(at(body, ("spec", "service")))
    namespace = str(reference.get("namespace") or identity.namespace)
    service = ObjectId("", "Service", namespace, str(reference.get("name")))
    if service not in objects:
        return
    yield objects.edge(identity, service, "it leads to Harbor", at=("spec", "service"))
    selector = mapping(at(objects.bodies[service], ("spec", "selector")))
    for workload, metadata in objects.workloads.get(namespace, ()):
        labels = mapping(metadata.get("labels"))
        if selector and all(labels.get(key) == value for key, value in selector.items()):
            why = f"it answers for Service/{service.name}"
            yield objects.edge(identity, workload, why, at=("spec", "service"), awaited=True)


def _all(identity: ObjectId, kind: str, objects: Objects) -> Iterator[ObjectId]:
    wanted = (GroupKind(GROUP, kind), identity.namespace)
    yield from (other for other in objects.bodies if (other.group_kind, other.namespace) == wanted)
