"""From the server's answer, or the lack of one, to a change."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import ClusterError, Conflict, Forbidden, Invalid, Unavailable
from reconciler.model.observation import Prediction
from reconciler.model.plan import Action
from reconciler.plan import cases, graph, mark, planner, questions
from tests.unit.plan.scene import picture, scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.plan import Plan

SCENE = """
before:
  web: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: old, dropped: x}}]
git:
  web:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: new, added: y}}
"""


def plan(answer: Callable[[Any], Prediction] | None) -> Plan:
    """Plan the scene with one answer, made from a copy of the live object."""
    made = scene(SCENE)
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    identity = desired.components["web"][0].id
    predictions = {} if answer is None else {identity: answer(copy.deepcopy(observation.live[identity]))}
    edges = graph.build(desired, made.environment)
    return planner.make(desired, observation, made.environment, predictions, edges)


def test_without_an_answer_the_comparison_is_local() -> None:
    """What git sets and what it dropped are told, with what is known here."""
    assert picture(plan(None)) == (
        "update web: ConfigMap/a -n shop\n"
        "  replace data.key: 'old' -> 'new' at scene.yaml:6\n"
        "  remove data.dropped: 'x'\n"
        "  add data.added: 'y' at scene.yaml:6\n"
    )


def test_a_remembered_answer_says_that_nothing_changes() -> None:
    assert plan(lambda _: Prediction()).empty


def test_the_same_object_as_an_answer_is_no_change() -> None:
    """Versions and times that differ are no difference."""

    def answer(live: Any) -> Prediction:
        live["metadata"]["resourceVersion"] = "999"
        live["metadata"]["managedFields"][0]["time"] = "2030-01-01T00:00:00Z"
        return Prediction(live)

    assert plan(answer).empty


def test_what_only_the_server_changes_is_noted() -> None:
    """An admission webhook may change what git does not set: the object is written, no field of git's is told."""

    def answer(live: Any) -> Prediction:
        live["data"]["injected"] = "z"
        return Prediction(live)

    (change,) = plan(answer).changes
    assert (change.action, change.fields) == (Action.UPDATE, ())
    assert change.notes[0] == "the server changes fields that git does not set"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Forbidden("exceeded quota: platform", status=403), "exceeded quota: platform"),
        (Unavailable("no answer from the webhook"), "no answer from the webhook"),
        (
            Conflict("Apply failed with 1 conflict: data.key", status=409),
            "conflict: Apply failed with 1 conflict: data.key",
        ),
        (Invalid("spec: Forbidden: updates to statefulset spec", status=422), "reconciler.dev/replace"),
    ],
)
def test_an_error_keeps_the_object_back_in_the_words_of_the_server(error: ClusterError, words: str) -> None:
    """The change is still told field by field, with why it cannot be applied."""
    (change,) = plan(lambda _: Prediction(error=error)).changes
    assert words in change.problem
    assert [field.path for field in change.fields] == ["data.key", "data.dropped", "data.added"]


NEW = """
git:
  web: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}, data: {key: new}}]
"""


@pytest.mark.parametrize(
    ("error", "invalid"),
    [
        (Invalid('ConfigMap "a" is invalid: metadata.name: Invalid value', status=422), True),
        (Invalid("metadata.managedFields must be nil", status=400), True),
        (Conflict("uid mismatch: no existing object was found", status=409), True),
        (Invalid("configmaps is forbidden: ValidatingAdmissionPolicy 'p' denied request: no", status=422), False),
        (Invalid('admission webhook "w.example.com" does not support dry run', status=400), False),
        (Forbidden("exceeded quota: few", status=403), False),
        (Unavailable("failed calling webhook", status=500), False),
    ],
)
def test_what_makes_a_new_object_invalid_is_a_problem_and_what_may_pass_is_a_note(
    error: ClusterError, invalid: bool
) -> None:
    """What is exported from a cluster with its managedFields or its uid can never be made; a quota may be raised before."""
    made = scene(NEW)
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    predictions = {desired.components["web"][0].id: Prediction(error=error)}
    edges = graph.build(desired, made.environment)
    (change,) = planner.make(desired, observation, made.environment, predictions, edges).changes
    assert (str(error) in change.problem) is invalid
    assert any(str(error) in note for note in change.notes) is not invalid


def test_studying_once_is_enough() -> None:
    """Questions and plan are the same from one study as from two."""
    made = scene(SCENE)
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    studied = cases.study(desired, observation, made.environment)
    assert questions.questions(desired, observation, made.environment, {}, studied=studied) == questions.questions(
        desired, observation, made.environment, {}
    )
    edges = graph.build(desired, made.environment)
    once = planner.make(desired, observation, made.environment, {}, edges, studied=studied)
    assert once.id == planner.make(desired, observation, made.environment, {}, edges).id
