"""What still needs an object of a protected kind: asked right before it is deleted, since that cannot be undone.

A Namespace is needed by everything in it, a CustomResourceDefinition by its objects, a claim by the Pods that mount it, a
StorageClass by the claims that name it. What the control plane makes by itself, and what is going already, does not count.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reconciler.errors import NotFound
from reconciler.model.api import ApiResource
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from reconciler.apply.kinds import Kinds
    from reconciler.cluster.port import Body, Cluster
    from reconciler.model.identity import ObjectId

Found = tuple[ApiResource, dict[str, Any]]

SHOWN: Final = 5  # objects that are named
PODS: Final = ApiResource("", "v1", "Pod", "pods", namespaced=True)
CLAIMS: Final = ApiResource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)

_MADE: Final = frozenset((("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")))
"""What the control plane makes in every Namespace."""

_LOSING: Final = frozenset(
    (
        GroupKind("", "Namespace"),
        GroupKind("", "PersistentVolumeClaim"),
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
    )
)
"""Kinds of which a new object does not give back what the old one took along."""

_PASSING: Final = frozenset(
    (GroupKind("", "Event"), GroupKind("events.k8s.io", "Event"), GroupKind("coordination.k8s.io", "Lease"))
)
"""Kinds that tell of others and are of no use without them."""


class Users(NamedTuple):
    """What needs an object: the first ones by name ("" where nothing does), and the kinds that they are of."""

    names: str
    kinds: frozenset[GroupKind]


class StillNeeded(Exception):
    """An object is needed by others that would be lost with it, or for longer than was to be waited."""


async def require_free(cluster: Cluster, kinds: Kinds, kind: ApiResource, target: ObjectId) -> None:
    """Raise StillNeeded where an object that is to be made anew would take others along. Raises ClusterError."""
    if target.group_kind not in _LOSING:
        return
    try:
        body = await cluster.get(kind, target.namespace, target.name)
    except NotFound:
        return
    users = await needed_by(cluster, kinds, target, body)
    if users.names:
        raise StillNeeded(
            f"left as it is, since what needs it would be lost with it: {users.names}; take that away first"
        )


async def needed_by(
    cluster: Cluster,
    kinds: Kinds,
    target: ObjectId,
    body: Body,
    *,
    going: bool = False,
    among: frozenset[GroupKind] = frozenset(),
) -> Users:
    """Return what still needs an object. Raises ClusterError.

    What is on its way out of a Namespace by itself does not count, unless the Namespace waits for just that (`going`).
    `among`: of what is in a Namespace only these kinds are looked at, so that looking again and again costs little.
    """
    look = _LOOKS.get(target.group_kind)
    found = [item async for item in look(cluster, kinds, body, among)] if look is not None else []
    leaving = not going and target.group_kind == ("", "Namespace")
    counted = [(kind, item) for kind, item in found if not (leaving and "deletionTimestamp" in item["metadata"])]
    names = sorted(_name(kind, item) for kind, item in counted)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return Users(", ".join(names[:SHOWN]) + more, frozenset(kind.gvk.group_kind for kind, _ in counted))


async def _objects(cluster: Cluster, kinds: Kinds, definition: Body, _: frozenset[GroupKind]) -> AsyncIterator[Found]:
    """Yield the objects of the kind that is defined."""
    spec = definition.get("spec") or {}
    kind = kinds.preferred(GroupKind(spec.get("group", ""), (spec.get("names") or {}).get("kind", "")))
    if kind is not None:
        for item in await _listed(cluster, kind):
            yield kind, item


async def _mounting(cluster: Cluster, _: Kinds, claim: Body, _among: frozenset[GroupKind]) -> AsyncIterator[Found]:
    """Yield the Pods that mount a claim."""
    metadata = claim["metadata"]
    async for pod in cluster.list(PODS, namespace=metadata["namespace"]):
        if _mounts(pod, metadata["name"]):
            yield PODS, pod


async def _claiming(cluster: Cluster, _: Kinds, storage: Body, _among: frozenset[GroupKind]) -> AsyncIterator[Found]:
    """Yield the claims that name a StorageClass."""
    async for claim in cluster.list(CLAIMS):
        if (claim.get("spec") or {}).get("storageClassName") == storage["metadata"]["name"]:
            yield CLAIMS, claim


async def _inhabitants(
    cluster: Cluster, kinds: Kinds, space: Body, among: frozenset[GroupKind]
) -> AsyncIterator[Found]:
    """Yield what is in a Namespace, of every kind that can be listed."""
    namespace = space["metadata"]["name"]
    asked = [
        kind
        for kind in kinds.namespaced
        if kind.gvk.group_kind not in _PASSING and (not among or kind.gvk.group_kind in among)
    ]
    answers = await asyncio.gather(*(_listed(cluster, kind, namespace) for kind in asked))
    for kind, bodies in zip(asked, answers, strict=True):
        for item in bodies:
            metadata = item["metadata"]
            made = (kind.kind, metadata["name"]) in _MADE
            if not (made or _controlled(metadata.get("ownerReferences") or ())):
                yield kind, item


async def _listed(cluster: Cluster, kind: ApiResource, namespace: str = "") -> list[Body]:
    try:
        return [body async for body in cluster.list(kind, namespace=namespace, metadata_only=True)]
    except NotFound:
        return []  # the kind went away just now


def _controlled(owners: Iterable[dict[str, Any]]) -> bool:
    return any(owner.get("controller") for owner in owners)


def _mounts(pod: Body, claim: str) -> bool:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return any((volume.get("persistentVolumeClaim") or {}).get("claimName") == claim for volume in volumes)


def _name(kind: ApiResource, body: Body) -> str:
    metadata = body["metadata"]
    space = f" -n {metadata['namespace']}" if metadata.get("namespace") else ""
    holders = metadata.get("finalizers") if "deletionTimestamp" in metadata else None
    going = f" (going, finalizer {', '.join(holders)})" if holders else ""
    return f"{kind.kind}/{metadata['name']}{space}{going}"


_LOOKS: Final[Mapping[GroupKind, Callable[[Cluster, Kinds, Body, frozenset[GroupKind]], AsyncIterator[Found]]]] = {
    GroupKind("", "Namespace"): _inhabitants,
    GroupKind("", "PersistentVolumeClaim"): _mounting,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): _objects,
    GroupKind("storage.k8s.io", "StorageClass"): _claiming,
}
