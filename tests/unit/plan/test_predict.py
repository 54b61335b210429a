"""What a schema can say of a new object."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import yaml
from reconciler.model.origin import Source
from reconciler.plan.openapi import Schemas
from reconciler.plan.predict import violations
from tests.fakes.cluster import FakeCluster
from tests.unit.plan.scene import objects, resource

if TYPE_CHECKING:
    from reconciler.model.resource import Resource
    from reconciler.model.schema import Schema

ZOO = Path(__file__).parents[2] / "golden" / "plans" / "zoo.yaml"


def test_the_zoo_violates_nothing() -> None:
    """No object that a real server accepts is held back: every kind of the zoo, custom ones too."""
    found = [resource(body) for body in yaml.parse(ZOO.read_text(), Source("zoo.yaml", "")) if body]
    documents = asyncio.run(FakeCluster().openapi(sorted({item.gvk.api_version for item in found})))
    definitions = tuple(item.body for item in found if item.id.kind == "CustomResourceDefinition")
    schemas = Schemas(documents, definitions)
    told = {
        str(item.id): violations(item, schemas.of(item.gvk), custom=item.id.group == "zoo.example.com", whole=True)
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


def test_constraints_of_a_definition_are_told_each_with_its_line() -> None:
    """What the server would refuse of a custom resource is told before its definition exists there."""
    found = violations(*_widget(BAD), custom=True)
    assert found == (
        'scene.yaml:7: spec.size: must be one of "small", "large", found "huge"',
        'scene.yaml:8: spec.name: must match ^[a-z]+$, found "Nope!"',
        "scene.yaml:9: spec.replicas: must be at most 5, found 9",
        "scene.yaml:10: spec.share: must be less than 1, found 1",
        "scene.yaml:11: spec.hosts: must have at most 2 items, found 3",
        "scene.yaml:11: spec.hosts: must not hold an item twice",
        f"scene.yaml:12: spec.source: must satisfy exactly one of {BRANCHES}, satisfies 2",
        "scene.yaml:5: spec: required field mode is missing",
    )


def test_what_fits_its_constraints_is_not_told() -> None:
    good = """
      size: small
      name: abc
      replicas: 5
      share: 0.5
      hosts: [a, b]
      source: {git: x}
      mode: on
    """
    assert violations(*_widget(good), custom=True) == ()


BRANCHES = '[{"required":["git"]},{"required":["http"]}]'
BAD = """

      size: huge
      name: Nope!
      replicas: 9
      share: 1
      hosts: [a, b, a]
      source: {git: x, http: y}
"""

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [mode]
              properties:
                size: {type: string, enum: [small, large]}
                name: {type: string, pattern: "^[a-z]+$"}
                replicas: {type: integer, minimum: 1, maximum: 5}
                share: {type: number, maximum: 1, exclusiveMaximum: true}
                hosts: {type: array, maxItems: 2, uniqueItems: true, items: {type: string, minLength: 1}}
                mode: {type: string}
                source:
                  type: object
                  properties: {git: {type: string}, http: {type: string}}
                  oneOf: [{required: [git]}, {required: [http]}]
"""


def _widget(spec: str) -> tuple[Resource, Schema]:
    (item,) = objects(f"apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: a\nspec:{spec}")
    (definition,) = yaml.parse(WIDGETS, Source("crd.yaml", ""))
    return item, Schemas({}, (definition,)).of(item.gvk)


def test_required_fields_of_built_in_kinds_are_told_where_nobody_else_gives_them() -> None:
    """As far as the server is known to ask for them; an object that others share is left to the server."""
    (item,) = objects("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: shop}
spec:
  template:
    spec:
      containers:
      - image: web:1
        ports:
        - name: http
""")
    documents = asyncio.run(FakeCluster().openapi(["apps/v1"]))
    schema = Schemas(documents).of(item.gvk)
    assert violations(item, schema, custom=False) == ()
    assert violations(item, schema, custom=False, whole=True) == (
        "scene.yaml:5: spec: required field selector is missing",
        "scene.yaml:9: spec.template.spec.containers[0]: required field name is missing",
        "scene.yaml:11: spec.template.spec.containers[0].ports[0]: required field containerPort is missing",
    )
