"""Required fields of built-in kinds against a real API server: what we ask for without it, it asks for too."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import yaml
from reconciler.cluster.kube import KubeCluster
from reconciler.errors import Invalid
from reconciler.model.identity import GroupVersionKind, ObjectId
from reconciler.model.origin import Source
from reconciler.model.resource import Resource
from reconciler.model.tree import Map
from reconciler.plan.enforced import ENFORCED
from reconciler.plan.openapi import Schemas
from reconciler.plan.predict import violations
from tests.unit.plan.scene import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.schema import Schema
    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

ZOO = Path(__file__).parents[2] / "golden" / "plans" / "zoo.yaml"
Steps = tuple[str | int, ...]


def bodies() -> list[dict[str, Any]]:
    """Return the zoo, in a namespace that every server has."""
    found = [plain(body) for body in yaml.parse(ZOO.read_text(), Source("zoo.yaml", "")) if body]
    for body in found:
        if body["metadata"].get("namespace"):
            body["metadata"]["namespace"] = "default"
    return found


def demanded(value: Any, schema: Schema, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Yield every required field that is there and that we ask for."""
    if isinstance(value, dict):
        if schema.enforced:
            yield from ((steps, key) for key in schema.required if key in value)
        for key, item in value.items():
            yield from demanded(item, schema.child(key), (*steps, key))
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            yield from demanded(item, schema.items, (*steps, index))


def without(body: dict[str, Any], steps: Steps, key: str) -> dict[str, Any]:
    """Return an object that lacks one field."""
    lacking = copy.deepcopy(body)
    node: Any = lacking
    for step in steps:
        node = node[step]
    del node[key]
    return lacking


async def test_what_we_ask_for_the_server_asks_for(control_plane: Sandbox, tmp_path: Path) -> None:
    """Each field of the zoo is left out once, and both say that it is required; no component's name is mistaken."""
    cluster = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig), context=None, cache_dir=tmp_path)
    try:
        discovery = await cluster.discover()
        documents = await cluster.openapi(sorted({body["apiVersion"] for body in bodies()}))
        schemas = Schemas(documents)
        tried = 0
        for body in bodies():
            gvk = GroupVersionKind.of(body)
            schema = schemas.find(gvk)
            if schema is None or gvk not in discovery.resources:
                continue
            for steps, key in demanded(body, schema):
                lacking = without(body, steps, key)
                told = violations(
                    Resource(ObjectId.of(lacking), gvk.version, Map(lacking)), schema, custom=False, whole=True
                )
                assert any(f"required field {key} is missing" in words for words in told), (gvk, steps, key)
                with pytest.raises(Invalid):
                    await cluster.apply(
                        discovery.resources[gvk], lacking, field_manager="somebody", force=True, dry_run=True
                    )
                tried += 1
        assert tried > 100
        known = {name for document in documents.values() for name in document["components"]["schemas"]}
        assert known >= ENFORCED
    finally:
        await cluster.close()
