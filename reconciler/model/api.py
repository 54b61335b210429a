"""What an API server serves: resources, discovery, pages, watch events, and the count of requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from reconciler.model.identity import GroupKind, GroupVersionKind

if TYPE_CHECKING:
    from collections.abc import Mapping

Verb = Literal[
    "discovery",
    "openapi",
    "list",
    "get",
    "dry_run",
    "apply",
    "create",
    "update",
    "patch",
    "delete",
    "watch",
    "harbor_read",
    "harbor_write",
]

WRITES: Final = frozenset[Verb](("apply", "create", "update", "patch", "delete"))


class ApiResource(NamedTuple):
    """One served kind at one version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    status_apart: bool = True  # the status is a subresource, which an apply of the object does not touch

    @property
    def gvk(self) -> GroupVersionKind:
        """Group, version and kind."""
        return GroupVersionKind(self.group, self.version, self.kind)

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the URL path of the collection, or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(frozen=True, slots=True)
class Discovery:
    """All served kinds. `resources` is in the server's order: the preferred version of a group comes first.

    `failed` lists group/versions whose backend did not answer (a stale aggregated API); they are unknown, not absent.
    """

    resources: Mapping[GroupVersionKind, ApiResource]
    preferred: Mapping[GroupKind, ApiResource]
    failed: tuple[str, ...] = ()


class WatchEvent(NamedTuple):
    """One change that a watch reports; a BOOKMARK's object holds a resourceVersion only."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: dict[str, Any]


@dataclass(slots=True)
class RequestCount:
    """How many requests a run has sent, by verb; the one mutable thing here, owned by the cluster adapter."""

    by_verb: Counter[str] = field(default_factory=Counter)

    def add(self, verb: Verb) -> None:
        """Count one request, each retry and each page being one of its own."""
        self.by_verb[verb] += 1

    def snapshot(self) -> dict[str, int]:
        """Return the counts so far."""
        return dict(self.by_verb)
