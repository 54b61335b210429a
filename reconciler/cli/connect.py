"""From an environment's `cluster` to a connection: the one place where the real adapter is chosen."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from reconciler.cli.printing import print_warnings
from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.cluster.kube import KubeCluster
    from reconciler.environment import Environment
    from reconciler.observe.memory import Memory

SANDBOX_VARIABLE = "RECONCILER_SANDBOX"


def cache_dir() -> Path:
    """Return the directory for what can be made again: `RECONCILER_CACHE_DIR`, else the user's cache directory."""
    return Path(os.environ.get("RECONCILER_CACHE_DIR") or platformdirs.user_cache_dir("reconciler"))


@asynccontextmanager
async def connected(environment: Environment) -> AsyncIterator[tuple[KubeCluster, Memory]]:
    """Connect to the environment's cluster; in the end tell what it warned of, and close the connection."""
    from reconciler.cluster.kube import KubeCluster
    from reconciler.observe.memory import Memory

    target = environment.spec.cluster
    kubeconfig, context = target.kubeconfig, target.context
    if target.sandbox:
        kubeconfig, context = str(_sandbox_kubeconfig()), None
    elif target.secret_ref is not None:
        raise ConfigError(
            f"environment {environment.name}: cluster.secretRef is read by an agent inside the hub cluster; "
            "use cluster.context on the command line"
        )
    cluster = await KubeCluster.connect(
        kubeconfig=kubeconfig, context=context, in_cluster=bool(target.in_cluster), cache_dir=cache_dir() / "openapi"
    )
    try:
        yield cluster, Memory.open(cache_dir() / "memory", cluster.name, environment.name)
    finally:
        print_warnings((*cluster.warnings, *cluster.notes))
        await cluster.close()


def _sandbox_kubeconfig() -> Path:
    from reconciler.sandbox import control

    name = os.environ.get(SANDBOX_VARIABLE, control.DEFAULT_NAME)
    found = control.find(name)
    if found is None:
        raise ConfigError(f"sandbox {name} is not running: start it with `reconciler sandbox up`")
    return found.kubeconfig
