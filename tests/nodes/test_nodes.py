"""The platform's own definitions on two real nodes: what they start runs, and is used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.nodes import images, outside
from tests.nodes.image import archive
from tests.nodes.lab import NODES, SERVE, SLEEP

if TYPE_CHECKING:
    from tests.nodes.lab import Lab

pytestmark = pytest.mark.nodes

DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "default-deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


def test_a_second_apply_changes_nothing(lab: Lab) -> None:
    """What kubelets, controllers and programs write while they run is no drift."""
    report = lab.repository.apply()
    assert {item["result"] for item in report["objects"]} == {"unchanged"}
    assert {item["health"] for item in report["objects"] if item["id"]["kind"] == "DaemonSet"} == {"Current"}


def test_a_pod_reaches_a_pod_on_the_other_node_by_flannel(lab: Lab) -> None:
    """By address and by the name of a Service, over the VXLAN that the DaemonSet made."""
    for node in NODES:
        lab.run_pod(f"web-{node}", node, *SERVE)
        assert "vxlan id 1" in lab.on(node, "ip", "-d", "link", "show", "flannel.1")
    for node, other in (NODES, NODES[::-1]):
        there = lab.address(f"web-{other}")
        assert lab.fetch(f"web-{node}", f"http://{there}:8080/") == f"web-{other}\n"
    lab.kubectl("expose", "pod", "web-node-2", "--port=80", "--target-port=8080")
    try:
        assert lab.fetch("web-node-1", "http://web-node-2.default.svc.cluster.local/") == "web-node-2\n"
        assert lab.fetch("web-node-1", "http://web-node-2/") == "web-node-2\n"
    finally:
        lab.kubectl("delete", "service/web-node-2", "pod/web-node-1", "pod/web-node-2", "--wait")


def test_a_default_deny_policy_denies(lab: Lab) -> None:
    """The enforcer that Flannel needs closes the way to a Pod and opens it again."""
    lab.kubectl("create", "namespace", "closed")
    try:
        lab.run_pod("web", "node-1", *SERVE, namespace="closed")
        lab.run_pod("near", "node-1", *SLEEP)
        lab.run_pod("far", "node-2", *SLEEP)
        url = f"http://{lab.address('web', 'closed')}:8080/"
        assert lab.fetch("near", url) == lab.fetch("far", url) == "web\n"
        lab.kubectl("create", "-n", "closed", "-f", "-", stdin=json.dumps(DENY))
        lab.wait("both are kept out", lambda: lab.fetch("near", url) is None and lab.fetch("far", url) is None, 30)
        lab.kubectl("delete", "networkpolicy/default-deny", "-n", "closed")
        lab.wait("both are let in again", lambda: lab.fetch("near", url) == lab.fetch("far", url) == "web\n", 30)
    finally:
        lab.kubectl("delete", "namespace/closed", "pod/near", "pod/far", "--wait")


def test_a_claim_is_a_directory_of_the_node_and_outlives_its_pod(lab: Lab) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    lab.kubectl("create", "-f", "-", stdin=json.dumps(claim))
    try:
        _with_claim(lab, "writer", "echo kept > /data/file && exec busybox sleep 86400")
        lab.kubectl("delete", "pod/writer", "--wait")
        _with_claim(lab, "reader", "exec busybox sleep 86400")
        assert lab.kubectl("exec", "reader", "--", "cat", "/data/file") == "kept\n"
        volume = lab.get("pvc", "kept")["spec"]["volumeName"]
        path = lab.get("pv", volume)["spec"]["hostPath"]["path"]
        assert lab.on("node-1", "cat", f"{path}/file") == "kept\n"
        lab.kubectl("delete", "pod/reader", "pvc/kept", "--wait")
        lab.wait("the directory is gone", lambda: "pvc-" not in lab.on("node-1", "sh", "-c", f"ls -d {path} || true"))
    finally:
        lab.kubectl("delete", "pod/writer", "pod/reader", "pvc/kept", "--ignore-not-found", "--wait")


def _with_claim(lab: Lab, name: str, script: str) -> None:
    from tests.nodes.lab import pod

    body = pod(name, "node-1", ("busybox", "sh", "-c", script), images.BUSYBOX.reference)
    body["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    lab.kubectl("create", "-f", "-", stdin=json.dumps(body))
    lab.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=90s")


def test_the_platforms_registry_takes_an_image_and_gives_it_to_a_node(lab: Lab) -> None:
    """Pushed from one node by the name that images have, pulled by the kubelet of the other, run as a Pod."""
    name = "registry.registry.svc:5000/team/tool:1"
    ctr = (lab.sandbox.programs["ctr"], "--namespace", "k8s.io", "images")
    lab.on("node-1", *ctr, "tag", images.BUSYBOX.reference, name)
    try:
        lab.on("node-1", *ctr, "push", "--hosts-dir", "/etc/containerd/certs.d", name)
        assert "team/tool" in _repositories(lab, "registry")
        lab.run_pod("tool", "node-2", *SLEEP, image=name)
        assert "Successfully pulled image" in lab.kubectl("describe", "pod/tool")
    finally:
        lab.kubectl("delete", "pod/tool", "--ignore-not-found", "--wait")
        lab.on("node-1", *ctr, "rm", name)


def test_a_kubelet_pulls_by_way_of_the_platforms_cache(lab: Lab) -> None:
    """By the mirrors that the platform renders for nodes: nothing else leads to docker.io here."""
    outside.push(lab.outside, archive(images.BUSYBOX, print), "library/only-outside", "1")
    assert "library/only-outside" not in _repositories(lab, "pull-docker-io")
    try:
        lab.run_pod("cached", "node-1", *SLEEP, image="docker.io/library/only-outside:1")
        assert "library/only-outside" in _repositories(lab, "pull-docker-io")
    finally:
        lab.kubectl("delete", "pod/cached", "--ignore-not-found", "--wait")


def _repositories(lab: Lab, service: str) -> list[str]:
    """Return what a registry of the platform holds, asked from a node."""
    address = lab.get("service", service, "-n", "registry")["spec"]["clusterIP"]
    answer = lab.on("node-1", "curl", "-sf", f"http://{address}:5000/v2/_catalog")
    found: list[str] = json.loads(answer)["repositories"]
    return found
