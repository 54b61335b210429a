"""What the API server does not take: told at once and before the first write where that can be known, else by its cause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until

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
      components: [{name: web, path: web, timeout: 20s}]
    """
BAD = """\
    apiVersion: v1
    kind: Service
    metadata: {name: far}
    spec: {selector: {app: web}, ports: [{port: 70000}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: crossed}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: other}}
        spec: {containers: [{name: web, image: "web:1"}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: typo}
    spec: {type: LoadBalncer, selector: {app: web}, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: good}
    """
REFUSED = """\
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: denied, labels: {forbidden: "yes"}}
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: too-many}
    """
STUCK = """\
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: no-room}
    spec:
      progressDeadlineSeconds: 3
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: web, image: "web:1"}]}
    """


@pytest.fixture
def shop(platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]) -> Platform:
    """Return a platform whose namespace has a quota."""
    context = f"sandbox-{control_plane.name}"
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", context),
            "environments/%N/web/kustomization.yaml": "namespace: %N\nresources: [web.yaml]\n",
        }
    )
    kubectl("create", "namespace", platform.name)
    kubectl("create", "quota", "few", "-n", platform.name, "--hard=count/secrets=0,pods=0")
    return platform


def test_everything_that_is_invalid_is_told_before_the_first_write(shop: Platform) -> None:
    shop.write({"environments/%N/web/web.yaml": BAD})
    plan = shop.expect(1, "diff", shop.name, "-o", "json").json
    problems = {item["id"]["name"]: item["problem"] for item in plan["changes"] if "problem" in item}
    assert problems.keys() == {"far", "crossed", "typo"}
    assert "spec.ports[0].port: Invalid value: 70000" in problems["far"]
    assert "selector" in problems["crossed"]
    assert "web.yaml:18: spec.type: must be one of" in problems["typo"]
    report = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    assert {item["id"]["name"]: item["result"] for item in report["objects"]} == {
        "far": "failed",
        "crossed": "failed",
        "typo": "failed",
        "good": "applied",
    }


def test_a_refusal_names_the_policy_or_the_quota(shop: Platform, kubectl: Callable[..., str]) -> None:
    """It is a note in the plan, since what is applied before may change the server's mind; in the report it is the error."""
    shop.write({"environments/%N/web/web.yaml": REFUSED})
    policy, binding = _policy(shop.name)
    kubectl("apply", "-f", "-", stdin=json.dumps(policy))
    kubectl("apply", "-f", "-", stdin=json.dumps(binding))
    try:
        told = until(
            lambda: (
                f"ValidatingAdmissionPolicy '{shop.name}'" in (said := shop.expect(0, "diff", shop.name).out) and said
            ),
            "the policy is in force",
        )
        assert "exceeded quota: few" in told
        report = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    finally:
        kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", shop.name)
    said = {item["id"]["name"]: item["message"] for item in report["objects"]}
    assert f"ValidatingAdmissionPolicy '{shop.name}'" in said["denied"]
    assert "exceeded quota: few" in said["too-many"]


def test_pods_that_a_quota_keeps_from_being_made_are_explained(shop: Platform) -> None:
    shop.write({"environments/%N/web/web.yaml": STUCK})
    report = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    assert "exceeded quota: few" in report["objects"][0]["message"]


def _policy(name: str) -> tuple[object, object]:
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    validation = {"expression": "!('forbidden' in object.metadata.?labels.orValue({}))", "message": "not this one"}
    constraints = {"resourceRules": [rule], "namespaceSelector": selector}
    return (
        {
            **group,
            "kind": "ValidatingAdmissionPolicy",
            "spec": {"matchConstraints": constraints, "validations": [validation]},
        },
        {
            **group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    )
