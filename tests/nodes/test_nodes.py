"""The platform's own definitions on two real nodes: what they start runs, and is used."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SandboxError
from tests.nodes import images, outside
from tests.nodes.image import archive
from tests.nodes.lab import ENVIRONMENT, NODES, SERVE, SLEEP, pod

if TYPE_CHECKING:
    from tests.nodes.lab import Lab

pytestmark = pytest.mark.nodes

DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "default-deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}

SHARED = "/var/lib/shared"
GLUSTERD = "mkdir -p /run/gluster /var/log/glusterfs /var/lib/glusterd /var/lib/brick; setsid glusterd -N > /var/log/glusterd.log 2>&1 &"


def gluster_volume() -> dict[str, Any]:
    """Return a volume that is a folder of both nodes, with a claim of it."""
    size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
    nodes = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(NODES)}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "gluster"},
        "spec": {
            "capacity": size,
            "accessModes": modes,
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": SHARED},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [nodes]}]}},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "gluster", "namespace": "default"},
        "spec": {
            "accessModes": modes,
            "storageClassName": "",
            "volumeName": "gluster",
            "resources": {"requests": size},
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [volume, claim]}


def test_a_second_apply_changes_nothing(lab: Lab) -> None:
    """What kubelets, controllers and programs write while they run is no drift."""
    report = lab.repository.apply()
    assert {item["result"] for item in report["objects"]} == {"unchanged"}
    told = json.loads(lab.repository.run("status", ENVIRONMENT, "-o", "json"))
    assert {one["health"] for one in told["components"]} == {"Current"}


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


def _with_claim(lab: Lab, name: str, script: str, claim: str = "kept", node: str = "node-1") -> None:
    body = pod(name, node, ("busybox", "sh", "-c", script), images.BUSYBOX.reference)
    body["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
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


def test_a_gluster_volume_is_written_on_one_node_and_read_on_the_other(lab: Lab) -> None:
    """GlusterFS itself, mounted by both nodes, in Pods by a local PersistentVolume: no CSI driver has a part in this."""
    if shutil.which("glusterd") is None:
        pytest.skip("glusterd is not there: apt-get install glusterfs-server")
    server = lab.get("node", "node-1")["status"]["addresses"][0]["address"]
    lab.on("node-1", "sh", "-c", GLUSTERD)
    gluster = ("gluster", "--mode=script", "volume")
    lab.wait(
        "glusterd answers", lambda: "No volumes" in lab.on("node-1", "sh", "-c", "gluster volume list 2>&1 || true")
    )
    lab.on("node-1", *gluster, "create", "shared", f"{server}:/var/lib/brick", "force")
    lab.on("node-1", *gluster, "start", "shared")
    try:
        for node in NODES:
            lab.on(
                node,
                "sh",
                "-c",
                f"mkdir -p {SHARED} /var/log/glusterfs && mount -t glusterfs {server}:/shared {SHARED}",
            )
        lab.on("node-1", "chmod", "0777", SHARED)
        lab.kubectl("create", "-f", "-", stdin=json.dumps(gluster_volume()))
        _with_claim(lab, "writer", "echo shared > /data/file && exec busybox sleep 86400", "gluster")
        _with_claim(lab, "reader", "exec busybox sleep 86400", "gluster", "node-2")
        assert lab.kubectl("exec", "reader", "--", "cat", "/data/file") == "shared\n"
    finally:
        lab.kubectl("delete", "pod/writer", "pod/reader", "pvc/gluster", "pv/gluster", "--ignore-not-found", "--wait")
        for node in NODES:
            lab.on(node, "umount", SHARED)
        lab.on("node-1", "pkill", "glusterfsd?")  # of this node's own processes, which are all that it sees


def test_what_kubelets_run_with_is_compared_with_git(lab: Lab) -> None:
    """The sandbox starts kubelets with settings of its own, so there is something to tell; each is asked once."""
    told = json.loads(lab.repository.run("preflight", ENVIRONMENT, "-o", "json", expect=(0, 1)))
    found = {item["message"]: item for item in told["findings"] if item["about"] == "Node/node-1"}
    differing = found["its kubelet has cgroupDriver cgroupfs, git says systemd"]
    assert differing["origin"]["file"] == "base/runtime/containerd/kubelet.yaml"
    assert not any("clusterDNS" in message or "readOnlyPort" in message for message in found)
    assert told["unread"] == []


def test_metrics_of_nodes_and_pods_are_served_by_the_api_server(lab: Lab) -> None:
    """By metrics-server, which asks kubelets and is asked by the API server in the name of whoever asks."""
    lab.wait("kubectl top nodes", lambda: len(_served(lab, "nodes")) == len(NODES), 120)
    assert any(item["metadata"]["name"].startswith("coredns-") for item in _served(lab, "namespaces/kube-system/pods"))


def _served(lab: Lab, path: str) -> list[Any]:
    try:
        found: list[Any] = json.loads(lab.kubectl("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/{path}"))["items"]
    except SandboxError:  # not served yet
        return []
    return found
