"""Giving an object up: it stays as it is, without our labels, our marks and our field ownership.

An apply of less would remove the fields that only we own. So our entry is taken out of `managedFields` instead, by a JSON
Patch (RFC 6902) that is bound to the resourceVersion; no field of the object itself is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import ENVIRONMENT_LABEL, FIELD_MANAGER, PART_OF_LABEL
from reconciler.model.marks import PREFIX

if TYPE_CHECKING:
    from reconciler.cluster.port import Body, Cluster
    from reconciler.model.api import ApiResource

NOBODY: Final[list[Body]] = [{}]  # the server reads this as "no owners at all", and an empty list as "left as they are"


async def release(cluster: Cluster, resource: ApiResource, body: Body) -> None:
    """Give one object up as it was read; raises Conflict where it has changed since."""
    metadata = body["metadata"]
    await cluster.patch(
        resource,
        metadata.get("namespace", ""),
        metadata["name"],
        patch(body),
        kind="json",
        field_manager=FIELD_MANAGER,
    )


def patch(body: Body) -> list[dict[str, Any]]:
    """Return the JSON Patch that takes our labels, our annotations and our entries of managedFields away."""
    metadata = body["metadata"]
    labels = [key for key in metadata.get("labels") or {} if key in (ENVIRONMENT_LABEL, PART_OF_LABEL)]
    marks = [key for key in metadata.get("annotations") or {} if key.startswith(PREFIX)]
    left = [item for item in metadata.get("managedFields") or () if item.get("manager") != FIELD_MANAGER]
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        *({"op": "remove", "path": f"/metadata/labels/{_escaped(key)}"} for key in labels),
        *({"op": "remove", "path": f"/metadata/annotations/{_escaped(key)}"} for key in marks),
        {"op": "replace", "path": "/metadata/managedFields", "value": left or NOBODY},
    ]


def _escaped(key: str) -> str:
    """Return a key as a step of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
