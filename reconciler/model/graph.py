"""What needs what. "X needs Y": Y first on apply, X first on prune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.identity import ObjectId


@dataclass(frozen=True, slots=True)
class Edge:
    """One object needs another. `awaited`: the needed one must be healthy, not only applied, before the other goes.

    `why` is a short sentence for people; `place` is `file:line` of what made the edge, where a line of git did.
    """

    dependent: ObjectId
    needs: ObjectId
    why: str
    awaited: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class ComponentEdge:
    """One component needs another whole component, healthy where that one has `wait: true`."""

    dependent: str
    needs: str
    why: str = "dependsOn"
    place: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """The dependency graph of one environment. Free of cycles, or it would not have been made.

    `order` lists the components so that each comes after those that it needs.
    """

    component_of: Mapping[ObjectId, str]
    components: tuple[ComponentEdge, ...]
    edges: tuple[Edge, ...]
    order: tuple[str, ...]
