"""Each rule of the shipped platform finds what it is for, and nothing in the platform as it is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import environment as environments
from reconciler import pipeline
from reconciler.check import broken
from reconciler.environment.rules import load_rules
from reconciler.model.identity import ObjectId
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map
from reconciler.pipeline import Checkout
from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
FILES = DirectoryTree(ROOT)

Bodies = list[Any]


def shipped(directory: str) -> Bodies:
    """Return what a directory of base renders."""
    return [copy.deepcopy(item.body) for item in build(FILES, f"base/{directory}").resources]


def of(bodies: Bodies, kind: str, name: str) -> Any:
    """Return an object by kind and name."""
    return next(item for item in bodies if item["kind"] == kind and item["metadata"]["name"] == name)


def container(bodies: Bodies, kind: str, name: str) -> Any:
    """Return the first container of a workload."""
    return of(bodies, kind, name)["spec"]["template"]["spec"]["containers"][0]


def without(bodies: Bodies, fits: Callable[[Any], bool]) -> None:
    """Take objects out."""
    bodies[:] = [item for item in bodies if not fits(item)]


def a_second_network(bodies: Bodies) -> None:
    bodies += shipped("network/flannel")


def a_second_registry(bodies: Bodies) -> None:
    bodies += shipped("registry/distribution")


def a_second_default(bodies: Bodies) -> None:
    second = copy.deepcopy(of(bodies, "StorageClass", "platform-block"))
    second["metadata"]["name"] = "other"
    bodies.append(second)


def no_block_class(bodies: Bodies) -> None:
    of(bodies, "StorageClass", "platform-block")["metadata"]["name"] = "block"


def a_second_profile(bodies: Bodies) -> None:
    second = copy.deepcopy(of(bodies, "NodeProfile", "workers"))
    second["metadata"]["name"] = "more-workers"
    bodies.append(second)


def no_enforcer(bodies: Bodies) -> None:
    without(bodies, lambda item: item["metadata"]["name"] == "network-policies")


def docker(bodies: Bodies) -> None:
    bodies += shipped("runtime/cri-dockerd")


def calico(bodies: Bodies) -> None:
    without(bodies, lambda item: item["metadata"]["name"] == "platform-network")
    bodies += shipped("network/calico")


def ceph(bodies: Bodies) -> None:
    bodies += shipped("storage/ceph/pools")


def strict(bodies: Bodies) -> None:
    env = container(bodies, "DaemonSet", "aws-node")["env"]
    next(item for item in env if item["name"] == "NETWORK_POLICY_ENFORCING_MODE")["value"] = "strict"


def a_newer_cluster(bodies: Bodies) -> None:
    of(bodies, "ClusterFacts", "cluster")["spec"]["version"] = "1.37"


def another_kibana(bodies: Bodies) -> None:
    container(bodies, "Deployment", "kibana")["image"] = "docker.elastic.co/kibana/kibana:9.4.5"


def fluentd_for_8(bodies: Bodies) -> None:
    container(bodies, "DaemonSet", "fluentd")["image"] = "docker.io/fluent/x:v1.19.3-debian-elasticsearch8-1.1"


def docker_logs(bodies: Bodies) -> None:
    of(bodies, "DaemonSet", "fluentd")["metadata"]["labels"]["platform.reconciler.dev/log-format"] = "json-file"


def one_node_for_images(bodies: Bodies) -> None:
    of(bodies, "PersistentVolumeClaim", "harbor-registry")["spec"]["accessModes"] = ["ReadWriteOnce"]


def restricted_agents(bodies: Bodies) -> None:
    labels = of(bodies, "Namespace", "logging-agents")["metadata"]["labels"]
    labels["pod-security.kubernetes.io/enforce"] = "restricted"


def a_budget_of_all(bodies: Bodies) -> None:
    spec = of(bodies, "PodDisruptionBudget", "elasticsearch")["spec"]
    del spec["maxUnavailable"]
    spec["minAvailable"] = 3


def a_default_limit(bodies: Bodies) -> None:
    limits = next(
        item for item in bodies if item["kind"] == "LimitRange" and item["metadata"]["namespace"] == "logging-data"
    )
    limits["spec"]["limits"][0]["default"] = {"memory": "1Gi"}


def a_bad_trivy(bodies: Bodies) -> None:
    of(bodies, "ConfigMap", "trivy-operator-trivy-config")["data"]["trivy.tag"] = "0.69.5"


def the_moving_fluentd(bodies: Bodies) -> None:
    container(bodies, "DaemonSet", "fluentd")["image"] = "docker.io/fluent/x:v1-debian-elasticsearch"


BREAKS: list[tuple[str, str, Callable[[Bodies], None]]] = [
    ("options/one-network", "prod-onprem", a_second_network),
    ("options/one-registry", "prod-onprem", a_second_registry),
    ("options/one-default-class", "prod-eks", a_second_default),
    ("options/block-class", "prod-gke", no_block_class),
    ("options/one-runtime-of-a-profile", "prod-onprem", a_second_profile),
    ("conflicts/flannel-enforces-nothing", "dev-onprem", no_enforcer),
    ("conflicts/docker-on-premises-only", "prod-eks", docker),
    ("conflicts/networks-of-clouds", "prod-gke", calico),
    ("conflicts/ceph-on-gke", "prod-gke", ceph),
    ("conflicts/strict-mode-needs-policies-everywhere", "prod-eks", strict),
    ("conflicts/ceph-window", "prod-onprem", a_newer_cluster),
    ("conflicts/autoscaler-of-the-clusters-minor", "prod-eks", a_newer_cluster),
    ("conflicts/one-version-of-elastic", "staging-eks", another_kibana),
    ("conflicts/fluentd-for-elasticsearch", "staging-eks", fluentd_for_8),
    ("conflicts/logs-of-the-runtime", "staging-eks", docker_logs),
    ("conflicts/harbor-replicas-need-shared-images", "prod-onprem", one_node_for_images),
    ("conflicts/levels-that-agents-need", "prod-gke", restricted_agents),
    ("conflicts/budgets-that-block-drains", "prod-gke", a_budget_of_all),
    ("conflicts/limits-that-break-others", "prod-gke", a_default_limit),
    ("images/compromised-trivy", "prod-gke", a_bad_trivy),
    ("images/daemonset-of-elasticsearch-7", "prod-gke", the_moving_fluentd),
]


def told(name: str, breaks: Callable[[Bodies], None]) -> set[str]:
    """Return the rules that find something in an environment once something in it is broken."""
    environment = environments.load(FILES, f"environments/{name}/environment.yaml")
    rendered = pipeline.render(Checkout(FILES, environment, None))
    bodies = [copy.deepcopy(item.body) for _, item in rendered.resources]
    breaks(bodies)
    resources = tuple(Resource(ObjectId.of(body), "v1", Map(body)) for body in bodies)
    rules = load_rules(FILES, environment)
    errors, warnings = broken(rules, environment, Desired(name, None, {"all": resources}))
    return {rule.name for rule in rules for item in (*errors, *warnings) if f"rule {rule.name}, " in item.message}


@pytest.mark.parametrize(("rule", "environment", "breaks"), BREAKS, ids=[item[0] for item in BREAKS])
def test_a_rule_finds_what_it_is_for(rule: str, environment: str, breaks: Callable[[Bodies], None]) -> None:
    assert rule in told(environment, breaks)


def test_every_rule_is_tried() -> None:
    environment = environments.load(FILES, "environments/prod-onprem/environment.yaml")
    assert {item.name for item in load_rules(FILES, environment)} == {rule for rule, _, _ in BREAKS}


def directories() -> Iterator[str]:
    """Yield every directory of base that can be built by itself."""
    for path in sorted((ROOT / "base").rglob("kustomization.yaml")):
        if "kind: Component" not in path.read_text():
            yield str(path.parent.relative_to(ROOT))


@pytest.mark.parametrize("directory", list(directories()))
def test_every_part_builds_by_itself(directory: str) -> None:
    """Parts that no shipped environment uses (Docker, GlusterFS) are there to be used as well."""
    assert build(FILES, directory).resources
