"""What an import takes off live objects, and what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import ConfigError, Forbidden, Invalid, UsageError
from reconciler.importing import cleaning, component, leaving, run
from reconciler.model.schema import ANYTHING
from tests.fakes.cluster import FakeCluster

if TYPE_CHECKING:
    from pathlib import Path


def entry(manager: str, fields: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    """Return an entry of managedFields."""
    return {"manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": fields}


SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "5",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": "web", "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-1"},
        "annotations": {"meta.helm.sh/release-name": "web", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "finalizers": ["service.kubernetes.io/load-balancer-cleanup", "example.com/mine"],
        "managedFields": [
            entry("helm", {"f:spec": {"f:type": {}, "f:replicas": {}}}),
            entry("kube-controller-manager", {"f:spec": {"f:chosen": {}, "f:type": {}}}),
            entry("autoscaler", {"f:spec": {"f:scaled": {}}}, "scale"),
        ],
    },
    "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "chosen": 1, "scaled": 3},
    "status": {"loadBalancer": {}},
}


def test_what_is_the_servers_and_the_tools_goes() -> None:
    found = cleaning.cleaned(SERVICE, ANYTHING)
    assert found == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "labels": {"app": "web"},
            "finalizers": ["example.com/mine"],
        },
        "spec": {"type": "ClusterIP"},
    }
    assert cleaning.cleaned(found, ANYTHING) == found


def test_a_headless_service_stays_headless() -> None:
    body = {**SERVICE, "spec": {"clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"]}}
    assert cleaning.cleaned(body, ANYTHING)["spec"] == {"clusterIP": "None", "clusterIPs": ["None"]}


def test_a_port_of_nodes_that_nobody_asked_for_is_the_servers_choice() -> None:
    """Then nobody owns it; one that was asked for stays, and is put back after the server was asked."""
    ports: dict[str, Any] = {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
    metadata = {"name": "web", "managedFields": [entry("kubectl", {"f:spec": {"f:ports": ports}})]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    assert cleaning.cleaned(body, ANYTHING)["spec"]["ports"] == [{"port": 80}]
    ports['k:{"port":80,"protocol":"TCP"}']["f:nodePort"] = {}
    whole = cleaning.cleaned(body, ANYTHING)
    slim = cleaning.slimmed(whole)
    assert slim["spec"]["ports"] == [{"port": 80}]
    answer = {**whole, "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 31234}]}}
    assert cleaning.restored(slim, whole, answer, ANYTHING)["spec"]["ports"] == spec["ports"]


def test_what_the_server_puts_into_jobs_and_pods_goes() -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "a"},
        "spec": {"template": {"metadata": {"labels": {"job-name": "a", "controller-uid": "u"}}, "spec": {"x": 1}}},
    }
    assert cleaning.cleaned(job, ANYTHING)["spec"] == {"template": {"spec": {"x": 1}}}
    mounts = [{"name": "kube-api-access-d5ztd", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]
    data = {"name": "data", "mountPath": "/data"}
    containers = [{"name": "a", "volumeMounts": mounts}, {"name": "b", "volumeMounts": [*mounts, data]}]
    spec = {"containers": containers, "volumes": [{"name": "kube-api-access-d5ztd", "projected": {}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    cleaned = cleaning.cleaned(pod, ANYTHING)
    assert cleaned["spec"] == {"containers": [{"name": "a"}, {"name": "b", "volumeMounts": [data]}]}


def test_what_another_field_says_already_is_left_out() -> None:
    spec = {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80, "targetPort": 80}]}
    assert cleaning.slimmed({"kind": "Service", "spec": spec})["spec"] == {"clusterIP": "None", "ports": [{"port": 80}]}
    reference = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    assert cleaning.slimmed({"spec": reference})["spec"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_what_the_server_does_not_fill_in_again_is_put_back() -> None:
    """A name and value that look like a default are one only if the server says so."""
    whole = {"kind": "Thing", "spec": {"type": "ClusterIP", "protocol": "TCP", "list": [{"protocol": "TCP"}]}}
    slim = cleaning.slimmed(whole)
    assert slim == {"kind": "Thing", "spec": {"list": [{}]}}
    answer = {"kind": "Thing", "spec": {"type": "ClusterIP", "list": [{}]}}
    assert cleaning.restored(slim, whole, answer, ANYTHING) == {
        "kind": "Thing",
        "spec": {"protocol": "TCP", "list": [{"protocol": "TCP"}]},
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"ownerReferences": [{"kind": "Job", "name": "a", "controller": True}]}, "made by Job/a"),
        ({"managedFields": [entry("kube-controller-manager", {})]}, "made by kube-controller-manager"),
        ({"deletionTimestamp": "now"}, "is being deleted"),
    ],
)
def test_what_is_left_out_says_why(change: dict[str, Any], told: str) -> None:
    assert leaving.reason({**SERVICE, "metadata": {**SERVICE["metadata"], **change}}, secrets=False) == told


def test_secrets_are_written_only_where_that_is_asked_for() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "type": "Opaque"}
    assert "--secrets" in leaving.reason(secret, secrets=False)
    assert leaving.reason(secret, secrets=True) == ""
    assert leaving.reason({**secret, "type": "helm.sh/release.v1"}, secrets=True) != ""


def test_files_have_names_of_their_own_and_appear_together(tmp_path: Path) -> None:
    bodies = [
        {"apiVersion": api, "kind": "Ingress", "metadata": {"name": "a:b"}}
        for api in ("networking.k8s.io/v1", "example.com/v1")
    ]
    texts = component.files(bodies)
    assert set(texts) == {
        "kustomization.yaml",
        "ingress-networking.k8s.io-a-b.yaml",
        "ingress-example.com-a-b.yaml",
    }
    component.write(tmp_path / "new" / "web", texts)
    assert {item.name for item in (tmp_path / "new").iterdir()} == {"web"}
    with pytest.raises(UsageError, match="nothing is overwritten"):
        component.write(tmp_path / "new" / "web", texts)


async def test_secrets_that_are_left_out_need_not_be_readable() -> None:
    cluster = FakeCluster()
    cluster.seed({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}})
    cluster.fail("list", kind="Secret", error=Forbidden("secrets is forbidden", status=403), times=-1)
    found = await run.read(cluster, run.Choice("default"))
    assert ("ConfigMap", "a") in {(body["kind"], body["metadata"]["name"]) for body in found.objects}
    assert found.unread == "secrets is forbidden"
    with pytest.raises(Forbidden, match="name the kinds that may be read with --kind"):
        await run.read(cluster, run.Choice("default", secrets=True))


async def test_a_selector_that_is_none_is_told_once() -> None:
    cluster = FakeCluster()
    cluster.fail("list", error=Invalid("unable to parse requirement", status=400), times=-1)
    with pytest.raises(ConfigError) as told:
        await run.read(cluster, run.Choice("default", "a=="))
    assert str(told.value) == "--selector a==: unable to parse requirement"


def test_a_link_to_where_the_files_go_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("web")
    component.write(tmp_path / "link", {"kustomization.yaml": ""})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "web" / "kustomization.yaml").is_file()
