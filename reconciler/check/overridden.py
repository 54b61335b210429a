"""Values that a patch overrides wherever they are rendered: nobody gets what their line says.

Across all environments of a repository: what one of them overrides another may use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import Problem
from reconciler.model.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.origin import Origin
    from reconciler.model.resource import Desired

PATCHES: Final = ("patch", "json6902")
Line = tuple[str, int]


def overridden(environments: Iterable[Desired]) -> tuple[Problem, ...]:
    """Return a warning for each line of a file whose value a patch always overrides, in the order of files and lines."""
    used: set[Line] = set()
    covered: dict[Line, Origin] = {}
    for desired in environments:
        for _, resource in desired.resources:
            for origin in _origins(resource.body):
                used.add((origin.source.file, origin.line))
                _under(origin, covered)
    return tuple(
        Problem(file, line, f"the value is always overridden, last by {covered[file, line]}", "take one of them out")
        for file, line in sorted(covered.keys() - used)
    )


def _under(origin: Origin, covered: dict[Line, Origin]) -> None:
    """Note what an origin covers, where it is a patch that a person wrote."""
    while origin.shadowed is not None and origin.shadowed.origin is not None:
        below = origin.shadowed.origin
        if origin.by in PATCHES and below.by in ("resource", *PATCHES):
            covered[below.source.file, below.line] = origin
        origin = below


def _origins(value: object) -> Iterator[Origin]:
    """Yield the origins of all values that hold no others."""
    if isinstance(value, Map):
        for key, item in value.items():
            if isinstance(item, Map | Seq) and item:
                yield from _origins(item)
            elif key in value.origins:
                yield value.origins[key]
    elif isinstance(value, Seq):
        for item, origin in zip(value, value.origins, strict=False):
            if isinstance(item, Map | Seq) and item:
                yield from _origins(item)
            elif origin is not None:
                yield origin
