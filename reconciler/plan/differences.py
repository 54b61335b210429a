"""What differs between two versions of an object, by merge keys and not by positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.path import FieldPath, Keyed, Step
from reconciler.model.schema import MISSING, ListType, Schema
from reconciler.plan.compare import keyed
from reconciler.plan.equality import same_scalar, same_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ABSENT: Final[Any] = MISSING


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. A side that has no such field holds MISSING."""

    path: FieldPath
    old: Any
    new: Any


def differences(old: Any, new: Any, schema: Schema, path: FieldPath = ()) -> Iterator[Difference]:
    """Yield what differs, the smallest parts that have a name of their own.

    An element of a keyed list that is only on one side is one difference, and so is an atomic value that has no
    likeness on the other side; maps are told entry by entry.
    """
    old, new = (_ABSENT if side is None or side == [] else side for side in (old, new))
    if old is new:
        return
    if _is_map(old, new) and not schema.atomic and not (_hollow(old, new) and schema.values is None):
        yield from _of_maps({} if old is _ABSENT else old, {} if new is _ABSENT else new, schema, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, schema, path)
    elif not _same(old, new, schema):
        yield Difference(path, old, new)


def _of_maps(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema, path: FieldPath) -> Iterator[Difference]:
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if before != after:
            yield from differences(before, after, schema.child(key), (*path, key))


def _of_lists(old: Sequence[Any], new: Sequence[Any], schema: Schema, path: FieldPath) -> Iterator[Difference]:
    items = schema.items or Schema()
    first, second = keyed(old, schema), keyed(new, schema)
    if schema.list_type is ListType.MAP and first is not None and second is not None:
        for key in {**first, **second}:
            before, after = first.get(key, _ABSENT), second.get(key, _ABSENT)
            if before is _ABSENT or after is _ABSENT:
                yield Difference((*path, key), before, after)
            else:
                yield from _of_maps(before, after, items, (*path, key))
    elif schema.list_type is ListType.SET:
        if sorted(map(repr, old)) != sorted(map(repr, new)):
            yield Difference(path, old, new)
    elif not same_value(new, old, schema) and not same_value(old, new, schema):
        yield from _within(old, new, path)


def _within(old: Sequence[Any], new: Sequence[Any], path: FieldPath) -> Iterator[Difference]:
    """Look inside an atomic list: it is replaced as a whole, but people want to see which part of it is new."""
    from deepdiff import DeepDiff  # most plans never come here

    tree = DeepDiff(list(old), list(new), view="tree", threshold_to_diff_deeper=0)
    for group, found in tree.items():
        for item in found:
            steps: list[Step] = list(item.path(output_format="list"))
            before = _ABSENT if group.endswith("_added") else item.t1
            after = _ABSENT if group.endswith("_removed") else item.t2
            yield Difference((*path, *steps), before, after)


def _is_map(old: Any, new: Any) -> bool:
    return (isinstance(old, dict) or old is _ABSENT) and (isinstance(new, dict) or new is _ABSENT)


def _hollow(old: Any, new: Any) -> bool:
    """Whether an empty map is all there is, which may mean much: `emptyDir: {}`, `podSelector: {}`."""
    return (old is _ABSENT and new == {}) or (new is _ABSENT and old == {})


def _same(old: Any, new: Any, schema: Schema) -> bool:
    if old is _ABSENT or new is _ABSENT:
        return False
    if isinstance(old, dict | list) or isinstance(new, dict | list):
        return same_value(new, old, schema)
    return same_scalar(new, old, schema)


def at(root: Any, path: FieldPath, schema: Schema) -> Any:
    """Return what a path leads to, keys of lists completed with the schema's defaults; MISSING where nothing is."""
    node = root
    for step in path:
        if isinstance(step, Keyed):
            items = keyed(node, schema) if isinstance(node, list) else None
            node = _ABSENT if items is None else items.get(step, _ABSENT)
            schema = schema.items or Schema()
        elif isinstance(step, int):
            node = node[step] if isinstance(node, list) and step < len(node) else _ABSENT
            schema = schema.items or Schema()
        else:
            node = node.get(step, _ABSENT) if isinstance(node, dict) else _ABSENT
            schema = schema.child(step)
        if node is _ABSENT:
            return _ABSENT
    return node


def indexed(root: Any, path: FieldPath, schema: Schema) -> tuple[str | int, ...]:
    """Return a path with keys of list elements turned to positions, as far as it leads somewhere."""
    steps: list[str | int] = []
    node = root
    for step in path:
        place: str | int = step if isinstance(step, str | int) else -1
        if isinstance(step, Keyed):
            items = list(keyed(node, schema) or ()) if isinstance(node, list) else []
            place = items.index(step) if step in items else -1
        if place == -1 or not (place in node if isinstance(node, dict) else isinstance(node, list)):
            break
        if isinstance(place, int) and place >= len(node):
            break
        steps.append(place)
        node = node[place]
        schema = schema.child(step) if isinstance(step, str) else schema.items or Schema()
    return tuple(steps)
