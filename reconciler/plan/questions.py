"""What to ask the server before a plan can be made: dry-run applies of the objects that differ locally."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Conflict
from reconciler.model.observation import Question
from reconciler.plan import cases
from reconciler.plan.conflicts import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.environment import Environment, Policy
    from reconciler.model.observation import Observation, Prediction, Predictions
    from reconciler.model.resource import Desired
    from reconciler.plan.cases import Case


def questions(
    desired: Desired,
    observation: Observation,
    environment: Environment,
    predictions: Predictions,
    *,
    studied: Sequence[Case] | None = None,
) -> tuple[Question, ...]:
    """Return the next round of questions; call again with their answers until none are left.

    First every object that differs is asked about without force, and without the fields that the policy yields. Where
    the answer is a conflict and the policy allows to win all of it, the object is asked about again with force.
    `studied` saves a second `cases.study` of the same observation.
    """
    found = cases.study(desired, observation, environment) if studied is None else studied
    asked = (_ask(case, predictions.get(case.resource.id), environment.policy) for case in found)
    return tuple(question for question in asked if question is not None)


def _ask(case: Case, prediction: Prediction | None, policy: Policy) -> Question | None:
    if case.state is not cases.State.DIFFERENT or case.served is None or case.live is None:
        return None
    version = case.live["metadata"].get("resourceVersion", "")
    if prediction is None:
        return Question(case.resource.id, case.served, case.resource.body, resource_version=version)
    if not isinstance(prediction.error, Conflict):
        return None
    settled = settle(case.resource, case.live, case.schema, policy, taken=case.standing.managers)
    if not settled.force:
        return None
    return Question(case.resource.id, case.served, case.resource.body, settled.force, version)
