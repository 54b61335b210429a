"""The same change in several environments is one change with several names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from reconciler.model.preview import Folded
from reconciler.preview.compare import RISK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.plan import Change
    from reconciler.model.preview import ChangeSet


def fold(environments: Iterable[ChangeSet]) -> tuple[Folded, ...]:
    """Return every change once, what takes something away first, then in the order of the environments."""
    found: dict[bytes, tuple[Change, list[str]]] = {}
    for item in environments:
        for change in item.changes:
            found.setdefault(_key(change), (change, []))[1].append(item.environment)
    folded = (Folded(change, tuple(names)) for change, names in found.values())
    return tuple(sorted(folded, key=lambda item: RISK.index(item.change.action)))


def _key(change: Change) -> bytes:
    """Return what makes two changes the same: all that is told of them."""
    place = change.resource.origin if change.resource is not None else None
    told: list[Any] = [str(change.action), change.component, list(change.id), change.moved_from, change.problem]
    told += [list(change.notes), str(place)]
    told += [[item.path, item.op, item.old, item.new, str(item.origin)] for item in change.fields]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
