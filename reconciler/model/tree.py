"""Rendered values: plain dicts and lists that also know where each of their entries comes from.

A `Map` is a dict and a `Seq` is a list, so that every stage and `orjson` can read them as such. Beside its entries each
keeps their origins; whoever writes an entry writes its origin (`put`). An entry without an origin of its own inherits
that of the container around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.origin import Origin, Shadow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Map(dict[str, Any]):
    """A mapping with the origin of each key."""

    __slots__ = ("origins",)

    def __init__(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /) -> None:
        """Start with items whose origins are not known."""
        super().__init__(items)
        self.origins: dict[str, Origin] = {}

    def put(self, key: str, value: Any, origin: Origin | None) -> None:
        """Set an entry and its origin; where it replaces a different value the origin keeps what it shadowed."""
        if origin is not None:
            self.origins[key] = _over(self, key, value, origin, self.origins.get(key)) if key in self else origin
        self[key] = value

    def drop(self, key: str) -> None:
        """Remove an entry and its origin."""
        del self[key]
        self.origins.pop(key, None)


class Seq(list[Any]):
    """A sequence with the origin of each element; `origins` may be shorter than the list."""

    __slots__ = ("origins",)

    def __init__(self, items: Iterable[Any] = (), origins: Iterable[Origin | None] = (), /) -> None:
        """Start with items and, as far as they are known, their origins."""
        super().__init__(items)
        self.origins: list[Origin | None] = list(origins)

    def add(self, value: Any, origin: Origin | None) -> None:
        """Append an element and its origin."""
        self.origins.extend([None] * (len(self) - len(self.origins)))
        self.append(value)
        self.origins.append(origin)

    def put(self, index: int, value: Any, origin: Origin | None) -> None:
        """Replace an element and its origin; the origin keeps what it shadowed."""
        self.origins.extend([None] * (len(self) - len(self.origins)))
        if origin is not None:
            self.origins[index] = _over(self, index, value, origin, self.origins[index])
        self[index] = value


def _over(container: Any, key: Any, value: Any, origin: Origin, before: Origin | None) -> Origin:
    old = container[key]
    if isinstance(old, dict | list) or (old == value and type(old) is type(value)) or origin.shadowed is not None:
        return origin
    return Origin(origin.source, origin.line, origin.by, Shadow(old, before))


def copy(value: Any) -> Any:
    """Return an independent copy of a tree, origins included."""
    kind = value.__class__
    if kind is Map:
        return _map(value)
    if kind is Seq:
        return _seq(value)
    if isinstance(value, dict):
        return Map((key, copy(item)) for key, item in value.items())
    return Seq(map(copy, value)) if isinstance(value, list) else value


def _map(value: Map) -> Map:
    twin: Map = Map.__new__(Map)
    twin.update(value)  # all of it at once, and then only what can change
    for key, item in value.items():
        kind = item.__class__
        if kind is Map:
            twin[key] = _map(item)
        elif kind is Seq:
            twin[key] = _seq(item)
    twin.origins = value.origins.copy()
    return twin


def _seq(value: Seq) -> Seq:
    twin: Seq = Seq.__new__(Seq)
    twin.extend(
        [_map(item) if item.__class__ is Map else _seq(item) if item.__class__ is Seq else item for item in value]
    )
    twin.origins = value.origins.copy()
    return twin


def extent(value: Any, most: int) -> tuple[int, int]:
    """Return how many nodes a tree has and how deep it is; beyond `most` nodes it is not looked at further."""
    count, deepest, stack = 0, 0, [(value, 0)]
    while stack and count <= most:
        node, depth = stack.pop()
        count += 1
        deepest = max(deepest, depth)
        if isinstance(node, dict):
            stack.extend((item, depth + 1) for item in node.values())
        elif isinstance(node, list):
            stack.extend((item, depth + 1) for item in node)
    return count, deepest


def origin_at(root: Any, steps: Sequence[str | int]) -> Origin | None:
    """Return the origin of the entry that plain keys and indices lead to: its own, else the nearest container's."""
    found: Origin | None = None
    node = root
    for step in steps:
        if isinstance(node, Map):
            found = node.origins.get(step, found)  # type: ignore[arg-type]
            node = node.get(step)  # type: ignore[arg-type]
        elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
            found = (node.origins[step] if step < len(node.origins) else None) or found
            node = node[step]
        else:
            break
    return found
