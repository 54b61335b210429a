"""Taking over what another tool has written, so that fields removed from git really go and nothing of the tool is left.

What was asked for through the tool becomes part of our `Apply` entry of managedFields, as `kubectl apply --server-side` does
with what it wrote before (k8s.io/client-go/util/csaupgrade). The patch is bound to the object's resourceVersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import Conflict
from reconciler.model.applyset import ENVIRONMENT_LABEL, FIELD_MANAGER
from reconciler.model.managers import is_ours
from reconciler.model.plan import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.cluster.port import Body, Cluster
    from reconciler.model.api import ApiResource
    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Takeover

ATTEMPTS = 5


async def adopt(
    cluster: Cluster, resource: ApiResource, target: ObjectId, taken: Takeover, require: Callable[[Body], None]
) -> None:
    """Take an object over; raises Conflict where it never stands still, or where `require` does, which is shown the object."""
    for attempt in range(ATTEMPTS):
        body = await cluster.get(resource, target.namespace, target.name)
        require(body)
        steps = patch(body, taken, resource.gvk.api_version)
        if not steps:
            return
        try:
            await cluster.patch(
                resource, target.namespace, target.name, steps, kind="json", field_manager=FIELD_MANAGER
            )
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


def patch(body: Body, taken: Takeover, api_version: str) -> list[dict[str, Any]]:
    """Return the JSON Patch (RFC 6902) of a takeover; empty where nothing is left to be taken over."""
    metadata = body["metadata"]
    steps: list[dict[str, Any]] = [
        {"op": "remove", "path": f"/metadata/{kind}/{key.replace('~', '~0').replace('/', '~1')}"}
        for kind, keys in (("labels", taken.labels), ("annotations", taken.annotations))
        for key in keys
        if key in (metadata.get(kind) or {})
    ]
    entries = migrated(metadata.get("managedFields") or [], taken, api_version)
    if entries is not None:
        steps.append({"op": "replace", "path": "/metadata/managedFields", "value": entries})
    if not steps:
        return []
    return [{"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}, *steps]


def migrated(entries: list[Body], taken: Takeover, api_version: str) -> list[Body] | None:
    """Return managedFields as they are after a takeover; None where they are so already.

    Where nothing would be left there is an entry of ours with a label that the apply sets: an object without any entry gets
    one of `before-first-apply` from the server, which then owns everything.
    """
    merged = [item for item in entries if _writer(item) in taken.merged]
    dropped = [item for item in entries if _writer(item) in taken.dropped]
    if not merged and not dropped:
        return None
    ours = [item for item in entries if is_ours(item)]
    others = [item for item in entries if item not in merged and item not in dropped and not is_ours(item)]
    if not merged:
        return [*ours, *others] or [_entry({"f:metadata": {"f:labels": {f"f:{ENVIRONMENT_LABEL}": {}}}}, api_version)]
    fields: Body = {}
    for item in (*ours, *merged):
        fields = _union(fields, item.get("fieldsV1") or {})
    entry = _entry(fields, (ours or merged)[0].get("apiVersion", api_version))
    if when := (ours or merged)[0].get("time"):
        entry["time"] = when
    return [entry, *others]


def _entry(fields: Body, api_version: str) -> Body:
    return {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _writer(entry: Body) -> Writer | None:
    return None if entry.get("subresource") else Writer(entry.get("manager", ""), entry.get("operation", ""))


def _union(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        merged[key] = _union(merged[key], value) if key in merged else value
    return merged
