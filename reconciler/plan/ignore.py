"""Fields that git leaves to others (`policy.ignore`).

At creation git's value is the first one. From then on the live value stays: while we still own the field it is sent
back as it is, because an applied object that suddenly lacks it would reset it to its default; once somebody else has
changed it, and so owns it, it is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model import tree
from reconciler.model.path import parse_path, plain_steps, value_at
from reconciler.plan.managed import beneath, own_fields, owns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.environment import Ignore
    from reconciler.model.identity import ObjectId
    from reconciler.model.path import FieldPath
    from reconciler.model.resource import Resource
    from reconciler.model.tree import Map
    from reconciler.plan.managed import Fields

_SCALER: Final = ("autoscaling", "HorizontalPodAutoscaler")


class Ignored:
    """The rules of one environment, with what its HorizontalPodAutoscalers target."""

    def __init__(self, rules: Sequence[Ignore], resources: Iterable[Resource]) -> None:
        """Read the rules; `resources` are the environment's objects."""
        self._rules = [(rule, parse_path(rule.path)) for rule in rules]
        needed = any(rule.when for rule in rules)
        self._scaled = {_target(item) for item in resources if item.id.group_kind == _SCALER} if needed else set()

    def paths(self, identity: ObjectId) -> tuple[FieldPath, ...]:
        """Return the fields of an object that are left to others."""
        return tuple(
            path
            for rule, path in self._rules
            if rule.kind == identity.kind
            and rule.group in (None, identity.group)
            and rule.namespace in (None, identity.namespace)
            and rule.name in (None, identity.name)
            and (rule.when is None or (identity.kind, identity.namespace, identity.name) in self._scaled)
        )


def yielded(body: Map, live: Mapping[str, Any], paths: Iterable[FieldPath]) -> Map:
    """Return a wanted object whose ignored fields are as they are in the live one, or left out."""
    owned = own_fields(live) or {}
    for path in paths:
        there, ours = plain_steps(live, path), owns(owned, path)
        wanted = plain_steps(body, path)
        if wanted is None:
            continue
        body = tree.copy(body)
        if ours and there is not None:
            value_at(body, wanted[:-1])[wanted[-1]] = _ours(value_at(live, there), beneath(owned, path))
        else:
            remove(body, wanted)
    return body


def _ours(value: Any, fields: Fields) -> Any:
    """Return what we own of a live value: of a map its entries of ours, or we would own all that others add to it."""
    if not isinstance(value, dict) or not fields:
        return value
    return {key: _ours(item, fields[f"f:{key}"]) for key, item in value.items() if f"f:{key}" in fields}


def remove(body: Any, steps: Sequence[str | int]) -> None:
    """Take one field out of an object."""
    holder, last = value_at(body, steps[:-1]), steps[-1]
    if isinstance(holder, tree.Map) and isinstance(last, str):
        holder.drop(last)
    else:
        del holder[last]
        if isinstance(holder, tree.Seq) and isinstance(last, int) and last < len(holder.origins):
            del holder.origins[last]


def _target(scaler: Resource) -> tuple[str, str, str]:
    target = (scaler.body.get("spec") or {}).get("scaleTargetRef") or {}
    return str(target.get("kind")), scaler.id.namespace, str(target.get("name"))
