"""Waiting for health on a real API server: a webhook that nobody answers yet, thirty new kinds at once."""

from __future__ import annotations

import json
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
      cluster: {context: %C, kubeconfig: "%K", inFlight: 4}
      components: [{name: web, path: web, timeout: 60s}]
    """
HOOKED = """\
    apiVersion: v1
    kind: Service
    metadata: {name: guard, namespace: %N}
    spec: {ports: [{port: 443}]}
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: %N}
    webhooks:
      - name: guard.example.com
        clientConfig: {caBundle: %B, service: {namespace: %N, name: guard}}
        namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: none}}
        rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
        sideEffects: None
        admissionReviewVersions: [v1]
    """
NUMBER = 30


@pytest.fixture
def shop(platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]) -> Platform:
    """Return a platform whose namespace exists."""
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
        }
    )
    kubectl("create", "namespace", platform.name)
    return platform


def test_a_webhook_is_waited_for_until_it_can_be_called(
    shop: Platform, kubectl: Callable[..., str], control_plane: Sandbox
) -> None:
    config = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
    bundle = config["clusters"][0]["cluster"]["certificate-authority-data"]
    shop.write({"environments/%N/web/web.yaml": HOOKED.replace("%B", bundle)})
    process = shop.start("apply", shop.name, "--yes")
    assert process.stderr is not None
    for line in process.stderr:
        if "has no ready endpoint" in line:
            break
    else:
        pytest.fail(f"it did not wait: {process.communicate()}")
    told = json.loads(shop.expect(0, "status", shop.name, "-o", "json").out)
    assert "has no ready endpoint" in json.dumps(told)
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "guard", "namespace": shop.name, "labels": {"kubernetes.io/service-name": "guard"}},
        "addressType": "IPv4",
        "ports": [{"port": 443}],
        "endpoints": [{"addresses": ["10.9.9.9"], "conditions": {"ready": True}}],
    }
    kubectl("create", "-f", "-", stdin=json.dumps(endpoints))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    kubectl("delete", "validatingwebhookconfiguration", shop.name)


def test_thirty_new_kinds_and_their_objects_take_one_run_and_few_requests(shop: Platform) -> None:
    """Definitions are awaited by one watch, and discovery is read again as often as kinds appear, not once an object."""
    group = f"{shop.name}.example.com"
    texts = []
    for number in range(NUMBER):
        names = {"kind": f"Thing{number}", "plural": f"thing{number}s", "singular": f"thing{number}"}
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"thing{number}s.{group}"},
            "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
        }
        metadata = {"name": "one", "namespace": shop.name}
        thing = {"apiVersion": f"{group}/v1", "kind": f"Thing{number}", "metadata": metadata}
        texts += [json.dumps(definition), json.dumps(thing)]
    shop.write({"environments/%N/web/web.yaml": "\n---\n".join(texts)})
    report = shop.expect(0, "apply", shop.name, "--yes", "-o", "json").json
    assert {item["result"] for item in report["objects"]} == {"applied"}
    requests = report["requests"]
    assert requests["apply"] <= 2 * NUMBER + 5 + NUMBER  # a try of each object may come a moment too early
    assert requests["discovery"] <= 2 * (2 + NUMBER)
    assert requests.get("watch", 0) <= 3
    assert shop.expect(0, "diff", shop.name, "-o", "json").json["requests"]["dry_run"] == 0
