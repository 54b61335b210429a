"""Dependency graphs as drawings."""

from __future__ import annotations

from reconciler.model.graph import ComponentEdge, Edge, Graph
from reconciler.model.identity import ObjectId
from reconciler.report import graph

SPACE = ObjectId("", "Namespace", "", "web")
CONFIG = ObjectId("", "ConfigMap", "web", "settings")
SERVER = ObjectId("apps", "Deployment", "web", "server")
GRAPH = Graph(
    {SPACE: "namespaces", CONFIG: "web", SERVER: "web"},
    (ComponentEdge("web", "namespaces", "dependsOn", "environments/dev/environment.yaml:9"),),
    (Edge(SERVER, CONFIG, "mounts it", place="base/web/server.yaml:20"), Edge(CONFIG, SPACE, "is in it")),
    ("namespaces", "web"),
)


def test_text_is_in_the_order_of_apply() -> None:
    assert graph.text(GRAPH, objects=False) == "namespaces (1 objects)\nweb (2 objects) needs namespaces\n"


def test_text_shows_why_objects_need_each_other() -> None:
    assert "    needs ConfigMap/settings -n web: mounts it\n" in graph.text(GRAPH, objects=True)


def test_arrows_point_from_the_needed_to_the_needing() -> None:
    assert "  namespaces --> web\n" in graph.mermaid(GRAPH, objects=False)
    assert '  "namespaces" -> "web";\n' in graph.dot(GRAPH, objects=False)
