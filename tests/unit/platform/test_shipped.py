"""The shipped environments keep the promises of docs/platform.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import environment as environments
from reconciler import pipeline
from reconciler.check import check
from reconciler.check.world import World
from reconciler.pipeline import Checkout
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import Desired

ROOT = Path(__file__).parent.parent.parent.parent
FILES = DirectoryTree(ROOT)
REGISTRIES = ("docker.elastic.co/", "docker.io/", "ghcr.io/", "quay.io/", "registry.k8s.io/")
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
    assert [str(problem) for problem in check(desired)] == []
    assert desired.warnings == ()
    assert pipeline.order(desired, checkout.environment).order[0] == "crds"


def test_images_come_from_known_registries(desired: Desired) -> None:
    images = {container["image"] for _, container in containers(desired)}
    assert len(images) > 10
    assert [image for image in images if not image.startswith((*REGISTRIES, OWN_REGISTRY))] == []


def test_every_container_says_what_it_needs(desired: Desired) -> None:
    """Requests for cpu and memory and a limit on memory, without which one of them could take a node down."""
    for name, container in containers(desired):
        resources = container.get("resources", {})
        assert {"cpu", "memory"} <= set(resources.get("requests", {})), name
        assert "memory" in resources.get("limits", {}), name


def test_every_long_running_container_is_probed(desired: Desired) -> None:
    for pod in World(resource for _, resource in desired.resources).pods:
        if pod.resource.id.kind != "Job":
            for container in pod.spec["containers"]:
                assert "livenessProbe" in container or "readinessProbe" in container, pod.resource.id


def test_there_is_one_default_storage_class(desired: Desired) -> None:
    classes = [item for _, item in desired.resources if item.id.kind == "StorageClass"]
    default = [
        item for item in classes if item.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    ]
    assert [item.id.name for item in default] == ["platform-block"]


def test_every_namespace_has_a_pinned_pod_security_level(desired: Desired) -> None:
    spaces = [item for _, item in desired.resources if item.id.kind == "Namespace"]
    assert len(spaces) >= 8
    for space in spaces:
        assert space.labels["pod-security.kubernetes.io/enforce"] in ("privileged", "restricted")
        assert space.labels["pod-security.kubernetes.io/enforce-version"].startswith("v1.")


def test_what_belongs_together_has_one_version(desired: Desired) -> None:
    """Kibana works with its own version of Elasticsearch only, Fluentd's image with its major version."""
    tags = dict(container["image"].rsplit(":", 1) for _, container in containers(desired))
    elastic = tags["docker.elastic.co/elasticsearch/elasticsearch"]
    assert tags["docker.elastic.co/kibana/kibana"] == elastic
    assert f"elasticsearch{elastic.split('.')[0]}" in tags["docker.io/fluent/fluentd-kubernetes-daemonset"]


def test_secrets_in_git_say_that_they_are_for_development() -> None:
    for path in ROOT.glob("overlays/**/*.env"):
        assert path.read_text().startswith("# For development only") or "same password" in path.read_text(), path
