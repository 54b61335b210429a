"""Edges that people wrote: the annotation `reconciler.dev/depends-on: apps/Deployment/namespace/name, ...`.

The core group is left out (`ConfigMap/namespace/name`), and so is the namespace of cluster-scoped kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ConfigError, Problem
from reconciler.model import tree
from reconciler.model.identity import ObjectId
from reconciler.plan.edges.objects import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects

DEPENDS_ON = "reconciler.dev/depends-on"


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the marked edges, all awaited; raises ConfigError where a mark names nothing of this environment."""
    steps = ("metadata", "annotations", DEPENDS_ON)
    text = at(body, steps)
    if not isinstance(text, str):
        return
    for part in filter(None, (part.strip() for part in text.split(","))):
        needed = next((item for item in _readings(part) if item in objects), None)
        if needed is None and not objects.complete:
            continue  # git has renamed or removed it since
        if needed is None:
            origin = tree.origin_at(body, steps)
            file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
            message = f"{identity}: {DEPENDS_ON} names {part}, which this environment does not have"
            raise ConfigError(
                [Problem(file, line, message, "expected group/Kind/namespace/name, e.g. apps/Deployment/web/web")]
            )
        yield objects.edge(identity, needed, f"marked with {DEPENDS_ON}", at=steps, awaited=True)


def _readings(text: str) -> Iterator[ObjectId]:
    match text.split("/"):
        case [group, kind, namespace, name]:
            yield ObjectId(group, kind, namespace, name)
        case [first, second, name]:
            yield ObjectId("", first, second, name)
            yield ObjectId(first, second, "", name)
        case [kind, name]:
            yield ObjectId("", kind, "", name)
