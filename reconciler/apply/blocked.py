"""What keeps a deleted object from going away: its finalizers, and what each of them waits for.

Best effort: what may not be read is left out, and the finalizer is named in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.apply import needed
from reconciler.errors import ClusterError, NotFound
from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.apply.kinds import Kinds
    from reconciler.cluster.port import Body, Cluster
    from reconciler.model.identity import ObjectId

SEARCHED: Final = frozenset(
    ("kubernetes", "kubernetes.io/pvc-protection", "customresourcecleanup.apiextensions.k8s.io")
)
"""Finalizers of the control plane that wait for other objects; the first one is a Namespace's."""

_KNOWN: Final = {
    "foregroundDeletion": "the objects that it owns go first",
    "kubernetes.io/pv-protection": "the claim that it is bound to goes first",
    "service.kubernetes.io/load-balancer-cleanup": "the cloud's controller has to remove its load balancer",
}


async def blocked_by(cluster: Cluster, kinds: Kinds, target: ObjectId) -> str:
    """Return which finalizers an object waits for, and what these wait for; "" where it is gone or cannot be read."""
    kind = kinds.preferred(target.group_kind)
    if kind is None:
        return ""
    try:
        body = await cluster.get(kind, target.namespace, target.name)
    except ClusterError:
        return ""
    names = [*(body["metadata"].get("finalizers") or ()), *((body.get("spec") or {}).get("finalizers") or ())]
    told = [f"finalizer {name}: {await _reason(cluster, kinds, target, body, name)}" for name in names]
    return "; ".join(told)


async def _reason(cluster: Cluster, kinds: Kinds, target: ObjectId, body: Body, name: str) -> str:
    if name in SEARCHED:
        try:
            users = (await needed.needed_by(cluster, kinds, target, body, going=True)).names
        except (ClusterError, NotFound):
            users = ""
        return f"it waits for {users}" if users else "the control plane has not looked at it again yet"
    if name in _KNOWN:
        return _KNOWN[name]
    writer = _writer(body, name)
    if writer.startswith(f"{FIELD_MANAGER} at"):
        return "git sets it, and who it is meant for has to remove it"
    return f"set by {writer}, whose controller has to remove it" if writer else "its controller has to remove it"


def _writer(body: Body, finalizer: str) -> str:
    """Return the field manager that set a finalizer, as managedFields tell it."""
    key = f"v:{orjson.dumps(finalizer).decode()}"
    for entry in body["metadata"].get("managedFields") or ():
        fields: Mapping[str, Any] = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
        if key in (fields.get("f:finalizers") or {}):
            return f"{entry.get('manager')} at {entry.get('time')}"
    return ""
