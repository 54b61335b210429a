"""Fields that may not change: when an object is made anew, and when that would only lose it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import Invalid
from reconciler.model.identity import GroupVersionKind
from reconciler.model.observation import Prediction
from reconciler.model.plan import Action
from reconciler.plan import graph, immutable, mark, planner
from reconciler.plan.openapi import Schemas
from tests.unit.plan.scene import scene

if TYPE_CHECKING:
    from reconciler.model.plan import Change

SCENE = """
before:
  web: [{apiVersion: batch/v1, kind: Job, metadata: {name: a, namespace: shop}, spec: {suspend: true}}]
git:
  web:
  - apiVersion: batch/v1
    kind: Job
    metadata: {name: a, namespace: shop, annotations: {reconciler.dev/replace: allowed}}
    spec: {suspend: false}
"""
CLAIM = """
before:
  web: [{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop}, spec: {storageClassName: a}}]
git:
  web:
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: data, namespace: shop, annotations: {reconciler.dev/replace: allowed}}
    spec: {storageClassName: b}
"""
FIXED = ("spec.template", "Invalid value: {}: field is immutable")
WRONG = ("spec.template.spec.containers[0].image", "Required value")


def refusal(*causes: tuple[str, str]) -> Invalid:
    told = ", ".join(f"{field}: {message}" for field, message in causes)
    details: dict[str, object] = {"causes": [{"field": field, "message": message} for field, message in causes]}
    return Invalid(f'Job.batch "a" is invalid: [{told}]', status=422, reason="Invalid", details=details)


def change(error: Invalid) -> Change:
    made = scene(SCENE)
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    predictions = {desired.components["web"][0].id: Prediction(error=error)}
    edges = graph.build(desired, made.environment)
    (found,) = planner.make(desired, observation, made.environment, predictions, edges).changes
    return found


def test_an_object_is_made_anew_where_that_is_all_that_is_wrong() -> None:
    assert change(refusal(FIXED)).action is Action.REPLACE


@pytest.mark.parametrize(
    "words",
    [
        "ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: objects cannot be changed before Monday",
        'admission webhook "guard.example.com" denied the request: field is immutable',
    ],
)
def test_what_admission_denies_is_no_field_that_may_not_change(words: str) -> None:
    """A freeze keeps everybody from changing an object; deleting it would be the opposite of what it is for."""
    found = change(Invalid(f'jobs.batch "a" is forbidden: {words}', status=422, reason="Invalid"))
    assert found.action is Action.UPDATE
    assert words in found.problem


def test_making_a_protected_object_anew_is_deleting_it() -> None:
    """It needs the same acknowledgement: the data of a claim does not come back with a new claim."""
    made = scene(CLAIM)
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    fixed = Invalid(
        "is invalid", status=422, details={"causes": [{"field": "spec.storageClassName", "message": FIXED[1]}]}
    )
    predictions = {desired.components["web"][0].id: Prediction(error=fixed)}
    found = planner.make(desired, observation, made.environment, predictions, graph.build(desired, made.environment))
    assert [change.action for change in found.changes] == [Action.REPLACE]
    (refusal,) = found.refusals
    assert (refusal.rule, refusal.acknowledgeable) == ("protected", True)
    assert refusal.message.startswith("PersistentVolumeClaim/data -n shop would be deleted and made anew")


def test_an_object_that_would_be_invalid_all_the_same_is_not_deleted() -> None:
    """A selector and a typo in one commit: the old object stays, and both are told."""
    found = change(refusal(WRONG, FIXED))
    assert found.action is Action.UPDATE
    assert "nothing is made anew, since it would be invalid all the same" in found.problem
    assert found.problem.endswith("spec.template.spec.containers[0].image: Required value")


def test_long_words_of_the_server_are_cut_in_the_middle() -> None:
    """Some refusals quote a whole Pod before they say what is wrong, some a difference in many lines."""
    found = change(refusal(("spec.template", f"Invalid value: {'x' * 5000}: field is immutable\n@@ -1 +1 @@"), WRONG))
    assert len(found.problem) < 600
    assert "\n" not in found.problem


DEFINITION = {
    "spec": {
        "group": "example.com",
        "names": {"kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "silent": {
                                        "type": "string",
                                        "x-kubernetes-validations": [{"rule": "self == oldSelf"}],
                                    },
                                    "disks": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "x-kubernetes-validations": [
                                                {"rule": "self.size >= oldSelf.size", "message": "disks only grow"},
                                                {"rule": "self.size > 0", "message": "a disk has a size"},
                                            ],
                                        },
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    }
}


@pytest.mark.parametrize(
    ("field", "message", "fixed"),
    [
        ("spec.silent", 'Invalid value: "b": failed rule: self == oldSelf', True),
        ("spec.disks[0]", 'Invalid value: "object": disks only grow', True),
        ("spec.disks[0]", 'Invalid value: "object": a disk has a size', False),
        ("spec.anywhere", 'Invalid value: "b": the class cannot be changed', True),
        ("spec.anywhere", 'Invalid value: "b": must be one of a, c', False),
    ],
)
def test_rules_of_a_definition_that_compare_with_the_old_value_are_told_by_the_schema(
    field: str, message: str, fixed: bool
) -> None:
    """Their message may be anything; a rule about the new value alone is none of them."""
    schema = Schemas({}, (DEFINITION,)).of(GroupVersionKind("example.com", "v1", "Thing"))
    error = refusal((field, message))
    assert immutable.refused(error, schema) is fixed
    other: tuple[Any, ...] = () if fixed else (f"{field}: {message}",)
    assert immutable.others(error, schema) == other


def test_a_field_that_goes_with_another_managers_part_is_named_as_the_server_names_it() -> None:
    """Nobody asked to change it: it is lost where what somebody else applied is taken over."""
    found = change(refusal(("spec.podCIDRs", 'Forbidden: node updates may not change podCIDR except from "" to valid')))
    assert any("an immutable field changes (spec.podCIDRs)" in note for note in found.notes)
