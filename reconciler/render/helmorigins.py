"""The origins of what a chart makes: the line of its template, and behind it the value that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.origin import Origin, Shadow
from reconciler.model.tree import Map, Seq

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.model.origin import Source
    from reconciler.render.helmmarks import Place, Values


def place(value: Any, whole: Origin, source: Callable[[str], Source], lines: Sequence[Place | None]) -> None:
    """Give each entry of a document the place that its line came from.

    `lines` are the places of the document's lines, as far as they are known. An entry whose place is not known has that
    of what it stands in; the entries of the document itself then have `whole`.
    """

    def moved(origin: Origin | None) -> Origin:
        at = lines[origin.line - 1] if origin is not None and 0 < origin.line <= len(lines) else None
        found = whole if at is None else Origin(source(at[0]), at[1], "helm")
        return found if origin is None or origin.text is None else found._replace(text=origin.text)

    if isinstance(value, Map):
        value.origins = {key: moved(value.origins.get(key)) for key in value}
        for key, item in value.items():
            place(item, value.origins[key], source, lines)
    elif isinstance(value, Seq):
        places = [*value.origins, *([None] * (len(value) - len(value.origins)))]
        value.origins = [moved(origin) for origin in places]
        for item, origin in zip(value, value.origins, strict=True):
            place(item, origin or whole, source, lines)


def credit(plain: Any, marked: Any, values: Values, around: Origin) -> None:
    """Say of each leaf which given values went into it, where the same leaf with marks proves it."""
    if isinstance(plain, Map) and isinstance(marked, Map):
        others = {values.bare(key): item for key, item in marked.items()}
        for key, item in plain.items():
            if key in others:
                origin = plain.origins.get(key, around)
                if isinstance(item, Map | Seq):
                    credit(item, others[key], values, origin)
                elif found := values.of(item, others[key]):
                    plain.origins[key] = _behind(origin, found)
    elif isinstance(plain, Seq) and isinstance(marked, Seq) and len(plain) == len(marked):
        plain.origins.extend([None] * (len(plain) - len(plain.origins)))
        for index, (item, other) in enumerate(zip(plain, marked, strict=True)):
            origin = plain.origins[index] or around
            if isinstance(item, Map | Seq):
                credit(item, other, values, origin)
            elif found := values.of(item, other):
                plain.origins[index] = _behind(origin, found)


def _behind(origin: Origin, found: Sequence[tuple[Any, Origin]]) -> Origin:
    """Return an origin with the values behind it, the first of them first."""
    shadow: Shadow | None = None
    for value, given in reversed(found):
        shadow = Shadow(value, Origin(given.source, given.line, "values", shadow))
    return origin._replace(shadowed=shadow)
