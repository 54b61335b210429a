"""Objects that the server does not keep as git wants them: told once, and never shown as endless drift."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from reconciler.errors import Invalid
from reconciler.model.observation import Prediction
from reconciler.model.plan import Action
from reconciler.plan import graph, mark, planner
from tests.unit.plan.scene import scene

SCENE = """
before:
  web:
  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {paused: true, minReadySeconds: 3}}
git:
  web:
  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {paused: true, minReadySeconds: 5}}
"""
NO_DRY_RUN = Invalid('admission webhook "stamp.example.com" does not support dry run', status=400, reason="BadRequest")


def change(live_value: int, answer: int | None, *, applied: bool = False, by: str = "") -> Any:
    """Plan the scene where the server has a value and would have another one; None: it cannot be asked."""
    made = scene(SCENE)
    if by or live_value != 3:
        made.cluster.edit("Deployment", "shop", "a", {"spec": {"minReadySeconds": live_value}}, manager=by or "kubectl")
    desired = mark.marked(made.desired)
    observation = asyncio.run(made.observation())
    identity = desired.components["web"][0].id
    live = observation.live[identity]
    if not by:
        _own(live)
    body = copy.deepcopy(live)
    body["spec"]["minReadySeconds"] = answer
    prediction = Prediction(error=NO_DRY_RUN, applied=applied) if answer is None else Prediction(body, applied=applied)
    edges = graph.build(desired, made.environment)
    (found,) = planner.make(desired, observation, made.environment, {identity: prediction}, edges).changes
    return found


def _own(live: dict[str, Any]) -> None:
    """Make what a webhook wrote ours, as the server does: it changes the value after ownership is settled."""
    entries = live["metadata"]["managedFields"]
    ours = next(item for item in entries if item["manager"] == "reconciler")
    ours["fieldsV1"]["f:spec"]["f:minReadySeconds"] = {}
    live["metadata"]["managedFields"] = [ours]


def test_a_value_that_the_server_changes_at_every_apply_is_no_drift_and_explained() -> None:
    """The dry-run gives what is live: nothing is to be done, and a note says which field and why."""
    found = change(9, 9)
    assert (found.action, found.fields, found.settles) == (Action.UNCHANGED, (), True)
    (note,) = found.notes
    assert note == (
        "the server does not keep what git says: spec.minReadySeconds is 9 where git says 5 (a webhook or its own rules "
        "change it at every apply): write the server's value in git, or name the field in policy.ignore"
    )


def test_a_value_that_is_another_one_at_every_apply_is_applied_once() -> None:
    """A webhook that answers differently each time: git's content is applied, and then left until it changes."""
    first = change(7, 8)
    assert (first.action, first.settles) == (Action.UPDATE, False)
    then = change(8, 9, applied=True)
    assert (then.action, then.settles) == (Action.UNCHANGED, False)
    assert then.notes[-1] == (
        "this content of git was applied before: it is not applied again until git or somebody changes it"
    )


def test_what_a_person_changed_is_repaired_even_there() -> None:
    """Drift has a manager: that the content was applied before does not make it the server's doing."""
    found = change(7, 8, applied=True, by="kubectl-edit")
    assert (found.action, found.fields[0].drift) == (Action.UPDATE, True)


@pytest.mark.parametrize("applied", [False, True])
def test_a_value_that_git_gets_is_an_ordinary_change(*, applied: bool) -> None:
    found = change(3, 5, applied=applied)
    assert (found.action, found.settles, found.notes) == (Action.UPDATE, True, ())


def test_a_webhook_without_dry_run_does_not_keep_an_object_from_being_applied() -> None:
    """Such a webhook refuses every dry-run: the fields are compared here, and the plan says so."""
    found = change(3, None)
    assert (found.action, found.problem, found.settles) == (Action.UPDATE, "", False)
    assert [(item.path, item.old, item.new) for item in found.fields] == [("spec.minReadySeconds", 3, 5)]
    assert found.notes == (
        'cannot be predicted: admission webhook "stamp.example.com" does not support dry run; compared without the server',
    )
    assert change(3, None, applied=True).action is Action.UNCHANGED
