"""Which objects are encrypted, and what of them is SOPS's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ConfigError, Problem
from reconciler.model.resource import Desired
from reconciler.model.tree import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import Resource

KEY: Final = "sops"
"""The entry that SOPS adds to a file: who can open it, and its checksum."""
BEGIN: Final = "ENC["


def encrypted(resource: Resource) -> bool:
    """Whether an object comes out of a file that SOPS has encrypted."""
    return isinstance(resource.body.get(KEY), dict)


def sealed(desired: Desired) -> Desired:
    """Return the same objects without what is SOPS's own; their values stay encrypted."""
    if not any(encrypted(item) for _, item in desired.resources):
        return desired
    components = {
        name: tuple(without_key(item) if encrypted(item) else item for item in items)
        for name, items in desired.components.items()
    }
    return Desired(desired.environment, desired.revision, components, desired.warnings)


def without_key(resource: Resource) -> Resource:
    """Return an object without SOPS's entry."""
    body = Map(resource.body)
    body.origins = dict(resource.body.origins)
    body.drop(KEY)
    return replace(resource, body=body)


def texts(value: Any) -> Iterator[str]:
    """Yield every encrypted text in a value."""
    if isinstance(value, str):
        if value.startswith(BEGIN):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def problem(resource: Resource, message: str, hint: str = "") -> ConfigError:
    """Return an error at the place of an object."""
    origin = resource.origin
    file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
    return ConfigError([Problem(file, line, f"{resource.id}: {message}", hint)])
