"""Who writes to an object beside us, by its managedFields (KEP-555)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""Programs that make objects which people then complete, such as the ServiceAccount `default`."""


def shares(body: Mapping[str, Any]) -> frozenset[str]:
    """Return what others have of an object, one text for each manager and field; what they have of its status is left out."""
    return frozenset(
        f"{item.get('manager')} {item.get('operation')} {path}"
        for item in _others(body)
        for path in _paths(item.get("fieldsV1") or {})
    )


def makers(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the managers that have written an object, but for us and the control plane."""
    names = (str(item.get("manager", "")) for item in _others(body))
    return tuple(dict.fromkeys(name for name in names if not name.startswith(CONTROL_PLANE)))


def made_before(body: Mapping[str, Any]) -> bool:
    """Whether an object that we have just applied was made before we ever did, by the times of its creation and of our entry.

    They are in whole seconds. In one of them nobody can tell, and it counts as ours: the answer to our first try may have been lost.
    """
    times = [item.get("time", "") for item in body["metadata"].get("managedFields") or () if _ours(item)]
    created: str = body["metadata"].get("creationTimestamp", "")
    return bool(times) and min(times) > created


def _ours(item: Mapping[str, Any]) -> bool:
    return item.get("manager") == FIELD_MANAGER and item.get("operation") == "Apply" and not item.get("subresource")


def _paths(fields: Mapping[str, Any], around: str = "") -> Iterator[str]:
    for key, below in fields.items():
        path = f"{around}/{key}"
        yield path
        yield from _paths(below, path)


def _others(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in body["metadata"].get("managedFields") or ():
        if item.get("manager") != FIELD_MANAGER and item.get("subresource") != "status":
            yield item
