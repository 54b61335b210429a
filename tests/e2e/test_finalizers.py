"""Deletions that hang on a real API server: the finalizer is named, who set it, and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      policy: {deletions: {max: 10, protect: [Namespace]}}
      components: [{name: web, path: web, timeout: 3s}]
    """
KEPT = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: %N}}\n"
CLAIM = """\
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: data, namespace: %N}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: ""}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: held, namespace: %N}
    ---
    """
POD = """
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: %N}
spec:
  nodeName: nowhere  # a Pod that nobody has scheduled does not count as a user of its claim
  containers: [{name: reader, image: "reader:1"}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""


def test_what_holds_a_deletion_is_named(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    name = platform.name
    kubectl("create", "namespace", name)
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
            "environments/%N/web/web.yaml": CLAIM + KEPT,
        }
    )
    platform.expect(0, "apply", name, "--yes", "--no-wait")
    kubectl("create", "-f", "-", stdin=POD.replace("%N", name))
    patch = '{"metadata": {"finalizers": ["example.com/hold"]}}'
    kubectl("patch", "configmap", "held", "-n", name, "--field-manager=holder", "--type=merge", "-p", patch)
    platform.write({"environments/%N/web/web.yaml": KEPT})
    report = platform.expect(1, "apply", name, "--yes", "-o", "json").json
    said = {item["id"]["name"]: item["message"] for item in report["objects"] if item["result"] == "failed"}
    assert "finalizer example.com/hold: set by holder at 20" in said["held"]
    assert f"finalizer kubernetes.io/pvc-protection: it waits for Pod/reader -n {name}" in said["data"]
    kubectl("patch", "configmap", "held", "-n", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    kubectl("delete", "pod", "reader", "-n", name, "--force", "--grace-period=0")
    platform.expect(0, "apply", name, "--yes")
    assert kubectl(
        "get", "configmap,pvc", "-n", name, "-l", f"reconciler.dev/environment={name}", "-o", "name"
    ).split() == ["configmap/kept"]
