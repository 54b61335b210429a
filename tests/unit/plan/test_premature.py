"""What the server refuses before that is applied which may change its mind."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.errors import ClusterError, Forbidden, Invalid
from reconciler.model.observation import Prediction
from reconciler.model.plan import Action
from reconciler.plan import graph, mark, planner
from tests.unit.plan.scene import picture, run, scene

QUOTA = Forbidden('configmaps "a" is forbidden: exceeded quota: few, requested: x, used: y, limited: z', status=403)
WEBHOOK = Forbidden('admission webhook "no.example.com" denied the request: no', status=403)
POLICY = Invalid(
    "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", status=422
)
RIGHTS = Forbidden('configmaps "a" is forbidden: User "ada" cannot patch resource "configmaps"', status=403)

SCENE = """
environment: {components: [{name: rules}, {name: between, dependsOn: [rules]}, {name: web, dependsOn: [%s]}]}
before:
  rules: [{apiVersion: v1, kind: ConfigMap, metadata: {name: policy, namespace: shop}, data: {key: old}}]
  web: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: old}}]
git:
  rules: [{apiVersion: v1, kind: ConfigMap, metadata: {name: policy, namespace: shop}, data: {key: %s}}]
  between: []
  web: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: new}}]
"""


def told(error: ClusterError, needs: str = "between", rules: str = "new") -> tuple[str, tuple[str, ...]]:
    """Return problem and notes of the object that the server refuses."""
    made = scene(SCENE % (needs, rules))
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    predictions = {desired.components["web"][0].id: Prediction(error=error)}
    edges = graph.build(desired, made.environment)
    plan = planner.make(desired, observation, made.environment, predictions, edges)
    change = next(item for item in plan.changes if item.id.name == "a")
    assert change.action is Action.UPDATE
    return change.problem, change.notes


@pytest.mark.parametrize("error", [QUOTA, WEBHOOK, POLICY])
def test_a_refusal_is_a_note_where_something_that_is_needed_changes(error: ClusterError) -> None:
    """A quota that is raised, or a policy that is relaxed, in the commit that needs it: also two components away."""
    problem, notes = told(error)
    assert not problem
    assert notes == (f"the server would refuse it at present: {error}",)


@pytest.mark.parametrize(("needs", "rules"), [("", "new"), ("between", "old")])
def test_a_refusal_is_a_problem_where_nothing_that_is_needed_changes(needs: str, rules: str) -> None:
    assert told(WEBHOOK, needs, rules) == (str(WEBHOOK), ())


def test_a_right_that_is_missing_is_a_problem() -> None:
    assert told(RIGHTS)[0] == str(RIGHTS)


DEFINITION = """
  - apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: things.example.com}
    spec:
      group: example.com
      names: {kind: Thing, plural: things}
      scope: Namespaced
      versions:
      - name: v1
        served: true
        storage: true
        schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {%s}}}}}
"""
CHANGED = f"""
before:
  things:
{DEFINITION % "size: {type: integer}"}
  - {{apiVersion: example.com/v1, kind: Thing, metadata: {{name: old, namespace: shop}}, spec: {{size: 1}}}}
  - {{apiVersion: example.com/v1, kind: Thing, metadata: {{name: bad, namespace: shop}}, spec: {{size: 1}}}}
git:
  things:
{DEFINITION % "size: {type: integer}, color: {type: string}"}
  - {{apiVersion: example.com/v1, kind: Thing, metadata: {{name: old, namespace: shop}}, spec: {{size: 1, color: red}}}}
  - {{apiVersion: example.com/v1, kind: Thing, metadata: {{name: bad, namespace: shop}}, spec: {{size: 1, colour: red}}}}
  - {{apiVersion: example.com/v1, kind: Thing, metadata: {{name: new, namespace: shop}}, spec: {{color: red}}}}
"""


def test_objects_are_checked_against_the_definition_that_the_same_plan_brings() -> None:
    """A field that the definition gets with this commit is no problem, whether the object is there already or is new."""
    _, plan = run(CHANGED)
    lines = picture(plan).splitlines()
    assert "  note: the kind changes with this plan; checked against its definition in git" in lines
    problems = [line for line in lines if "problem" in line]
    assert len(problems) == 1
    assert "spec.colour: unknown field, did you mean color?" in problems[0]
    assert any("its definition changes with this plan, and allows it" in line for line in lines)


def test_an_object_in_a_version_that_the_same_plan_adds_is_checked_against_it() -> None:
    """It exists in the old version; what the server knows says nothing of the new one."""
    second = """
      - name: v2
        served: true
        storage: false
        schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {width: {type: integer}}}}}}
"""
    before, _, after = CHANGED.partition("git:")
    things = after[after.index("  - {apiVersion: example.com") :].replace("example.com/v1", "example.com/v2")
    things = things.replace(
        "name: old, namespace: shop}, spec: {size: 1, color: red}", "name: old, namespace: shop}, spec: {width: 1}"
    )
    _, plan = run(f"{before}git:\n  things:\n{DEFINITION % 'size: {type: integer}'}{second}{things}")
    told = {change.id.name: change for change in plan.changes}
    assert told["old"].notes == ("example.com/v2 does not exist yet; checked against its definition in git",)
    assert not told["old"].problem
    assert "spec.size: unknown field" in told["bad"].problem
