"""Why one component or object needs another one."""

from __future__ import annotations

import pytest

from reconciler.errors import UsageError
from reconciler.model.graph import ComponentEdge, Edge, Graph
from reconciler.model.identity import ObjectId
from reconciler.report.why import document, explain, text

SPACE = ObjectId("", "Namespace", "", "web")
OTHER = ObjectId("", "ConfigMap", "infra", "settings")
CONFIG = ObjectId("", "ConfigMap", "web", "settings")
SERVER = ObjectId("apps", "Deployment", "web", "server")
GRAPH = Graph(
    {SPACE: "namespaces", OTHER: "infra", CONFIG: "web", SERVER: "web"},
    (
        ComponentEdge("infra", "namespaces"),
        ComponentEdge("web", "infra", "dependsOn", "environments/dev/environment.yaml:9"),
    ),
    (Edge(SERVER, CONFIG, "mounts it", place="base/web/server.yaml:20"), Edge(CONFIG, SPACE, "is in it")),
    ("namespaces", "infra", "web"),
)


def told(dependent: str, needs: str) -> str:
    """Return the explanation that there is."""
    return text(explain(GRAPH, dependent, needs) or ())


def test_a_chain_is_a_document_with_the_component_of_each_end() -> None:
    assert document(GRAPH, explain(GRAPH, "Deployment/server", "infra") or ())["chain"] == [
        {
            "dependent": {"component": "web", "id": SERVER._asdict()},
            "needs": {"component": "infra", "id": None},
            "why": "it is part of web, which needs it: dependsOn",
            "place": "environments/dev/environment.yaml:9",
        }
    ]


def test_a_chain_is_told_edge_by_edge() -> None:
    """With the line of git where one made the edge."""
    assert told("Deployment/server", "Namespace/web") == (
        "Deployment/web/server needs ConfigMap/web/settings: mounts it (base/web/server.yaml:20)\n"
        "ConfigMap/web/settings needs Namespace/web: is in it\n"
    )
    assert told("web", "infra") == "web needs infra: dependsOn (environments/dev/environment.yaml:9)\n"


def test_an_object_needs_what_its_component_needs_with_all_that_is_in_it() -> None:
    """Two objects may have no edge between them and still be ordered, by way of their components."""
    assert told("Deployment/server", "ConfigMap/infra/settings") == (
        "Deployment/web/server needs infra: it is part of web, which needs it: "
        "dependsOn (environments/dev/environment.yaml:9)\n"
        "infra needs ConfigMap/infra/settings: it is part of it\n"
    )
    assert explain(GRAPH, "Deployment/server", "namespaces") is not None


def test_a_component_needs_what_its_objects_need() -> None:
    lines = told("web", "Namespace/web").splitlines()
    assert lines[0].startswith("web needs ")
    assert lines[-1].split(" needs ")[1].startswith("Namespace/web: ")


@pytest.mark.parametrize(
    ("dependent", "needs"),
    [("Namespace/web", "Deployment/server"), ("namespaces", "web"), ("infra", "Deployment/server")],
)
def test_there_is_no_explanation_where_there_is_no_need(dependent: str, needs: str) -> None:
    assert explain(GRAPH, dependent, needs) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ConfigMap/settings", "several objects: write one of ConfigMap/infra/settings, ConfigMap/web/settings"),
        ("Deployment/sever", "has no Deployment/sever, did you mean Deployment/server?"),
        ("wbe", "has no wbe, did you mean web?"),
    ],
)
def test_a_name_that_means_nothing_or_too_much_is_wrong_usage(name: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(GRAPH, name, "namespaces")
    assert told in str(caught.value)
