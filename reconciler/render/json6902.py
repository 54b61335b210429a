"""JSON patches (RFC 6902) with the origin of each value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Problem, RenderError
from reconciler.limits import DEPTH, NODES
from reconciler.model.tree import Map, Seq, copy, extent

if TYPE_CHECKING:
    from reconciler.model.origin import Origin


_INDEX: Final = re.compile(r"-?[0-9]+")


class PatchFailed(Exception):
    """An operation that cannot be carried out; its text says why."""


def apply(body: Map, operations: Seq, target: str) -> None:
    """Carry out operations on an object in place; raises RenderError with the place of the one that fails."""
    for index, operation in enumerate(operations):
        origin = operations.origins[index]
        try:
            _carry_out(body, operation, origin)
            if index == len(operations) - 1:
                _bounded(body)
        except PatchFailed as error:
            file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
            raise RenderError([Problem(file, line, f"the patch does not fit {target}: {error}")]) from error


def _bounded(body: Map) -> None:
    """Refuse an object that operations have made too large: each copy may double it."""
    nodes, depth = extent(body, NODES)
    if nodes > NODES or depth > DEPTH:
        raise PatchFailed(f"the object has more than {NODES} nodes, or is nested more than {DEPTH} levels deep")


def _carry_out(body: Map, operation: Any, origin: Origin | None) -> None:
    if not isinstance(operation, Map) or not isinstance(operation.get("path"), str):
        raise PatchFailed("expected op, path and value")
    steps = pointer(operation["path"])
    kind = operation.get("op")
    place = operation.origins.get("value", origin)
    if kind in ("add", "replace", "test") and "value" not in operation:
        raise PatchFailed(f"{kind} {operation['path']} has no value")
    if kind == "add":
        _add(body, steps, copy(operation["value"]), place)
    elif kind == "replace":
        _replace(body, steps, copy(operation["value"]), place)
    elif kind == "remove":
        _remove(body, steps)
    elif kind in ("move", "copy"):
        source = pointer(str(operation.get("from", "")))
        value = copy(_there(body, source))
        if kind == "move":
            _remove(body, source)
        _add(body, steps, value, operation.origins.get("from", origin))
    elif kind == "test":
        if _there(body, steps) != operation["value"]:
            raise PatchFailed(f"the test of {operation['path']} fails")
    else:
        raise PatchFailed(f"op is {kind!r}: expected add, remove, replace, move, copy or test")


def pointer(text: str) -> list[str]:
    """Return the steps of a JSON pointer (RFC 6901)."""
    if text and not text.startswith("/"):
        raise PatchFailed(f"path {text!r} has to begin with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(node: Any, steps: list[str]) -> Any:
    for step in steps:
        node = _child(node, step)
    return node


def _child(node: Any, step: str) -> Any:
    if isinstance(node, Map) and step in node:
        return node[step]
    if isinstance(node, Seq):
        return node[_index(node, step, len(node) - 1)]
    raise PatchFailed(f"there is no {step}")


def _there(body: Map, steps: list[str]) -> Any:
    """Return what stands at a path; a key that is missing at its end is null, as in the library that Kustomize uses."""
    _bounded(body)  # what is there is copied or compared as a whole
    parent = _get(body, steps[:-1])
    if steps and isinstance(parent, Map) and steps[-1] not in parent:
        return None
    return _get(body, steps)


def _index(node: Seq, step: str, last: int) -> int:
    """Return the index that a step means; negative ones count from the end (evanphx/json-patch 4)."""
    if not _INDEX.fullmatch(step):
        raise PatchFailed(f"{step!r} is no index of a list")
    index = int(step)
    if index < 0:
        index += last + 1
    if not 0 <= index <= last:
        raise PatchFailed(f"there is no element {step} in a list of {len(node)}")
    return index


def _add(body: Map, steps: list[str], value: Any, origin: Origin | None) -> None:
    if not steps:
        raise PatchFailed("add needs a path; the whole object can be replaced")
    if steps[:-1] == ["metadata", "annotations"] and isinstance(body.get("metadata"), Map):
        metadata = body["metadata"]
        if not isinstance(metadata.get("annotations"), Map):
            metadata.put("annotations", Map(), origin)
    parent = _get(body, steps[:-1])
    if isinstance(parent, Map):
        parent.put(steps[-1], value, origin)
    elif isinstance(parent, Seq):
        index = len(parent) if steps[-1] == "-" else _index(parent, steps[-1], len(parent))
        parent.origins.extend([None] * (len(parent) - len(parent.origins)))
        parent.insert(index, value)
        parent.origins.insert(index, origin)
    else:
        raise PatchFailed(f"{steps[-2]} is neither a mapping nor a list")


def _replace(body: Map, steps: list[str], value: Any, origin: Origin | None) -> None:
    if not steps:
        if not isinstance(value, Map):
            raise PatchFailed("an object can only be replaced by an object")
        body.clear()
        body.origins.clear()
        for key, item in value.items():
            body.put(key, item, value.origins.get(key, origin))
        return
    parent = _get(body, steps[:-1])
    if isinstance(parent, Map):
        parent.put(steps[-1], value, origin)
    elif isinstance(parent, Seq):
        parent.put(_index(parent, steps[-1], len(parent) - 1), value, origin)
    else:
        raise PatchFailed(f"{steps[-2]} is neither a mapping nor a list")


def _remove(body: Map, steps: list[str]) -> None:
    if not steps:
        raise PatchFailed("the whole object cannot be removed: use $patch: delete")
    _get(body, steps)
    parent = _get(body, steps[:-1])
    if isinstance(parent, Map):
        parent.drop(steps[-1])
    else:
        index = _index(parent, steps[-1], len(parent) - 1)
        del parent[index]
        if index < len(parent.origins):
            del parent.origins[index]
