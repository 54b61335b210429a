"""The shapes of kinds as far as they are known without a cluster: which lists are keyed, and by what.

Built-in kinds have them from Kustomize's merge keys, custom ones from the CustomResourceDefinitions in git.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.model.schema import ANYTHING, ListType, Schema, Type
from reconciler.plan.openapi import Schemas
from reconciler.render import openapi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.identity import GroupVersionKind
    from reconciler.model.resource import Resource

DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
PROTOCOL = Schema(Type.STRING, default="TCP")


def schemas(resources: Iterable[Resource]) -> Callable[[GroupVersionKind], Schema]:
    """Return how to find a kind's schema; `resources` are searched for definitions."""
    definitions = tuple(item.body for item in resources if item.id.group_kind == DEFINITION)
    custom = Schemas({}, definitions)
    return lambda gvk: custom.find(gvk) or builtin(gvk)


@cache
def builtin(gvk: GroupVersionKind) -> Schema:
    """Return the schema of a built-in kind; one that allows anything for any other."""
    name = openapi.built_in().type_of(gvk)
    return _of_type(name) if name else ANYTHING


@cache
def _of_type(name: str) -> Schema:
    return Schema(Type.OBJECT, _Fields(openapi.built_in().fields_of(name)))


class _Fields(Mapping[str, Schema]):
    """The fields of a type, made when they are looked at: JSONSchemaProps contains itself."""

    def __init__(self, marks: Mapping[str, Mapping[str, Any]]) -> None:
        self._marks = marks

    def __getitem__(self, key: str) -> Schema:
        return _of_field(self._marks[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._marks)

    def __len__(self) -> int:
        return len(self._marks)


def _of_field(mark: Mapping[str, Any]) -> Schema:
    inner = _of_type(mark["type"]) if mark.get("type") else ANYTHING
    keys = tuple(mark.get("keys", ()))
    if not keys:
        return inner
    if "protocol" not in keys:
        return Schema(Type.ARRAY, items=inner, list_type=ListType.MAP, list_keys=keys)
    ports = Schema(Type.OBJECT, {**inner.properties, "protocol": PROTOCOL}, preserve_unknown=True)
    return Schema(Type.ARRAY, items=ports, list_type=ListType.MAP, list_keys=keys)
