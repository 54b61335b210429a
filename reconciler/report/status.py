"""How an environment is: health, drift and pending changes of each component, and its last run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from reconciler.health.assess import health
from reconciler.model.outcome import Health, HealthState
from reconciler.model.plan import Action
from reconciler.report.canvas import table
from reconciler.report.document import id_document, request_document
from reconciler.report.preflight import finding_document
from reconciler.report.text import place, request_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from reconciler.environment import Environment
    from reconciler.model.history import Run
    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Observation
    from reconciler.model.outcome import AgentRecord
    from reconciler.model.plan import Change, Plan
    from reconciler.model.preflight import Finding


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One component: what it owns in the cluster, what is wrong with it, what apply would change."""

    name: str
    objects: int
    unhealthy: tuple[tuple[ObjectId, Health], ...]
    drifted: tuple[ObjectId, ...]
    pending: int  # changes that are no drift

    @property
    def state(self) -> HealthState:
        """The worst health among the component's objects."""
        order = (HealthState.FAILED, HealthState.NOT_FOUND, HealthState.UNKNOWN, HealthState.TERMINATING)
        states = {found.state for _, found in self.unhealthy}
        return next(
            (item for item in order if item in states), HealthState.IN_PROGRESS if states else HealthState.CURRENT
        )


@dataclass(frozen=True, slots=True)
class Status:
    """One environment."""

    environment: str
    revision: str | None
    plan: str
    components: tuple[ComponentStatus, ...]
    last: Run | None
    agent: AgentRecord | None = None
    cluster: tuple[Finding, ...] = ()  # where cluster or nodes are not what git says of them


def assess(
    plan: Plan,
    observation: Observation,
    environment: Environment,
    last: Run | None,
    agent: AgentRecord | None = None,
    related: Sequence[dict[str, Any]] | None = None,
    cluster: tuple[Finding, ...] = (),
) -> Status:
    """Judge what was observed; pure. `related` are what health is judged with beside the objects themselves."""
    changes: dict[str, list[Change]] = {name: [] for name in plan.graph.order}
    for change in plan.changes:
        changes.setdefault(change.component, []).append(change)
    components = tuple(_component(name, items, observation, environment, related) for name, items in changes.items())
    return Status(plan.environment, plan.revision, plan.id, components, last, agent, cluster)


def _component(
    name: str,
    changes: list[Change],
    observation: Observation,
    environment: Environment,
    related: Sequence[dict[str, Any]] | None,
) -> ComponentStatus:
    component = environment.component(name)
    checks = component.health_checks if component is not None else ()
    live = [change for change in changes if change.action is not Action.CREATE]
    found = (
        (change.id, health(observation.live[change.id], checks=checks, related=related))
        for change in live
        if change.id in observation.live
    )
    return ComponentStatus(
        name,
        len(live),
        tuple((identity, item) for identity, item in found if item.state is not HealthState.CURRENT),
        tuple(change.id for change in live if change.drifted),
        sum(1 for change in changes if change.action is not Action.UNCHANGED and not change.drifted),
    )


def draw(console: Console, status: Status, requests: Mapping[str, int]) -> None:
    """Draw a status."""
    console.print(Text.assemble("environment ", (status.environment, "bold")))
    if status.last is None:
        console.print("never applied")
    else:
        at = status.last.revision[:12] if status.last.revision else "the working tree"
        console.print(f"last run {status.last.finished} of {at}: {status.last.result} in {status.last.seconds:.1f} s")
    if status.agent is not None:
        _draw_agent(console, status.agent)
    console.print()
    made = table("COMPONENT", "HEALTH", "OBJECTS", "DRIFTED", "TO CHANGE", right=(2, 3, 4))
    for item in status.components:
        style = {HealthState.CURRENT: "green", HealthState.FAILED: "red"}.get(item.state, "yellow")
        healthy = Text(str(item.state), style=style) if item.objects else Text("not applied", style="dim")
        made.add_row(item.name, healthy, str(item.objects), str(len(item.drifted) or ""), str(item.pending or ""))
    console.print(made)
    for item in status.components:
        for identity, found in item.unhealthy:
            console.print(f"{item.name}  {identity}: {found.state}: {found.message}")
        for identity in item.drifted:
            console.print(f"{item.name}  {identity}: drifted")
    for finding in status.cluster:
        told = Text.assemble(
            ("drift ", "yellow"), f"{finding.about}: {finding.message}", (place(finding.origin), "dim")
        )
        console.print(told)
    console.print()
    console.print(request_line(requests), style="dim")


def _draw_agent(console: Console, agent: AgentRecord) -> None:
    style = {"applied": "green", "interrupted": "yellow"}.get(agent.result, "red")
    console.print(
        Text.assemble(f"agent {agent.holder}: ", (agent.result, style), f" {agent.revision[:12]} since {agent.since}")
    )
    if agent.message:
        console.print(f"  {agent.message}")
    if agent.result != "applied" and agent.applied:
        console.print(f"  what runs is {agent.applied[:12]}")


def document(status: Status, requests: Mapping[str, int]) -> dict[str, Any]:
    """Return a status as a document."""
    by_state: dict[str, int] = defaultdict(int)
    for item in status.components:
        by_state[str(item.state)] += 1
    return {
        "environment": status.environment,
        "revision": status.revision,
        "plan": status.plan,
        "lastRun": status.last.document() if status.last else None,
        "agent": status.agent.document() if status.agent else None,
        "summary": dict(by_state),
        "components": [
            {
                "name": item.name,
                "health": str(item.state),
                "objects": item.objects,
                "drifted": [id_document(identity) for identity in item.drifted],
                "pending": item.pending,
                "unhealthy": [
                    {"id": id_document(identity), "state": str(found.state), "message": found.message}
                    for identity, found in item.unhealthy
                ],
            }
            for item in status.components
        ],
        "cluster": [finding_document(item) for item in status.cluster],
        "requests": request_document(requests),
    }
