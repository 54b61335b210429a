"""Field paths as replacements write them: `spec.containers.[name=web].image`, `spec.ports.0.port`, `metadata.annotations.[a.b/c]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.origin import Origin

_INDEX = re.compile(r"[0-9]+")
_PAIR = re.compile(r"\[(?P<key>[^=\]]*)=(?P<value>.*)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """One place that a path leads to: an entry of a mapping or a sequence."""

    holder: Map | Seq
    key: str | int

    @property
    def value(self) -> Any:
        """What stands there; None where nothing does."""
        if isinstance(self.holder, Map):
            return self.holder.get(str(self.key))
        return self.holder[int(self.key)] if int(self.key) < len(self.holder) else None

    @property
    def origin(self) -> Origin | None:
        """Where it comes from, as far as its own entry says."""
        if isinstance(self.holder, Map):
            return self.holder.origins.get(str(self.key))
        index = int(self.key)
        return self.holder.origins[index] if index < len(self.holder.origins) else None

    def put(self, value: Any, origin: Origin | None) -> None:
        """Put a value there; at the end of a sequence it is appended."""
        if isinstance(self.holder, Map):
            self.holder.put(str(self.key), value, origin)
        elif int(self.key) < len(self.holder):
            self.holder.put(int(self.key), value, origin)
        else:
            self.holder.add(value, origin)


def split(path: str) -> tuple[str, ...]:
    """Return the steps of a path.

    Dots separate them, but not inside of brackets and not behind a backslash. Brackets around what is no `key=value`
    only keep its dots together.
    """
    steps: list[str] = []
    part, depth, escaped = "", 0, False
    for sign in path:
        if escaped:
            part += sign if sign == "." else f"\\{sign}"
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "." and not depth:
            steps.append(part)
            part = ""
        else:
            depth += (sign == "[") - (sign == "]" and depth > 0)
            part += sign
    steps.append(part + "\\" * escaped)
    return tuple(_plain(step) for step in steps if step)


def _plain(step: str) -> str:
    bracketed = step.startswith("[") and step.endswith("]")
    return step[1:-1] if bracketed and "=" not in step else step


def places(root: Map, steps: tuple[str, ...], *, create: bool, origin: Origin | None, leaf: Any = None) -> list[Place]:
    """Return every place that a path leads to.

    Without `create` only what is there. With it mappings, elements `[key=value]` and the next element of a sequence are
    made; `leaf` is what the last step is made with.
    """
    found: list[Place] = []
    nodes: list[Any] = [root]
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        reached = [place for node in nodes for place in _step(node, step, create=create, origin=origin)]
        if last:
            found = [place for place in reached if place.value is not None or _there(place) or create]
            break
        nodes = []
        for place in reached:
            if place.value is None and create:
                place.put(_empty(steps[position + 1]), origin)
            nodes.append(place.value)
    if create and leaf is not None:
        for place in found:
            if not _there(place):
                place.put(leaf, origin)
    return found


def _there(place: Place) -> bool:
    if isinstance(place.holder, Map):
        return str(place.key) in place.holder
    return int(place.key) < len(place.holder)


def _empty(following: str) -> Map | Seq:
    """Return what is made for a step to lead into."""
    return Seq() if _PAIR.fullmatch(following) or _INDEX.fullmatch(following) or following == "-" else Map()


def _step(node: Any, step: str, *, create: bool, origin: Origin | None) -> Iterator[Place]:
    if isinstance(node, Seq):
        yield from _in_sequence(node, step, create=create, origin=origin)
    elif isinstance(node, Map):
        if step == "*":
            yield from (Place(node, key) for key in node)
        elif step in node or create:
            yield Place(node, step)


def _in_sequence(node: Seq, step: str, *, create: bool, origin: Origin | None) -> Iterator[Place]:
    if step == "*":
        yield from (Place(node, index) for index in range(len(node)))
        return
    if step == "-":
        if node or create:
            yield Place(node, len(node) if create else len(node) - 1)
        return
    if _INDEX.fullmatch(step):
        index = int(step)
        if index < len(node) or (create and index == len(node)):
            yield Place(node, index)
        return
    pair = _PAIR.fullmatch(step)
    if pair is None:
        for item in node:  # a name leads through all elements, as Kustomize's own field specs do
            yield from _step(item, step, create=create, origin=origin)
        return
    key, value = pair["key"], pair["value"]
    matches = [index for index, item in enumerate(node) if _is(item, key, value)]
    if not matches and create:
        made: Any = value
        if key:
            made = Map()
            made.put(key, value, origin)
        node.add(made, origin)
        matches = [len(node) - 1]
    yield from (Place(node, index) for index in matches)


def _is(item: Any, key: str, value: str) -> bool:
    if not key:
        return not isinstance(item, dict | list) and _text(item) == value
    return isinstance(item, Map) and key in item and _text(item[key]) == value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
