"""A rendered object with the origin of each leaf: beside its value in YAML, or as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from reconciler import yaml
from reconciler.model.path import format_path
from reconciler.model.tree import origin_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.origin import Origin
    from reconciler.model.resource import Resource

Steps = tuple[str | int, ...]


def leaves(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield every leaf of a value with the way to it; an empty container is a leaf."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*steps, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*steps, index))
    else:
        yield steps, value


def document(resource: Resource) -> dict[str, Any]:
    """Return an object and the origins of its leaves by path."""
    return {
        "object": resource.body,
        "origins": {format_path(steps): _origin(origin_at(resource.body, steps)) for steps, _ in leaves(resource.body)},
    }


def text(resource: Resource) -> str:
    """Return an object as YAML in block style, each leaf with a comment that says where it comes from."""
    rows = [(line, str(origin or "")) for line, origin in _lines(resource.body, resource.body, (), "")]
    width = min(max(len(line) for line, _ in rows), 80)
    return "".join(f"{line:<{width}}  # {place}\n" if place else f"{line}\n" for line, place in rows)


def _origin(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    return {"file": origin.source.file, "line": origin.line, "layer": origin.source.layer, "by": origin.by}


def _lines(root: Any, value: Any, steps: Steps, indent: str) -> Iterator[tuple[str, str]]:
    """Yield lines of YAML with their origins."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        here = (*steps, key)
        head = f"{indent}- " if isinstance(value, list) else f"{indent}{_scalar(key)}:"
        if isinstance(item, dict | list) and item:
            below = indent + "  " if isinstance(value, list) or isinstance(item, dict) else indent
            nested = list(_lines(root, item, here, below))
            if isinstance(value, list):
                first, place = nested[0]
                yield head + first[len(below) :], place
                yield from nested[1:]
            else:
                yield head, ""
                yield from nested
        else:
            found = origin_at(root, here)
            place = f"{found} ({found.by})" if found is not None else ""
            yield head + ("" if isinstance(value, list) else " ") + _scalar(item), place


def _scalar(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return orjson.dumps(value).decode()
    return yaml.dump_flow(value)
