"""Secrets that are made in the cluster, on a real API server: made once, kept, never told."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Answer, Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [{name: web, path: web}, {name: data, path: data}]
    """
SOURCE = """\
    apiVersion: v1
    kind: Secret
    metadata:
      name: source
      namespace: %N
      annotations:
        reconciler.dev/generate: |
          password: {password: {length: 32}}
          tls: {certificate: {commonName: ca}}
    stringData: {user: admin}
    """
USER = """\
    apiVersion: v1
    kind: Secret
    metadata:
      name: aaa
      namespace: %N
      annotations:
        reconciler.dev/generate: |
          pass: {copy: {secret: source, key: password}}
          tls: {certificate: {commonName: server, dnsNames: [server], authority: source}}
    type: kubernetes.io/tls
    """


def whole(answer: Answer) -> str:
    """Return all that a command said."""
    return answer.out + answer.err


def test_values_are_made_once_and_never_told(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    """A Secret that comes first by name waits for the one that it takes its value from, in another component."""
    name = platform.name
    kubectl("create", "namespace", name)
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
            "environments/%N/web/web.yaml": USER,
            "environments/%N/data/kustomization.yaml": "resources: [data.yaml]\n",
            "environments/%N/data/data.yaml": SOURCE,
        }
    )

    def data(secret: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(kubectl("get", "secret", secret, "-n", name, "-o", "json"))["data"]
        return found

    plan = platform.expect(0, "diff", name, "-o", "json")
    assert json.loads(plan.out)["summary"]["create"] == 2
    identity = json.loads(plan.out)["plan"]
    assert json.loads(platform.expect(0, "diff", name, "-o", "json").out)["plan"] == identity

    said = whole(platform.expect(0, "apply", name, "--yes"))
    source, user = data("source"), data("aaa")
    assert set(source) == {"user", "password", "tls.crt", "tls.key", "ca.crt"}
    assert len(base64.b64decode(source["password"])) == 32
    assert user["pass"] == source["password"]
    assert user["ca.crt"] == source["tls.crt"]
    said += whole(platform.expect(0, "diff", name, "--exit-code"))
    said += whole(platform.expect(0, "apply", name, "--yes"))
    assert (data("source"), data("aaa")) == (source, user)

    kubectl(
        "patch", "secret", "source", "-n", name, "--type=json", "-p", '[{"op": "remove", "path": "/data/password"}]'
    )
    told = whole(platform.expect(3, "diff", name, "--exit-code"))
    assert "made when it is applied" in told
    said += told + whole(platform.expect(0, "apply", name, "--yes"))
    rotated = data("source")
    assert rotated["password"] != source["password"]
    assert rotated["tls.crt"] == source["tls.crt"]
    assert data("aaa")["pass"] == rotated["password"]
    platform.expect(0, "diff", name, "--exit-code")
    for value in (*source.values(), *user.values(), *rotated.values()):
        if value != source["user"]:
            assert value not in said
            assert base64.b64decode(value).decode() not in said
