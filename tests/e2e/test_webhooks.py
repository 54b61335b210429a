"""Objects that a webhook changes at every apply, on a real API server with a real webhook."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.webhook import webhook
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform
    from tests.e2e.webhook import Patch

pytestmark = pytest.mark.cluster

FILES = {
    "environments/%N/environment.yaml": """\
        apiVersion: reconciler.dev/v1alpha1
        kind: Environment
        metadata: {name: %N}
        spec:
          cluster: {context: %C, kubeconfig: "%K"}
          components: [{name: web, path: web}]
        """,
    "environments/%N/web/kustomization.yaml": "namespace: %N\nresources: [namespace.yaml, web.yaml]\n",
    "environments/%N/web/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: %N}\n",
    "environments/%N/web/web.yaml": """\
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: web}
        data: {image: "web:1"}
        """,
}


@pytest.fixture
def shop(platform: Platform, control_plane: Sandbox) -> Platform:
    """Return a platform with one ConfigMap, applied."""
    context = f"sandbox-{control_plane.name}"
    platform.write({path: text.replace("%C", context) for path, text in FILES.items()})
    platform.commit()
    platform.expect(0, "apply", platform.name, "--yes")
    return platform


def hook(kubectl: Callable[..., str], name: str, target: dict[str, str]) -> None:
    """Let a webhook see the ConfigMaps of one namespace, and wait until it does."""
    metadata = {"name": "probe", "namespace": name, "labels": {"reconciler.dev/environment": name}}
    probe = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"image": "probe"}})

    def seen() -> bool:
        told = kubectl("create", "--dry-run=server", "-o", "jsonpath={.data.image}", "-f", "-", stdin=probe)
        return told != "probe"

    kubectl("apply", "-f", "-", stdin=hooked(name, target))
    until(seen, "the webhook is called")


def hooked(name: str, target: dict[str, str]) -> str:
    """Return a webhook configuration for the ConfigMaps of one namespace."""
    return json.dumps(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": f"{name}.example.com",
                    "clientConfig": target,
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
                    ],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                    "objectSelector": {
                        "matchExpressions": [{"key": "reconciler.dev/environment", "operator": "Exists"}]
                    },
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                }
            ],
        }
    )


def through_mirror(body: dict[str, Any]) -> Patch:
    """Put a registry before an image, as platforms do that allow only their own."""
    image = body["data"]["image"]
    value = image if image.startswith("mirror/") else f"mirror/{image}"
    return [{"op": "replace", "path": "/data/image", "value": value}]


def test_what_a_webhook_always_changes_is_no_drift(shop: Platform, kubectl: Callable[..., str], tmp_path: Path) -> None:
    """The image is live with the mirror's name: nothing is to be done, the reason is told, a change of git still counts."""
    name = shop.name
    with webhook(tmp_path, through_mirror) as target:
        try:
            hook(kubectl, name, target)
            shop.write({"environments/%N/web/web.yaml": WEB_2})
            applied = shop.run("apply", name, "--yes", "-o", "json").json
            assert applied["summary"]["update"] == 1
            again = shop.run("diff", name, "--exit-code", "-o", "json")
            assert (again.code, again.json["requests"]["dry_run"]) == (0, 1)
            (noted,) = again.json["noted"]
            assert noted["notes"][0].startswith(
                "the server does not keep what git says: data.image is mirror/web:2 where git says web:2"
            )
            assert shop.run("diff", name, "-o", "json").json["requests"]["dry_run"] == 0  # the answer is remembered
            shop.write({"environments/%N/web/web.yaml": WEB_2.replace("web:2", "web:3")})
            (change,) = shop.run("diff", name, "-o", "json").json["changes"]
            assert [(item["path"], item["new"]) for item in change["fields"]] == [("data.image", "mirror/web:3")]
        finally:
            kubectl("delete", "mutatingwebhookconfiguration", name)


def test_what_a_webhook_changes_anew_each_time_is_applied_once(
    shop: Platform, kubectl: Callable[..., str], tmp_path: Path
) -> None:
    """A webhook that never answers the same: git's content is applied once, then the reason is told instead."""
    name, numbers = shop.name, itertools.count()

    def other_each_time(_: dict[str, Any]) -> Patch:
        return [{"op": "replace", "path": "/data/image", "value": f"web:{next(numbers)}-stamped"}]

    with webhook(tmp_path, other_each_time) as target:
        try:
            hook(kubectl, name, target)
            shop.write({"environments/%N/web/web.yaml": WEB_2})
            assert shop.run("apply", name, "--yes", "-o", "json").json["summary"]["update"] == 1
            version = ("get", "configmap", "web", "-n", name, "-o", "jsonpath={.metadata.resourceVersion}")
            before = kubectl(*version)
            assert shop.run("apply", name, "--yes", "-o", "json").json["summary"]["update"] == 0
            assert kubectl(*version) == before
            assert "was applied before" in shop.run("diff", name).out
        finally:
            kubectl("delete", "mutatingwebhookconfiguration", name)


WEB_2 = """\
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: web}
    data: {image: "web:2"}
    """
