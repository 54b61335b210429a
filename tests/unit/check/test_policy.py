"""Kinds that a policy names have to be kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler import yaml
from reconciler.check import misnamed
from reconciler.environment.models import NamedKind
from reconciler.model.identity import ObjectId
from reconciler.model.origin import Source
from reconciler.model.resource import Desired, Resource
from tests.unit.plan.scene import NAME, environment_of

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: cephclusters.ceph.rook.io}
spec: {group: ceph.rook.io, names: {kind: CephCluster}}
"""


def told(kind: str) -> tuple[list[str], list[str]]:
    """Return the errors and warnings of a policy that names a kind in an environment that renders a definition."""
    (body,) = yaml.parse(DEFINITION, Source("crd.yaml", ""))
    identity = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "cephclusters.ceph.rook.io")
    desired = Desired("dev", None, {"crds": (Resource(identity, "v1", body),)})
    made = environment_of({"components": [{"name": "crds"}]}, {})
    environment = replace(made, kinds=(NamedKind(kind, "policy.deletions.protect", 7),))
    errors, warnings = misnamed(environment, desired)
    return [*map(str, errors)], [*map(str, warnings)]


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Ingress", "Endpoints", "CephCluster"])
def test_kinds_that_kubernetes_has_or_the_environment_defines_are_kinds(kind: str) -> None:
    assert told(kind) == ([], [])


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("PersistentVolumeClaims", "PersistentVolumeClaim"),
        ("persistentvolumeclaim", "PersistentVolumeClaim"),
        ("PersistantVolumeClaim", "PersistentVolumeClaim"),
        ("Namesapce", "Namespace"),
        ("Secert", "Secret"),
        ("ingresses", "Ingress"),
        ("NetworkPolicies", "NetworkPolicy"),
        ("cephclusters", "CephCluster"),
    ],
)
def test_a_kind_that_is_evidently_another_is_an_error(kind: str, meant: str) -> None:
    place = f"environments/{NAME}/environment.yaml:7: policy.deletions.protect"
    assert told(kind) == ([f"{place} names {kind}, which is no kind (did you mean {meant}?)"], [])


@pytest.mark.parametrize("kind", ["pvc", "apps/Deployment", "*", ""])
def test_what_can_be_no_kind_is_an_error(kind: str) -> None:
    (error,), warnings = told(kind)
    assert error.endswith("(expected a kind as objects name it, e.g. PersistentVolumeClaim)")
    assert not warnings


@pytest.mark.parametrize(
    "kind",
    ["StorageCluster", "CiliumNetworkPolicy", "GCPServiceAccount", "HelmRelease", "Rule", "Server", "IngressRoute"],
)
def test_what_may_be_a_kind_of_the_cluster_is_a_warning(kind: str) -> None:
    errors, (warning,) = told(kind)
    assert not errors
    assert warning.endswith("(correct it, unless the cluster has it)")
