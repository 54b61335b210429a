"""What the cluster said in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.model.identity import GroupKind, ObjectId

if TYPE_CHECKING:
    from reconciler.errors import ClusterError
    from reconciler.model.api import ApiResource, Discovery
    from reconciler.model.applyset import Inventory


@dataclass(frozen=True, slots=True)
class Observation:
    """The live side of a plan.

    `live` holds every object that carries our environment label (other than inventory parents) and every object that
    git wants and that exists, whoever owns it; bodies are complete, managedFields included. `inventories` is by
    component, and includes components that environment.yaml no longer lists. `namespaces` are those that exist.
    `openapi` holds the server's OpenAPI v3 documents by group/version for the kinds that git wants.
    """

    discovery: Discovery
    live: Mapping[ObjectId, dict[str, Any]]
    inventories: Mapping[str, Inventory]
    namespaces: frozenset[str]
    openapi: Mapping[str, dict[str, Any]]
    unserved: frozenset[GroupKind] = field(default_factory=frozenset)  # wanted kinds that the server does not know


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one dry-run apply: the object as it would be, or why the server would not have it.

    Neither is there where an earlier dry-run of the same question changed nothing. `applied`: an earlier run has applied
    this very content, and the server did not keep it. `forced`: it was asked with force.
    """

    body: dict[str, Any] | None = None
    error: ClusterError | None = None
    applied: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One dry-run apply that the plan asks for. `force` is asked only after every conflict was named and allowed."""

    id: ObjectId
    resource: ApiResource
    body: dict[str, Any]
    force: bool = False
    resource_version: str = ""  # of the live object, "" where there is none


Predictions = Mapping[ObjectId, Prediction]
