"""From an environment's `cluster` to a connection: the one place where the real adapter is chosen."""

from __future__ import annotations

import base64
import os
import tempfile
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.printing import print_warnings
from reconciler.errors import ConfigError
from reconciler.model.api import ApiResource
from reconciler.store import cache_dir

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from reconciler.cluster.kube import KubeCluster
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment, SecretRef
    from reconciler.observe.memory import Memory
    from reconciler.source.clones import Clones
    from reconciler.source.mirror import Remote

SANDBOX_VARIABLE = "RECONCILER_SANDBOX"


def open_clones(access: Remote | None = None) -> Clones:
    """Return the cache of remote bases; credentials of `access` are used for its host as well."""
    from reconciler.source.clones import Clones

    return Clones(cache_dir() / "bases", access)


@asynccontextmanager
async def connected(
    environment: Environment, tell: Callable[[tuple[str, ...]], None] = print_warnings
) -> AsyncIterator[tuple[Cluster, Memory]]:
    """Connect to the environment's cluster and to the Harbors that it names.

    In the end tell what was warned of, and close the connections.
    """
    from reconciler.harbor.cluster import HarborCluster
    from reconciler.observe.memory import Memory

    async with _cluster(environment) as server:
        cluster = HarborCluster(server, adopts="harbor" in environment.spec.policy.adopt)
        try:
            yield cluster, Memory.open(cache_dir() / "memory", cluster.name, environment.name)
        finally:
            await cluster.leave()
            tell((*cluster.warnings, *cluster.notes))


@asynccontextmanager
async def connected_to(kubeconfig: str | None, context: str | None) -> AsyncIterator[KubeCluster]:
    """Connect to a cluster of a kubeconfig that no environment names; in the end tell what it warned of."""
    async with _open(kubeconfig, context, in_cluster=False, in_flight=16, read_seconds=60.0) as cluster:
        try:
            yield cluster
        finally:
            print_warnings((*cluster.warnings, *cluster.notes))


@asynccontextmanager
async def _cluster(environment: Environment) -> AsyncIterator[KubeCluster]:
    target = environment.spec.cluster
    with ExitStack() as stack:
        kubeconfig, context = target.kubeconfig, target.context
        if target.sandbox:
            kubeconfig = str(_sandbox_kubeconfig())
        elif target.secret_ref is not None:
            kubeconfig = stack.enter_context(_kept(await _kubeconfig_of(target.secret_ref)))
        async with _open(
            kubeconfig,
            context,
            in_cluster=bool(target.in_cluster),
            in_flight=target.in_flight,
            read_seconds=target.request_seconds,
        ) as cluster:
            yield cluster


@asynccontextmanager
async def _open(
    kubeconfig: str | None, context: str | None, *, in_cluster: bool, in_flight: int = 1, read_seconds: float = 10.0
) -> AsyncIterator[KubeCluster]:
    from reconciler.cluster.kube import KubeCluster

    documents = cache_dir() / "openapi"
    cluster = await KubeCluster.connect(
        kubeconfig=kubeconfig,
        context=context,
        in_cluster=in_cluster,
        cache_dir=documents,
        in_flight=in_flight,
        read_seconds=read_seconds,
    )
    try:
        yield cluster
    finally:
        await cluster.close()


async def _kubeconfig_of(reference: SecretRef) -> bytes:
    """Read a kubeconfig from a Secret of the cluster that we run in, or else that of the current context."""
    secrets = ApiResource("", "v1", "Secret", "secrets", namespaced=True)
    async with _open(None, None, in_cluster="KUBERNETES_SERVICE_HOST" in os.environ) as hub:
        body = await hub.get(secrets, reference.namespace, reference.name)
    found = (body.get("data") or {}).get(reference.key)
    if found is None:
        keys = ", ".join(sorted(body.get("data") or {})) or "none"
        named = f"Secret/{reference.name} -n {reference.namespace}"
        raise ConfigError(f"cluster.secretRef: {named} of {hub.name} has no key {reference.key}; its keys are {keys}")
    return base64.b64decode(found)


@contextmanager
def _kept(kubeconfig: bytes) -> Iterator[str]:
    """Keep a kubeconfig in a file that nobody else can read, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:  # made with mode 0700
        path = Path(folder) / "kubeconfig"
        path.write_bytes(kubeconfig)
        yield str(path)


def _sandbox_kubeconfig() -> Path:
    from reconciler.sandbox import control

    name = os.environ.get(SANDBOX_VARIABLE, control.DEFAULT_NAME)
    found = control.find(name)
    if found is None:
        raise ConfigError(f"sandbox {name} is not running: start it with `reconciler sandbox up`")
    return found.kubeconfig
