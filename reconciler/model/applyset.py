"""The inventory's words: ApplySet labels and annotations (KEP-3659), and our own.

One ApplySet per component and environment. Its parent is a ConfigMap in `reconciler-system`; an object is a member by
its `part-of` label, so an inventory has no size limit.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.identity import GroupKind, ObjectId
from reconciler.model.marks import DISABLED, PRUNE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIELD_MANAGER: Final = "reconciler"
SYSTEM_NAMESPACE: Final = "reconciler-system"
ENVIRONMENT_LABEL: Final = "reconciler.dev/environment"
COMPONENT_LABEL: Final = "reconciler.dev/component"  # on inventory parents only
PART_OF_LABEL: Final = "applyset.kubernetes.io/part-of"
ID_LABEL: Final = "applyset.kubernetes.io/id"
TOOLING: Final = "applyset.kubernetes.io/tooling"
GROUP_KINDS: Final = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES: Final = "applyset.kubernetes.io/additional-namespaces"
TOOLING_VALUE: Final = "reconciler/v1"


def parent_id(environment: str, component: str) -> ObjectId:
    """Return the identity of the ConfigMap that is the parent of a component's ApplySet."""
    return ObjectId("", "ConfigMap", SYSTEM_NAMESPACE, f"{environment}.{component}")


def applyset_id(parent: ObjectId) -> str:
    """Return the ApplySet's id: `applyset-<base64url(sha256(name.namespace.kind.group))>-v1`, as KEP-3659 defines it."""
    text = f"{parent.name}.{parent.namespace}.{parent.kind}.{parent.group}"
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"applyset-{digest}-v1"


def member_labels(environment: str, component: str) -> dict[str, str]:
    """Return the labels that every object of a component carries in the cluster."""
    return {ENVIRONMENT_LABEL: environment, PART_OF_LABEL: applyset_id(parent_id(environment, component))}


@dataclass(frozen=True, slots=True)
class Inventory:
    """One ApplySet as its parent says: what may hold members. Which objects are members only their labels say."""

    component: str
    set_id: str
    group_kinds: frozenset[GroupKind]
    namespaces: frozenset[str]
    resource_version: str = ""  # "" where the parent does not exist yet
    prune: bool = True  # False: the component says that nothing of it is to be deleted, which holds when it is gone too

    def union(self, ids: Iterable[ObjectId]) -> Inventory:
        """Return this inventory widened so that it may hold these objects too."""
        ids = tuple(ids)
        return replace(
            self,
            group_kinds=self.group_kinds | {item.group_kind for item in ids},
            namespaces=self.namespaces | {item.namespace for item in ids if item.namespace},
        )


def read_parent(body: Mapping[str, Any]) -> Inventory:
    """Read an inventory from its parent ConfigMap (`Kind.group`, comma-separated, as KEP-3659 writes them)."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    kinds = frozenset(_group_kind(text) for text in annotations.get(GROUP_KINDS, "").split(",") if text)
    names = frozenset(text for text in annotations.get(NAMESPACES, "").split(",") if text)
    labels = metadata.get("labels") or {}
    return Inventory(
        labels.get(COMPONENT_LABEL, ""),
        labels.get(ID_LABEL, ""),
        kinds,
        names,
        metadata.get("resourceVersion", ""),
        annotations.get(PRUNE) != DISABLED,
    )


def foreign(body: Mapping[str, Any]) -> str:
    """Return why a parent is none of ours, although it is labelled so; "" where it is.

    KEP-3659 asks of a tool to refuse parents of another tool's, and parents whose id is not the one of their name.
    """
    metadata = body["metadata"]
    tool = (metadata.get("annotations") or {}).get(TOOLING, "")
    if tool.partition("/")[0] != TOOLING_VALUE.partition("/")[0]:
        return f"its annotation {TOOLING} is {tool or 'missing'}, expected {TOOLING_VALUE}"
    found = (metadata.get("labels") or {}).get(ID_LABEL, "")
    expected = applyset_id(ObjectId.of(body))
    return "" if found == expected else f"its label {ID_LABEL} is {found}, and {expected} by its name"


def parent_body(environment: str, inventory: Inventory) -> dict[str, Any]:
    """Return the parent ConfigMap of an inventory, fit for server-side apply."""
    parent = parent_id(environment, inventory.component)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": parent.name,
            "namespace": parent.namespace,
            "labels": {
                ID_LABEL: inventory.set_id,
                ENVIRONMENT_LABEL: environment,
                COMPONENT_LABEL: inventory.component,
            },
            "annotations": {
                TOOLING: TOOLING_VALUE,
                GROUP_KINDS: ",".join(
                    sorted(f"{kind}.{group}" if group else kind for group, kind in inventory.group_kinds)
                ),
                NAMESPACES: ",".join(sorted(inventory.namespaces - {parent.namespace})),
                **({} if inventory.prune else {PRUNE: DISABLED}),
            },
        },
    }


def _group_kind(text: str) -> GroupKind:
    kind, _, group = text.partition(".")
    return GroupKind(group, kind)
