"""Objects of other tools are taken over: nothing restarts, nothing of the tool is left, nothing that git drops stays."""

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
      components: [{name: web, path: web}]
      policy: {adopt: [%A]}
    """
HELM = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "web"}}
RELEASE = {
    "labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "flux", **HELM["labels"]}
}
RELEASE["annotations"] = HELM["annotations"]
FLUX = {"labels": {"kustomize.toolkit.fluxcd.io/name": "web", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}
ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:x/web"}}
SERVER_SIDE = ("apply", "--server-side")

TOOLS: dict[str, tuple[str, tuple[str, ...], dict[str, dict[str, str]], bool]] = {
    # whose it is, how it writes, its marks, and whether what git does not have was asked for and so goes
    "kubectl apply": ("kubectl", ("apply",), {}, True),
    "kubectl apply --server-side": ("kubectl", SERVER_SIDE, {}, True),
    "kubectl create": ("kubectl", ("create",), {}, False),
    "Helm 3": ("helm", ("create", "--field-manager=helm"), HELM, False),
    "Helm 4": ("helm", (*SERVER_SIDE, "--field-manager=helm"), HELM, True),
    "Flux": ("flux", (*SERVER_SIDE, "--field-manager=kustomize-controller"), FLUX, True),
    "Flux, a Helm release": ("flux", ("create", "--field-manager=helm-controller"), RELEASE, False),
    "Helm, without marks": ("helm", ("create", "--field-manager=helm"), {}, False),
    "Argo CD, by label": ("argocd", ("apply", "--field-manager=argocd-controller"), {}, True),
    "Argo CD": ("argocd", ("apply", "--field-manager=argocd-controller"), ARGO, True),
    "Argo CD, server-side": ("argocd", (*SERVER_SIDE, "--field-manager=argocd-controller"), ARGO, True),
}


def deployment(name: str) -> dict[str, Any]:
    container = {"name": "web", "image": "example.com/web:1", "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": name, "labels": {"app": "web"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": name},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    }


def stateful_set(name: str) -> dict[str, Any]:
    """Return one without Pods, whose templates of claims are an atomic list that the server completes with defaults."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    template = {
        "metadata": {"labels": {"app": "db"}},
        "spec": {"containers": [{"name": "db", "image": "example.com/db:1"}]},
    }
    spec = {"replicas": 0, "serviceName": "web", "selector": {"matchLabels": {"app": "db"}}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": name},
        "spec": {**spec, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]},
    }


def marked(body: dict[str, Any], marks: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return an object as a tool writes it, with an annotation that git does not have."""
    metadata = body["metadata"]
    labels = {**metadata.get("labels", {}), **marks.get("labels", {})}
    annotations = {"note": "of the tool", **marks.get("annotations", {})}
    return {**body, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_workload_is_taken_over(
    tool: str, platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    owner, write, marks, goes = TOOLS[tool]
    name = platform.name
    bodies = [deployment(name), service(name), stateful_set(name)]
    kubectl("create", "namespace", name)
    for body in bodies:
        kubectl(*write, "-f", "-", stdin=json.dumps(marked(body, marks)))
    kubectl("rollout", "restart", "deployment/web", "-n", name)  # sets a time in the template
    kubectl("rollout", "status", "deployment/web", "-n", name, "--timeout=60s")
    before, pods = live(kubectl, name), running(kubectl, name)

    text = ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}")
    platform.write(
        {
            "environments/%N/environment.yaml": text.replace("%A", ""),
            "environments/%N/web/kustomization.yaml": "resources: [all.yaml]\n",
            "environments/%N/web/all.yaml": "---\n".join(json.dumps(body) + "\n" for body in bodies),
        }
    )
    refused = platform.expect(4, "apply", name, "--yes").out
    assert f"belongs to {owner}" in refused
    platform.write({"environments/%N/environment.yaml": text.replace("%A", owner)})
    plan = platform.expect(0, "diff", name, "-o", "json").json
    note = [
        item for change in plan["changes"] for item in change["fields"] if item["path"] == "metadata.annotations.note"
    ]
    assert [item["op"] for item in note] == (["remove"] * len(bodies) if goes else [])
    assert bool(plan["warnings"]) is (owner == "argocd" or bool(marks))
    platform.expect(0, "apply", name, "--yes")

    after = live(kubectl, name)
    for kind, body in after.items():
        metadata, managers = body["metadata"], {item["manager"] for item in body["metadata"]["managedFields"]}
        assert managers <= {"reconciler", "kube-controller-manager"}, (kind, managers)
        assert metadata["uid"] == before[kind]["metadata"]["uid"]
        assert body["spec"] == before[kind]["spec"]
        left = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
        assert not {key for key in (*marks.get("labels", {}), *marks.get("annotations", {})) if key in left}
        assert not any("last-applied" in key for key in left)
        assert ("note" in left) is not goes
    assert running(kubectl, name) == pods
    again = platform.expect(0, "diff", name, "--exit-code", "-o", "json").json
    assert (again["requests"]["dry_run"], again["warnings"]) == (0, [])


def live(kubectl: Callable[..., str], name: str) -> dict[str, Any]:
    kinds = "deployment,service,statefulset"
    found = json.loads(kubectl("get", kinds, "web", "-n", name, "-o", "json", "--show-managed-fields"))
    return {item["kind"]: item for item in found["items"]}


def running(kubectl: Callable[..., str], name: str) -> set[str]:
    """Return the uids of the Pods that are not being deleted."""
    items = json.loads(kubectl("get", "pods", "-n", name, "-o", "json"))["items"]
    return {item["metadata"]["uid"] for item in items if "deletionTimestamp" not in item["metadata"]}


def test_an_environment_hands_an_object_over_to_another_one(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    """The uid stays the same; the one that had it does not delete it, and says so where it still wants it."""
    name, other = platform.name, f"{platform.name}-b"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared", "namespace": "default"}}
    body["metadata"]["name"] = f"shared-{name}"  # type: ignore[index]
    rest = json.dumps({**body, "metadata": {"name": f"rest-{name}", "namespace": "default"}}) + "\n"

    def write(environment: str, text: str, adopt: str = "kubectl") -> None:
        described = ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}").replace("%A", adopt)
        platform.write(
            {
                f"environments/{environment}/environment.yaml": described.replace("%N", environment),
                f"environments/{environment}/web/kustomization.yaml": "resources: [all.yaml]\n",
                f"environments/{environment}/web/all.yaml": text,
            }
        )

    shared = json.dumps(body) + "\n"
    uid = ("get", "configmap", f"shared-{name}", "-n", "default", "-o", "jsonpath={.metadata.uid}")
    write(name, rest + "---\n" + shared)
    platform.expect(0, "apply", name, "--yes")
    first = kubectl(*uid)
    write(other, shared)
    assert f"belongs to environment:{name}" in platform.expect(4, "apply", other, "--yes").out
    write(other, shared, f'"environment:{name}"')
    platform.expect(0, "apply", other, "--yes")
    assert kubectl(*uid) == first
    assert f"belongs to environment:{other}" in platform.expect(4, "diff", name).out
    write(name, rest)
    platform.expect(0, "apply", name, "--yes")
    assert kubectl(*uid) == first
    platform.expect(0, "diff", other, "--exit-code")
