"""Fields that others own: what is drift and repaired, what is a conflict, and what the policy says to each.

Found from the live object's managedFields with the rule of server-side apply: a wanted field whose live value is
another one conflicts with each manager that owns it. The server's own answer (409) comes first in a run; this names the
same fields with both values, and tells in every later round what was decided.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.model import tree
from reconciler.model.path import format_path, value_at
from reconciler.model.plan import FieldConflict
from reconciler.model.schema import MISSING, ListType, Schema
from reconciler.plan import mask
from reconciler.plan.differences import at, differences, indexed
from reconciler.plan.ignore import remove
from reconciler.plan.managed import depth, entries, owns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.environment import Policy, Stance
    from reconciler.errors import Conflict
    from reconciler.model.path import FieldPath
    from reconciler.model.resource import Resource
    from reconciler.model.tree import Map
    from reconciler.plan.managed import Entry


_NAMED: Final = re.compile(r'conflict with "(?P<manager>[^"]+)"(?: with subresource "(?P<subresource>[^"]*)")?')
"""What the server says in each cause (k8s.io/apimachinery/pkg/util/managedfields/internal, conflict.go)."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A wanted field that another manager owns with another value, and what is done about it.

    `soft`: git says hardly anything there (an empty list, a status), so that it is left to whom it belongs by itself.
    """

    path: FieldPath
    entry: Entry
    theirs: Any
    stance: Stance
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the policy makes of all clashes of one object.

    `body` is the wanted object without the yielded fields; `force` says that the rest has to be, and may be, forced.
    `refused` are the conflicts that the policy does not let us win.
    """

    body: Map
    force: bool = False
    yielded: tuple[Clash, ...] = ()
    refused: tuple[FieldConflict, ...] = ()


def settle(
    resource: Resource, live: Mapping[str, Any], schema: Schema, policy: Policy, *, taken: Sequence[str] = ()
) -> Settlement:
    """Judge every clash between a wanted object and its live one; `taken` are managers whose fields become ours."""
    clashes = find(resource.body, live, schema, policy, taken)
    refused = tuple(_conflict(resource, clash, schema) for clash in clashes if clash.stance == "fail")
    yielded = tuple(clash for clash in clashes if clash.stance == "yield")
    body = _without(resource.body, [clash.path for clash in yielded], schema)
    nobodys = not any(True for _ in entries(live))  # the server would count all of it as `before-first-apply`'s
    force = nobodys or any(clash.stance == "force" for clash in clashes)
    return Settlement(body, force and not refused, yielded, refused)


def find(
    wanted: Mapping[str, Any], live: Mapping[str, Any], schema: Schema, policy: Policy, taken: Sequence[str] = ()
) -> tuple[Clash, ...]:
    """Return every clash, field by field."""
    others = [entry for entry in entries(live) if not entry.ours]
    if not others:
        return ()
    found: dict[tuple[FieldPath, str, str], Clash] = {}
    for difference in differences(live, wanted, schema):
        if difference.path[0] in schema.no_fields:
            continue
        if difference.new is MISSING and not _emptied(wanted, difference.path, schema):
            continue
        path = tuple(itertools.takewhile(lambda step: not isinstance(step, int), difference.path))
        theirs = at(live, path, schema)
        for entry in others:
            held = path if theirs is not MISSING else path[: depth(entry.fields, path)]
            if held and owns(entry.fields, held):
                value = {} if theirs is MISSING else theirs
                key = (held, entry.manager, entry.subresource)
                soft = difference.new is MISSING or held[0] == "status"
                nothing = soft and at(wanted, held, schema) is None
                do: Stance = "yield" if nothing else stance(entry, policy, taken, soft=soft)
                found[key] = Clash(held, entry, value, do, soft)
    return tuple(found.values())


def _emptied(wanted: Mapping[str, Any], path: FieldPath, schema: Schema) -> bool:
    """Whether git has nothing at a field that the server would call a conflict all the same.

    That is a null, which says nothing, and an empty list that is a value of its own: `ingress: []` of a NetworkPolicy.
    """
    value = at(wanted, path, schema)
    if value is None:
        return True
    found = schema
    for step in path:
        found = found.child(step) if isinstance(step, str) else found.items or Schema()
    return found.list_type is ListType.ATOMIC and value == []


def winnable(error: Conflict, live: Mapping[str, Any], policy: Policy, taken: Sequence[str] = ()) -> bool:
    """Whether every manager that the server names in a conflict is one whose fields may be forced.

    The server compares atomic lists as they were written, with defaults and empty fields: what it calls a conflict may be
    the same to us, such as the volumeClaimTemplates of a StatefulSet.
    """
    causes: Any = error.details.get("causes")
    texts = [str(cause.get("message", "")) for cause in causes if isinstance(cause, dict)] if causes else []
    named = [_NAMED.match(text) for text in texts]
    if not named or not all(named):
        return False
    names = {(found["manager"], found["subresource"] or "") for found in named if found is not None}
    held = [entry for entry in entries(live) if (entry.manager, entry.subresource) in names]
    return bool(held) and all(stance(entry, policy, taken) == "force" for entry in held)


def stance(entry: Entry, policy: Policy, taken: Sequence[str] = (), *, soft: bool = False) -> Stance:
    """Return what to do where a manager owns a wanted field: a person's edit is drift, and drift is repaired.

    A `soft` field is left to a program unless a rule names it: `rules: []` of an aggregated ClusterRole is its controller's.
    """
    if isinstance(policy.conflicts, tuple):
        for rule in policy.conflicts:
            if fnmatch.fnmatchcase(entry.manager, rule.manager):
                return rule.do
    if entry.by_person or (entry.manager in taken and not entry.subresource):
        return "force"
    if soft:
        return "yield"
    return policy.conflicts if isinstance(policy.conflicts, str) else "fail"


def told(conflicts: Sequence[FieldConflict]) -> str:
    """Return the words for conflicts that keep an object from being applied."""
    parts = [f"{item.path} is owned by {item.manager}" for item in conflicts]
    return (
        f"{'; '.join(parts)}: take the field out of git, or choose force or yield for this manager in policy.conflicts"
    )


def _conflict(resource: Resource, clash: Clash, schema: Schema) -> FieldConflict:
    ours = at(resource.body, clash.path, schema)
    manager = clash.entry.manager + (f" ({clash.entry.subresource})" if clash.entry.subresource else "")
    origin = tree.origin_at(resource.body, indexed(resource.body, clash.path, schema))
    path, origin = format_path(clash.path), origin or resource.origin
    conflict = FieldConflict(path, manager, ours, clash.theirs, origin, clash.entry.time)
    return mask.masked_conflict(conflict) if mask.is_secret(resource.id) else conflict


def _without(body: Map, paths: Sequence[FieldPath], schema: Schema) -> Map:
    if not paths:
        return body
    left: Map = tree.copy(body)
    for path in dict.fromkeys(paths):
        steps = indexed(left, path, schema)
        if len(steps) == len(path):
            remove(left, steps)
            while len(steps) > 1 and value_at(left, steps := steps[:-1]) == {}:
                remove(left, steps)  # a map of which nothing is left would be ours, though all of it is theirs
    return left
