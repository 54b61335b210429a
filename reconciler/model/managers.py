"""Who writes to an object beside us, by its managedFields (KEP-555)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""Programs that make objects which people then complete, such as the ServiceAccount `default`."""

NOBODY: Final = "before-first-apply"
"""What the server calls whoever wrote an object of which it had not noted the managers."""

Share = tuple[str, ...]
"""A manager, how it wrote, and the steps of fieldsV1 to one field that it has."""


def is_applied(body: Mapping[str, Any]) -> bool:
    """Whether we have applied some of an object; labels alone may be copies."""
    return any(is_ours(item) for item in body["metadata"].get("managedFields") or ())


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of managedFields is what we applied."""
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def shares(body: Mapping[str, Any]) -> frozenset[Share]:
    """Return what others have of an object, field by field; what they have of its status is left out."""
    return frozenset(
        (str(item.get("manager")), str(item.get("operation")), *steps)
        for item in _others(body)
        for steps in _leaves(item.get("fieldsV1") or {})
    )


def concerns(share: Share, wanted: Any) -> bool:
    """Whether a field that somebody has is one that an object sets."""
    for step in share[2:]:
        kind, _, text = step.partition(":")
        if kind == "f" and isinstance(wanted, dict) and text in wanted:
            wanted = wanted[text]
        elif kind == "k" and isinstance(wanted, list) and (found := _element(wanted, json.loads(text))) is not None:
            wanted = found
        else:
            return kind == "v" and isinstance(wanted, list) and json.loads(text) in wanted
    return True


def makers(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the managers that have written an object, but for us and the control plane."""
    names = (str(item.get("manager", "")) for item in _others(body))
    return tuple(dict.fromkeys(name for name in names if name != NOBODY and not name.startswith(CONTROL_PLANE)))


def _others(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in body["metadata"].get("managedFields") or ():
        if item.get("manager") != FIELD_MANAGER and item.get("subresource") != "status":
            yield item


def _leaves(fields: Mapping[str, Any], around: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for step, below in fields.items():
        if below:
            yield from _leaves(below, (*around, step))
        elif step != ".":
            yield (*around, step)


def _element(items: Sequence[Any], keys: Mapping[str, Any]) -> Any:
    """Return the element of a keyed list; a key that it leaves out has its default, whatever that is."""
    return next(
        (
            item
            for item in items
            if isinstance(item, dict) and all(item.get(key, keys[key]) == keys[key] for key in keys)
        ),
        None,
    )
