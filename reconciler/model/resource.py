"""What git wants: rendered objects and the components that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.model.identity import GroupVersionKind, ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.origin import Origin
    from reconciler.model.tree import Map


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One rendered object. Its body is never changed after the render stage has handed it over."""

    id: ObjectId
    version: str
    body: Map
    origin: Origin | None = None  # of the object as a whole: where its definition begins

    @property
    def gvk(self) -> GroupVersionKind:
        """Group, version and kind."""
        return GroupVersionKind(self.id.group, self.version, self.id.kind)

    @property
    def annotations(self) -> Mapping[str, str]:
        """The object's annotations; empty where it has none."""
        return (self.body.get("metadata") or {}).get("annotations") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """The object's labels; empty where it has none."""
        return (self.body.get("metadata") or {}).get("labels") or {}


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that one revision wants in one environment, by component in the order of environment.yaml.

    `revision` is the full commit id, or None for the working tree.
    """

    environment: str
    revision: str | None
    components: Mapping[str, tuple[Resource, ...]]
    warnings: tuple[str, ...] = field(default=())

    @property
    def resources(self) -> tuple[tuple[str, Resource], ...]:
        """Every object with the name of its component."""
        return tuple((name, item) for name, items in self.components.items() for item in items)
