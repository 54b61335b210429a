"""Aggregated discovery (KEP-3352): every served kind in two answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import ClusterError
from reconciler.model.api import ApiResource, Discovery
from reconciler.model.identity import GroupKind, GroupVersionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PATHS = ("/api", "/apis")


def read(documents: Iterable[Mapping[str, Any]], server: str) -> Discovery:
    """Read the answers of `/api` and `/apis`; raises ClusterError where they are not aggregated ones."""
    resources: dict[GroupVersionKind, ApiResource] = {}
    failed: list[str] = []
    for document in documents:
        if document.get("kind") != "APIGroupDiscoveryList":
            raise ClusterError(f"{server} offers no aggregated discovery: Kubernetes 1.30 or later is needed")
        for group in document["items"]:
            name = (group.get("metadata") or {}).get("name", "")
            for version in group.get("versions") or ():
                if version.get("freshness") == "Stale":
                    failed.append(f"{name}/{version['version']}")
                for item in _kinds(name, version):
                    resources.setdefault(item.gvk, item)
    preferred: dict[GroupKind, ApiResource] = {}
    for item in resources.values():
        preferred.setdefault(GroupKind(item.group, item.kind), item)
    return Discovery(resources, preferred, tuple(failed))


def _kinds(group: str, version: Mapping[str, Any]) -> Iterable[ApiResource]:
    """Yield the kinds of one group/version that can be read; what cannot (reviews, bindings) is no object to keep."""
    for item in version.get("resources") or ():
        kind = (item.get("responseKind") or {}).get("kind")
        verbs = frozenset(item.get("verbs") or ())
        if kind and "get" in verbs:
            namespaced = item.get("scope") == "Namespaced"
            apart = any(sub.get("subresource") == "status" for sub in item.get("subresources") or ())
            yield ApiResource(group, version["version"], kind, item["resource"], namespaced, verbs, apart)
