"""What git wants, made fit to be sent: with the labels of its inventory, and Secrets without `stringData`.

`stringData` is a write-only convenience of the API server. Sent as such, keys that are removed from git would stay and
edits by hand would go unseen, because the server records the ownership of `stringData` and keeps `data`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from reconciler.model.applyset import member_labels
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map

if TYPE_CHECKING:
    from collections.abc import Mapping


def marked(desired: Desired) -> Desired:
    """Return the same objects with the member labels of their component's ApplySet (KEP-3659)."""
    return Desired(
        desired.environment,
        desired.revision,
        {
            name: tuple(_marked(item, member_labels(desired.environment, name)) for item in items)
            for name, items in desired.components.items()
        },
        desired.warnings,
    )


def _marked(resource: Resource, labels: Mapping[str, str]) -> Resource:
    body = _shallow(resource.body)
    metadata = _shallow(body.get("metadata"))
    marks = _shallow(metadata.get("labels"))
    for key, value in labels.items():
        marks.put(key, value, None)
    metadata["labels"] = marks
    body["metadata"] = metadata
    if resource.id.group_kind == ("", "Secret") and isinstance(body.get("stringData"), dict):
        _encode(body)
    return Resource(resource.id, resource.version, body, resource.origin)  # `replace` takes six times as long


def _encode(body: Map) -> None:
    """Move every entry of `stringData` into `data`; as on the server, it wins over an entry of the same name."""
    texts = body["stringData"]
    data = _shallow(body.get("data"))
    whole = body.origins.get("stringData")
    origins = texts.origins if isinstance(texts, Map) else {}
    for key, text in texts.items():
        if isinstance(text, str):
            data.put(key, base64.b64encode(text.encode()).decode(), origins.get(key, whole))
    body.drop("stringData")
    if "data" in body:
        body["data"] = data
    else:
        body.put("data", data, whole)


def _shallow(value: object) -> Map:
    """Return a copy of one level of a map, its origins included; an empty one where there is no map."""
    if not isinstance(value, dict):
        return Map()
    twin = Map(value)
    if isinstance(value, Map):
        twin.origins = dict(value.origins)
    return twin
