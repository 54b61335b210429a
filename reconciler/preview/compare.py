"""Two desired states of one environment: what is created, changed, moved, made anew and deleted between them. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from reconciler.model import tree
from reconciler.model.applyset import ENVIRONMENT_LABEL, PART_OF_LABEL
from reconciler.model.marks import ALLOWED, DISABLED, ORPHAN, PRUNE, RECONCILE, REPLACE
from reconciler.model.path import format_path
from reconciler.model.plan import Action, Change, FieldChange
from reconciler.model.schema import MISSING
from reconciler.plan import mask
from reconciler.plan.differences import differences, indexed
from reconciler.preview import immutable
from reconciler.preview.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.identity import ObjectId
    from reconciler.model.origin import Origin
    from reconciler.model.resource import Desired, Resource
    from reconciler.model.schema import Schema
    from reconciler.plan.differences import Difference

RISK: Final = (Action.DELETE, Action.REPLACE, Action.RELEASE, Action.MOVE, Action.UPDATE, Action.CREATE)
_MARKS: Final = frozenset(("metadata", "labels", name) for name in (ENVIRONMENT_LABEL, PART_OF_LABEL))

Placed = dict["ObjectId", tuple[str, "Resource"]]


def compare(base: Desired, head: Desired, kept: frozenset[str] = frozenset()) -> tuple[Change, ...]:
    """Return what differs, what takes something away first.

    Both sides are marked with our labels (`plan.mark`) or both are not. `kept` names the components that do not prune.
    """
    old, new = _placed(base), _placed(head)
    schema_of = schemas(item for _, item in head.resources)
    found = [
        *(_created(component, item) for identity, (component, item) in new.items() if identity not in old),
        *(_gone(component, item, kept) for identity, (component, item) in old.items() if identity not in new),
    ]
    for identity, (component, item) in new.items():
        before = old.get(identity)
        if before is not None and (before[0] != component or before[1].body != item.body):
            found.append(_changed(before, (component, item), schema_of(item.gvk)))
    return tuple(sorted((item for item in found if _told(item)), key=lambda item: RISK.index(item.action)))


def _placed(desired: Desired) -> Placed:
    return {item.id: (component, item) for component, item in desired.resources}


def _told(change: Change) -> bool:
    return change.action is not Action.UPDATE or bool(change.fields or change.problem)


def _created(component: str, resource: Resource) -> Change:
    return Change(Action.CREATE, component, resource.id, resource)


def _gone(component: str, resource: Resource, kept: frozenset[str]) -> Change:
    """Return a delete; one that leaves the object in the cluster says so."""
    notes: tuple[str, ...] = ()
    if component in kept:
        notes = (f"stays in the cluster: component {component} does not prune",)
    elif any(resource.annotations.get(name) == DISABLED for name in (PRUNE, RECONCILE)):
        notes = ("stays in the cluster: an annotation of it says so",)
    elif resource.annotations.get(PRUNE) == ORPHAN:
        return Change(Action.RELEASE, component, resource.id, resource)
    return Change(Action.DELETE, component, resource.id, resource, notes=notes)


def _changed(before: tuple[str, Resource], after: tuple[str, Resource], schema: Schema) -> Change:
    (old_component, old), (component, new) = before, after
    secret = mask.is_secret(new.id)
    fields = tuple(mask.masked_change(item) if secret else item for item in _fields(old, new, schema))
    moved = old_component if old_component != component else ""
    change = Change(Action.MOVE if moved else Action.UPDATE, component, new.id, new, fields, moved_from=moved)
    fixed = immutable.changed(new.id, fields, frozen=old.body.get("immutable") is True)
    if not fixed:
        return change
    if new.annotations.get(REPLACE) == ALLOWED:
        note = f"deleted and made anew, because {', '.join(fixed)} cannot change (reconciler.dev/replace: allowed)"
        return replace(change, action=Action.REPLACE, notes=(note,))
    told = f'{", ".join(fixed)} cannot change: change it back, or annotate the object with {REPLACE}: "allowed"'
    return replace(change, problem=told)


def _fields(old: Resource, new: Resource, schema: Schema) -> Iterator[FieldChange]:
    for item in differences(old.body, new.body, schema):
        if item.path[:3] in _MARKS:
            continue
        yield field_change(item, tree.origin_at(new.body, indexed(new.body, item.path, schema)) or new.origin)


def field_change(item: Difference, origin: Origin | None) -> FieldChange:
    """Return a difference as a field change.

    `origin` is the line in the head that sets the value; of one that is gone, the line around it that is left.
    """
    op: Literal["add", "remove", "replace"] = "replace"
    if item.old is MISSING or item.new is MISSING:
        op = "add" if item.old is MISSING else "remove"
    before, after = (None if side is MISSING else side for side in (item.old, item.new))
    return FieldChange(format_path(item.path), op, before, after, origin)
