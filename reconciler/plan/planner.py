"""The plan of one environment: what happens to each object, in which order, and whether the policy lets it happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.plan import Plan
from reconciler.plan import cases
from reconciler.plan.answers import answer
from reconciler.plan.deletes import deletions, members
from reconciler.plan.graph import with_deletions
from reconciler.plan.planid import plan_id
from reconciler.plan.policy import refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.environment import Environment
    from reconciler.model.graph import Graph
    from reconciler.model.observation import Observation, Predictions
    from reconciler.model.resource import Desired
    from reconciler.plan.cases import Case


def make(
    desired: Desired,
    observation: Observation,
    environment: Environment,
    predictions: Predictions,
    graph: Graph,
    *,
    studied: Sequence[Case] | None = None,
) -> Plan:
    """Return the plan; an object that the server was not asked about is compared locally.

    The graph of the plan also holds what is to be deleted. `studied` saves a second `cases.study`.
    """
    found = cases.study(desired, observation, environment) if studied is None else studied
    applied = {case.resource.id: answer(case, predictions.get(case.resource.id), environment.policy) for case in found}
    owned = members(observation, environment)
    deleted = {change.id: change for change in deletions(desired, observation, environment, owned)}
    gone = {identity: (change.component, observation.live[identity]) for identity, change in deleted.items()}
    whole = with_deletions(graph, gone)
    changes = (
        *(applied[identity] for identity in whole.component_of if identity in applied),
        *(deleted[identity] for identity in reversed(list(whole.component_of)) if identity in deleted),
    )
    return Plan(
        environment.name,
        desired.revision,
        plan_id(environment.name, changes),
        changes,
        whole,
        refusals(desired, environment, found, tuple(deleted.values()), owned),
        observation.inventories,
        desired.warnings,
    )
