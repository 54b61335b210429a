"""YAML documents as objects: lists taken apart, and what is no object refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Problem, RenderError
from reconciler.model.tree import Map
from reconciler.render.item import mapping

if TYPE_CHECKING:
    from reconciler.model.origin import Origin


def flat(document: object, where: str) -> list[Map]:
    """Return the objects of a document; a List gives its items."""
    if document is None:
        return []
    if not isinstance(document, Map):
        raise RenderError([Problem(where, 1, "expected an object, with apiVersion, kind and metadata.name")])
    kind = document.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(document.get("items"), list):
        return [body for item in document["items"] for body in flat(item, where)]
    line = min((origin.line for origin in document.origins.values()), default=1)
    if not isinstance(kind, str) or not kind:
        raise RenderError([Problem(where, line, "the object has no kind")])
    name = mapping(document.get("metadata")).get("name")
    if not isinstance(name, str) or not name:
        hint = "put it in quotes" if name is not None else ""
        raise RenderError([Problem(where, line, f"the {kind} has no metadata.name that is a string", hint)])
    return [document]


def begin(body: Map, otherwise: Origin) -> Origin:
    """Return where an object begins: the first of the lines that its entries stand in."""
    return min(body.origins.values(), key=lambda origin: origin.line, default=otherwise)
