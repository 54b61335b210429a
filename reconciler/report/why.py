"""Why one component or object needs another one: the shortest chain of needs between them, in words and as a document."""

from __future__ import annotations

import difflib
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import UsageError
from reconciler.report.document import id_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.graph import Graph
    from reconciler.model.identity import ObjectId

    Node = ObjectId | str  # an object, or a component by its name


class _Step(NamedTuple):
    """One need along a chain, why it is one, and the `file:line` that makes it ("" where none does)."""

    needs: Node
    why: str
    place: str = ""


class Need(NamedTuple):
    """One link of a chain: who needs what, with the reason of the step."""

    dependent: Node
    needs: Node
    why: str
    place: str


def explain(graph: Graph, dependent: str, needs: str) -> tuple[Need, ...] | None:
    """Return the shortest chain from one component or object to another; None where there is none.

    An object needs what its component needs, and a component is there when all its objects are. Raises UsageError where a
    name means nothing in the environment, or more than one object.
    """
    start, goal = _named(graph, dependent), _named(graph, needs)
    steps = _Steps(graph)
    came: dict[Node, Need] = {}
    queue = deque([start])
    while queue and goal not in came:
        node = queue.popleft()
        for step in steps.of(node):
            if step.needs not in came and step.needs != start:
                came[step.needs] = Need(node, *step)
                queue.append(step.needs)
    if goal not in came:
        return None
    chain: list[Need] = []
    while goal != start:
        chain.append(came[goal])
        goal = came[goal].dependent
    return tuple(reversed(chain))


def text(chain: Iterable[Need]) -> str:
    """Return a chain as text, a line for each link."""
    return "".join(
        f"{_name(link.dependent)} needs {_name(link.needs)}: {link.why}"
        + (f" ({link.place})" if link.place else "")
        + "\n"
        for link in chain
    )


def document(graph: Graph, chain: Iterable[Need]) -> dict[str, Any]:
    """Return a chain as a document."""
    return {
        "chain": [
            {
                "dependent": _node(graph, link.dependent),
                "needs": _node(graph, link.needs),
                "why": link.why,
                "place": link.place,
            }
            for link in chain
        ]
    }


def _node(graph: Graph, node: Node) -> dict[str, Any]:
    if isinstance(node, str):
        return {"component": node, "id": None}
    return {"component": graph.component_of[node], "id": id_document(node)}


class _Steps:
    """The needs of every node of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._components: dict[str, list[_Step]] = defaultdict(list)
        self._objects: dict[ObjectId, list[_Step]] = defaultdict(list)
        self._members: dict[str, list[ObjectId]] = defaultdict(list)
        for edge in graph.components:
            self._components[edge.dependent].append(_Step(edge.needs, edge.why, edge.place))
        for item in graph.edges:
            self._objects[item.dependent].append(_Step(item.needs, item.why, item.place))
        for identity, component in graph.component_of.items():
            self._members[component].append(identity)

    def of(self, node: Node) -> Iterator[_Step]:
        if isinstance(node, str):
            yield from self._components[node]
            yield from (_Step(member, "it is part of it") for member in self._members[node])
            return
        yield from self._objects[node]
        component = self._graph.component_of[node]
        for step in self._components[component]:
            yield _Step(step.needs, f"it is part of {component}, which needs it: {step.why}", step.place)


def _named(graph: Graph, text: str) -> Node:
    """Return what a name of the command line means."""
    if text in graph.order:
        return text
    found = [identity for identity in graph.component_of if text in _names(identity)]
    if len(found) == 1:
        return found[0]
    if found:
        which = ", ".join(_name(identity) for identity in found)
        raise UsageError(f"{text} is the name of several objects: write one of {which}")
    known = [*graph.order, *(name for identity in graph.component_of for name in _names(identity))]
    near = difflib.get_close_matches(text, known, 1)
    meant = f", did you mean {near[0]}?" if near else ""
    raise UsageError(f"this environment has no {text}{meant} (expected a component, KIND/NAME or KIND/NAMESPACE/NAME)")


def _names(identity: ObjectId) -> tuple[str, ...]:
    return (f"{identity.kind}/{identity.name}", _name(identity))


def _name(node: Node) -> str:
    if isinstance(node, str):
        return node
    return f"{node.kind}/{node.namespace}/{node.name}" if node.namespace else f"{node.kind}/{node.name}"
