"""The platform's policies are enforced by a real API server: for each one object that is refused, and one that passes."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import yaml
from reconciler.errors import SandboxError
from reconciler.render.build import build
from reconciler.sandbox import control
from reconciler.source.directory import DirectoryTree
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
LAYERS = (
    "base/crds/platform",
    "environments/prod-onprem/namespaces",
    "overlays/tiers/prod/admission",
    "overlays/tiers/prod/quotas",
)
IMAGE = "registry.platform.example.com/quay.io/prometheus/prometheus:v3.14.0"

Body = dict[str, Any]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Sandbox]:
    """Return a cluster with the namespaces, quotas and admission policies of production, and nothing else."""
    name = f"policies-{os.getpid()}"
    try:
        sandbox = control.up(name, storage_class=False)
        for layer in LAYERS:
            bodies = build(DirectoryTree(ROOT), layer).resources
            text = "---\n".join(yaml.dump(item.body) for item in bodies)
            apply = partial(sandbox.run_kubectl, "apply", "--server-side", "-f", "-", stdin=text)
            until(apply, f"{layer} is applied: a kind that was just defined is served a moment later")
        yield sandbox
    finally:
        control.down(name)


def pod(namespace: str = "monitoring", image: str = IMAGE, **more: Any) -> Body:
    """Return a Pod that every policy lets in."""
    container = {
        "name": "main",
        "image": image,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **more.pop("container", {}),
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        **more,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace}, "spec": spec}


def deployment(**container: Any) -> Body:
    """Return a Deployment whose container has what is given."""
    template = pod()
    template["spec"]["containers"][0].update(container)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "monitoring"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": template["spec"]},
        },
    }


PROBED = {"livenessProbe": {"tcpSocket": {"port": 80}}}
HUGE: dict[str, Any] = {"container": {"resources": {"requests": {"cpu": "1000", "memory": "16Mi"}}}}

CASES: dict[str, tuple[Body, Body, str]] = {
    "pod security, restricted": (
        pod(),
        pod(hostNetwork=True),
        'violates PodSecurity "restricted',
    ),
    "pod security, privileged where agents need it": (
        pod("node-metrics", hostNetwork=True, hostPID=True),
        pod("monitoring", hostPID=True),
        "violates PodSecurity",
    ),
    "images of the platform's registry": (
        pod(),
        pod(image="docker.io/library/nginx:1.29.0"),
        "images from elsewhere than registry.platform.example.com/",
    ),
    "images of its init containers too": (
        pod(initContainers=[pod()["spec"]["containers"][0] | {"name": "first"}]),
        pod(initContainers=[pod(image="docker.io/library/nginx:1.29.0")["spec"]["containers"][0] | {"name": "first"}]),
        "images from elsewhere than",
    ),
    "images with a tag": (pod(), pod(image="registry.platform.example.com/web"), "every image needs a tag or a digest"),
    "images without a tag that moves": (
        pod(),
        pod(image="registry.platform.example.com/web:latest"),
        "these tags are not allowed",
    ),
    "the registry's own namespace is not held up by itself": (
        pod("registry", "docker.io/goharbor/harbor-core:v2.15.1"),
        pod("headlamp", "docker.io/goharbor/harbor-core:v2.15.1"),
        "images from elsewhere than",
    ),
    "requests of workloads": (
        deployment(**PROBED),
        deployment(**PROBED, resources={"limits": {"memory": "16Mi"}}),
        "every container has to request cpu and memory",
    ),
    "probes of workloads": (deployment(**PROBED), deployment(), "every container has to have a probe"),
    "quotas": (pod(), pod(**HUGE), "exceeded quota: platform"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_policy_refuses_and_lets_pass(case: str, guarded: Sandbox) -> None:
    good, bad, told = CASES[case]

    def attempt(body: Body) -> None:
        guarded.run_kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(body))

    def refused() -> bool:
        try:
            attempt(bad)
        except SandboxError as error:
            if told in str(error):
                return True
            raise
        return False

    until(refused, f"{case} is refused: a new policy is in force some seconds after it was made")
    attempt(good)
