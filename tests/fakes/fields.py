"""Field ownership as structured-merge-diff keeps it: sets of paths, merging, comparing, taking away.

A path is a tuple of the elements of `fieldsV1`: `f:name` for a map entry, `k:{...}` for an element of a keyed list,
`v:...` for an element of a set. Values are plain JSON, shapes come from the kind's schema.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from tests.fakes.shapes import Shape

Path = tuple[str, ...]
MEMBER = object()
UNOWNED = frozenset({("f:apiVersion",), ("f:kind",)}) | {
    ("f:metadata", f"f:{name}")
    for name in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    )
}  # fmt: skip


def element_path(shape: Shape, element: Any) -> str:
    """Return the path element of one element of a keyed list or a set."""
    if shape.list_type == "map" and isinstance(element, dict):
        return "k:" + json.dumps(shape.key_of(element), sort_keys=True, separators=(",", ":"))
    return "v:" + json.dumps(element, sort_keys=True, separators=(",", ":"))


def leaves(value: Any, shape: Shape, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every path that a value sets, with what stands there (MEMBER for elements of keyed lists)."""
    if isinstance(value, dict) and not shape.atomic:
        for key, item in value.items():
            yield from leaves(item, shape.child(key), (*path, f"f:{key}"))
        if not value:
            yield path, {}
    elif isinstance(value, list) and not shape.atomic and shape.known:
        for item in value:
            step = (*path, element_path(shape, item))
            yield step, MEMBER if shape.list_type == "map" else item
            if shape.list_type == "map":
                yield from leaves(item, shape.item(), step)
    else:
        yield path, value


def owned(body: Any, shape: Shape) -> dict[Path, Any]:
    """Return what an object sets, without its identity and what only the server writes."""
    return {
        path: value for path, value in leaves(body, shape) if path and path[:2] not in UNOWNED and path not in UNOWNED
    }


def merged(live: Any, wanted: Any, shape: Shape) -> Any:
    """Return the live value with everything that an apply sets."""
    if isinstance(live, dict) and isinstance(wanted, dict) and not shape.atomic:
        result = dict(live)
        for key, value in wanted.items():
            result[key] = merged(live[key], value, shape.child(key)) if key in live else copy.deepcopy(value)
        return result
    if isinstance(live, list) and isinstance(wanted, list) and not shape.atomic and shape.known:
        return _merged_lists(live, wanted, shape)
    return copy.deepcopy(wanted)


def _merged_lists(live: list[Any], wanted: list[Any], shape: Shape) -> list[Any]:
    ours = {element_path(shape, item) for item in wanted}
    theirs = {element_path(shape, item): index for index, item in enumerate(live)}
    result: list[Any] = []
    done = 0
    for item in wanted:
        at = theirs.get(element_path(shape, item))
        if at is None:
            result.append(copy.deepcopy(item))
            continue
        result.extend(other for other in live[done:at] if element_path(shape, other) not in ours)
        done = max(done, at + 1)
        result.append(merged(live[at], item, shape.item()))
    return result + [other for other in live[done:] if element_path(shape, other) not in ours]


def without(value: Any, gone: AbstractSet[Path], shape: Shape, path: Path = ()) -> Any:
    """Return a value without the given paths; containers that are emptied by it vanish too (None)."""
    if path in gone:
        return None
    if isinstance(value, dict) and not shape.atomic:
        kept = {key: without(item, gone, shape.child(key), (*path, f"f:{key}")) for key, item in value.items()}
        kept = {key: item for key, item in kept.items() if item is not None or value[key] is None}
        return None if value and not kept and path else kept
    if isinstance(value, list) and not shape.atomic and shape.known:
        left = [without(item, gone, shape.item(), (*path, element_path(shape, item))) for item in value]
        left = [item for item in left if item is not None]
        return None if value and not left else left
    return value


def changed(old: dict[Path, Any], new: dict[Path, Any]) -> set[Path]:
    """Return the paths that were added or have another value."""
    return {path for path, value in new.items() if path not in old or old[path] != value}


def encode(paths: Iterable[Path]) -> dict[str, Any]:
    """Write a set of paths as `fieldsV1`."""
    tree: dict[str, Any] = {}
    every = set(paths)
    for path in sorted(every):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    for path in every:
        node = tree
        for step in path:
            node = node[step]
        if node or path[-1].startswith("k:"):
            node["."] = {}
    return tree


def decode(tree: dict[str, Any], path: Path = ()) -> set[Path]:
    """Read a set of paths from `fieldsV1`."""
    found = {path} if path and (not tree or "." in tree) else set()
    for step, below in tree.items():
        if step != ".":
            found |= decode(below, (*path, step))
    return found


def text(path: Path) -> str:
    """Return a path as conflicts name it: `.spec.containers[name="web"].image`."""
    written = ""
    for step in path:
        kind, rest = step[:2], step[2:]
        if kind == "f:":
            written += f".{rest}"
        elif kind == "k:":
            keys = json.loads(rest)
            written += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"
        else:
            written += f"[={rest}]"
    return written
