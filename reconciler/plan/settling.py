"""Where the server does not keep what git says: webhooks and defaults that change a value at every apply.

Such an object differs from git for ever. It is no drift, and applying it again does not help, so it is told once and left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from reconciler.model.path import format_path
from reconciler.model.schema import MISSING
from reconciler.plan import mask
from reconciler.plan.differences import Difference, differences
from reconciler.plan.equality import zero

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.resource import Resource
    from reconciler.model.schema import Schema

SHOWN = 3  # fields that a note names
WIDTH = 60  # characters of a value in a note
WAY_OUT = "write the server's value in git, or name the field in policy.ignore"


def overridden(resource: Resource, predicted: Mapping[str, Any], schema: Schema) -> tuple[Difference, ...]:
    """Return git's fields that would have another value after an apply; `old` is the server's, `new` is git's."""
    found = differences(predicted, resource.body, schema)
    return tuple(item for item in found if item.path[0] not in schema.no_fields and _lost(item))


def told(resource: Resource, found: Sequence[Difference]) -> tuple[str, ...]:
    """Return the note about fields that the server does not keep; none where there are none."""
    if not found:
        return ()
    secret = mask.is_secret(resource.id)
    parts = [_part(item, secret=secret) for item in found[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    cause = "a webhook or its own rules change it at every apply"
    return (f"the server does not keep what git says: {'; '.join(parts)}{more} ({cause}): {WAY_OUT}",)


def _lost(item: Difference) -> bool:
    """Whether a value of git is really lost; what is empty may be left out, and others may add to a set."""
    if item.new is MISSING or (item.old is MISSING and zero(item.new)):
        return False
    both = isinstance(item.old, list) and isinstance(item.new, list)
    return not (both and all(element in item.old for element in item.new))


def _part(item: Difference, *, secret: bool) -> str:
    path = format_path(item.path)
    if secret:
        return f"{path} is another value"
    kept = "nothing" if item.old is MISSING else _value(item.old)
    return f"{path} is {kept} where git says {_value(item.new)}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) and value else orjson.dumps(value).decode()
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
