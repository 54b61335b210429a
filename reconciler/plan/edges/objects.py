"""The objects among which edges are looked for, with the indexes that the families share."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from reconciler.model import tree
from reconciler.model.graph import Edge
from reconciler.model.identity import GroupKind, ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping

Body = dict[str, Any]
Steps = tuple[str | int, ...]

_TEMPLATES: Final[Mapping[GroupKind, Steps]] = {
    GroupKind("", "Pod"): ("spec",),
    GroupKind("", "ReplicationController"): ("spec", "template", "spec"),
    GroupKind("apps", "DaemonSet"): ("spec", "template", "spec"),
    GroupKind("apps", "Deployment"): ("spec", "template", "spec"),
    GroupKind("apps", "ReplicaSet"): ("spec", "template", "spec"),
    GroupKind("apps", "StatefulSet"): ("spec", "template", "spec"),
    GroupKind("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    GroupKind("batch", "Job"): ("spec", "template", "spec"),
}
"""Where each kind of workload keeps its Pod specification."""


class Objects:
    """A set of objects by identity; where it is `complete`, a mark that names none of them is an error."""

    def __init__(self, bodies: Mapping[ObjectId, Body], *, complete: bool = True) -> None:
        """Keep the objects; indexes are made when they are asked for."""
        self.bodies, self.complete = bodies, complete

    def __contains__(self, identity: ObjectId) -> bool:
        return identity in self.bodies

    @cached_property
    def definitions(self) -> dict[GroupKind, ObjectId]:
        """The CustomResourceDefinitions by the kind that they define."""
        found = {}
        for identity, body in self.bodies.items():
            if identity.group_kind == ("apiextensions.k8s.io", "CustomResourceDefinition"):
                spec = mapping(body.get("spec"))
                found[GroupKind(spec.get("group", ""), mapping(spec.get("names")).get("kind", ""))] = identity
        return found

    @cached_property
    def workloads(self) -> dict[str, list[tuple[ObjectId, Body]]]:
        """The workloads of each namespace, with the labels of their Pods."""
        found: dict[str, list[tuple[ObjectId, Body]]] = defaultdict(list)
        for identity, body in self.bodies.items():
            steps = template(identity)
            if steps is not None:
                found[identity.namespace].append((identity, mapping(mapping(at(body, steps[:-1])).get("metadata"))))
        return found

    def edge(
        self, dependent: ObjectId, needs: ObjectId, why: str, *, at: Steps = (), awaited: bool = False
    ) -> Edge | None:
        """Return an edge if the needed object is among these; `at` is the place in the dependent that asks for it."""
        if needs not in self.bodies or needs == dependent:
            return None
        origin = tree.origin_at(self.bodies[dependent], at) if at else None
        return Edge(dependent, needs, why, awaited, str(origin) if origin is not None else "")


def template(identity: ObjectId) -> Steps | None:
    """Return the steps to the Pod specification of a workload; None for other kinds."""
    return _TEMPLATES.get(identity.group_kind)


def at(body: Any, steps: Steps) -> Any:
    """Return what steps lead to; None where they lead nowhere."""
    for step in steps:
        if isinstance(step, str):
            body = body.get(step) if isinstance(body, dict) else None
        else:
            body = body[step] if isinstance(body, list) and step < len(body) else None
    return body


def mapping(value: Any) -> Body:
    """Return a value if it is a map, else an empty one: what is malformed is not for the graph to tell."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[tuple[int, Body]]:
    """Return the maps in a list with their positions."""
    return (
        [(index, item) for index, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []
    )
