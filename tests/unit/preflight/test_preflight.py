"""What a cluster is against what git says, and what blocks an upgrade."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import yaml
from reconciler.errors import ConfigError
from reconciler.model.identity import GroupVersionKind, ObjectId
from reconciler.model.origin import Source
from reconciler.model.preflight import Finding, Sight
from reconciler.model.resource import Desired, Resource
from reconciler.preflight import asks_kubelets, judge
from reconciler.preflight.version import Minor

Body = dict[str, Any]

GIT = """\
apiVersion: platform.reconciler.dev/v1alpha1
kind: ClusterFacts
metadata: {name: cluster}
spec:
  provider: kubeadm
  version: "1.36"
  podCIDR: 10.244.0.0/16
  apiGroups: [policy/v1]
---
apiVersion: platform.reconciler.dev/v1alpha1
kind: NodeProfile
metadata: {name: workers}
spec:
  runtime:
    name: containerd
    version: "2.3"
  kubelet:
    version: "1.36"
---
apiVersion: platform.reconciler.dev/v1alpha1
kind: NodeProfile
metadata: {name: docker}
spec:
  nodeSelector: {runtime: docker}
  count: {min: 0, max: 1}
  runtime: {name: docker, version: "29.7"}
  operatingSystem: Debian
  taints: [legacy]
