"""The way from a checkout to a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler import pipeline
from reconciler.observe.memory import Memory
from reconciler.source.directory import DirectoryTree
from tests.fakes.cluster import FakeCluster

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ENVIRONMENT = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec: {cluster: {sandbox: true}, components: [{name: web, path: web}]}
"""
OBJECTS = """\
apiVersion: v1
kind: Namespace
metadata: {name: web}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: web}
data: {colour: blue}
"""


def repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a repository of one environment, `dev`, and keep no cache but its own; return its component."""
    monkeypatch.setenv("RECONCILER_CACHE_DIR", str(root / "cache"))
    web = root / "environments/dev/web"
    web.mkdir(parents=True)
    (web.parent / "environment.yaml").write_text(ENVIRONMENT)
    (web / "kustomization.yaml").write_text("resources: [objects.yaml]\n")
    (web / "objects.yaml").write_text(OBJECTS)
    return web


async def test_a_plan_that_is_made_again_renders_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was shown is what is applied, whatever is written to the working tree in between."""
    web = repository(tmp_path, monkeypatch)
    cluster, memory = FakeCluster(), Memory(None, {})
    checkout = pipeline.open_checkout(DirectoryTree(tmp_path), "dev", None)
    first = await pipeline.plan(checkout, cluster, memory)
    (web / "objects.yaml").write_text(OBJECTS.replace("blue", "red"))
    again = await pipeline.plan(checkout, cluster, memory, again=first)
    afresh = await pipeline.plan(checkout, cluster, memory)
    assert again.plan.id == first.plan.id
    assert afresh.plan.id != first.plan.id
    assert again.spent["render"] == first.spent["render"]
