"""Values that are copied from one field to another, with the line that they come from."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from reconciler.errors import RenderError
from reconciler.model.path import parse_path, plain_steps
from reconciler.model.tree import Map, Seq, origin_at
from reconciler.render import fieldpath
from reconciler.render.build import build
from tests.unit.preview.trees import Files

OBJECTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data:
  host: example.com
  port: "8080"
  image: registry.example.com/team/web:7
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {a.b/c: old}
spec:
  template:
    spec:
      containers:
        - {name: main, image: "example.com/web:1", ports: [{containerPort: 1}]}
        - {name: side, image: "example.com/side:1"}
"""


def built(replacements: str, extra: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the objects by kind after a kustomization with these replacements."""
    kustomization = "resources: [objects.yaml]\nreplacements:\n" + textwrap.dedent(replacements)
    files = {"kustomization.yaml": kustomization, "objects.yaml": OBJECTS, **(extra or {})}
    return {item.id.kind: item for item in build(Files(files), "").resources}


def field(resource: Any, path: str) -> tuple[Any, str, str]:
    """Return a field's value, place and step."""
    steps = plain_steps(resource.body, parse_path(path))
    assert steps is not None
    value = resource.body
    for step in steps:
        value = value[step]
    origin = origin_at(resource.body, steps)
    assert origin is not None
    return value, str(origin), origin.by


def refused(replacements: str) -> str:
    with pytest.raises(RenderError) as caught:
        built(replacements)
    return str(caught.value)


def test_a_value_comes_with_the_line_that_it_was_written_on() -> None:
    found = built(
        """\
        - source: {kind: ConfigMap, name: settings, fieldPath: data.host}
          targets:
          - select: {kind: Deployment}
            fieldPaths:
            - metadata.annotations.[a.b/c]
            - spec.template.spec.containers.[name=main].env.[name=HOST].value
            options: {create: true}
        """
    )
    web = found["Deployment"]
    assert field(web, 'metadata.annotations["a.b/c"]') == ("example.com", "objects.yaml:5", "replacement")
    assert field(web, "spec.template.spec.containers[0].env[0].value") == (
        "example.com",
        "objects.yaml:5",
        "replacement",
    )
    replaced = origin_at(web.body, ("metadata", "annotations", "a.b/c"))
    assert replaced is not None
    assert replaced.shadowed is not None
    assert replaced.shadowed.value == "old"


def test_a_scalar_takes_the_type_of_what_it_replaces() -> None:
    found = built(
        """\
        - source: {kind: ConfigMap, name: settings, fieldPath: data.port}
          targets:
          - select: {name: web}
            fieldPaths: [spec.template.spec.containers.0.ports.0.containerPort]
        """
    )
    assert field(found["Deployment"], "spec.template.spec.containers[0].ports[0].containerPort")[0] == 8080


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "registry.example.com/web:1"),
        (-1, "registry.example.com/example.com/web:1"),
        (9, "example.com/web:1/registry.example.com"),
    ],
)
def test_a_part_goes_to_a_part(index: int, expected: str) -> None:
    found = built(
        f"""\
        - source:
            kind: ConfigMap
            fieldPath: data.image
            options: {{delimiter: /}}
          targets:
          - select: {{kind: Deployment}}
            fieldPaths: ["spec.template.spec.containers.[name=main].image"]
            options: {{delimiter: /, index: {index}}}
        """
    )
    assert field(found["Deployment"], "spec.template.spec.containers[0].image")[0] == expected


def test_a_file_may_hold_several_and_each_element_may_be_meant() -> None:
    rules = """\
        - source: {kind: ConfigMap, fieldPath: data.host}
          targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.*.image]}]
        - sourceValue: given
          targets: [{select: {kind: ConfigMap}, fieldPaths: [data.host]}]
        """
    found = built("- path: rules.yaml\n", {"rules.yaml": textwrap.dedent(rules)})
    images = [item["image"] for item in found["Deployment"].body["spec"]["template"]["spec"]["containers"]]
    assert images == ["example.com", "example.com"]
    assert field(found["ConfigMap"], "data.host") == ("given", "rules.yaml:3", "replacement")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("- {source: {kind: Ingress}, targets: [{select: {kind: Deployment}}]}", "nothing is selected by the source"),
        ("- {source: {}, targets: [{select: {kind: Deployment}}]}", "selects several objects"),
        (
            "- {source: {kind: ConfigMap, fieldPath: data.no}, targets: [{select: {}}]}",
            "data.no is missing in the source",
        ),
        (
            "- {source: {kind: ConfigMap}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.no]}]}",
            "there is no field spec.no in the target Deployment/web",
        ),
        ("- {source: {kind: ConfigMap}, targets: []}", "at least one target"),
        ("- {source: {kind: ConfigMap}, sourceValue: a, targets: [{select: {}}]}", "not both"),
        ("- {source: {kind: ConfigMap}, targets: [{}]}", "must specify what to select"),
        ("- {source: {kind: ConfigMap}, targets: [{select: {name: '('}}]}", "no regular expression"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(rule: str, words: str) -> None:
    message = refused(rule + "\n")
    assert message.startswith("kustomization.yaml:3: ")
    assert words in message


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("metadata.name", ("metadata", "name")),
        ("metadata.annotations.[a.b/c]", ("metadata", "annotations", "a.b/c")),
        ("spec.containers.[name=a.b].image", ("spec", "containers", "[name=a.b]", "image")),
        (r"data.a\.b", ("data", "a.b")),
        ("spec.0.*", ("spec", "0", "*")),
    ],
)
def test_paths_are_split_at_their_dots(path: str, steps: tuple[str, ...]) -> None:
    assert fieldpath.split(path) == steps


def test_a_sequence_grows_at_its_end_only() -> None:
    root = Map({"items": Seq(["a"])})
    for step, count in (("1", 2), ("5", 2), ("-", 3)):
        for place in fieldpath.places(root, ("items", step), create=True, origin=None, leaf="new"):
            place.put("new", None)
        assert len(root["items"]) == count
