"""The field changes of one object: live against what it will be, as far as git has, or had, a say in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from reconciler.model import tree
from reconciler.model.applyset import ENVIRONMENT_LABEL, PART_OF_LABEL
from reconciler.model.path import format_path
from reconciler.model.plan import FieldChange, Takeover, Writer
from reconciler.model.schema import MISSING, Schema
from reconciler.plan import mask
from reconciler.plan.differences import Difference, at, differences, indexed
from reconciler.plan.managed import entries, last_owner, own_fields, owns, unwanted
from reconciler.plan.takeover import LAST_APPLIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.path import FieldPath
    from reconciler.model.resource import Resource
    from reconciler.plan.managed import Fields

_LAST_APPLIED: Final = ("metadata", "annotations", LAST_APPLIED)
_MARKS: Final = frozenset(("metadata", "labels", name) for name in (ENVIRONMENT_LABEL, PART_OF_LABEL))
_SERVER_METADATA: Final = frozenset(
    ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid", "selfLink")
)


NOTHING_TAKEN: Final = Takeover()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be compared: a wanted object (as sent), its live one and its schema.

    `taken` is what an adoption takes over; `marks` says whether our own labels are news.
    """

    resource: Resource
    live: Mapping[str, Any]
    schema: Schema
    taken: Takeover = NOTHING_TAKEN
    marks: bool = True


def changes(comparison: Comparison, predicted: Mapping[str, Any] | None) -> tuple[FieldChange, ...]:
    """Return the field changes, in the order of the wanted object; without a prediction they are found locally."""
    found = _predicted(comparison, predicted) if predicted is not None else _local(comparison)
    told = {format_path(item.path): item for item in (*found, *_dropped(comparison)) if _is_told(item, comparison)}
    secret = mask.is_secret(comparison.resource.id)
    made = [_change(comparison, item, path) for path, item in told.items()]
    return tuple(mask.masked_change(item) if secret else item for item in made)


def _predicted(comparison: Comparison, predicted: Mapping[str, Any]) -> Iterator[Difference]:
    owned = _owned(comparison)
    for item in differences(comparison.live, predicted, comparison.schema):
        steps = indexed(comparison.resource.body, item.path, comparison.schema)
        if len(steps) == len(item.path) or any(owns(fields, item.path) for fields in owned):
            yield item


def _local(comparison: Comparison) -> Iterator[Difference]:
    owned = own_fields(comparison.live)
    for item in differences(comparison.live, comparison.resource.body, comparison.schema):
        if item.new is not MISSING or (owned is not None and owns(owned, item.path) and _alone(comparison, item.path)):
            yield item


def _alone(comparison: Comparison, path: FieldPath) -> bool:
    return last_owner(comparison.live, path) is None


def _dropped(comparison: Comparison) -> Iterator[Difference]:
    """Yield what adoption takes away: what was asked for through another tool and git does not want."""
    writers = {*comparison.taken.merged, *comparison.taken.dropped}
    others = [
        entry.fields for entry in entries(comparison.live) if Writer(entry.manager, entry.operation) not in writers
    ]
    for path in _asked(comparison):
        value = at(comparison.live, path, comparison.schema)
        if value is not MISSING and not any(owns(fields, path) for fields in others):
            yield Difference(path, value, MISSING)


def _asked(comparison: Comparison) -> Iterator[FieldPath]:
    """Yield the fields that were asked for and that git does not have."""
    annotations = comparison.live["metadata"].get("annotations") or {}
    for entry in entries(comparison.live):
        if entry.operation == "Apply" and Writer(entry.manager, entry.operation) in comparison.taken.merged:
            yield from unwanted(entry.fields, comparison.resource.body, comparison.schema)
    if LAST_APPLIED in annotations and any(item.operation == "Update" for item in comparison.taken.merged):
        for item in differences(_given(annotations[LAST_APPLIED]), comparison.resource.body, comparison.schema):
            if item.new is MISSING:
                yield item.path
    for kind in ("labels", "annotations"):
        yield from (("metadata", kind, key) for key in getattr(comparison.taken, kind) if key != LAST_APPLIED)


def _given(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}


def _owned(comparison: Comparison) -> Sequence[Fields]:
    return [
        entry.fields
        for entry in entries(comparison.live)
        if entry.ours or (not entry.subresource and Writer(entry.manager, entry.operation) in comparison.taken.merged)
    ]


def _is_told(item: Difference, comparison: Comparison) -> bool:
    path = item.path
    if path[0] in comparison.schema.no_fields or path[:3] == _LAST_APPLIED:
        return False
    if path[0] == "metadata" and len(path) > 1 and path[1] in _SERVER_METADATA:
        return False
    return comparison.marks or path[:3] not in _MARKS


def _change(comparison: Comparison, item: Difference, path: str) -> FieldChange:
    op: Literal["add", "remove", "replace"] = "replace"
    if item.old is MISSING or item.new is MISSING:
        op = "add" if item.old is MISSING else "remove"
    entry = last_owner(comparison.live, item.path) if op != "add" else None
    owned = own_fields(comparison.live)
    return FieldChange(
        path,
        op,
        None if item.old is MISSING else item.old,
        _new(comparison, item),
        _origin(comparison.resource, item.path, comparison.schema),
        entry.manager if entry is not None else None,
        entry.time if entry is not None else "",
        drift=entry is not None and entry.by_person and owned is not None and not owns(owned, item.path),
    )


def _new(comparison: Comparison, item: Difference) -> Any:
    """Return the new value; of maps and lists what git says, without the defaults that the server adds."""
    if item.new is MISSING:
        return None
    if isinstance(item.new, dict | list):
        wanted = at(comparison.resource.body, item.path, comparison.schema)
        return item.new if wanted is MISSING else wanted
    return item.new


def _origin(resource: Resource, path: FieldPath, schema: Schema) -> Any:
    steps = indexed(resource.body, path, schema)
    if len(steps) < len(path) and not any(isinstance(step, int) for step in path):
        return None
    if path[:3] in _MARKS:
        return None
    return tree.origin_at(resource.body, steps) or resource.origin
