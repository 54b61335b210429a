"""The shipped environments keep the promises of docs/platform.md."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import environment as environments
from reconciler import pipeline
from reconciler.check import broken, check
from reconciler.check.world import World
from reconciler.environment.rules import load_rules
from reconciler.generated import expanded
from reconciler.pipeline import Checkout
from reconciler.plan.quantity import amount
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import Desired

ROOT = Path(__file__).parent.parent.parent.parent
FILES = DirectoryTree(ROOT)
REGISTRIES = (
    "602401143452.dkr.ecr.eu-central-1.amazonaws.com/",
    "docker.elastic.co/",
    "docker.io/",
    "ghcr.io/",
    "mirror.gcr.io/",
    "public.ecr.aws/",
    "quay.io/",
    "registry.k8s.io/",
)
SWITCHED = "registry.platform.example.com/"  # what environments with the switch pull everything through
BOOTSTRAP = frozenset(  # what has to be there before that registry can be pulled from
    ("kube-system", "calico-system", "kube-flannel", "rook-ceph", "registry", "reconciler-system", "local-path-storage")
)
UNPROBED = frozenset(("rook-ceph-operator",))  # it serves nothing that could be asked
OWN_REGISTRY = "registry.registry.svc:5000/"  # for what nobody publishes


@pytest.fixture(params=environments.discover(FILES), scope="module")
def checkout(request: pytest.FixtureRequest) -> Checkout:
    """Return each shipped environment."""
    return Checkout(FILES, environments.load(FILES, f"environments/{request.param}/environment.yaml"), None)


@pytest.fixture(scope="module")
def desired(checkout: Checkout) -> Desired:
    """Return what an environment renders."""
    return pipeline.render(checkout)


def containers(desired: Desired) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each container with its object's name."""
    for pod in World(resource for _, resource in desired.resources).pods:
        for _, container in pod.containers:
            yield str(pod.resource.id), dict(container)


def test_every_reference_resolves(checkout: Checkout, desired: Desired) -> None:
    assert [str(problem) for problem in check(expanded(desired))] == []
    assert desired.warnings == ()
    assert broken(load_rules(FILES, checkout.environment), checkout.environment, desired) == ((), ())
    assert pipeline.order(desired, checkout.environment).order[0] == "crds"


def test_images_come_from_known_registries(desired: Desired) -> None:
    images = {container["image"] for _, container in containers(desired)}
    assert len(images) > 10
    assert [image for image in images if not image.startswith((*REGISTRIES, OWN_REGISTRY, SWITCHED))] == []


def test_production_pulls_through_the_platforms_registry(desired: Desired) -> None:
    pods = World(resource for _, resource in desired.resources).pods
    direct = {
        container["image"]
        for pod in pods
        if pod.namespace not in BOOTSTRAP
        for _, container in pod.containers
        if not str(container["image"]).startswith((SWITCHED, OWN_REGISTRY))
    }
    assert bool(direct) is not desired.environment.startswith("prod-"), direct


def test_what_is_pulled_through_the_registry_has_a_project_there(desired: Desired) -> None:
    """A cache of the registry that the image is of: without it nothing could be pulled."""
    images = {str(container["image"]) for _, container in containers(desired)}
    through = {image.removeprefix(SWITCHED).partition("/")[0] for image in images if image.startswith(SWITCHED)}
    caches = {item.id.name: item.body["spec"] for _, item in desired.resources if item.id.kind == "HarborProject"}
    assert {name for name, spec in caches.items() if "proxyCache" in spec} == through
    assert all(spec["public"] for spec in caches.values() if "proxyCache" in spec)  # nodes pull without an account


def test_every_container_says_what_it_needs(desired: Desired) -> None:
    """Requests for cpu and memory and a limit on memory, without which one of them could take a node down."""
    for name, container in containers(desired):
        resources = container.get("resources", {})
        assert {"cpu", "memory"} <= set(resources.get("requests", {})), name
        assert "memory" in resources.get("limits", {}), name


def test_every_long_running_container_is_probed(desired: Desired) -> None:
    for pod in World(resource for _, resource in desired.resources).pods:
        if pod.resource.id.kind != "Job" and pod.resource.id.name not in UNPROBED:
            probed = [
                "livenessProbe" in container or "readinessProbe" in container for container in pod.spec["containers"]
            ]
            bootstrap = pod.namespace in BOOTSTRAP  # drivers come with sidecars that serve nothing of themselves
            assert any(probed) if bootstrap else all(probed), pod.resource.id


def exact(quantity: object) -> Fraction:
    """Return a quantity as a number."""
    found = amount(str(quantity))
    assert found is not None, quantity
    return found


def test_quotas_leave_room_for_what_is_to_run(desired: Desired) -> None:
    """A quota comes after what it is for, so one that is too small shows only when a Pod is to start again."""
    needed: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for pod in World(resource for _, resource in desired.resources).pods:
        replicas = pod.resource.body["spec"].get("replicas", 1)
        spent = needed[pod.namespace]
        spent["pods"] += replicas + 1  # one more while another version comes
        for container in pod.spec["containers"]:
            for name in ("cpu", "memory"):
                spent[f"requests.{name}"] += replicas * exact(container["resources"]["requests"][name])
        spent["persistentvolumeclaims"] += replicas * len(pod.resource.body["spec"].get("volumeClaimTemplates", ()))
    for claim in (item for _, item in desired.resources if item.id.kind == "PersistentVolumeClaim"):
        needed[claim.id.namespace]["persistentvolumeclaims"] += 1
    quotas = [item for _, item in desired.resources if item.id.kind == "ResourceQuota"]
    assert len(quotas) >= 3
    for quota in quotas:
        for name, hard in quota.body["spec"]["hard"].items():
            assert needed[quota.id.namespace][name] <= exact(hard), (quota.id, name)


def test_there_is_one_default_storage_class(desired: Desired) -> None:
    classes = [item for _, item in desired.resources if item.id.kind == "StorageClass"]
    default = [
        item for item in classes if item.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    ]
    assert [item.id.name for item in default] == ["platform-block"]


def test_every_namespace_has_a_pinned_pod_security_level(desired: Desired) -> None:
    spaces = [item for _, item in desired.resources if item.id.kind == "Namespace"]
    assert len(spaces) >= 8
    assert len({space.labels["pod-security.kubernetes.io/enforce-version"] for space in spaces}) == 1
    for space in spaces:
        assert space.labels["pod-security.kubernetes.io/enforce"] in ("privileged", "restricted")
        assert space.labels["pod-security.kubernetes.io/enforce-version"].startswith("v1.")


def test_what_belongs_together_has_one_version(desired: Desired) -> None:
    """Kibana works with its own version of Elasticsearch only, Fluentd's image with its major version."""
    tags = dict(container["image"].removeprefix(SWITCHED).rsplit(":", 1) for _, container in containers(desired))
    elastic = tags["docker.elastic.co/elasticsearch/elasticsearch"]
    assert tags["docker.elastic.co/kibana/kibana"] == elastic
    assert f"elasticsearch{elastic.split('.')[0]}" in tags["docker.io/fluent/fluentd-kubernetes-daemonset"]


def test_git_holds_no_value_of_a_secret(desired: Desired) -> None:
    """They are made in the cluster; what stands in git is a user's name."""
    secrets = [item for _, item in desired.resources if item.id.kind == "Secret"]
    assert len(secrets) >= 5
    for secret in secrets:
        given = {**(secret.body.get("data") or {}), **(secret.body.get("stringData") or {})}
        assert set(given) <= {"user", "username"}, secret.id
    assert list(ROOT.glob("overlays/**/secrets.env")) == []
