"""A real API server and its nodes against what git says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
      components: [{name: runtime, path: runtime}]
    """
PARTS = """\
    apiVersion: platform.reconciler.dev/v1alpha1
    kind: ClusterFacts
    metadata: {name: cluster}
    spec:
      provider: kubeadm
      version: "%V"
      apiGroups: [policy/v1, example.com/v9]
    ---
    apiVersion: platform.reconciler.dev/v1alpha1
    kind: NodeProfile
    metadata: {name: workers}
    spec:
      runtime: {name: containerd, version: "2.2"}
    """
BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all}
spec:
  maxUnavailable: 0
  selector: {matchLabels: {app: web}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""


def test_cluster_and_nodes_are_compared_and_upgrades_are_checked(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    name = platform.name
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/runtime/kustomization.yaml": "resources: [runtime.yaml]\n",
            "environments/%N/runtime/runtime.yaml": PARTS.replace("%V", "1.30"),
        }
    )

    def findings(code: int, *arguments: str) -> dict[str, list[dict[str, Any]]]:
        made = json.loads(platform.expect(code, "preflight", name, "-o", "json", *arguments).out)
        assert made["unread"] == []
        found: dict[str, list[dict[str, Any]]] = {}
        for item in made["findings"]:
            found.setdefault(item["check"], []).append(item)
        return found

    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    found = findings(1)
    version, group = found["facts"]
    assert version["message"].endswith("git says 1.30")
    assert version["origin"]["line"] == 6
    assert (group["about"], group["severity"]) == ("example.com/v9", "blocker")
    assert len(found["nodes"]) == len(nodes)  # KWOK says that its nodes run 2.3.4
    assert set(found) == {"facts", "nodes"}

    status = json.loads(platform.expect(0, "status", name, "-o", "json").out)
    assert status["cluster"] == [version, group, *found["nodes"]]
    assert "drift Node/" in platform.expect(0, "status", name).out

    kubectl("create", "namespace", name)
    kubectl("apply", "-n", name, "-f", "-", stdin=BUDGET)
    kubectl("rollout", "status", "deployment/web", "-n", name, "--timeout=60s")
    kubectl("wait", "pdb/all", "-n", name, "--for=jsonpath={.status.expectedPods}=1", "--timeout=60s")
    blocked = findings(1, "--to", "1.38")
    assert [item["about"] for item in blocked["budgets"] if item["about"].endswith(name)] == [
        f"PodDisruptionBudget/all -n {name}"
    ]
    assert findings(1, "--to", "1.40")["skew"][0]["message"] == "from 1.37 to 1.40 is 3 steps"
    said = platform.expect(1, "preflight", name)
    assert "blocker [facts] example.com/v9: is not served by the API server" in said.out
    assert "expected major and minor" in platform.expect(2, "preflight", name, "--to", "new").err
