"""Who writes to an object beside us, by its managedFields (KEP-555)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""Programs that make objects which people then complete, such as the ServiceAccount `default`."""


def shares(body: Mapping[str, Any]) -> frozenset[str]:
    """Return what others have of an object, one text for each manager and way of writing; what is in a status is left out."""
    return frozenset(
        json.dumps([item.get("manager"), item.get("operation"), item.get("fieldsV1")], sort_keys=True)
        for item in _others(body)
    )


def makers(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the managers that have written an object, but for us and the control plane."""
    names = (str(item.get("manager", "")) for item in _others(body))
    return tuple(dict.fromkeys(name for name in names if not name.startswith(CONTROL_PLANE)))


def _others(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in body["metadata"].get("managedFields") or ():
        if item.get("manager") != FIELD_MANAGER and item.get("subresource") != "status":
            yield item
