"""What names an object: group, kind, namespace and name. The version is not part of an identity."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class GroupKind(NamedTuple):
    """A kind without its version; the core group is ""."""

    group: str
    kind: str

    def __str__(self) -> str:
        """Return `group/Kind`, or `Kind` for the core group."""
        return f"{self.group}/{self.kind}" if self.group else self.kind


class GroupVersionKind(NamedTuple):
    """A kind with its version."""

    group: str
    version: str
    kind: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> GroupVersionKind:
        """Read `apiVersion` and `kind` of an object."""
        return _gvk(str(body.get("apiVersion", "")), str(body.get("kind", "")))

    @property
    def api_version(self) -> str:
        """The `apiVersion` that objects of this kind carry."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> GroupKind:
        """The kind without its version."""
        return GroupKind(self.group, self.kind)


@lru_cache(maxsize=1 << 12)
def _gvk(api_version: str, kind: str) -> GroupVersionKind:
    group, _, version = api_version.rpartition("/")
    return GroupVersionKind(group, version, kind)


class ObjectId(NamedTuple):
    """The identity of one object in a cluster; `namespace` is "" for cluster-scoped kinds."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ObjectId:
        """Read the identity of an object from its `apiVersion`, `kind` and `metadata`."""
        group, _, kind = GroupVersionKind.of(body)
        metadata = body.get("metadata") or {}
        return cls(group, kind, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))

    @property
    def group_kind(self) -> GroupKind:
        """The kind without namespace and name."""
        return GroupKind(self.group, self.kind)

    def __str__(self) -> str:
        """Return `Kind/name -n namespace`, the form that commands accept; the group only where it disambiguates."""
        return f"{self.kind}/{self.name}" + (f" -n {self.namespace}" if self.namespace else "")
