"""Aggregated discovery documents (KEP-3352) to what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.api import ApiResource, Discovery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.identity import GroupKind, GroupVersionKind

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def read(documents: Iterable[Mapping[str, Any]]) -> Discovery:
    """Return all served kinds of the documents of `/api` and `/apis`."""
    resources: dict[GroupVersionKind, ApiResource] = {}
    preferred: dict[GroupKind, ApiResource] = {}
    failed: list[str] = []
    for document in documents:
        for group in document.get("items", ()):
            name = group.get("metadata", {}).get("name", "")
            for version in group.get("versions", ()):
                if version.get("freshness") == "Stale":
                    failed.append(f"{name}/{version['version']}")
                for resource in _resources(name, version):
                    resources.setdefault(resource.gvk, resource)
                    preferred.setdefault(resource.gvk.group_kind, resource)
    return Discovery(resources, preferred, tuple(failed))


def _resources(group: str, version: Mapping[str, Any]) -> Iterator[ApiResource]:
    for item in version.get("resources", ()):
        kind = item.get("responseKind") or {}
        yield ApiResource(
            group,
            version["version"],
            str(kind.get("kind", "")),
            item["resource"],
            item.get("scope") == "Namespaced",
            frozenset(item.get("verbs", ())),
        )