"""


def desired(text: str = GIT) -> Desired:
    """Return objects of git with their lines."""
    bodies = yaml.parse(text, Source("facts.yaml", "base"))
    return Desired(
        "dev",
        None,
        {"runtime": tuple(Resource(ObjectId.of(item), GroupVersionKind.of(item).version, item) for item in bodies)},
    )


def node(name: str, runtime: str = "containerd://2.3.4", kubelet: str = "v1.36.2", **more: Any) -> Body:
    """Return a node."""
    return {
        "metadata": {"name": name, "labels": more.get("labels", {})},
        "spec": {"podCIDR": more.get("cidr", "10.244.1.0/24"), "taints": more.get("taints", [])},
        "status": {
            "nodeInfo": {
                "containerRuntimeVersion": runtime,
                "kubeletVersion": kubelet,
                "osImage": more.get("system", "Debian GNU/Linux 12"),
            },
            "allocatable": {"cpu": "4", "memory": "8Gi"},
        },
    }


def pod(on: str, cpu: str = "3", *, daemon: bool = False) -> Body:
    """Return a Pod of a node."""
    return {
        "metadata": {"name": "p", "namespace": "web", "ownerReferences": [{"kind": "DaemonSet"}] if daemon else []},
        "spec": {"nodeName": on, "containers": [{"resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}]},
        "status": {"phase": "Running"},
    }


def sight(*nodes: Body, version: str = "v1.36.4", **more: Any) -> Sight:
    """Return what was read of a cluster."""
    given: dict[str, Any] = {"budgets": (), "pods": (), "deprecated": (), **more}
    return Sight(version, frozenset(("v1", "policy/v1")), nodes, **given)


def told(findings: tuple[Finding, ...]) -> list[str]:
    """Return findings in short."""
    return [
        f"{item.severity} {item.check} {item.about}: {item.message} @{item.origin and item.origin.line}"
        for item in findings
    ]


def test_what_is_as_git_says_is_not_told() -> None:
    assert judge(desired(), sight(node("a"), node("b"))).findings == ()


def test_a_node_with_another_runtime_or_version_is_told_with_its_line() -> None:
    found = judge(
        desired(), sight(node("a", "containerd://2.2.7"), node("b", "docker://29.7.2"), node("c", kubelet="v1.35.1"))
    )
    assert told(found.findings) == [
        "warning nodes Node/a: runs containerd 2.2.7, git says 2.3 @16",
        "warning nodes Node/b: runs docker, git says containerd @15",
        "warning nodes Node/c: runs kubelet v1.35.1, git says 1.36 @18",
    ]
    assert not found.blocked


def test_the_profile_that_asks_most_is_for_a_node() -> None:
    legacy: dict[str, Any] = {"labels": {"runtime": "docker"}, "taints": [{"key": "legacy"}]}
    assert judge(desired(), sight(node("a", "docker://29.7.2", **legacy))).findings == ()
    wrong = judge(
        desired(),
        sight(*(node(name, "docker://29.7.2", **{**legacy, "taints": [], "system": "Ubuntu"}) for name in "ab")),
    )
    assert told(wrong.findings) == [
        *(
            f"warning nodes Node/{name}: {what}"
            for name in "ab"
            for what in ("its system is Ubuntu, git says Debian @27", "has no taint legacy @28")
        ),
        "warning nodes NodeProfile/docker: there are 2 such nodes, git says 0 to 1 @25",
    ]


def test_the_control_plane_is_compared() -> None:
    given = Sight("v1.37.0", frozenset(("v1",)), [node("a", cidr="10.99.0.0/24")], (), (), ())
    assert [item.partition(": ")[2] for item in told(judge(desired(), given).findings)] == [
        "the API server runs v1.37.0, git says 1.36 @6",
        "is not served by the API server @8",
        "its Pods have addresses of 10.99.0.0/24, git says that all are of 10.244.0.0/16 @7",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: platform.reconciler.dev/v1alpha1\nkind: ClusterFacts\nmetadata: {name: a}\n",
        "apiVersion: platform.reconciler.dev/v1alpha1\nkind: NodeProfile\nmetadata: {name: a}\nspec: []\n",
        "apiVersion: platform.reconciler.dev/v1alpha1\nkind: NodeProfile\nmetadata: {name: a}\nspec: {}\n",
    ],
)
def test_what_says_nothing_is_compared_with_nothing(text: str) -> None:
    assert judge(desired(text), sight(node("a"))).findings == ()


def test_a_range_that_is_none_is_told() -> None:
    (found,) = judge(desired(GIT.replace("10.244.0.0/16", "10.244.1.0/16")), sight(node("a"))).findings
    assert (found.severity, found.origin and found.origin.line) == ("blocker", 7)


@pytest.mark.parametrize(
    ("target", "kubelet", "expected"),
    [
        ("1.37", "v1.36.2", []),
        ("1.38", "v1.36.2", ["from 1.36 to 1.38 is 2 steps"]),
        ("1.35", "v1.35.2", ["1.35 is older than what runs, 1.36: the store cannot be read by it"]),
        ("1.37", "v1.33.2", ["kubelet 1.33 is more than 3 minors behind 1.37"]),
        ("1.36", "v1.37.0", ["kubelet 1.37 is newer than the API server 1.36"]),
        ("1.37", "unreadable", []),
    ],
)
def test_skew(target: str, kubelet: str, expected: list[str]) -> None:
    found = judge(Desired("dev", None, {}), sight(node("a", kubelet=kubelet)), Minor.of(target))
    assert [item.message for item in found.findings if item.check == "skew"] == expected
    assert found.blocked is bool(expected)


def test_versions_that_go_are_found_in_git_and_in_use() -> None:
    old = "apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: web}\n"
    used = {"group": "example.com", "version": "v1beta1", "resource": "widgets", "removed_release": "1.38"}
    found = judge(desired(old), sight(deprecated=(used,)), Minor.of("1.37")).findings
    assert told(found) == [
        "blocker deprecated HorizontalPodAutoscaler/web -n web: autoscaling/v2beta2 is not served from 1.26 on @None",
        "warning deprecated widgets.v1beta1.example.com: somebody still asks for it; it goes with 1.38 @None",
    ]
    (_, gone) = judge(desired(old), sight(deprecated=({**used, "removed_release": "1.37"},)), Minor.of("1.37")).findings
    assert gone.severity == "blocker"


@pytest.mark.parametrize(("allowed", "expected", "blocks"), [(0, 2, True), (1, 2, False), (0, 0, False)])
def test_budgets_that_let_nobody_go(allowed: int, expected: int, blocks: bool) -> None:
    status = {"disruptionsAllowed": allowed, "expectedPods": expected, "currentHealthy": 1, "desiredHealthy": 1}
    budget = {"metadata": {"name": "web", "namespace": "web"}, "status": status}
    given = sight(node("a"), node("b"), budgets=[budget])
    assert judge(Desired("dev", None, {}), given, Minor.of("1.37")).blocked is blocks
    assert not judge(Desired("dev", None, {}), given).blocked


def test_a_node_whose_pods_find_no_room_is_named() -> None:
    full = sight(node("a"), node("b"), pods=[pod("a"), pod("b"), pod("b", "100m", daemon=True)])
    found = judge(Desired("dev", None, {}), full, Minor.of("1.37")).findings
    assert [(item.about, item.message) for item in found if item.check == "capacity"] == [
        ("Node/a", "its Pods ask for 3.0 cpu, and the other nodes have 0.9 left: it cannot be drained"),
        ("Node/b", "its Pods ask for 3.0 cpu, and the other nodes have 1.0 left: it cannot be drained"),
    ]
    roomy = sight(node("a"), node("b"), pods=[pod("a"), pod("b", "1"), pod("b", "2", daemon=True)])
    blocked = judge(Desired("dev", None, {}), roomy, Minor.of("1.37")).findings
    assert [item.about for item in blocked if item.check == "capacity"] == ["Node/a"]


KUBELET = """\
apiVersion: platform.reconciler.dev/v1alpha1
kind: NodeProfile
metadata: {name: workers}
spec:
  runtime: {name: containerd, version: "2.3"}
  kubelet:
    configuration: {namespace: kube-system, configMap: node-files, key: kubelet.yaml}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: node-files, namespace: kube-system}
