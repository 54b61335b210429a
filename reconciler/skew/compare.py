"""Compare what two environments of one revision render, and their environment.yaml."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from reconciler.model import tree
from reconciler.model.path import format_path
from reconciler.model.schema import MISSING, ListType, Schema, Type
from reconciler.model.skew import FieldSkew, ObjectSkew, Side, Skew
from reconciler.plan import mask
from reconciler.plan.differences import differences, indexed
from reconciler.preview.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.identity import ObjectId
    from reconciler.model.resource import Desired, Resource

GENERATED: Final = re.compile(r"^(.+)-[bcdfghkmt2456789]{10}$")
"""A name with the hash that Kustomize puts behind those of generated ConfigMaps and Secrets."""

BY_NAME: Final = Schema(
    Type.ARRAY, items=Schema(Type.OBJECT, preserve_unknown=True), list_type=ListType.MAP, list_keys=("name",)
)
SETTINGS: Final = Schema(
    Type.OBJECT, {"spec": Schema(Type.OBJECT, {"components": BY_NAME}, preserve_unknown=True)}, preserve_unknown=True
)
"""The shape of environment.yaml, as far as comparing it needs: components are known by name."""

Placed = dict["ObjectId", tuple[str, "Resource"]]


def compare(left: Desired, right: Desired, settings: tuple[Any, Any]) -> Skew:
    """Return what differs. `settings` are the two documents of environment.yaml, read with origins.

    Generated objects whose names differ in nothing but their hash are the same object, and a reference to them no
    difference.
    """
    old, new = _placed(left), _placed(right)
    renamed = _renamed(old, new)
    found: list[ObjectSkew] = []
    schema_of = schemas(item for _, item in (*left.resources, *right.resources))
    hashes = frozenset((one.name, other.name) for one, other in renamed.items())
    same = 0
    for identity, (component, item) in old.items():
        other = new.get(renamed.get(identity, identity))
        if other is None:
            found.append(ObjectSkew(identity, component, "", origin=item.origin))
            continue
        fields = tuple(_fields(item, other[1], schema_of(item.gvk), hashes))
        if fields or component != other[0]:
            found.append(ObjectSkew(identity, component, other[0], fields))
        else:
            same += 1
    met = {renamed.get(identity, identity) for identity in old}
    found += [
        ObjectSkew(identity, "", component, origin=item.origin)
        for identity, (component, item) in new.items()
        if identity not in met
    ]
    return Skew(left.environment, right.environment, tuple(_settings(*settings)), tuple(found), same)


def _placed(desired: Desired) -> Placed:
    return {item.id: (component, item) for component, item in desired.resources}


def _renamed(old: Placed, new: Placed) -> Mapping[ObjectId, ObjectId]:
    """Return the generated objects of one side by their counterparts of the other, where there is just one."""
    ours, theirs = _stems(item for item in old if item not in new), _stems(item for item in new if item not in old)
    return {
        identities[0]: theirs[stem][0]
        for stem, identities in ours.items()
        if len(identities) == 1 and len(theirs.get(stem, ())) == 1
    }


def _stems(identities: Iterable[ObjectId]) -> dict[ObjectId, list[ObjectId]]:
    found: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for identity in identities:
        match = GENERATED.match(identity.name) if identity.kind in ("ConfigMap", "Secret") else None
        if match is not None:
            found[identity._replace(name=match[1])].append(identity)
    return found


def _fields(old: Resource, new: Resource, schema: Schema, hashes: frozenset[tuple[str, str]]) -> Iterator[FieldSkew]:
    secret = mask.is_secret(old.id)
    for item in differences(old.body, new.body, schema):
        if isinstance(item.old, str) and isinstance(item.new, str) and (item.old, item.new) in hashes:
            continue
        path = format_path(item.path)
        sides = [
            _side(value, resource.body, item.path, schema, resource)
            for value, resource in ((item.old, old), (item.new, new))
        ]
        if secret:
            sides = [Side(mask.hidden(side.value, path), side.origin, side.given) for side in sides]
        yield FieldSkew(path, *sides)


def _settings(left: Any, right: Any) -> Iterator[FieldSkew]:
    for item in differences(left, right, SETTINGS):
        if item.path != ("metadata", "name"):
            sides = [_side(value, body, item.path, SETTINGS) for value, body in ((item.old, left), (item.new, right))]
            yield FieldSkew(format_path(item.path), *sides)


def _side(value: Any, body: Any, path: Any, schema: Schema, resource: Resource | None = None) -> Side:
    if value is MISSING:
        return Side(given=False)
    origin = tree.origin_at(body, indexed(body, path, schema))
    return Side(value, origin or (resource.origin if resource is not None else None))
