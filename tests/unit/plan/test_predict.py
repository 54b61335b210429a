"""What a schema can say of a new object."""

from __future__ import annotations

import asyncio
from pathlib import Path

from reconciler import yaml
from reconciler.model.origin import Source
from reconciler.plan.openapi import Schemas
from reconciler.plan.predict import violations
from tests.fakes.cluster import FakeCluster
from tests.unit.plan.scene import objects, resource

ZOO = Path(__file__).parents[2] / "golden" / "plans" / "zoo.yaml"


def test_the_zoo_violates_nothing() -> None:
    """No object that a real server accepts is held back: every kind of the zoo, custom ones too."""
    found = [resource(body) for body in yaml.parse(ZOO.read_text(), Source("zoo.yaml", "")) if body]
    documents = asyncio.run(FakeCluster().openapi(sorted({item.gvk.api_version for item in found})))
    definitions = tuple(item.body for item in found if item.id.kind == "CustomResourceDefinition")
    schemas = Schemas(documents, definitions)
    told = {
        str(item.id): violations(item, schemas.of(item.gvk), custom=item.id.group == "zoo.example.com")
        for item in found
    }
    assert {name: words for name, words in told.items() if words} == {}
    assert schemas.find(found[-1].gvk) is not None


def test_a_wrong_value_is_told_with_its_line() -> None:
    (item,) = objects("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: 1\n")
    schemas = Schemas(asyncio.run(FakeCluster().openapi(["v1"])))
    assert violations(item, schemas.of(item.gvk), custom=False) == (
        "scene.yaml:6: data.key: expected a value of type string, found an integer",
    )
