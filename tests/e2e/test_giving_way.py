"""A fix that is applied while an earlier run waits for what it mends, on a real API server."""

from __future__ import annotations

import time
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
      components: [{name: web, path: web}, {name: app, path: app, dependsOn: [web]}]
    """
WEB = """\
    apiVersion: v1
    kind: Namespace
    metadata: {name: %N}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: %N}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          nodeSelector: {%S}
          containers: [{name: web, image: "web:1"}]
    """


def test_a_run_that_waits_gives_way_to_a_fix(platform: Platform, control_plane: Sandbox) -> None:
    """The first run waits for Pods that no node takes, for up to five minutes; the second one mends that, and is not held up.

    A second run of the same content is no fix: it waits for its turn.
    """
    name = platform.name
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
            "environments/%N/web/web.yaml": WEB.replace("%S", "nowhere: to-be-found"),
            "environments/%N/app/kustomization.yaml": "namespace: %N\nresources: [app.yaml]\n",
            "environments/%N/app/app.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n",
        }
    )
    first = platform.start("apply", name, "--yes")
    assert first.stderr is not None
    while "waiting for Deployment/web" not in first.stderr.readline():
        assert first.poll() is None
    same = platform.run("apply", name, "--yes", "--lock-timeout", "8")
    assert "is held by" in same.err
    assert first.poll() is None
    platform.write({"environments/%N/web/web.yaml": WEB.replace("%S", "")})
    begun = time.monotonic()
    platform.expect(0, "apply", name, "--yes")
    assert time.monotonic() - begun < 60
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "interrupted: gave way to " in out
