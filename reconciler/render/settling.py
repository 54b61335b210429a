"""What Kustomize leaves in a state that no API server would take, put right for those that are applied.

It knows no scopes of kinds that came after Kubernetes 1.21, and none of custom kinds: its `namespace` gives all of them a
namespace. And it leaves what a chart gives none without one, where Helm would install it to the release's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.item import mapping
from reconciler.render.kinds import surely_cluster_scoped, surely_namespaced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.render.item import Item


def settle(items: Iterable[Item]) -> None:
    """Give and take namespaces where the scope of a kind is sure: built-in ones, and those defined among the objects.

    Only a namespace that a `namespace` field put there is taken away: one that is written in a file is a mistake to tell.
    """
    items = list(items)
    scopes = {
        (spec.get("group"), mapping(spec.get("names")).get("kind")): spec.get("scope")
        for item in items
        if item.gvk.kind == "CustomResourceDefinition"
        for spec in (mapping(item.body.get("spec")),)
    }
    for item in items:
        gvk, metadata = item.gvk, item.metadata
        scope = scopes.get((gvk.group, gvk.kind))
        if surely_cluster_scoped(gvk) or scope == "Cluster":
            origin = metadata.origins.get("namespace")
            if origin is not None and origin.by == "namespace" and origin.shadowed is None:
                metadata.drop("namespace")
        elif item.release is not None and not item.namespace and (surely_namespaced(gvk) or scope == "Namespaced"):
            metadata.put("namespace", *item.release)
