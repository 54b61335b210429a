"""What to ask the server before a plan can be made: dry-run applies of the objects that differ locally.

New objects are asked about too where they are few, so that what the server would not take is known before the first
write. A first apply of many is checked against schemas only: asking would take as long as writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import Conflict
from reconciler.model.identity import GroupKind
from reconciler.model.observation import Question
from reconciler.plan import cases
from reconciler.plan.conflicts import winnable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.environment import Environment, Policy
    from reconciler.model.observation import Observation, Prediction, Predictions
    from reconciler.model.resource import Desired
    from reconciler.plan.cases import Case


NEW_ASKED: Final = 100  # so many new objects are tried; of more, none


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
    the answer is a conflict and the policy allows to win all of it, the object is asked about again with force. New
    objects whose kind and namespace exist are asked about where there are at most NEW_ASKED.
    `studied` saves a second `cases.study` of the same observation.
    """
    found = cases.study(desired, observation, environment) if studied is None else studied
    asked = (_ask(case, predictions.get(case.resource.id), environment.policy) for case in found)
    return (*(question for question in asked if question is not None), *_new(found, observation, predictions))


def _new(found: Sequence[Case], observation: Observation, predictions: Predictions) -> tuple[Question, ...]:
    absent = [case for case in found if case.state is cases.State.ABSENT]
    if len(absent) > NEW_ASKED:
        return ()
    changed = {_defined(case) for case in found if case.state is not cases.State.SAME}
    return tuple(
        Question(case.resource.id, case.served, case.resource.body)
        for case in absent
        if case.served is not None
        and case.resource.id not in predictions
        and case.resource.id.namespace in ("", *observation.namespaces)
        and case.resource.id.group_kind not in changed
    )


def _defined(case: Case) -> GroupKind | None:
    """Return the kind that a CustomResourceDefinition defines."""
    if case.resource.id.group_kind != cases.DEFINITION:
        return None
    spec = case.resource.body.get("spec") or {}
    return GroupKind(spec.get("group", ""), (spec.get("names") or {}).get("kind", ""))


def _ask(case: Case, prediction: Prediction | None, policy: Policy) -> Question | None:
    if case.state is not cases.State.DIFFERENT or case.served is None or case.live is None:
        return None
    version = case.live["metadata"].get("resourceVersion", "")
    if prediction is None:
        return Question(case.resource.id, case.served, case.resource.body, resource_version=version)
    if not isinstance(prediction.error, Conflict) or prediction.forced:
        return None
    unseen = not case.refused and winnable(prediction.error, case.live, policy, case.standing.managers)
    if not (case.force or unseen):
        return None
    return Question(case.resource.id, case.served, case.resource.body, force=True, resource_version=version)
