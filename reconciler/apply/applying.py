"""The first half of a run: send what differs, in the order of the graph, and wait until it is healthy where that counts."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from reconciler.apply import adoption, bound, generating, secrecy, trial
from reconciler.apply.attempts import ATTEMPTS, pause
from reconciler.apply.explain import explain
from reconciler.apply.feed import Scope
from reconciler.apply.flow import Flow
from reconciler.apply.kinds import PATIENCE, PAUSE
from reconciler.apply.needed import StillNeeded, require_free
from reconciler.apply.schedule import Need, Schedule, State
from reconciler.apply.waits import Goal, Wait
from reconciler.apply.work import acts
from reconciler.errors import ClusterError, Conflict, Invalid, NotFound
from reconciler.health import assess
from reconciler.model.api import ApiResource
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.identity import GroupKind
from reconciler.model.marks import DISABLED, WAIT
from reconciler.model.outcome import Health, HealthState, Result
from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.apply.work import Work
    from reconciler.cluster.port import Body
    from reconciler.environment import HealthCheck
    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Change
    from reconciler.model.resource import Resource

FRESH: Final = 5.0  # seconds for which a plan is taken for what is
DEFINITION: Final = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
RELATED: Final = {
    GroupKind("", "PersistentVolumeClaim"): (
        ApiResource("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False),
    ),
    GroupKind("networking.k8s.io", "Ingress"): (
        ApiResource("networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False),
        ApiResource("networking.k8s.io", "v1", "Ingress", "ingresses", namespaced=True),
    ),
}
"""What tells how objects of a kind are judged: which claims wait for a consumer, which Ingresses get an address."""


class Applying:
    """The applying phase of one run."""

    def __init__(self, work: Work, problems: Mapping[str, str]) -> None:
        """Begin; `problems` says, by component, why nothing of it may be sent."""
        self._work = work
        self._changes = {change.id: change for change in work.applies}
        self._problems = problems
        self._schedule = self._scheduled()
        self._demanded = self._find_demanded()
        self._redefined = self._find_redefined()
        self._to_create: set[ObjectId] = set()  # replaced objects whose old self is gone
        self._explaining: set[asyncio.Task[None]] = set()
        self._begun, self._has_waited = work.clock.monotonic(), False
        self._flow = Flow(
            self._schedule,
            act=self._act,
            idle=self._idle,
            on_skip=self._skip,
            pending=lambda: bool(work.waits.pending or self._explaining),
            stop=work.stop,
            give_way=work.give_way,
            in_flight=work.environment.spec.cluster.in_flight,
        )

    async def run(self) -> bool:
        """Apply; returns whether it came to its end."""
        self._rule_out()
        if self._work.wait:
            await self._learn_related()
        await self._flow.run(self._work.group)
        if self._explaining:
            await asyncio.wait(self._explaining)
        self._close()
        return self._schedule.done

    def _scheduled(self) -> Schedule:
        graph, components = self._work.plan.graph, self._work.components
        awaited = frozenset(name for name, item in components.items() if item.wait) if self._work.wait else frozenset()
        return Schedule(
            {change.id: change.component for change in self._changes.values()},
            (Need(edge.dependent, edge.needs, edge.awaited) for edge in graph.edges),
            ((edge.dependent, edge.needs) for edge in graph.components),
            awaited,
        )

    def _find_demanded(self) -> set[ObjectId]:
        """Return what has to be healthy for something else that is to be sent, unchanged objects included."""
        graph, changes = self._work.plan.graph, self._changes
        sent = {change.id for change in changes.values() if acts(change)}
        demanded = {edge.needs for edge in graph.edges if edge.awaited and edge.dependent in sent}
        if self._work.wait:
            sending = {changes[item].component for item in sent}
            needed = {edge.needs for edge in graph.components if edge.dependent in sending}
            needed = {name for name in needed if name in self._work.components and self._work.components[name].wait}
            demanded |= {change.id for change in changes.values() if change.component in needed}
        return demanded

    def _find_redefined(self) -> frozenset[GroupKind]:
        """Return the kinds that were served before and whose definitions this run changes."""
        specs = (
            change.resource.body.get("spec") or {}
            for change in self._changes.values()
            if change.id.group_kind == DEFINITION and change.resource is not None and change.uid and acts(change)
        )
        return frozenset(GroupKind(spec.get("group", ""), (spec.get("names") or {}).get("kind", "")) for spec in specs)

    def _rule_out(self) -> None:
        for change in self._changes.values():
            problem = change.problem or (acts(change) and self._problems.get(change.component, ""))
            if problem:
                self._work.ledger.failed(change, problem)
                if self._schedule.state(change.id) is not State.SKIPPED:
                    self._schedule.failed(change.id)
            elif not acts(change):
                self._work.ledger.unchanged(change, f"held back: {change.held}" if change.held else "")
                if change.held and not change.uid:  # what needs it cannot have it
                    self._schedule.abandon(change.id, f"is not there, and {change.held}")

    async def _learn_related(self) -> None:
        """Read once what tells how some kinds are judged, where any of them is sent."""
        sent = {change.id.group_kind for change in self._changes.values() if acts(change)}
        for kind, resources in RELATED.items():
            for resource in resources if kind in sent else ():
                try:
                    self._work.waits.related += [body async for body in self._work.cluster.list(resource)]
                except ClusterError:
                    continue  # without the right to read them, nothing more is waited for

    def _idle(self, item: ObjectId) -> bool:
        change = self._changes[item]
        if self._schedule.state(item) is not State.READY:
            return True  # failed or skipped since it was ready
        if acts(change):
            return False
        self._schedule.applied(item)
        self._after(change, None)
        return True

    async def _act(self, item: ObjectId) -> None:
        change = self._changes[item]
        if change.resource is None:
            raise TypeError(f"a plan's {change.action} of {item} has no object to send")
        self._work.ledger.started(change)
        try:
            if change.action is Action.REPLACE and item not in self._to_create:
                await self._delete_first(change)
                return
            body = await self._send(change, change.resource)
        except ClusterError as error:
            self._work.ledger.failed(change, secrecy.rejection(item.group_kind, error))
            self._schedule.failed(item)
        except StillNeeded as error:
            self._work.ledger.failed(change, str(error))
            self._schedule.failed(item)
        else:
            self._work.ledger.applied(change)
            self._schedule.applied(item)
            self._after(change, body)

    async def _send(self, change: Change, resource: Resource) -> Body:
        work, clock = self._work, self._work.clock
        kind = await work.kinds.find(resource.gvk)
        wanted = await generating.filled(work, resource)
        if change.takeover is not None and change.action is not Action.REPLACE:
            require = partial(bound.require_planned, change, wanted)
            await adoption.adopt(work.cluster, kind, change.id, change.takeover, require)
        if change.action is Action.REPLACE or (not change.uid and self._waited_long):
            await bound.require_absent(work.cluster, kind, change, work.plan.environment)
        deadline, version, tries = clock.monotonic() + PATIENCE, change.resource_version, 0
        while True:
            body = bound.to_what_was_planned(change, wanted, version)
            try:
                return await work.cluster.apply(
                    kind, body, field_manager=FIELD_MANAGER, force=change.force, brief=not self._awaited(change)
                )
            except (NotFound, Invalid, Conflict) as error:
                if bound.outdated(change, error) and tries < ATTEMPTS:
                    await clock.sleep(pause(tries))
                    version, tries = await bound.version_now(work.cluster, kind, change, wanted), tries + 1
                    continue
                over = work.stop.is_set() or clock.monotonic() >= deadline
                if over or isinstance(error, Conflict) or not self._too_early(change, error):
                    raise
            await clock.sleep(PAUSE)

    @property
    def _waited_long(self) -> bool:
        """Whether this run has waited for something, and so long that others may have made what was not there when it began."""
        return self._has_waited and self._work.clock.monotonic() - self._begun > FRESH

    def _too_early(self, change: Change, error: ClusterError) -> bool:
        """Whether the server needs a moment: for a kind that it has just discovered, or a definition that it has just taken."""
        if isinstance(error, NotFound):
            of_namespace = error.details.get("kind") == "namespaces"
            return change.resource is not None and not of_namespace and self._work.kinds.fresh(change.resource.gvk)
        return change.id.group_kind in self._redefined

    async def _delete_first(self, change: Change) -> None:
        work = self._work
        kind = work.kinds.preferred(change.id.group_kind)
        if kind is None:
            raise NotFound(f"the server no longer serves {change.id.group_kind}: run again, the plan is out of date")
        if change.resource is not None:
            await trial.require_accepted(work.cluster, await work.kinds.find(change.resource.gvk), change.resource)
        await require_free(work.cluster, work.kinds, kind, change.id)
        version = change.resource_version
        for attempt in range(ATTEMPTS):
            try:
                await work.cluster.delete(
                    kind, change.id.namespace, change.id.name, uid=change.uid, resource_version=version
                )
                break
            except NotFound:
                break
            except Conflict:
                body = await work.cluster.get(kind, change.id.namespace, change.id.name)
                if attempt == ATTEMPTS - 1 or body["metadata"]["uid"] != change.uid:
                    raise
                version = body["metadata"]["resourceVersion"]
                await work.clock.sleep(pause(attempt))
        deadline = work.deadline(change.component)
        wait = Wait(change, Goal.GONE, deadline, self._old_one_gone, uid=change.uid)
        work.waits.gone(wait, Scope(kind, change.id.namespace))

    def _old_one_gone(self, wait: Wait, health: Health, reached: bool) -> None:
        change = wait.change
        if reached:
            self._to_create.add(change.id)
            self._schedule.ready.append(change.id)
        else:
            told = f"deleted to be replaced, but still there: {health.message}"
            self._work.ledger.failed(change, told, health)
            self._schedule.failed(change.id)
        self._flow.wake()

    def _after(self, change: Change, body: Body | None) -> None:
        checks = self._checks(change)
        kind = self._work.kinds.known(change.resource.gvk) if change.resource is not None else None
        if not self._awaited(change) or kind is None:
            self._schedule.settled(change.id)
            return
        if body is None and change.id.group_kind in assess.PASSIVE and not checks:
            self._schedule.settled(change.id)
            return
        deadline = self._work.deadline(change.component)
        wait = Wait(change, Goal.HEALTHY, deadline, self._waited, since=body, checks=checks)
        self._work.waits.healthy(wait, kind)

    def _checks(self, change: Change) -> tuple[HealthCheck, ...]:
        component = self._work.components.get(change.component)
        return component.health_checks if component is not None else ()

    def _awaited(self, change: Change) -> bool:
        if change.resource is not None and change.resource.annotations.get(WAIT) == DISABLED:
            return False
        component = self._work.components.get(change.component)
        waits = self._work.wait and component is not None and component.wait
        return change.id in self._demanded or (acts(change) and waits)

    def _waited(self, wait: Wait, health: Health, reached: bool) -> None:
        self._has_waited = True
        if reached:
            self._work.ledger.healthy(wait.change, health)
            self._schedule.settled(wait.change.id)
            self._flow.wake()
            return
        task = self._work.group.create_task(self._give_up(wait, health))
        self._explaining.add(task)
        task.add_done_callback(self._explained)

    def _explained(self, task: asyncio.Task[None]) -> None:
        self._explaining.discard(task)
        self._flow.wake()

    async def _give_up(self, wait: Wait, health: Health) -> None:
        told = await explain(self._work.cluster, wait.body, health)
        if health.state not in (HealthState.FAILED, HealthState.NOT_FOUND, HealthState.UNKNOWN):
            told = f"not healthy after {self._work.timeout(wait.change.component):g} s: {told}"
        self._work.ledger.failed(wait.change, told, health)
        self._schedule.failed(wait.change.id)

    def _skip(self, item: ObjectId, reason: str) -> None:
        change, told = self._changes[item], self._work.ledger.outcomes.get(item)
        if told is not None and told.result is Result.FAILED:
            return  # it has a problem of its own
        if acts(change):
            self._work.ledger.skipped(change, reason)
        else:
            self._work.ledger.broken.add(change.component)

    def _close(self) -> None:
        """Give everything that a stopped run leaves behind its outcome."""
        waits = {wait.change.id: wait for wait in self._work.waits.pending}
        for item in self._schedule.unfinished:
            change, wait = self._changes[item], waits.get(item)
            self._work.ledger.broken.add(change.component)
            if not acts(change):
                continue
            if self._schedule.state(item) is State.APPLIED:
                self._work.ledger.unfinished(change, wait.last if wait is not None else None)
            elif item in self._to_create or wait is not None:
                told = "deleted, and not created again before the run was stopped: the next apply creates it"
                self._work.ledger.failed(change, told)
            else:
                self._work.ledger.skipped(change, "the run was stopped before it was sent")
