"""One suite over two clusters: the one in memory always, the real API server with --cluster."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from reconciler.cluster.kube import KubeCluster
from tests.contract.lab import Lab
from tests.fakes.cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.cluster.port import Cluster


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """Return a cluster with a fresh namespace."""
    cluster: Cluster
    if request.param == "fake":
        cluster = FakeCluster()
    else:
        sandbox = request.getfixturevalue("control_plane")
        cluster = await KubeCluster.connect(kubeconfig=str(sandbox.kubeconfig), context=None, cache_dir=tmp_path)
    lab = Lab(cluster, (await cluster.discover()).preferred, f"contract-{secrets.token_hex(4)}")
    try:
        await lab.create_namespace()
        yield lab
    finally:
        await lab.delete_namespace()
        await cluster.close()
