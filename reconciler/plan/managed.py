"""Who owns which field: the `managedFields` of a live object (KEP-555, structured-merge-diff's fieldsV1 form)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.harbor import MANAGER as HARBOR
from reconciler.model.path import Keyed
from reconciler.model.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.path import FieldPath, Step

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of managedFields: a manager, how it wrote (`Apply` or `Update`), and the fields that it owns."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str
    fields: Fields

    @property
    def ours(self) -> bool:
        """Whether this is what we applied."""
        return self.manager == FIELD_MANAGER and self.operation == "Apply" and not self.subresource

    @property
    def by_person(self) -> bool:
        """Whether a person's tool wrote it: an `Update` by kubectl of the object itself, or something done in Harbor."""
        theirs = self.manager.startswith("kubectl") or self.manager == HARBOR
        return self.operation == "Update" and not self.subresource and theirs


def entries(live: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield the entries of a live object."""
    for raw in live["metadata"].get("managedFields") or ():
        yield Entry(
            raw.get("manager", ""),
            raw.get("operation", ""),
            raw.get("subresource", ""),
            raw.get("apiVersion", ""),
            raw.get("time", ""),
            raw.get("fieldsV1") or {},
        )


def own_fields(live: Mapping[str, Any], api_version: str = "") -> Fields | None:
    """Return the fields that we applied; None where we never did, or did with another version of the kind."""
    for raw in live["metadata"].get("managedFields") or ():
        if raw.get("manager") == FIELD_MANAGER and raw.get("operation") == "Apply" and not raw.get("subresource"):
            if api_version and raw.get("apiVersion") != api_version:
                return None
            return raw.get("fieldsV1") or {}
    return None


def beneath(fields: Fields, path: Sequence[Step]) -> Fields:
    """Return the fields that a set holds beneath a path; empty where it holds the whole, or nothing there."""
    node = fields
    for step in path:
        found = (
            None if isinstance(step, int) else node.get(f"f:{step}") if isinstance(step, str) else _element(node, step)
        )
        if not found:
            return {}
        node = found
    return node


def owns(fields: Fields, path: Sequence[Step]) -> bool:
    """Whether a set of fields holds a path, holds something beneath it, or holds all that is around it."""
    node = fields
    for step in path:
        if isinstance(step, int):
            return True
        found = node.get(f"f:{step}") if isinstance(step, str) else _element(node, step)
        if found is None:
            return False
        if not found:
            return True
        node = found
    return True


def depth(fields: Fields, path: Sequence[Step]) -> int:
    """Return how many steps of a path lead to something around it that is owned as a whole, an empty map say; 0: nothing is."""
    node = fields
    for count, step in enumerate(path[:-1], 1):
        found = node.get(f"f:{step}") if isinstance(step, str) else None
        if found is None:
            return 0
        if not found:
            return count
        node = found
    return 0


def last_owner(live: Mapping[str, Any], path: Sequence[Step]) -> Entry | None:
    """Return who of the others set a field last; None where nobody but us owns it."""
    others = [entry for entry in entries(live) if not entry.ours and owns(entry.fields, path)]
    return max(others, key=lambda entry: entry.time, default=None)


def unwanted(fields: Fields, wanted: Any, schema: Schema, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield the paths of a set of fields that a wanted object does not have: of maps each entry, of lists each element."""
    for text, below in fields.items():
        step = text[2:] if text.startswith("f:") else element_key(text)
        if step is None or (not path and step in schema.no_fields):
            continue  # "." is what is around it, and elements of a set are told with it
        found = _wanted(wanted, step, schema)
        whole = isinstance(step, Keyed) or not any(inner.startswith("f:") for inner in below)
        if found is None and whole:
            yield (*path, step)
        elif below:
            inner = schema.child(step) if isinstance(step, str) else schema.items or Schema()
            yield from unwanted(below, found, inner, (*path, step))


def _wanted(node: Any, step: Step, schema: Schema) -> Any:
    """Return what a wanted object has at a step, keys of lists completed with the schema's defaults; None: nothing."""
    if isinstance(step, str):
        return node.get(step) if isinstance(node, dict) else None
    if isinstance(node, list) and isinstance(step, Keyed):
        items = schema.items or Schema()
        for item in node:
            full = {key: item.get(key, items.child(key).default) for key, _ in step} if isinstance(item, dict) else {}
            if step.matches(full):
                return item
    return None


@lru_cache(maxsize=65536)
def element_key(text: str) -> Keyed | None:
    """Read the key of a list element (`k:{"name":"web"}`), its fields in alphabetical order; None where it is none."""
    if not text.startswith("k:"):
        return None
    return Keyed(sorted(orjson.loads(text[2:]).items()))


def _element(node: Fields, step: Keyed) -> Fields | None:
    for text, fields in node.items():
        key = element_key(text)
        if key is not None and step.matches(dict(key)):
            found: Fields = fields
            return found
    return None
