"""A definition and its objects in one commit, and fields that may not change, on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
      components:
        - {name: kinds, path: kinds}
        - {name: web, path: web, timeout: 20s}
    """
KINDS = """\
    apiVersion: v1
    kind: Namespace
    metadata: {name: %N}
    ---
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: things.%N.example.com}
    spec:
      group: %N.example.com
      names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
      scope: Namespaced
      versions:
        - name: v1
          served: true
          storage: true
          schema:
            openAPIV3Schema:
              type: object
              properties:
                spec:
                  type: object
                  properties:
                    %F: {type: string}
                    disk: {type: string, x-kubernetes-validations: [{rule: self == oldSelf, message: one disk for ever}]}
    """
THINGS = """\
    apiVersion: %N.example.com/v1
    kind: Thing
    metadata: {name: a, namespace: %N}
    spec: {%S}
    """
WEB = """\
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: %N, annotations: {reconciler.dev/replace: allowed}}
    spec:
      selector: {matchLabels: {app: %A}}
      template:
        metadata: {labels: {app: %B}}
        spec: {containers: [{name: web, image: "web:1"}]}
    """


@pytest.fixture
def shop(platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]) -> Iterator[Platform]:
    """Return a platform with a kind of its own, one object of it and a Deployment, all applied."""
    context = f"sandbox-{control_plane.name}"
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", context),
            "environments/%N/kinds/kustomization.yaml": "resources: [kinds.yaml]\n",
            "environments/%N/kinds/kinds.yaml": KINDS.replace("%F", "size"),
            "environments/%N/web/kustomization.yaml": "resources: [things.yaml, web.yaml]\n",
            "environments/%N/web/things.yaml": THINGS.replace("%S", "size: s, disk: a"),
            "environments/%N/web/web.yaml": WEB.replace("%A", "web").replace("%B", "web"),
        }
    )
    platform.expect(0, "apply", platform.name, "--yes")
    yield platform
    kubectl("delete", "crd", f"things.{platform.name}.example.com")
    kubectl("delete", "namespace", platform.name)


def test_a_definition_and_an_object_with_its_new_field_take_one_run(
    shop: Platform, kubectl: Callable[..., str]
) -> None:
    """The server still refuses the field when it is asked; git's definition tells what will hold."""
    shop.write(
        {
            "environments/%N/kinds/kinds.yaml": KINDS.replace("%F", "weight"),
            "environments/%N/web/things.yaml": THINGS.replace("%S", "weight: w, disk: a"),
        }
    )
    plan = shop.expect(0, "diff", shop.name, "-o", "json").json
    (thing,) = (item for item in plan["changes"] if item["id"]["kind"] == "Thing")
    assert "its definition changes with this plan, and allows it" in thing["notes"][0]
    shop.expect(0, "apply", shop.name, "--yes")
    assert kubectl("get", "thing", "a", "-n", shop.name, "-o", "jsonpath={.spec.weight}") == "w"
    shop.write({"environments/%N/web/things.yaml": THINGS.replace("%S", "wait: w")})
    plan = shop.expect(1, "diff", shop.name, "-o", "json").json
    assert "field not declared in schema" in plan["changes"][0]["problem"]


def test_a_rule_that_compares_with_the_old_value_makes_a_field_immutable(shop: Platform) -> None:
    """Whatever its message says; the way out is named as for fields of built-in kinds."""
    shop.write({"environments/%N/web/things.yaml": THINGS.replace("%S", "size: s, disk: b")})
    plan = shop.expect(1, "diff", shop.name, "-o", "json").json
    (thing,) = plan["changes"]
    assert thing["problem"].startswith("an immutable field changes: spec.disk (")
    assert "reconciler.dev/replace" in thing["problem"]


def test_a_definition_with_objects_is_not_made_anew(shop: Platform, kubectl: Callable[..., str]) -> None:
    """They would be lost with it, those of others too; without any it is made anew."""
    name = f"things.{shop.name}.example.com"
    kubectl(
        "create", "-f", "-", stdin=THINGS.replace("%N", shop.name).replace("%S", "size: s").replace(": a", ": theirs")
    )
    anew = KINDS.replace("%F", "size").replace("scope: Namespaced", "scope: Cluster")
    anew = anew.replace(
        "metadata: {name: things", "metadata: {annotations: {reconciler.dev/replace: allowed}, name: things"
    )
    shop.write(
        {
            "environments/%N/kinds/kinds.yaml": anew,
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
        }
    )
    before = kubectl("get", "crd", name, "-o", "jsonpath={.metadata.uid}")
    told = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    (failed,) = (item for item in told["objects"] if item["result"] == "failed")
    assert (
        f"what needs it would be lost with it: Thing/a -n {shop.name}, Thing/theirs -n {shop.name}" in failed["message"]
    )
    assert kubectl("get", "crd", name, "-o", "jsonpath={.metadata.uid}") == before
    kubectl("delete", "thing", "--all", "-n", shop.name)
    shop.expect(0, "apply", shop.name, "--yes")
    assert kubectl("get", "crd", name, "-o", "jsonpath={.spec.scope}") == "Cluster"


def test_what_could_not_be_made_anew_is_not_deleted(shop: Platform, kubectl: Callable[..., str]) -> None:
    """Neither where it is invalid beside, nor where a policy refuses the new object and let the old one in."""

    def uid() -> str:
        return kubectl("get", "deployment", "web", "-n", shop.name, "-o", "jsonpath={.metadata.uid}")

    before = uid()
    shop.write({"environments/%N/web/web.yaml": WEB.replace("%A", "other").replace("%B", "web")})
    told = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    (failed,) = (item for item in told["objects"] if item["result"] == "failed")
    assert "nothing is made anew, since it would be invalid all the same" in failed["message"]
    assert uid() == before
    shop.write({"environments/%N/web/web.yaml": WEB.replace("%A", "other").replace("%B", "other")})
    kubectl("label", "namespace", shop.name, f"closed={shop.name}")
    kubectl("apply", "-f", "-", stdin=_policy(shop.name))
    try:
        until(lambda: not _lets_in(kubectl, shop.name), "the policy is in force")
        told = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    finally:
        kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", shop.name)
    (failed,) = (item for item in told["objects"] if item["result"] == "failed")
    assert "left as it is, since the object made anew would be refused" in failed["message"]
    assert uid() == before
    until(lambda: _lets_in(kubectl, shop.name), "the policy is no longer in force")
    shop.expect(0, "apply", shop.name, "--yes")
    assert uid() != before


def _lets_in(kubectl: Callable[..., str], namespace: str) -> bool:
    """Whether a Deployment could be made: the server takes a second to enforce a policy, and to forget one."""
    try:
        kubectl("create", "deployment", "probe", "--image=x", "-n", namespace, "--dry-run=server")
    except SandboxError as error:
        if "denied request" in str(error):
            return False
        raise
    return True


def _policy(name: str) -> str:
    return f"""
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    namespaceSelector: {{matchLabels: {{closed: {name}}}}}
    resourceRules: [{{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}}]
  validations: [{{expression: "false", message: no new ones}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, validationActions: [Deny]}}
"""
