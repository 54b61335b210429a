"""The local comparison: is a live object what git wants, without asking the server?

Yes, when the fields that we own in it are the wanted ones and each has its wanted value. Ownership is the memory of the
last apply: what git dropped is still owned, what somebody took is not any more. One pass walks the wanted object, the
owned fields and the live object together; it stops at the first difference, because a run compares every object.

The rules of which fields an apply owns are those of structured-merge-diff (`typed/tofieldset.go`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.model.path import Keyed
from reconciler.model.schema import MISSING, ListType, Schema
from reconciler.plan.equality import empty, same_scalar, same_value, zero
from reconciler.plan.managed import element_key, own_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.plan.managed import Fields

_NO_SCHEMA: Final = Schema()
_UNOWNED: Final = frozenset(("name", "namespace", "creationTimestamp", "generation", "resourceVersion", "uid"))
"""Fields of metadata whose ownership the server never records."""


def unchanged(wanted: Mapping[str, Any], live: Mapping[str, Any], schema: Schema) -> bool:
    """Whether applying the wanted object would change nothing: same owned fields, same values."""
    owned = own_fields(live, wanted["apiVersion"])
    if owned is None:
        return False
    consumed = 0
    for key, value in wanted.items():
        if key in ("apiVersion", "kind"):
            continue
        if key == "metadata":
            below = owned.get("f:metadata", {})
            kept = {name: item for name, item in value.items() if name not in _UNOWNED}
            if not _same_map(kept, below, live["metadata"], schema.child("metadata")):
                return False
            consumed += "f:metadata" in owned
        elif key in schema.no_fields and f"f:{key}" not in owned:
            continue
        else:
            verdict = _same_entry(value, owned.get(f"f:{key}"), live.get(key), schema.child(key))
            if verdict is None:
                return False
            consumed += verdict
    return consumed == len(owned) or _rest_is_empty(wanted, owned, live)


def keyed(items: Sequence[Any], schema: Schema) -> dict[Keyed, Any] | None:
    """Return the elements of a keyed list by their keys, completed with the schema's defaults.

    None where an element is no map or two have the same key: such a list has no elements that can be told apart.
    """
    element = schema.items or _NO_SCHEMA
    found: dict[Keyed, Any] = {}
    for item in items:
        if not isinstance(item, dict):
            return None
        key = Keyed((name, item.get(name, default)) for name, default in _key_defaults(schema, element))
        key = Keyed(pair for pair in key if pair[1] is not MISSING)
        if not key or key in found:
            return None
        found[key] = item
    return found


def _key_defaults(schema: Schema, element: Schema) -> list[tuple[str, Any]]:
    return [(name, element.child(name).default) for name in sorted(schema.list_keys)]


def _same_entry(wanted: Any, owned: Fields | None, live: Any, schema: Schema) -> bool | None:
    """Compare one entry; None: different, else whether it used up an owned field.

    What others put where git has nothing is theirs, but for a list that is a value of its own (`ingress: []` of a
    NetworkPolicy): that an apply owns, so they took it from us.
    """
    if wanted is None or wanted == []:
        if empty(live):
            return owned is not None
        return False if owned is None and (wanted is None or schema.list_type is not ListType.ATOMIC) else None
    if owned is None:
        return None
    return _same_content(wanted, owned, live, schema) or None


def _same_content(wanted: Any, owned: Fields, live: Any, schema: Schema) -> bool:
    if isinstance(wanted, dict):
        if not wanted and empty(live):
            return True
        if schema.atomic:
            return same_value(wanted, live, schema)
        return isinstance(live, dict) and _same_map(wanted, owned, live, schema)
    if isinstance(wanted, list):
        return _same_list(wanted, owned, live, schema)
    return zero(wanted) if live is None else same_scalar(wanted, live, schema)


def _same_map(wanted: Mapping[str, Any], owned: Fields, live: Mapping[str, Any], schema: Schema) -> bool:
    consumed = 1 if "." in owned else 0
    child = schema.child
    for key, value in wanted.items():
        below = owned.get(f"f:{key}")
        if type(value) is str and below is not None and value == live.get(key):
            consumed += 1
            continue
        verdict = _same_entry(value, below, live.get(key), child(key))
        if verdict is None:
            return False
        consumed += verdict
    return consumed == len(owned) or _rest_is_empty(wanted, owned, live)


def _rest_is_empty(wanted: Mapping[str, Any], owned: Fields, live: Mapping[str, Any]) -> bool:
    """Whether all that we own beyond the wanted entries is not there: the server records empty values, and drops them."""
    return all(
        text == "." or (text[:2] == "f:" and (text[2:] in wanted or (not below and text[2:] not in live)))
        for text, below in owned.items()
    )


def _same_list(wanted: Sequence[Any], owned: Fields, live: Any, schema: Schema) -> bool:
    if not isinstance(live, list):
        return False
    if schema.list_type is ListType.ATOMIC:
        return same_value(wanted, live, schema)
    if schema.list_type is ListType.SET:
        return _same_set(wanted, owned, live)
    wanted_items, live_items = keyed(wanted, schema), keyed(live, schema)
    if wanted_items is None or live_items is None:
        return False
    owned_items = {element_key(text): below for text, below in owned.items() if text != "."}
    if len(owned_items) != len(wanted_items):
        return False
    element = schema.items or _NO_SCHEMA
    return all(
        (below := owned_items.get(key)) is not None
        and (found := live_items.get(key)) is not None
        and (same_value(item, found, element) if element.atomic else _same_map(item, below, found, element))
        for key, item in wanted_items.items()
    )


def _same_set(wanted: Sequence[Any], owned: Fields, live: Sequence[Any]) -> bool:
    """Compare a set: our elements are ours and there; others may have added theirs."""
    texts = {f"v:{orjson.dumps(item).decode()}" for item in wanted}
    return texts == {text for text in owned if text != "."} and all(item in live for item in wanted)
