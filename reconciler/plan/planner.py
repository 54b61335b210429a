"""The plan of one environment: what happens to each object, in which order, and whether the policy lets it happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.environment.windows import OPEN
from reconciler.model.plan import Action, Plan
from reconciler.plan import cases, holding, premature, renames
from reconciler.plan.answers import answer
from reconciler.plan.deletes import members, unwanted
from reconciler.plan.graph import with_deletions
from reconciler.plan.planid import plan_id
from reconciler.plan.policy import refusals, waits
from reconciler.plan.takeover import remains

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.environment import Environment
    from reconciler.environment.windows import Windows
    from reconciler.model.graph import Graph
    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Observation, Predictions
    from reconciler.model.plan import Change
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
    closed: Windows = OPEN,
) -> Plan:
    """Return the plan; an object that the server was not asked about is compared locally.

    The graph of the plan also holds what is to be deleted. `studied` saves a second `cases.study`. `closed` says what is
    outside of its windows at present.
    """
    found = cases.study(desired, observation, environment) if studied is None else studied
    applied = {case.resource.id: answer(case, predictions.get(case.resource.id)) for case in found}
    applied |= dict(premature.reconsidered(applied, predictions, graph))
    owned = members(observation, environment)
    lost = sorted({*owned.values()} - observation.inventories.keys())
    why = holding.reasons(environment, closed.components)
    going, kept = unwanted(desired, observation, environment, owned, waiting=why)
    deleted = {change.id: change for change in holding.held(going, why)}
    renamed = renames.told(applied, deleted, observation.live)
    applied |= {identity: renamed[identity] for identity in applied.keys() & renamed}
    deleted |= {identity: renamed[identity] for identity in deleted.keys() & renamed}
    gone = {identity: (change.component, observation.live[identity]) for identity, change in deleted.items()}
    whole = with_deletions(graph, gone)
    changes = (
        *holding.held((applied[identity] for identity in whole.component_of if identity in applied), why),
        *(deleted[identity] for identity in reversed(list(whole.component_of)) if identity in deleted),
    )
    refused = (
        *refusals(
            desired,
            environment,
            [case for case in found if case.component not in why],
            [change for change in deleted.values() if not change.held],
            [change for change in changes if change.action is Action.REPLACE and not change.held],
            owned,
        ),
        *waits(environment, changes, closed.environment),
    )
    return Plan(
        environment.name,
        desired.revision,
        plan_id(environment.name, changes, refused),
        changes,
        whole,
        refused,
        observation.inventories,
        (*desired.warnings, *map(_missed, lost), *dict.fromkeys(_remains(found, applied))),
        kept,
        frozenset((*lost, *_forgetful(environment, observation))),
    )


def _missed(component: str) -> str:
    return (
        f"the inventory of component {component} is gone, though objects of it are there: every kind was looked through "
        "for more of them; the next apply writes it again"
    )


def _forgetful(environment: Environment, observation: Observation) -> Iterator[str]:
    """Yield the components whose inventory says something else of pruning than they do."""
    for component in environment.spec.components:
        inventory = observation.inventories.get(component.name)
        if inventory is not None and inventory.prune != component.prune:
            yield component.name


def _remains(found: Sequence[Case], applied: Mapping[ObjectId, Change]) -> Iterator[str]:
    """Yield what is left of the tools whose objects are adopted, outside of these."""
    for case in found:
        change = applied[case.resource.id]
        if change.takeover is not None and change.acts and case.live is not None:
            yield from remains(case.standing.owner, case.live)
