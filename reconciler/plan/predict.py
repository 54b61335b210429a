"""What can be known of a new object without asking the server: whether its kind's schema allows it.

Built-in kinds are checked for unknown fields, for wrong types, for values that are not among those of an enum and, where the
server was not asked, for the required fields that it is known to ask for; kinds of a CustomResourceDefinition for all required
fields and all other constraints too, which the server takes from the same schema.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from reconciler.model import tree
from reconciler.model.path import format_path
from reconciler.model.schema import Type
from reconciler.plan import constraints
from reconciler.plan.equality import zero

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import Resource
    from reconciler.model.schema import Schema

Steps = tuple[str | int, ...]

_SCALARS = {
    Type.STRING: (str,),
    Type.INTEGER: (int,),
    Type.NUMBER: (int, float),
    Type.BOOLEAN: (bool,),
    Type.INT_OR_STRING: (int, str),
    Type.QUANTITY: (int, float, str),
    Type.BYTES: (str,),
    Type.TIME: (str,),
    Type.DURATION: (str,),
}
_WORDS = {Type.OBJECT: "a map", Type.ARRAY: "a list"}


def violations(resource: Resource, schema: Schema, *, custom: bool, whole: bool = False) -> tuple[str, ...]:
    """Return what an object's schema does not allow, each with path and `file:line`.

    `whole`: nobody else gives it any of its fields, so that what is required has to be there.
    """
    found = (*_violations(resource.body, schema, (), custom=custom), *(_hollow(resource.body, schema) if whole else ()))
    return tuple(f"{_place(resource, steps)}{words}" for steps, words in found)


def _violations(value: Any, schema: Schema, steps: Steps, *, custom: bool) -> Iterator[tuple[Steps, str]]:
    if value is None:
        return
    if schema.asked and (custom or not zero(value)):  # built-in kinds read an empty value as none
        yield from ((steps, words) for words in constraints.broken(value, schema.asked))
    if schema.type is Type.ANY:
        return
    if isinstance(value, dict) and schema.type is Type.OBJECT:
        yield from _of_map(value, schema, steps, custom=custom)
    elif isinstance(value, list) and schema.type is Type.ARRAY:
        for index, item in enumerate(value):
            if schema.items is not None:
                yield from _violations(item, schema.items, (*steps, index), custom=custom)
    elif not _fits(value, schema):
        wanted = _WORDS.get(schema.type, f"a value of type {schema.type}")
        yield steps, f"expected {wanted}, found {_kind(value)}"


def _hollow(value: Any, schema: Schema, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Yield the required fields that an object of a built-in kind lacks, as far as the server is known to ask for them."""
    if isinstance(value, dict):
        if schema.enforced:
            for key in schema.required:
                if value.get(key) is None:
                    yield steps, f"required field {key} is missing"
        for key, item in value.items():
            yield from _hollow(item, schema.child(key), (*steps, key))
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            yield from _hollow(item, schema.items, (*steps, index))


def _of_map(value: dict[str, Any], schema: Schema, steps: Steps, *, custom: bool) -> Iterator[tuple[Steps, str]]:
    open_ended = schema.preserve_unknown or schema.values is not None
    for key, item in value.items():
        if key in schema.properties or open_ended:
            yield from _violations(item, schema.child(key), (*steps, key), custom=custom)
        else:
            near = difflib.get_close_matches(key, schema.properties, 1, 0.75)
            yield (*steps, key), "unknown field" + (f", did you mean {near[0]}?" if near else "")
    if custom:
        for key in schema.required:
            if key not in value:
                yield steps, f"required field {key} is missing"


def _fits(value: Any, schema: Schema) -> bool:
    types = _SCALARS.get(schema.type)
    if types is None:
        return False
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types) or (isinstance(value, float) and int in types and value.is_integer())


def _kind(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
    return names.get(type(value), "something else")


def _place(resource: Resource, steps: Steps) -> str:
    origin = tree.origin_at(resource.body, steps) or resource.origin
    path = format_path(steps)
    return (f"{origin}: " if origin is not None else "") + (f"{path}: " if path else "")
