"""The dependency graph of one environment: component edges from environment.yaml, object edges from the objects."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ConfigError, DependencyCycle, Problem
from reconciler.model.graph import ComponentEdge, Edge, Graph
from reconciler.model.identity import ObjectId
from reconciler.plan.edges import backends, bindings, existence, generated, harbor, marks, traffic, workloads
from reconciler.plan.edges.objects import Objects
from reconciler.plan.order import ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconciler.environment import Environment
    from reconciler.model.resource import Desired, Resource

_FAMILIES: Final = (
    existence.edges,
    workloads.edges,
    traffic.edges,
    bindings.edges,
    backends.edges,
    generated.edges,
    harbor.edges,
    marks.edges,
)

_CIRCLES: Final = 5  # so many are told at once: one wrong need may close very many

Node = ObjectId | str  # an object, or a whole component by its name


def build(desired: Desired, environment: Environment) -> Graph:
    """Return the graph of everything that git wants; raises DependencyCycle naming the places of every edge.

    `component_of` of the graph lists the objects in an order that respects every edge.
    """
    resources = {resource.id: resource for _, resource in desired.resources}
    component_of = {resource.id: component for component, resource in desired.resources}
    needed = _component_edges(environment)
    edges = infer({identity: resource.body for identity, resource in resources.items()})
    graph = Graph(component_of, needed, edges, _component_order(desired, environment, needed))
    nodes, circles = _sorted(graph)
    if circles:
        told = itertools.chain.from_iterable(_told(circle, graph, resources) for circle in circles[:_CIRCLES])
        raise DependencyCycle(dict.fromkeys(told))
    return replace(graph, component_of={node: component_of[node] for node in nodes})


def infer(bodies: Mapping[ObjectId, dict[str, Any]], *, complete: bool = True) -> tuple[Edge, ...]:
    """Return the edges among objects, one for each pair.

    Raises ConfigError where marks are unknown or name what is not there, unless the objects are only a part (not `complete`).
    """
    objects = Objects(bodies, complete=complete)
    found: dict[tuple[ObjectId, ObjectId], Edge] = {}
    problems: list[Problem] = []
    for identity, body in bodies.items():
        if complete:
            problems.extend(marks.mistakes(identity, body))
        for family in _FAMILIES:
            try:
                _collect(family(identity, body, objects), found)
            except ConfigError as error:
                problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return tuple(found.values())


def with_deletions(graph: Graph, gone: Mapping[ObjectId, tuple[str, dict[str, Any]]]) -> Graph:
    """Return the graph with what is to be deleted: component and live body of each object.

    A circle among objects that go away stops nothing: the edges that close one are left out.
    """
    if not gone:
        return graph
    bodies = {identity: body for identity, (_, body) in gone.items()}
    component_of = {**graph.component_of, **{identity: component for identity, (component, _) in gone.items()}}
    vanished = dict.fromkeys(component for component, _ in gone.values() if component not in graph.order)
    edges = (*graph.edges, *infer(bodies, complete=False))
    nodes, circles = _sorted(Graph(component_of, graph.components, edges, (*graph.order, *vanished)))
    closing = {(circle[-1], circle[0]) for circle in circles}
    kept = tuple(edge for edge in edges if (edge.dependent, edge.needs) not in closing)
    return Graph({node: component_of[node] for node in nodes}, graph.components, kept, (*graph.order, *vanished))


def _collect(edges: Iterable[Edge | None], found: dict[tuple[ObjectId, ObjectId], Edge]) -> None:
    for edge in edges:
        if edge is None:
            continue
        before = found.get((edge.dependent, edge.needs))
        if before is None or (edge.awaited and not before.awaited):
            found[edge.dependent, edge.needs] = edge


def _component_edges(environment: Environment) -> tuple[ComponentEdge, ...]:
    return tuple(
        ComponentEdge(component.name, needed, place=environment.place_of(component.name, needed))
        for component in environment.spec.components
        for needed in component.depends_on
    )


def _component_order(desired: Desired, environment: Environment, edges: Sequence[ComponentEdge]) -> tuple[str, ...]:
    needs: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        needs[edge.dependent].append(edge.needs)
    names = dict.fromkeys([*(item.name for item in environment.spec.components), *desired.components])
    order, circles = ordered(names, lambda name: needs.get(name, ()))
    if circles:
        told = " needs ".join([*circles[0], circles[0][0]])
        raise DependencyCycle(
            [Problem(environment.file, 0, f"components need each other in a circle: {told}", "take one away")]
        )
    return tuple(order)


def _sorted(graph: Graph) -> tuple[list[ObjectId], list[list[Node]]]:
    """Order the objects; a component that another one needs stands in the graph as one node behind all its objects."""
    objects: dict[str, list[Node]] = {name: [] for name in graph.order}
    for identity, component in graph.component_of.items():
        objects[component].append(identity)
    components: dict[str, list[Node]] = defaultdict(list)
    for link in graph.components:
        components[link.dependent].append(link.needs)
    needs: dict[ObjectId, list[Node]] = defaultdict(list)
    for edge in graph.edges:
        needs[edge.dependent].append(edge.needs)

    def of(node: Node) -> Iterator[Node]:
        if isinstance(node, str):
            yield from components[node]
            yield from objects.get(node, ())
        else:
            yield from components[graph.component_of[node]]
            yield from needs.get(node, ())

    nodes, circles = ordered(list[Node](graph.order), of)
    return [node for node in nodes if not isinstance(node, str)], circles


def _told(circle: Sequence[Node], graph: Graph, resources: Mapping[ObjectId, Resource]) -> Iterator[Problem]:
    """Yield one problem for each edge along a circle, with the places of both its ends."""
    edges = {(edge.dependent, edge.needs): edge for edge in graph.edges}
    for node, following in zip(circle, [*circle[1:], circle[0]], strict=True):
        edge = edges.get((node, following)) if not isinstance(node, str) and not isinstance(following, str) else None
        why, place = _reason(node, following, edge, graph)
        file, _, line = (place or _place(node, resources)).rpartition(":")
        message = f"in a circle: {_name(node, resources)} needs {_name(following, resources)}: {why}"
        yield Problem(
            file or place, int(line) if file and line.isdigit() else 0, message, "take one of the circle away"
        )


def _reason(node: Node, following: Node, edge: Edge | None, graph: Graph) -> tuple[str, str]:
    if edge is not None:
        return edge.why, edge.place
    if isinstance(node, str) and not isinstance(following, str):
        return "the component is done when all its objects are", ""
    places = (
        edge.place for edge in graph.components if (edge.dependent, edge.needs) == (_component(node, graph), following)
    )
    return "dependsOn", next(places, "")


def _component(node: Node, graph: Graph) -> str:
    return node if isinstance(node, str) else graph.component_of[node]


def _place(node: Node, resources: Mapping[ObjectId, Resource]) -> str:
    origin = resources[node].origin if not isinstance(node, str) and node in resources else None
    return str(origin) if origin is not None else ""


def _name(node: Node, resources: Mapping[ObjectId, Resource]) -> str:
    if isinstance(node, str):
        return f"component {node}"
    place = _place(node, resources)
    return f"{node}" + (f" ({place})" if place else "")
