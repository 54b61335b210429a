"""JSON patches (RFC 6902) with the origin of each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import Problem, RenderError
from reconciler.model.tree import Map, Seq, copy

if TYPE_CHECKING:
    from reconciler.model.origin import Origin


class PatchFailed(Exception):
    """An operation that cannot be carried out; its text says why."""


def apply(body: Map, operations: Seq, target: str) -> None:
    """Carry out operations on an object in place; raises RenderError with the place of the one that fails."""
    for index, operation in enumerate(operations):
        origin = operations.origins[index]
        try:
            _carry_out(body, operation, origin)
        except PatchFailed as error:
            file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
            raise RenderError([Problem(file, line, f"the patch does not fit {target}: {error}")]) from error


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
        value = copy(_get(body, source))
        if kind == "move":
            _remove(body, source)
        _add(body, steps, value, operation.origins.get("from", origin))
    elif kind == "test":
        if _get(body, steps) != operation["value"]:
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


def _index(node: Seq, step: str, last: int) -> int:
    if step == "-":
        return len(node)
    if not step.isdigit() or int(step) > last:
        raise PatchFailed(f"there is no element {step} in a list of {len(node)}")
    return int(step)


def _add(body: Map, steps: list[str], value: Any, origin: Origin | None) -> None:
    if not steps:
        raise PatchFailed("the whole object cannot be replaced")
    if steps[:-1] in (["metadata", "annotations"], ["metadata", "labels"]) and steps[1] not in body.get("metadata", {}):
        body["metadata"].put(steps[1], Map(), origin)
    parent = _get(body, steps[:-1])
    if isinstance(parent, Map):
        parent.put(steps[-1], value, origin)
    elif isinstance(parent, Seq):
        index = _index(parent, steps[-1], len(parent))
        parent.origins.extend([None] * (len(parent) - len(parent.origins)))
        parent.insert(index, value)
        parent.origins.insert(index, origin)
    else:
        raise PatchFailed(f"{steps[-2]} is neither a mapping nor a list")


def _replace(body: Map, steps: list[str], value: Any, origin: Origin | None) -> None:
    _get(body, steps)
    parent = _get(body, steps[:-1])
    if isinstance(parent, Map):
        parent.put(steps[-1], value, origin)
    else:
        parent.put(int(steps[-1]), value, origin)


def _remove(body: Map, steps: list[str]) -> None:
    _get(body, steps)
    parent = _get(body, steps[:-1])
    if isinstance(parent, Map):
        parent.drop(steps[-1])
    else:
        del parent[int(steps[-1])]
        del parent.origins[int(steps[-1])]
