"""Values that are known to be there and not known themselves."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ConfigError, Problem
from reconciler.generated.recipes import recipes_of
from reconciler.model.marks import GENERATE
from reconciler.model.resource import Desired
from reconciler.model.tree import Map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.resource import Resource

__all__ = ["PENDING", "expanded", "pending_keys"]

PENDING: Final = base64.b64encode(b"made in the cluster when this is applied").decode()
"""Stands for a value that is not made yet; it is never sent to be stored."""


def expanded(desired: Desired) -> Desired:
    """Return the same objects with a pending value under each key that a recipe fills; raises ConfigError."""
    problems: list[Problem] = []

    def each(resource: Resource) -> Resource:
        try:
            return _expanded(resource) if GENERATE in resource.annotations else resource
        except ConfigError as error:
            problems.extend(error.problems)
            return resource

    components = {name: tuple(map(each, items)) for name, items in desired.components.items()}
    if problems:
        raise ConfigError(problems)
    return Desired(desired.environment, desired.revision, components, desired.warnings)


def pending_keys(body: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of a Secret whose values are not made yet."""
    return frozenset(key for key, value in (body.get("data") or {}).items() if value == PENDING)


def with_data(resource: Resource, values: Mapping[str, str]) -> Resource:
    """Return a Secret with these values in its `data`, each from the place of the annotation."""
    body, data = _twin(resource.body), _twin(resource.body.get("data"))
    annotations = resource.body["metadata"]["annotations"]
    origin = getattr(annotations, "origins", {}).get(GENERATE) or resource.origin
    for key, value in values.items():
        data.put(key, value, data.origins.get(key) or origin)
    if "data" in body:
        body["data"] = data
    else:
        body.put("data", data, origin)
    return replace(resource, body=body)


def _expanded(resource: Resource) -> Resource:
    recipes = recipes_of(resource)
    given = {**(resource.body.get("data") or {}), **(resource.body.get("stringData") or {})}
    keys = [key for name, recipe in recipes.items() for key in recipe.keys(name)]
    twice = sorted({key for key in keys if key in given or keys.count(key) > 1})
    if twice:
        origin = resource.origin
        place = (origin.source.file, origin.line) if origin is not None else ("", 0)
        told = f"{resource.id}: {', '.join(twice)} is given and generated, or generated twice"
        raise ConfigError([Problem(*place, told, "give every key one source")])
    return with_data(resource, dict.fromkeys(keys, PENDING))


def _twin(value: Any) -> Map:
    twin = Map(value or {})
    if isinstance(value, Map):
        twin.origins = dict(value.origins)
    return twin
