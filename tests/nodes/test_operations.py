"""Operations by commit on real nodes, each watched to its end: scaling, upgrading, draining, and the loss of a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.sandbox import control
from tests.nodes import images
from tests.nodes.lab import NODES
from tests.nodes.repository import ENVIRONMENT

if TYPE_CHECKING:
    from tests.nodes.image import Image
    from tests.nodes.lab import Lab

pytestmark = pytest.mark.nodes

COREDNS = "base/network/coredns/coredns.yaml"
NODES_FOLDER = f"environments/{ENVIRONMENT}/nodes"
IN_USE = """\
apiVersion: v1
kind: Node
metadata:
  name: node-2
  annotations:
    reconciler.dev/prune: orphan  # a node that git says nothing of any more is no node to delete
"""
DRAINED = f"""{IN_USE}spec:
  taints:
    - {{key: platform.reconciler.dev/drained, effect: NoExecute}}
"""
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [node-2.yaml]\n"


def test_a_component_is_scaled_by_a_commit(lab: Lab) -> None:
    """The plan names the one field, with the line of git; the third Pod answers before the apply ends."""
    lab.repository.replace(COREDNS, "  replicas: 2\n", "  replicas: 3\n")
    lab.repository.commit("Three of DNS")
    (change,) = _changes(lab)
    assert [field["path"] for field in change["fields"]] == ["spec.replicas"]
    assert change["fields"][0]["origin"]["file"] == COREDNS
    assert lab.repository.apply()["summary"]["update"] == 1
    assert lab.get("deployment", "coredns", "-n", "kube-system")["status"]["readyReplicas"] == 3
    lab.repository.replace(COREDNS, "  replicas: 3\n", "  replicas: 2\n")
    lab.repository.commit("Two of DNS are enough")
    lab.repository.apply()
    assert lab.get("deployment", "coredns", "-n", "kube-system")["status"]["replicas"] == 2


def test_a_component_is_upgraded_by_a_commit(lab: Lab) -> None:
    """The registry goes from one version to the next with what it holds; what uses the same image goes with it."""
    address = lab.get("service", "registry", "-n", "registry")["spec"]["clusterIP"]
    ctr = (lab.sandbox.programs["ctr"], "--namespace", "k8s.io", "images")
    name = "registry.registry.svc:5000/team/kept:1"
    lab.on("node-1", *ctr, "tag", images.BUSYBOX.reference, name)
    lab.on("node-1", *ctr, "push", "--hosts-dir", "/etc/containerd/certs.d", name)
    lab.on("node-1", *ctr, "rm", name)
    image, old, new = (
        part
        for part in (images.REGISTRY.reference.rpartition(":")[0], _tag(images.REGISTRY), _tag(images.REGISTRY_NEXT))
    )
    try:
        lab.repository.set_version(image, new)
        lab.repository.commit(f"The registry becomes {new}")
        fields = [field for change in _changes(lab) for field in change["fields"]]
        assert {(field["old"], field["new"]) for field in fields} == {(f"{image}:{old}", f"{image}:{new}")}
        lab.repository.apply()
        pods = lab.get("pods", "-n", "registry", "-l", "app.kubernetes.io/name=registry")["items"]
        (container,) = [
            pod["status"]["containerStatuses"][0] for pod in pods if "deletionTimestamp" not in pod["metadata"]
        ]
        assert container["image"] == f"{image}:{new}"
        assert container["ready"]
        patient = (
            "curl",
            "-sSf",
            "--retry",
            "10",
            "--retry-delay",
            "1",
            "--retry-connrefused",
        )  # until kube-proxy knows
        assert "team/kept" in lab.on("node-2", *patient, f"http://{address}:5000/v2/_catalog")
    finally:
        lab.repository.set_version(image, old)
        lab.repository.commit(f"The registry is {old} again")
        lab.repository.apply()


def test_a_node_is_drained_and_taken_back_by_commits(lab: Lab) -> None:
    """As docs/guides/operations.md has it."""
    folder = lab.repository.folder / NODES_FOLDER
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(KUSTOMIZATION)
    (folder / "node-2.yaml").write_text(DRAINED)
    lab.repository.edit_environment(lambda spec: spec["components"].append({"name": "nodes", "path": "nodes"}))
    lab.repository.commit("Drain node-2")
    (refusal,) = lab.repository.diff(expect=(0, 4))["refusals"]
    lab.kubectl(
        *refusal["hint"].rpartition("kubectl ")[2].split()
    )  # its kubelet made it: handing it over is for people
    lab.repository.run("apply", ENVIRONMENT, "--yes", "--no-wait", "-o", "json")
    lab.wait("only what belongs to every node is on it", lambda: not _movable(lab, "node-2"), 120)
    lab.wait("DNS answers from the other node", lambda: len(_of_dns(lab, "node-1")) == 2, 120)
    (folder / "node-2.yaml").write_text(IN_USE)
    lab.repository.commit("Take node-2 back")
    report = lab.repository.apply()
    assert {item["result"] for item in report["objects"]} <= {"applied", "unchanged"}
    lab.repository.edit_environment(lambda spec: spec["components"].pop())
    lab.repository.commit("Nothing to say of nodes any more")
    assert lab.repository.apply()["summary"]["delete"] == 0
    assert {node["metadata"]["name"] for node in lab.get("nodes")["items"]} == set(NODES)


def test_a_node_is_lost_and_comes_back(lab: Lab) -> None:
    """What can run elsewhere does, `status` tells what cannot, and all of it is there again when the node is."""
    control.lose(lab.sandbox, "node-2")
    try:
        lab.wait("the loss is noticed", lambda: not _ready(lab, "node-2"), 90)
        lab.wait("DNS answers from the other node", lambda: len(_of_dns(lab, "node-1")) == 2, 120)
        told = json.loads(lab.repository.run("status", ENVIRONMENT, "-o", "json"))
        unhealthy = {one["name"] for one in told["components"] if one["health"] != "Current"}
        assert "network" in unhealthy, told["components"]
    finally:
        control.bring_back(lab.sandbox, "node-2")
    lab.wait("the node is back", lambda: _ready(lab, "node-2"), 90)
    report = lab.repository.apply()
    assert {item["result"] for item in report["objects"]} == {"unchanged"}


def _changes(lab: Lab) -> list[Any]:
    return [change for change in lab.repository.diff()["changes"] if change["action"] != "unchanged"]


def _tag(image: Image) -> str:
    return image.reference.rpartition(":")[2]


def _ready(lab: Lab, node: str) -> bool:
    conditions = lab.get("node", node)["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _movable(lab: Lab, node: str) -> list[str]:
    """Return the Pods on a node that no DaemonSet holds there."""
    pods = lab.get("pods", "-A", "--field-selector", f"spec.nodeName={node}")["items"]
    return [
        item["metadata"]["name"]
        for item in pods
        if not any(owner["kind"] == "DaemonSet" for owner in item["metadata"].get("ownerReferences", ()))
    ]


def _of_dns(lab: Lab, node: str) -> list[str]:
    """Return the Pods of CoreDNS that are ready on a node."""
    pods = lab.get("pods", "-n", "kube-system", "-l", "app.kubernetes.io/name=coredns")["items"]
    return [
        item["metadata"]["name"]
        for item in pods
        if item["spec"].get("nodeName") == node
        and all(one["ready"] for one in item["status"].get("containerStatuses", ()))
    ]
