"""What may go when: a graph of objects and components that is worked off as its parts are done. Pure.

Objects come out of `ready` once everything that they need is done. Edges between components are never spelled out as
edges between their objects, so the cost is linear in objects and edges.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.identity import ObjectId


class State(Enum):
    """Where one object of a schedule stands."""

    BLOCKED = auto()
    READY = auto()
    APPLIED = auto()
    SETTLED = auto()
    FAILED = auto()
    SKIPPED = auto()


class Need(NamedTuple):
    """One object needs another one. `awaited`: settled, not only applied."""

    dependent: ObjectId
    needs: ObjectId
    awaited: bool = False


@dataclass(slots=True)
class _Node:
    component: str
    blockers: int = 1  # the component itself, until it is open
    state: State = State.BLOCKED
    after_applied: list[ObjectId] = field(default_factory=list)
    after_settled: list[ObjectId] = field(default_factory=list)


@dataclass(slots=True)
class _Part:
    """One component. `awaited`: those that need it wait until all of it is settled, not only applied."""

    awaited: bool
    members: list[ObjectId] = field(default_factory=list)
    missing: int = 0
    needs: int = 0
    dependents: list[str] = field(default_factory=list)
    open: bool = False
    complete: bool = False
    failed: bool = False


class Schedule:
    """A schedule under way. Each object is applied, then settled (healthy or gone); or it fails; or it is skipped."""

    def __init__(
        self,
        objects: Mapping[ObjectId, str],
        needs: Iterable[Need],
        components: Iterable[tuple[str, str]] = (),
        awaited: frozenset[str] = frozenset(),
    ) -> None:
        """Begin with objects and their components, in the order in which they should go where nothing decides.

        `components` are pairs (dependent, needed); `awaited` names the components that have to be settled as a whole
        before those that need them begin.
        """
        self.ready: deque[ObjectId] = deque()
        self.skipped: deque[tuple[ObjectId, str]] = deque()
        self._nodes = {item: _Node(component) for item, component in objects.items()}
        self._parts: dict[str, _Part] = {}
        self._left = len(self._nodes)
        self._awaited = awaited
        for item, component in objects.items():
            part = self._part(component)
            part.members.append(item)
            part.missing += 1
        for need in needs:
            self._add(need)
        for dependent, needed in dict.fromkeys(components):
            self._part(dependent).needs += 1
            self._part(needed).dependents.append(dependent)
        for part in [part for part in self._parts.values() if not part.needs]:
            self._open(part)

    def _part(self, name: str) -> _Part:
        if name not in self._parts:
            self._parts[name] = _Part(name in self._awaited)
        return self._parts[name]

    def _add(self, need: Need) -> None:
        dependent, needed = self._nodes.get(need.dependent), self._nodes.get(need.needs)
        if dependent is None or needed is None or need.dependent == need.needs:
            return
        dependent.blockers += 1
        (needed.after_settled if need.awaited else needed.after_applied).append(need.dependent)

    @property
    def done(self) -> bool:
        """Whether every object is settled, failed or skipped."""
        return self._left == 0

    @property
    def unfinished(self) -> list[ObjectId]:
        """The objects that are neither settled nor failed nor skipped."""
        return [item for item, node in self._nodes.items() if node.state in (State.BLOCKED, State.READY, State.APPLIED)]

    def state(self, item: ObjectId) -> State:
        """Return where an object stands."""
        return self._nodes[item].state

    def applied(self, item: ObjectId) -> None:
        """Note that the server has accepted an object."""
        node = self._nodes[item]
        node.state = State.APPLIED
        self._release(node.after_applied)
        part = self._parts[node.component]
        if not part.awaited:
            self._count(part)

    def settled(self, item: ObjectId) -> None:
        """Note that an applied object is healthy, or is not to be waited for; a deleted one is gone."""
        node = self._nodes[item]
        node.state = State.SETTLED
        self._left -= 1
        self._release(node.after_settled)
        part = self._parts[node.component]
        if part.awaited:
            self._count(part)

    def failed(self, item: ObjectId) -> None:
        """Note that an object failed; what needs it is skipped. After `applied`, only what awaits it."""
        node = self._nodes[item]
        was_applied = node.state is State.APPLIED
        node.state = State.FAILED
        self._left -= 1
        self._spread(item, node, f"needs {item}, which failed", was_applied=was_applied)

    def abandon(self, item: ObjectId, reason: str) -> None:
        """Skip one object that has not been sent, and what needs it."""
        if self._nodes[item].state is State.READY:
            self._nodes[item].state = State.BLOCKED
        self._skip([(item, reason)])

    def _release(self, dependents: Iterable[ObjectId]) -> None:
        for item in dependents:
            node = self._nodes[item]
            node.blockers -= 1
            if not node.blockers and node.state is State.BLOCKED:
                node.state = State.READY
                self.ready.append(item)

    def _count(self, part: _Part) -> None:
        part.missing -= 1
        self._complete(part)

    def _open(self, part: _Part) -> None:
        waiting = [part]
        while waiting:
            opened = waiting.pop()
            opened.open = True
            self._release(opened.members)
            if not opened.missing and not opened.failed:
                waiting.extend(self._pass_on(opened))

    def _complete(self, part: _Part) -> None:
        if part.open and not part.missing and not part.failed:
            for opened in self._pass_on(part):
                self._open(opened)

    def _pass_on(self, part: _Part) -> list[_Part]:
        """Mark a component complete and return those that need nothing more."""
        if part.complete:
            return []
        part.complete = True
        opened = []
        for name in part.dependents:
            dependent = self._parts[name]
            dependent.needs -= 1
            if not dependent.needs:  # one in which something failed goes on with the rest of it
                opened.append(dependent)
        return opened

    def _spread(self, item: ObjectId, node: _Node, reason: str, *, was_applied: bool) -> None:
        reached = node.after_settled if was_applied else node.after_applied + node.after_settled
        held = [(dependent, reason) for dependent in reached]
        if not was_applied or self._parts[node.component].awaited:
            held += self._fail_part(node.component, f"needs component {node.component}, in which {item} failed")
        self._skip(held)

    def _fail_part(self, name: str, reason: str) -> list[tuple[ObjectId, str]]:
        """Mark a component failed and return the objects of those that need it."""
        held: list[tuple[ObjectId, str]] = []
        waiting = [(name, reason)]
        while waiting:
            current, why = waiting.pop()
            part = self._parts[current]
            if part.failed or part.complete:
                continue
            part.failed = True
            for dependent in part.dependents:
                held += [(member, why) for member in self._parts[dependent].members]
                waiting.append((dependent, f"needs component {dependent}, which {why}"))
        return held

    def _skip(self, held: list[tuple[ObjectId, str]]) -> None:
        waiting = deque(held)
        while waiting:
            item, reason = waiting.popleft()
            node = self._nodes[item]
            if node.state is not State.BLOCKED:
                continue
            node.state = State.SKIPPED
            self._left -= 1
            self.skipped.append((item, reason))
            onward = f"needs {item}, which {reason}"
            waiting.extend((dependent, onward) for dependent in node.after_applied + node.after_settled)
            waiting.extend(
                self._fail_part(node.component, f"needs component {node.component}, in which {item} {reason}")
            )
