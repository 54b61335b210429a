"""Field specs of a kustomization's own, and variables."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import RenderError
from reconciler.model.tree import origin_at
from reconciler.render.build import build
from tests.unit.preview.trees import Files

OBJECTS = """\
apiVersion: v1
kind: Service
metadata: {name: svc}
spec: {selector: {x: y}}
---
apiVersion: foo/v1
kind: Gorilla
metadata: {name: koko}
spec: {food: banana, mate: koko, says: "I am $(NAME), $$(NAME), $(OTHER)", whole: $(COUNT), list: [$(NAME)]}
"""


def built(kustomization: str, config: str = "", **more: str) -> dict[str, Any]:
    files = {"kustomization.yaml": f"resources: [objects.yaml]\n{kustomization}", "objects.yaml": OBJECTS}
    files |= {"config.yaml": config, **more}
    return {item.id.kind: item for item in build(Files(files), "").resources}


def test_a_spec_for_one_kind_takes_the_place_of_the_one_for_all() -> None:
    """As Kustomize merges them: naming metadata/name for a kind leaves the other kinds alone."""
    config = "namePrefix: [{path: metadata/name, kind: Gorilla}]\n"
    found = built("namePrefix: p-\nconfigurations: [config.yaml]\n", config)
    assert {kind: item.id.name for kind, item in found.items()} == {"Service": "svc", "Gorilla": "p-koko"}


def test_a_spec_of_another_path_comes_beside_the_usual_ones() -> None:
    config = "commonLabels: [{path: spec/labels, kind: Gorilla, create: true}]\n"
    found = built("commonLabels: {a: b}\nconfigurations: [config.yaml]\n", config)
    assert found["Gorilla"].body["spec"]["labels"] == {"a": "b"}
    assert found["Service"].body["spec"]["selector"] == {"x": "y", "a": "b"}
    assert found["Service"].labels == {"a": "b"}


def test_specs_that_disagree_are_refused() -> None:
    config = "commonLabels: [{path: metadata/labels, create: false}]\n"
    with pytest.raises(
        RenderError, match=r"kustomization.yaml:3: the field specs of common_labels for metadata/labels"
    ):
        built("commonLabels: {a: b}\nconfigurations: [config.yaml]\n", config)


def test_a_configured_field_follows_a_rename_also_from_a_layer_above() -> None:
    files = {
        "base/kustomization.yaml": "resources: [objects.yaml]\nconfigurations: [config.yaml]\n",
        "base/objects.yaml": OBJECTS,
        "base/config.yaml": "nameReference: [{kind: Gorilla, fieldSpecs: [{kind: Gorilla, path: spec/mate}]}]\n",
        "top/kustomization.yaml": "resources: [../base]\nnameSuffix: -x\n",
    }
    gorilla = next(item for item in build(Files(files), "top").resources if item.id.kind == "Gorilla")
    assert gorilla.body["spec"]["mate"] == "koko-x"


@pytest.mark.parametrize("config", ["colour: []\n", "commonLabels: [{kind: A}]\n", "- a\n"])
def test_what_is_wrong_with_a_configuration_is_told(config: str) -> None:
    with pytest.raises(RenderError, match=r"^config.yaml:1: "):
        built("configurations: [config.yaml]\n", config)


VARS = """\
configurations: [config.yaml]
namePrefix: p-
vars:
- {name: NAME, objref: {kind: Gorilla, name: koko, apiVersion: foo/v1}}
- {name: COUNT, objref: {kind: Service, name: svc, apiVersion: v1}, fieldref: {fieldpath: spec.count}}
"""
USES = "varReference: [{path: spec/says, kind: Gorilla}, {path: spec/whole, kind: Gorilla}, {path: spec/list, kind: Gorilla}]\n"


def test_variables_are_filled_in_at_the_end_with_their_lines() -> None:
    """After names have their prefix; a text that is one variable takes its type; what is no variable stays."""
    objects = OBJECTS.replace("{selector: {x: y}}", "{selector: {x: y}, count: 3}")
    spec = built(VARS, USES, **{"objects.yaml": objects})["Gorilla"].body["spec"]
    assert spec["says"] == "I am p-koko, $(NAME), $(OTHER)"
    assert (spec["whole"], spec["list"]) == (3, ["p-koko"])
    origin = origin_at(spec, ("whole",))
    assert origin is not None
    assert (str(origin), origin.by) == ("objects.yaml:4", "var")


def test_a_variable_without_a_value_is_told() -> None:
    with pytest.raises(
        RenderError, match=r"kustomization.yaml:6: the variable COUNT: Service/svc has no field spec.count"
    ):
        built(VARS, USES)


def test_one_name_means_one_thing() -> None:
    again = VARS + "- {name: NAME, objref: {kind: Service, name: svc, apiVersion: v1}}\n"
    with pytest.raises(RenderError, match="the variable NAME is declared twice"):
        built(again, USES)


def test_the_case_of_fields_does_not_matter() -> None:
    assert built("NamePrefix: q-\n")["Service"].id.name == "q-svc"
