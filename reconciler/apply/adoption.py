"""Taking over what another tool's client-side apply has written, so that fields removed from git really go.

The tool's `Update` entries of managedFields become part of our `Apply` entry, as `kubectl apply --server-side` does for
its own (k8s.io/client-go/util/csaupgrade). The patch is bound to the object's resourceVersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import Conflict
from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.cluster.port import Body, Cluster
    from reconciler.model.api import ApiResource
    from reconciler.model.identity import ObjectId

ATTEMPTS = 5


async def adopt(cluster: Cluster, resource: ApiResource, target: ObjectId, managers: Collection[str]) -> None:
    """Make the fields of these managers ours; raises Conflict where the object never stands still."""
    for attempt in range(ATTEMPTS):
        body = await cluster.get(resource, target.namespace, target.name)
        entries = migrated(body["metadata"].get("managedFields") or [], managers, resource.gvk.api_version)
        if entries is None:
            return
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]},
        ]
        try:
            await cluster.patch(
                resource, target.namespace, target.name, patch, kind="json", field_manager=FIELD_MANAGER
            )
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


def migrated(entries: list[Body], managers: Collection[str], api_version: str) -> list[Body] | None:
    """Return managedFields with the managers' Update entries merged into our Apply entry; None where there are none."""
    theirs = [
        item
        for item in entries
        if item.get("manager") in managers and item.get("operation") == "Update" and not item.get("subresource")
    ]
    if not theirs:
        return None
    ours = [item for item in entries if _ours(item)]
    fields: Body = {}
    for item in (*ours, *theirs):
        fields = _union(fields, item.get("fieldsV1") or {})
    entry = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": (ours or theirs)[0].get("apiVersion", api_version),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if when := (ours or theirs)[0].get("time"):
        entry["time"] = when
    return [entry, *(item for item in entries if item not in theirs and not _ours(item))]


def _ours(entry: Body) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def _union(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        merged[key] = _union(merged[key], value) if key in merged else value
    return merged
