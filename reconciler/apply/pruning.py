"""The second half of a run: delete what git no longer wants, what needs others first, and only what is ours.

Each kind is listed again. Deleted is what carries our ApplySet's label, and has an `Apply` entry of ours, and belongs
to no controller (controllers copy labels to what they make). Each delete names the uid and resourceVersion it means.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from reconciler.apply import releasing
from reconciler.apply.attempts import ATTEMPTS, pause
from reconciler.apply.blocked import blocked_by
from reconciler.apply.feed import Scope
from reconciler.apply.flow import Flow
from reconciler.apply.needed import StillNeeded, needed_by
from reconciler.apply.schedule import Need, Schedule, State
from reconciler.apply.waits import Goal, Wait
from reconciler.errors import ClusterError, Conflict, NotFound
from reconciler.model.applyset import FIELD_MANAGER, PART_OF_LABEL, applyset_id, parent_id
from reconciler.model.identity import GroupKind, ObjectId
from reconciler.model.outcome import Health, HealthState
from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reconciler.apply.work import Work
    from reconciler.cluster.port import Body
    from reconciler.model.api import ApiResource
    from reconciler.model.plan import Change

PAUSE = 2.0  # seconds between two looks at what needs an object of a protected kind


class Pruning:
    """The pruning phase of one run: all but what is of a protected kind, or in a second step only that."""

    def __init__(self, work: Work, *, unapplied: frozenset[str] | None = None, protected: bool = False) -> None:
        """Begin after the applying phase: what went wrong there holds deletes back.

        `unapplied` are the components that were not applied completely, where more went wrong since.
        """
        self._work = work
        self._unapplied = frozenset(work.ledger.broken) if unapplied is None else unapplied
        self._held = self._holding()
        self._changes = {change.id: change for change in work.leaving if change.protected is protected}
        self._bodies: dict[ObjectId, Body] = {}
        self._errors: dict[GroupKind, str] = {}
        self._schedule = Schedule(
            {item: change.component for item, change in self._changes.items()},
            (Need(edge.needs, edge.dependent, awaited=True) for edge in work.plan.graph.edges),
            ((edge.needs, edge.dependent) for edge in work.plan.graph.components),  # the graph turned round
            frozenset(change.component for change in self._changes.values()),
        )
        self._explaining: set[asyncio.Task[None]] = set()
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
        """Prune; returns whether it came to its end."""
        self._hold_back()
        left = (State.BLOCKED, State.READY)
        kinds = {item.group_kind for item in self._changes if self._schedule.state(item) in left}
        if not self._work.stop.is_set():
            await asyncio.gather(*(self._list(kind) for kind in kinds))
        await self._flow.run(self._work.group)
        if self._explaining:
            await asyncio.wait(self._explaining)
        self._close()
        return self._schedule.done

    def _holding(self) -> dict[str, str]:
        """Return the components of which nothing is deleted in this run, and why."""
        held = {name: f"not everything {self._undone(name)}" for name in self._work.ledger.broken}
        needs: dict[str, list[str]] = {}
        for edge in self._work.plan.graph.components:
            needs.setdefault(edge.dependent, []).append(edge.needs)
        waiting = list(held)
        while waiting:
            name = waiting.pop()
            for needed in needs.get(name, ()):
                if needed not in held:
                    held[needed] = f"component {name} may still need it: not everything {self._undone(name)}"
                    waiting.append(needed)
        return held

    def _undone(self, component: str) -> str:
        if component in self._unapplied:
            return f"of component {component} was applied"
        return f"that component {component} no longer has is gone"

    def _hold_back(self) -> None:
        for item, change in self._changes.items():
            if self._schedule.state(item) is State.SKIPPED:
                continue
            if change.problem:
                self._work.ledger.failed(change, change.problem)
                self._schedule.failed(item)
            elif change.component in self._held:
                self._schedule.abandon(item, "is kept")

    def _skip(self, item: ObjectId, reason: str) -> None:
        change = self._changes[item]
        self._work.ledger.skipped(change, f"kept: {self._held.get(change.component, reason)}")

    async def _list(self, kind: GroupKind) -> None:
        resource = self._work.kinds.preferred(kind)
        if resource is None:
            if self._work.kinds.unknown(kind):
                self._errors[kind] = f"{kind} cannot be listed: its backend did not answer discovery"
            return
        try:
            listed = await self._work.cluster.list_version(resource, selector=self._work.waits.selector)
        except NotFound:
            return  # the kind is gone, and its objects with it
        except ClusterError as error:
            self._errors[kind] = f"nothing is deleted without listing it again: {error}"
            return
        for body in listed[0]:
            item = ObjectId.of(body)
            if item in self._changes:
                self._bodies[item] = body
        if any(item.group_kind == kind for item in self._bodies):
            self._work.waits.follow(Scope(resource, "", self._work.waits.selector), listed)

    def _idle(self, item: ObjectId) -> bool:
        """Deal with what needs no request: it is gone already, is not ours, or could not be listed."""
        change, ledger = self._changes[item], self._work.ledger
        if self._schedule.state(item) is not State.READY:
            return True
        if item.group_kind in self._errors:
            ledger.failed(change, self._errors[item.group_kind])
            self._schedule.failed(item)
            return True
        body = self._bodies.get(item)
        foreign = self._foreign(change, body) if body is not None else ""
        if body is not None and not foreign:
            return False
        self._schedule.applied(item)
        self._schedule.settled(item)
        if foreign:
            ledger.unchanged(change, f"left alone: {foreign}")
        else:
            ledger.pruned(change, "was gone already")
        return True

    def _foreign(self, change: Change, body: Body) -> str:
        set_id = applyset_id(parent_id(self._work.plan.environment, change.component))
        return foreign(body, set_id, change.uid)

    async def _act(self, item: ObjectId) -> None:
        change = self._changes[item]
        self._work.ledger.started(change)
        try:
            left_alone = await (self._release(change) if change.action is Action.RELEASE else self._delete(change))
        except (ClusterError, StillNeeded) as error:
            what = "released" if change.action is Action.RELEASE else "deleted"
            self._work.ledger.failed(change, f"not {what}: {error}")
            self._schedule.failed(item)
            return
        self._schedule.applied(item)
        if left_alone:
            self._schedule.settled(item)
            self._work.ledger.unchanged(change, f"left alone: {left_alone}")
        elif change.action is Action.RELEASE:
            self._schedule.settled(item)
            self._work.ledger.released(change)
        else:
            self._await_gone(change)

    async def _delete(self, change: Change) -> str:
        """Delete one object; returns why it was left alone after all, or "". Raises StillNeeded."""
        if change.protected:
            await self._until_free(change)

        async def send(kind: ApiResource, body: Body) -> None:
            uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
            await self._work.cluster.delete(
                kind, change.id.namespace, change.id.name, uid=uid, resource_version=version
            )

        return await self._bound(change, send)

    async def _until_free(self, change: Change) -> None:
        """Wait until nothing needs an object of a protected kind any more."""
        work, deadline = self._work, self._work.deadline(change.component)
        body, among = self._bodies[change.id], frozenset[GroupKind]()
        while True:
            users = await needed_by(work.cluster, work.kinds, change.id, body, among=among)
            if not users.names and not among:
                return
            if users.names:
                if work.stop.is_set() or work.clock.monotonic() >= deadline:
                    raise StillNeeded(f"it is still needed by {users.names}")
                work.ledger.waiting(change, Health(HealthState.CURRENT, f"not deleted yet: needed by {users.names}"))
                await work.clock.sleep(PAUSE)
            among = users.kinds  # those first; when they are gone, all kinds once more

    async def _release(self, change: Change) -> str:
        """Give up one object; returns why it was left alone after all, or ""."""
        return await self._bound(change, partial(releasing.release, self._work.cluster))

    async def _bound(self, change: Change, send: Callable[[ApiResource, Body], Awaitable[None]]) -> str:
        """Send a write that is bound to what was read; where that has changed, read again and look whether it is ours."""
        item = change.id
        kind = self._work.kinds.preferred(item.group_kind)
        if kind is None:
            raise NotFound(f"the server no longer serves {item.group_kind}")
        for attempt in range(ATTEMPTS):
            try:
                await send(kind, self._bodies[item])
                break
            except NotFound:
                break
            except Conflict:  # a controller keeps its status up to date, and is quicker than we are
                if attempt == ATTEMPTS - 1:
                    raise
                await self._work.clock.sleep(pause(attempt))
            try:
                self._bodies[item] = await self._work.cluster.get(kind, item.namespace, item.name)
            except NotFound:
                break
            if why := self._foreign(change, self._bodies[item]):
                return why
        return ""

    def _await_gone(self, change: Change) -> None:
        """Wait for the end of a delete that the server has accepted; where the watch was faster, it is over at once."""
        work, item = self._work, change.id
        kind, uid = work.kinds.preferred(item.group_kind), self._bodies[item]["metadata"]["uid"]
        if kind is None:
            raise TypeError(f"{item} was deleted, but nobody knows {item.group_kind}")
        wait = Wait(change, Goal.GONE, work.deadline(change.component), self._gone, uid=uid)
        work.waits.gone(wait, Scope(kind, "", work.waits.selector))

    def _gone(self, wait: Wait, health: Health, reached: bool) -> None:
        change = wait.change
        if reached:
            self._work.ledger.pruned(change)
            self._schedule.settled(change.id)
            self._flow.wake()
            return
        task = self._work.group.create_task(self._give_up(change, health))
        self._explaining.add(task)
        task.add_done_callback(self._explained)

    def _explained(self, task: asyncio.Task[None]) -> None:
        self._explaining.discard(task)
        self._flow.wake()

    async def _give_up(self, change: Change, health: Health) -> None:
        told = await blocked_by(self._work.cluster, self._work.kinds, change.id)
        seconds = f"{self._work.timeout(change.component):g} s"
        told = f"deleted, but still there after {seconds}: {'; '.join(filter(None, (health.message, told)))}"
        self._work.ledger.failed(change, told, health)
        self._schedule.failed(change.id)

    def _close(self) -> None:
        for item in self._schedule.unfinished:
            change = self._changes[item]
            self._work.ledger.broken.add(change.component)
            if self._schedule.state(item) is State.APPLIED:
                self._work.ledger.deleting(change)
            else:
                self._work.ledger.skipped(change, "the run was stopped before it was deleted")


def foreign(body: Body, set_id: str, uid: str) -> str:
    """Return why an object must not be pruned, or ""."""
    metadata = body["metadata"]
    if uid and metadata.get("uid") != uid:
        return "it is another object of the same name than the one in the plan"
    if (metadata.get("labels") or {}).get(PART_OF_LABEL) != set_id:
        return f"it no longer carries the label {PART_OF_LABEL} of this component"
    owner = next((item for item in metadata.get("ownerReferences") or () if item.get("controller")), None)
    if owner is not None:
        return f"it belongs to {owner.get('kind')}/{owner.get('name')}"
    entries = metadata.get("managedFields") or ()
    if not any(item.get("manager") == FIELD_MANAGER and item.get("operation") == "Apply" for item in entries):
        return f"{FIELD_MANAGER} has applied none of its fields"
    return ""
