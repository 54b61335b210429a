"""Rules of a repository's own: what they select, how they are judged, and what is told."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from reconciler.check import broken
from reconciler.environment import load
from reconciler.environment.rules import load_rules
from reconciler.errors import ConfigError, InvalidEnvironment, Problem
from reconciler.model.resource import Desired
from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: fast
  labels: {option: ceph}
provisioner: example.com/fast
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: slow
  annotations: {reconciler.dev/ignore-checks: "storage/named"}
provisioner: example.com/slow
---
apiVersion: v1
kind: ConfigMap
metadata: {name: fast, namespace: web}
"""

RULES = """\
apiVersion: reconciler.dev/v1alpha1
kind: RuleSet
metadata: {name: storage}
spec:
  rules:
"""


def judge(root: Path, rules: str, labels: str = "{}") -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what the rules find in an environment of three objects."""
    files = {
        "environments/dev/environment.yaml": (
            "apiVersion: reconciler.dev/v1alpha1\nkind: Environment\n"
            f"metadata: {{name: dev, labels: {labels}}}\n"
            "spec:\n  cluster: {sandbox: true}\n  components: [{name: web, path: web}]\n  rules: [../../rules]\n"
        ),
        "environments/dev/web/kustomization.yaml": "resources: [all.yaml]\n",
        "environments/dev/web/all.yaml": OBJECTS,
        "rules/storage.yaml": RULES + textwrap.indent(textwrap.dedent(rules), "    "),
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    tree = DirectoryTree(root)
    environment = load(tree, "environments/dev/environment.yaml")
    desired = Desired("dev", None, {"web": build(tree, "environments/dev/web").resources})
    return broken(load_rules(tree, environment), environment, desired)


def test_a_rule_over_all_objects_is_told_at_the_first_of_them(tmp_path: Path) -> None:
    rule = """\
        - name: one
          select:
            classes: {group: storage.k8s.io, kind: StorageClass}
          expression: size(classes) == 1
          message: there is more than one class
          hint: take one out
    """
    errors, warnings = judge(tmp_path, rule)
    (told,) = map(str, errors)
    assert told.startswith("environments/dev/web/all.yaml:1: there is more than one class ")
    assert told.endswith("[rule storage/one, rules/storage.yaml:6] (take one out)")
    assert warnings == ()


def test_a_rule_for_each_object_names_the_object_and_heeds_its_annotation(tmp_path: Path) -> None:
    rule = """\
        - name: named
          select:
            classes: {kind: StorageClass}
          each: classes
          expression: object.metadata.name.startsWith('platform-')
          message: classes are called platform-*
          severity: warning
    """
    errors, warnings = judge(tmp_path, rule)
    assert errors == ()
    assert len(warnings) == 1
    assert "fast: classes are called platform-*" in warnings[0].message


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("{}", 3),
        ("{kind: ConfigMap}", 1),
        ("{group: storage.k8s.io}", 2),
        ("{group: ''}", 1),
        ("{name: f*}", 2),
        ("{namespace: web}", 1),
        ("{labels: {option: '*'}}", 1),
        ("{labels: {option: gluster}}", 0),
    ],
)
def test_selectors(tmp_path: Path, selector: str, count: int) -> None:
    rule = f"- {{name: x, select: {{all: {selector}}}, expression: size(all) == {count}, message: no}}\n"
    assert judge(tmp_path, rule) == ((), ())


def test_a_rule_may_be_for_some_environments_only(tmp_path: Path) -> None:
    rule = "- {name: x, environments: {tier: prod}, select: {all: {}}, expression: 'false', message: never}\n"
    assert judge(tmp_path, rule, "{tier: dev}") == ((), ())
    assert len(judge(tmp_path, rule, "{tier: prod}")[0]) == 1


def test_a_rule_sees_the_environment(tmp_path: Path) -> None:
    expression = "environment.name == 'dev' && environment.labels.tier == 'dev' && environment.components == ['web']"
    rule = f'- {{name: x, select: {{all: {{}}}}, expression: "{expression}", message: no}}\n'
    assert judge(tmp_path, rule, "{tier: dev}") == ((), ())


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("object.spec.replicas == 1", "storage/x cannot be evaluated for"),
        ("size(all)", "it is 3, expected true or false"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_of_the_rule(tmp_path: Path, expression: str, told: str) -> None:
    rule = f"- {{name: x, select: {{all: {{}}}}, each: all, expression: {expression}, message: no}}\n"
    errors, _ = judge(tmp_path, rule)
    assert {(item.file, item.line) for item in errors} == {("rules/storage.yaml", 6)}
    assert told in errors[0].message


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("- {name: x, select: {all: {}}, expression: 'a ==', message: no}", "is not CEL"),
        ("- {name: x, select: {all: {}}, each: other, expression: 'true', message: no}", "each names other"),
        ("- {name: x, select: {all: {}}, expression: 'true', mesage: no}", "did you mean message?"),
        ("- {name: x, select: {all: {kin: Pod}}, expression: 'true', message: no}", "unknown key"),
    ],
)
def test_files_of_rules_are_read_strictly(tmp_path: Path, rule: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        judge(tmp_path, rule + "\n")
    assert any(told in str(item) and item.file == "rules/storage.yaml" for item in raised.value.problems)
    assert all(item.line > 0 for item in raised.value.problems)


def test_a_path_without_rules_is_an_error_of_the_environment(tmp_path: Path) -> None:
    judge(tmp_path, "- {name: x, select: {all: {}}, expression: 'true', message: no}\n")
    file = tmp_path / "environments/dev/environment.yaml"
    file.write_text(file.read_text().replace("../../rules", "../../ruels"))
    with pytest.raises(InvalidEnvironment, match="there are no rules ruels"):
        load(DirectoryTree(tmp_path), "environments/dev/environment.yaml")