data:
  kubelet.yaml: |
    apiVersion: kubelet.config.k8s.io/v1beta1
    kind: KubeletConfiguration
    readOnlyPort: 0
    seccompDefault: true
    shutdownGracePeriod: 60s
    clusterDNS: [10.96.0.10]
    evictionHard:
      memory.available: 200Mi
"""
RUNS: Body = {
    "readOnlyPort": 0,
    "seccompDefault": True,
    "shutdownGracePeriod": "1m0s",
    "clusterDNS": ["10.96.0.10"],
    "evictionHard": {"memory.available": "200Mi", "nodefs.available": "10%"},
    "maxPods": 110,
}


def kubelets(**settings: Any) -> tuple[Finding, ...]:
    """Return what is found of a node whose kubelet runs with these settings beside the good ones."""
    sight = Sight("v1.36.2", frozenset(), [node("one")], (), (), (), {"one": {**RUNS, **settings}})
    return judge(desired(KUBELET), sight).findings


def test_a_kubelet_that_runs_with_its_file_is_right() -> None:
    """Durations may be written in other ways, what the file leaves out is the kubelet's own choice."""
    assert kubelets() == ()
    assert kubelets(readOnlyPort=None) == ()


def test_a_setting_that_a_kubelet_has_otherwise_is_told_with_the_line() -> None:
    found = kubelets(seccompDefault=False, evictionHard={"memory.available": "100Mi"})
    assert [item.message for item in found] == [
        "its kubelet has seccompDefault False, git says True",
        "its kubelet has evictionHard.memory.available 100Mi, git says 200Mi",
    ]
    assert {str(item.origin) for item in found} == {str(found[0].origin)}
    assert found[0].origin is not None
    assert found[0].origin.line == 13


def test_a_profile_that_names_no_file_that_is_there_is_refused() -> None:
    text = KUBELET.replace("key: kubelet.yaml}", "key: kubelet.yml}")
    sight = Sight("v1.36.2", frozenset(), [node("one")], (), (), (), {"one": RUNS})
    with pytest.raises(ConfigError, match=r"NodeProfile/workers: there is no key kubelet\.yml in ConfigMap/node-files"):
        judge(desired(text), sight)


def test_kubelets_are_asked_only_where_git_says_what_they_run_with() -> None:
    assert asks_kubelets(desired(KUBELET))
    assert not asks_kubelets(desired())
