"""The kinds that FakeCluster serves: those recorded from a real API server, and those of its CRDs."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.model.api import ApiResource
from tests.fakes.shapes import REF, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable

Body = dict[str, Any]
VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@cache
def _recorded() -> tuple[tuple[ApiResource, ...], dict[str, Body]]:
    data = json.loads(Path(__file__).with_name("kinds.json").read_text())
    rows: list[tuple[str, str, str, str, bool]] = data["resources"]
    return tuple(ApiResource(*row, VERBS) for row in rows), data["schemas"]


def builtin() -> tuple[ApiResource, ...]:
    """Return the recorded kinds."""
    return _recorded()[0]


def of_crd(crd: Body) -> tuple[ApiResource, ...]:
    """Return the kinds that an established CRD serves."""
    conditions = (crd.get("status") or {}).get("conditions") or ()
    if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
        return ()
    spec = crd["spec"]
    names = spec["names"]
    return tuple(
        ApiResource(
            spec["group"],
            version["name"],
            names["kind"],
            names["plural"],
            spec["scope"] == "Namespaced",
            VERBS,
            "status" in (version.get("subresources") or {}),
        )
        for version in spec["versions"]
        if version.get("served")
    )


def schema(resource: ApiResource, crd: Body | None = None) -> Body:
    """Return the schema of a kind."""
    if crd is not None:
        version = next(item for item in crd["spec"]["versions"] if item["name"] == resource.version)
        found = dict((version.get("schema") or {}).get("openAPIV3Schema") or {})
        head = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": REF + META}}
        found["properties"] = {**found.get("properties", {}), **head}
        return found
    return next(item for item in _recorded()[1].values() if _is(item, resource))


def shape(resource: ApiResource, crd: Body | None = None) -> Shape:
    """Return the shape of a kind's objects."""
    return Shape(schema(resource, crd), _recorded()[1])


def document(resources: Iterable[tuple[ApiResource, Body | None]]) -> Body:
    """Return an OpenAPI v3 document for kinds of one group/version."""
    kept: dict[str, Body] = {}
    pending: list[str] = []
    for resource, crd in resources:
        group_version_kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        found = {**schema(resource, crd), "x-kubernetes-group-version-kind": [group_version_kind]}
        name = ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind]).lstrip(".")
        kept[name] = found
        pending += _references(found)
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = _recorded()[1][name]
            pending += _references(kept[name])
    return {"openapi": "3.0.0", "paths": {}, "components": {"schemas": kept}}


def _references(found: Body) -> list[str]:
    return re.findall(re.escape(REF) + r'([^"]+)"', json.dumps(found))


def _is(found: Body, resource: ApiResource) -> bool:
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return wanted in found.get("x-kubernetes-group-version-kind", ())
