"""ApplySets of kubectl and ours side by side (KEP-3659), with the real kubectl on a real API server."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [{name: web, path: web}]
      policy: {adopt: [%A]}
    """
SETTINGS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: %N}, data: {a: b}}\n"
OTHER = "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: %N}}\n"
SYSTEM = "reconciler-system"


@pytest.fixture
def shop(platform: Platform, control_plane: Sandbox) -> Platform:
    """Return a platform with one ConfigMap in a namespace that exists."""
    write(platform, control_plane, adopt="kubectl")
    told(control_plane, "create", "namespace", platform.name)
    return platform


def write(platform: Platform, plane: Sandbox, *, adopt: str) -> None:
    text = ENVIRONMENT.replace("%C", f"sandbox-{plane.name}").replace("%A", adopt)
    platform.write(
        {
            "environments/%N/environment.yaml": text,
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
            "environments/%N/web/web.yaml": SETTINGS,
        }
    )


def run(plane: Sandbox, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run kubectl with ApplySets."""
    command = (str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig), *arguments)
    variables = {**os.environ, "KUBECTL_APPLYSET": "true"}
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=variables)


def told(plane: Sandbox, *arguments: str, stdin: str = "") -> str:
    answer = run(plane, *arguments, stdin=stdin)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def pruning(name: str, parent: str, namespace: str) -> tuple[str, ...]:
    return ("apply", "--server-side", "--prune", f"--applyset=configmap/{parent}", "-n", namespace, "-f", "-")


def test_our_parents_are_valid_to_kubectl(shop: Platform, control_plane: Sandbox) -> None:
    """Told that the tool is its own, it takes id, kinds and namespaces for good, and prunes by them what is a member."""
    name = shop.name
    shop.expect(0, "apply", name, "--yes")
    parent = ("configmap", f"{name}.web", "-n", SYSTEM)
    told(control_plane, "annotate", *parent, "--overwrite", "applyset.kubernetes.io/tooling=kubectl/v1.37.2")
    told(control_plane, "create", "configmap", "stranger", "-n", name)
    body = OTHER.replace("name: other", f"name: {name}").replace("%N", SYSTEM)
    pruned = told(control_plane, *pruning(name, f"{name}.web", SYSTEM), stdin=body)
    assert "configmap/settings pruned" in pruned
    left = told(control_plane, "get", "configmaps", "-n", name, "-o", "name").split()
    assert left == ["configmap/kube-root-ca.crt", "configmap/stranger"]
    told(control_plane, "delete", "configmap", name, f"{name}.web", "-n", SYSTEM)


def test_kubectl_takes_our_parent_for_an_applyset_of_another_tool(shop: Platform, control_plane: Sandbox) -> None:
    """It refuses by the tooling annotation, as KEP-3659 wants, and deletes nothing."""
    name = shop.name
    shop.expect(0, "apply", name, "--yes")
    told(control_plane, "create", "namespace", SYSTEM, "--dry-run=client")
    body = SETTINGS.replace("%N", SYSTEM)
    answer = run(control_plane, *pruning(name, f"{name}.web", SYSTEM), stdin=body)
    assert answer.returncode != 0
    assert "tooling" in answer.stderr
    assert "reconciler" in answer.stderr
    assert "settings" in told(control_plane, "get", "configmap", "settings", "-n", name)


def test_an_applyset_of_kubectl_is_taken_over_only_where_that_is_allowed(
    shop: Platform, control_plane: Sandbox
) -> None:
    name = shop.name
    theirs = pruning(name, "theirs", name)
    told(control_plane, *theirs, stdin=SETTINGS.replace("%N", name))
    uid = told(control_plane, "get", "configmap", "settings", "-n", name, "-o", "jsonpath={.metadata.uid}")
    refused = shop.expect(4, "apply", name, "--yes")
    assert "applyset" in refused.out

    write(shop, control_plane, adopt="applyset")
    shop.expect(0, "apply", name, "--yes")
    assert shop.expect(0, "diff", name, "-o", "json").json["changes"] == []
    told(control_plane, *theirs, stdin=OTHER.replace("%N", name))  # prunes what its set no longer has
    found = json.loads(told(control_plane, "get", "configmap", "settings", "-n", name, "-o", "json"))
    assert found["metadata"]["uid"] == uid


def test_a_parent_of_kubectl_under_our_name_is_left_to_it(shop: Platform, control_plane: Sandbox) -> None:
    """It does not bear our labels, and is found before the first write all the same."""
    name = shop.name
    run(control_plane, "create", "namespace", SYSTEM)
    told(control_plane, *pruning(name, f"{name}.web", SYSTEM), stdin=OTHER.replace("%N", SYSTEM))
    refused = shop.expect(4, "apply", name, "--yes")
    assert f"ConfigMap/{name}.web -n {SYSTEM}: its annotation applyset.kubernetes.io/tooling is kubectl/" in refused.err
    parent = json.loads(told(control_plane, "get", "configmap", f"{name}.web", "-n", SYSTEM, "-o", "json"))
    assert parent["metadata"]["annotations"]["applyset.kubernetes.io/tooling"].startswith("kubectl/")
    assert run(control_plane, "get", "configmap", "settings", "-n", name).returncode != 0
    told(control_plane, "delete", "configmap", f"{name}.web", "other", "-n", SYSTEM)
    shop.expect(0, "apply", name, "--yes")


def test_a_parent_that_was_tampered_with_is_not_believed(shop: Platform, control_plane: Sandbox) -> None:
    name = shop.name
    shop.expect(0, "apply", name, "--yes")
    parent = ("configmap", f"{name}.web", "-n", SYSTEM)
    told(control_plane, "annotate", *parent, "--overwrite", "applyset.kubernetes.io/tooling=kubectl/v1.37.2")
    refused = shop.expect(4, "diff", name)
    assert "its annotation applyset.kubernetes.io/tooling is kubectl/v1.37.2, expected reconciler/v1" in refused.err
    told(control_plane, "delete", *parent)
    shop.expect(0, "apply", name, "--yes")
