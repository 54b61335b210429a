"""Objects that controllers make and label like ours, on a real API server: nothing of theirs is ever pruned."""

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
      policy: {deletions: {max: 10}}
      components: [{name: web, path: web}]
    """
SELECTED = "{apiVersion: v1, kind: Service, metadata: {name: chosen, namespace: %N}, spec: {selector: {app: web}, ports: [{port: 80}]}}"
PLAIN = "{apiVersion: v1, kind: Service, metadata: {name: outside, namespace: %N}, spec: {ports: [{port: 80}]}}"
SLICE = """\
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: by-hand, namespace: %N, labels: {kubernetes.io/service-name: outside}}
    addressType: IPv4
    ports: [{port: 80}]
    endpoints: [{addresses: [10.1.1.1]}]"""
ENDPOINTS = """\
    apiVersion: v1
    kind: Endpoints
    metadata: {name: outside, namespace: %N}
    subsets: [{addresses: [{ip: 10.1.1.2}], ports: [{port: 80}]}]"""
EXTRA = "{apiVersion: v1, kind: ConfigMap, metadata: {name: extra, namespace: %N}}"


def test_only_what_git_gave_up_is_pruned(
    platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    name = platform.name
    kubectl("create", "namespace", name)
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/web/kustomization.yaml": "resources: [web.yaml]\n",
        }
    )

    def wants(*texts: str) -> None:
        import textwrap

        whole = "\n---\n".join(map(textwrap.dedent, texts))
        platform.write({"environments/%N/web/web.yaml": whole + "\n"})

    def made() -> set[str]:
        """What the controllers made, which carries the labels of our objects."""
        listed = json.loads(kubectl("get", "endpoints,endpointslices", "-n", name, "-o", "json"))["items"]
        ours = {("EndpointSlice", "by-hand"), ("Endpoints", "outside")}
        found = [item for item in listed if (item["kind"], item["metadata"]["name"]) not in ours]
        assert all("applyset.kubernetes.io/part-of" in item["metadata"]["labels"] for item in found)
        return {f"{item['kind']}/{item['metadata']['name']}" for item in found}

    def deleted() -> list[str]:
        plan = platform.expect(0, "diff", name, "-o", "json").json
        return sorted(
            f"{item['id']['kind']}/{item['id']['name']}" for item in plan["changes"] if item["action"] == "delete"
        )

    wants(SELECTED, PLAIN, SLICE, ENDPOINTS, EXTRA)
    platform.expect(0, "apply", name, "--yes")
    theirs = {"Endpoints/chosen", "EndpointSlice/chosen", "EndpointSlice/outside"}
    until(lambda: {item.partition("-")[0] for item in made()} >= theirs, f"the controllers make {theirs}")
    before = made()
    assert platform.expect(0, "diff", name, "-o", "json").json["changes"] == []

    wants(SELECTED, PLAIN, SLICE, ENDPOINTS)
    assert deleted() == ["ConfigMap/extra"]
    platform.expect(0, "apply", name, "--yes")
    assert made() == before

    wants(SELECTED, PLAIN)
    assert deleted() == ["EndpointSlice/by-hand", "Endpoints/outside"]
    report = platform.expect(0, "apply", name, "--yes", "-o", "json").json
    assert report["requests"]["delete"] == 2
    assert {item for item in before if "chosen" in item} <= made()
