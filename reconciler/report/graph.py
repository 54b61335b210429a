"""A dependency graph as text, Mermaid, DOT and a document."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from reconciler.report.document import id_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Graph
    from reconciler.model.identity import ObjectId


def text(graph: Graph, objects: bool) -> str:
    """Return the graph as indented text, in the order of apply."""
    return "".join(f"{line}\n" for line in _text(graph, objects))


def _text(graph: Graph, objects: bool) -> Iterator[str]:
    sizes = Counter(graph.component_of.values())
    needs: dict[str, dict[str, str]] = defaultdict(dict)
    for edge in graph.components:
        needs[edge.dependent].setdefault(edge.needs, edge.why)
    members: dict[str, list[ObjectId]] = defaultdict(list)
    for identity, component in graph.component_of.items():
        members[component].append(identity)
    edges: dict[ObjectId, list[str]] = defaultdict(list)
    for item in graph.edges:
        edges[item.dependent].append(f"needs {item.needs}: {item.why}")
    for name in graph.order:
        after = ", ".join(needs[name])
        yield f"{name} ({sizes[name]} objects)" + (f" needs {after}" if after else "")
        for identity in members[name] if objects else ():
            yield f"  {identity}"
            yield from (f"    {line}" for line in edges[identity])


def mermaid(graph: Graph, objects: bool) -> str:
    """Return the graph in Mermaid's flowchart language; an arrow goes from what is needed to what needs it."""
    lines = ["flowchart TD"]
    numbers = {identity: f"o{index}" for index, identity in enumerate(graph.component_of)}
    for name in graph.order:
        if objects:
            lines.append(f'  subgraph {name}["{name}"]')
            lines += [
                f'    {numbers[identity]}["{identity}"]'
                for identity, owner in graph.component_of.items()
                if owner == name
            ]
            lines.append("  end")
        else:
            lines.append(f'  {name}["{name}"]')
    lines += [f"  {needs} --> {dependent}" for dependent, needs in _component_pairs(graph)]
    if objects:
        lines += [
            f"  {numbers[edge.needs]} --> {numbers[edge.dependent]}" for edge in graph.edges if edge.needs in numbers
        ]
    return "\n".join(lines) + "\n"


def dot(graph: Graph, objects: bool) -> str:
    """Return the graph in Graphviz' language; an arrow goes from what is needed to what needs it."""
    lines = ["digraph {", "  rankdir=TB;", "  node [shape=box];"]
    lines += [f'  "{name}";' for name in graph.order]
    lines += [f'  "{needs}" -> "{dependent}";' for dependent, needs in _component_pairs(graph)]
    if objects:
        lines += [f'  "{identity}" [shape=plain];' for identity in graph.component_of]
        lines += [f'  "{edge.needs}" -> "{edge.dependent}";' for edge in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def document(graph: Graph) -> dict[str, Any]:
    """Return the graph as a document."""
    return {
        "order": list(graph.order),
        "components": [
            {"dependent": edge.dependent, "needs": edge.needs, "why": edge.why, "place": edge.place}
            for edge in graph.components
        ],
        "objects": [
            {
                "dependent": id_document(edge.dependent),
                "needs": id_document(edge.needs),
                "why": edge.why,
                "awaited": edge.awaited,
                "place": edge.place,
            }
            for edge in graph.edges
        ],
    }


def _component_pairs(graph: Graph) -> Iterator[tuple[str, str]]:
    yield from dict.fromkeys((edge.dependent, edge.needs) for edge in graph.components)
