"""What people wrote on objects: edges (`reconciler.dev/depends-on: apps/Deployment/namespace/name, ...`), and mistakes.

The core group is left out (`ConfigMap/namespace/name`), and so is the namespace of cluster-scoped kinds.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from reconciler.errors import ConfigError, Problem
from reconciler.model import tree
from reconciler.model.identity import ObjectId
from reconciler.model.marks import DEPENDS_ON, KNOWN, PREFIX
from reconciler.plan.edges.objects import at, mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects, Steps


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
            message = f"{identity}: {DEPENDS_ON} names {part}, which this environment does not have"
            hint = "expected group/Kind/namespace/name, e.g. apps/Deployment/web/web"
            raise ConfigError([_problem(body, steps, message, hint)])
        yield objects.edge(identity, needed, f"marked with {DEPENDS_ON}", at=steps, awaited=True)


def mistakes(identity: ObjectId, body: Body) -> Iterator[Problem]:
    """Yield what is wrong with an object's marks by themselves: names and values that nothing reads.

    Nobody would notice otherwise: an object that was to stay (`reconciler.dev/prune: disable`) would be deleted.
    """
    annotations = mapping(at(body, ("metadata", "annotations")))
    for name in (name for name in annotations if name.startswith(PREFIX)):
        steps, value = ("metadata", "annotations", name), annotations[name]
        values = KNOWN.get(name)
        if values is None:
            yield _problem(body, steps, f"{identity}: unknown annotation {name}", _meant(name, KNOWN))
        elif values and value not in values:
            yield _problem(body, steps, f"{identity}: {name} is {value!r}", _meant(str(value), values))


def _meant(given: str, known: Iterable[str]) -> str:
    """Return a hint at what is known, the nearest of it first."""
    known = tuple(known)
    near = difflib.get_close_matches(given.lower(), known, 1, 0.75)
    return (f"did you mean {near[0]}? " if near else "") + f"known: {', '.join(known)}"


def _problem(body: Body, steps: Steps, message: str, hint: str) -> Problem:
    origin = tree.origin_at(body, steps)
    file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
    return Problem(file, line, message, hint)


def _readings(text: str) -> Iterator[ObjectId]:
    match text.split("/"):
        case [group, kind, namespace, name]:
            yield ObjectId(group, kind, namespace, name)
        case [first, second, name]:
            yield ObjectId("", first, second, name)
            yield ObjectId(first, second, "", name)
        case [kind, name]:
            yield ObjectId("", kind, "", name)
