"""Refusals that come too early: the server was asked before that was applied which may change its mind.

An admission webhook, an admission policy or a quota that refuses an object now is told as a problem, and the object is kept
back, unless the same plan changes something that the object needs: then only trying tells, and what is told is a note.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.graph import Graph
    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Predictions
    from reconciler.model.plan import Change

_QUOTA: Final = "exceeded quota"


def told(words: str) -> str:
    """Return the note about a refusal that need not last."""
    return f"the server would refuse it at present: {words}"


def reconsidered(
    changes: Mapping[ObjectId, Change], predictions: Predictions, graph: Graph
) -> Iterator[tuple[ObjectId, Change]]:
    """Yield the changes whose refusal what they need may still lift, with a note in the place of the problem."""
    refused = [change for change in changes.values() if change.problem and _refused(change, predictions)]
    if not refused:
        return
    needs = _Needs(graph)
    for change in refused:
        if any(item in changes and changes[item].acts for item in needs.of(change.id)):
            yield change.id, replace(change, problem="", notes=(*change.notes, told(change.problem)))


def _refused(change: Change, predictions: Predictions) -> bool:
    error = predictions[change.id].error if change.id in predictions else None
    return error is not None and not change.conflicts and (error.denied or _QUOTA in str(error))


class _Needs:
    """What is done before an object, however far away: by edges of objects and of components."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._objects: dict[ObjectId, list[ObjectId]] = defaultdict(list)
        self._components: dict[str, list[str]] = defaultdict(list)
        self._members: dict[str, list[ObjectId]] = defaultdict(list)
        for edge in graph.edges:
            self._objects[edge.dependent].append(edge.needs)
        for link in graph.components:
            self._components[link.dependent].append(link.needs)
        for identity, component in graph.component_of.items():
            self._members[component].append(identity)

    def of(self, start: ObjectId) -> Iterator[ObjectId]:
        seen, opened = {start}, set[str]()
        waiting = [start]
        while waiting:
            item = waiting.pop()
            needed = list(self._objects[item])
            for component in self._opened(self._graph.component_of[item], opened):
                needed += self._members[component]
            fresh = [found for found in dict.fromkeys(needed) if found not in seen]
            seen.update(fresh)
            waiting += fresh
            yield from fresh

    def _opened(self, component: str, opened: set[str]) -> Iterator[str]:
        """Yield the components that one needs and that were not met before, however far away."""
        waiting = [component]
        while waiting:
            for needed in self._components[waiting.pop()]:
                if needed not in opened:
                    opened.add(needed)
                    waiting.append(needed)
                    yield needed
