"""The rights that docs/guides/rights.md names are enough, step by step; without the next ones it is told what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      policy: {deletions: {protect: []}}
      components: [{name: web, path: web}]
    """
WEB = """\
    apiVersion: v1
    kind: Namespace
    metadata: {name: %N}
    ---
    apiVersion: v1
    kind: ServiceAccount
    metadata: {name: web, namespace: %N, annotations: {version: "%V"}}
    """
OLD = """\
    apiVersion: v1
    kind: Secret
    metadata: {name: old, namespace: %N}
    """
KINDS = ["configmaps", "namespaces", "secrets", "serviceaccounts"]
READING = {"apiGroups": [""], "resources": KINDS, "verbs": ["get", "list"]}
ASKING = {"apiGroups": [""], "resources": KINDS, "verbs": ["create", "patch"]}
WRITING = {"apiGroups": [""], "resources": KINDS, "verbs": ["delete", "watch"]}
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}


@pytest.fixture
def shop(platform: Platform, control_plane: Sandbox) -> Platform:
    """Return a platform with one component, applied by an administrator."""
    context = f"sandbox-{control_plane.name}"
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", context),
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml, old.yaml]\n",
            "environments/%N/web/web.yaml": WEB.replace("%V", "1"),
            "environments/%N/web/old.yaml": OLD,
        }
    )
    platform.expect(0, "apply", platform.name, "--yes")
    return platform


def test_reading_asking_and_writing_need_what_the_guide_says(
    shop: Platform, kubectl: Callable[..., str], tmp_path: Path
) -> None:
    name = shop.name

    def allow(*rules: object) -> None:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
        kubectl("apply", "-f", "-", stdin=json.dumps({**role, "rules": rules}))

    kubectl("create", "serviceaccount", "runner", "-n", name)
    allow(READING)
    kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount={name}:runner")
    config = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
    for user in config["users"]:
        user["user"] = {"token": kubectl("create", "token", "runner", "-n", name).strip()}
    own = tmp_path / "runner.json"
    own.write_text(json.dumps(config))
    administrator, shop.kubeconfig = shop.kubeconfig, own
    shop.write({"environments/%N/environment.yaml": ENVIRONMENT.replace("%C", config["current-context"])})
    try:
        shop.expect(0, "diff", name, "--exit-code")
        shop.expect(0, "status", name)
        resources = {"environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n"}
        shop.write({"environments/%N/web/web.yaml": WEB.replace("%V", "2"), **resources})
        assert "cannot patch resource" in shop.expect(1, "diff", name).out
        allow(READING, ASKING)
        shop.expect(3, "diff", name, "--exit-code")
        assert "leases" in shop.expect(1, "apply", name, "--yes").err
        allow(READING, ASKING, WRITING, LEASES)
        shop.expect(0, "apply", name, "--yes")
    finally:
        shop.kubeconfig = administrator
        kubectl("delete", "clusterrolebinding,clusterrole", name)
