"""Built-in plugins as objects: what each does, where its lines are, and what is refused."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from reconciler.errors import RenderError
from reconciler.model.tree import origin_at
from reconciler.render.build import build
from tests.unit.preview.trees import Files

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - {name: main, image: "nginx:1"}
      other: {image: "nginx:1"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bound}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects:
  - {kind: ServiceAccount, name: default}
  - {kind: ServiceAccount, name: robot, namespace: else}
"""


def plugin(kind: str, body: str) -> str:
    return f"apiVersion: builtin\nkind: {kind}\nmetadata: {{name: any}}\n" + textwrap.dedent(body)


def built(field: str, config: str, **more: str) -> dict[str, Any]:
    files = {
        "kustomization.yaml": f"resources: [web.yaml]\n{field}: [config.yaml]\n",
        "web.yaml": WEB,
        "config.yaml": config,
    }
    return {item.id.kind: item for item in build(Files({**files, **more}), "").resources}


def at(resource: Any, *steps: str | int) -> Any:
    value = resource.body
    for step in steps:
        value = value[step]
    return value


def test_labels_go_where_the_field_specs_say() -> None:
    found = built(
        "transformers",
        plugin(
            "LabelTransformer",
            """\
            labels: {tier: true}
            fieldSpecs:
            - {path: metadata/labels, create: true, kind: Deployment, version: v1}
            - {path: spec/absent}
            """,
        ),
    )
    assert at(found["Deployment"], "metadata", "labels") == {"tier": "true"}
    assert str(origin_at(found["Deployment"].body, ("metadata", "labels", "tier"))) == "config.yaml:4"
    assert "labels" not in found["RoleBinding"].body["metadata"]


def test_images_are_rewritten_where_the_field_specs_lead_too() -> None:
    config = "imageTag: {name: nginx, newTag: v2}\nfieldSpecs: [{path: spec/template/spec/other/image}]\n"
    found = built("transformers", plugin("ImageTagTransformer", config))
    assert at(found["Deployment"], "spec", "template", "spec", "containers", 0, "image") == "nginx:v2"
    assert at(found["Deployment"], "spec", "template", "spec", "other", "image") == "nginx:v2"


@pytest.mark.parametrize(
    ("mode", "spaces"),
    [("defaultOnly", ["shop", "else"]), ("allServiceAccounts", ["shop", "shop"]), ("none", [None, "else"])],
)
def test_subjects_follow_as_far_as_is_asked(mode: str, spaces: list[str | None]) -> None:
    config = f"namespace: shop\nsetRoleBindingSubjects: {mode}\nfieldSpecs: [{{path: metadata/namespace}}]\n"
    found = built("transformers", plugin("NamespaceTransformer", config))
    assert [subject.get("namespace") for subject in found["RoleBinding"].body["subjects"]] == spaces


def test_a_generator_is_looked_at_from_the_kustomization() -> None:
    """A file that it names is found from the kustomization's directory, wherever the configuration stands."""
    config = plugin("ConfigMapGenerator", "envs: [data.env]\n").replace("any", "made")
    files = {
        "app/kustomization.yaml": "generators: [../plugins]\n",
        "app/data.env": "A=b\n",
        "plugins/kustomization.yaml": "resources: [config.yaml]\n",
        "plugins/config.yaml": config,
    }
    (resource,) = build(Files(files), "app").resources
    assert resource.id.name.startswith("made-")
    assert resource.body["data"] == {"A": "b"}


def test_inline_plugins_count_their_lines_from_their_place() -> None:
    inline = textwrap.indent(plugin("PrefixTransformer", "prefix: a-\nfieldSpecs: [{path: metadata/name}]\n"), "  ")
    files = {"kustomization.yaml": f"resources: [web.yaml]\ntransformers:\n- |-\n{inline}", "web.yaml": WEB}
    resource = next(item for item in build(Files(files), "").resources if item.id.kind == "Deployment")
    assert resource.id.name == "a-web"
    assert str(origin_at(resource.body, ("metadata", "name"))) == "kustomization.yaml:7"


def test_a_validator_must_not_change_anything() -> None:
    quiet = plugin("LabelTransformer", "labels: {a: b}\nfieldSpecs: [{path: no/where}]\n")
    assert built("validators", quiet)
    loud = plugin("LabelTransformer", "labels: {a: b}\nfieldSpecs: [{path: metadata/labels, create: true}]\n")
    with pytest.raises(RenderError, match=r"config.yaml:2: the validator LabelTransformer changes objects"):
        built("validators", loud)


@pytest.mark.parametrize(
    ("position", "expected"),
    [(0, "new/projects/data"), (1, "new/projects/data"), (2, "projects/new/data"), (9, "projects/data/new")],
)
def test_a_value_is_put_into_a_path(position: int, expected: str) -> None:
    web = WEB.replace("other: {image:", "other: {path: projects/data, image:")
    config = f"value: new\ntargets: [{{selector: {{kind: Deployment}}, fieldPath: spec/template/spec/other/path, filePathPosition: {position}}}]\n"
    found = built("transformers", plugin("ValueAddTransformer", config), **{"web.yaml": web})
    assert at(found["Deployment"], "spec", "template", "spec", "other", "path") == expected


@pytest.mark.parametrize(
    ("field", "config", "words"),
    [
        ("transformers", "apiVersion: example.com/v1\nkind: Mine\nmetadata: {name: x}\n", "is no built-in plugin"),
        ("transformers", plugin("Mine", ""), "there is no built-in plugin Mine"),
        ("transformers", plugin("ConfigMapGenerator", "literals: [a=b]\n"), "is no transformer"),
        ("generators", plugin("LabelTransformer", "labels: {a: b}\n"), "is no generator"),
        ("transformers", plugin("LabelTransformer", "labels: {a: b}\nfieldSpecs: [{kind: A}]\n"), "needs a path"),
        (
            "transformers",
            plugin("NamespaceTransformer", "namespace: a\nsetRoleBindingSubjects: x\n"),
            "expected defaultOnly",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(field: str, config: str, words: str) -> None:
    with pytest.raises(RenderError) as caught:
        built(field, config)
    assert str(caught.value).startswith("config.yaml:")
    assert words in str(caught.value)
