"""The values that a chart is given, merged as Kustomize merges them (`kyaml/yaml/merge2`, without schemas).

Mappings are merged, lists and scalars replaced; a null takes a key away. Where there is nothing above, a `null` that is
written stays, for Helm to take the chart's own value away, and a key without a value goes. The entries keep the lines that they came from.
"""

from __future__ import annotations

from typing import Any, Final

from reconciler.model.tree import Map, Seq, copy, origin_at

MODES: Final = ("merge", "override", "replace")
DIRECTIVE: Final = "$patch"


class KindsDiffer(Exception):
    """A value is a mapping, list or scalar on one side, and something else on the other; `path` leads to it."""

    def __init__(self, path: tuple[str, ...]) -> None:
        """Keep the way."""
        super().__init__(".".join(path))
        self.path = path


def merged(values: Map, inline: Map, mode: str) -> Map:
    """Return a values file and inline values as one: `override` lets inline values win, `merge` those of the file."""
    if mode == "replace":
        return inline
    below, above = (values, inline) if mode == "override" else (inline, values)
    return _merged(below, above, ())


def _merged(below: Map, above: Map, path: tuple[str, ...]) -> Map:
    if above.get(DIRECTIVE) == "replace":
        return _without_nulls(_undirected(above))
    made = Map()
    for key in sorted({*below, *above} - {DIRECTIVE}):
        if key not in above:
            origin = origin_at(below, (key,))
            if isinstance(below[key], Map):
                made.put(key, _merged(below[key], Map(), (*path, key)), origin)
            elif below[key] is not None or origin is None or origin.text != "":  # a key that has nothing behind it
                made.put(key, copy(below[key]), origin)
            continue
        value = _value(below.get(key), above[key], (*path, key))
        if value is not None:
            made.put(key, value, origin_at(above, (key,)))
    return made


def _value(below: Any, above: Any, path: tuple[str, ...]) -> Any:
    """Return the value of a key that stands above; None takes it away."""
    if above is None:
        return None
    if below is not None and _kind(below) is not _kind(above):
        raise KindsDiffer(path)
    if not isinstance(above, Map):
        return copy(above)
    if above.get(DIRECTIVE) == "delete":
        return None
    return _merged(below if isinstance(below, Map) else Map(), above, path)


def _kind(value: Any) -> type:
    return Map if isinstance(value, dict) else Seq if isinstance(value, list) else str


def _undirected(value: Map) -> Map:
    made: Map = copy(value)
    made.drop(DIRECTIVE)
    return made


def _without_nulls(value: Map) -> Map:
    return _merged(Map(), value, ())
