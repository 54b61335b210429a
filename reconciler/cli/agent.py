"""`reconciler agent`."""

from __future__ import annotations

import gc
import os
import signal
import socket
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.invocation import configure_logs, invocation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reconciler.agent.settings import Settings
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment
    from reconciler.observe.memory import Memory

TOKEN, SECRET = "RECONCILER_GIT_TOKEN", "RECONCILER_WEBHOOK_SECRET"
GC_THRESHOLD = 200_000  # allocations between two looks for cycles: plans are big, and hold none


def agent(
    context: typer.Context,
    source: Annotated[
        str, typer.Option(metavar="URL", envvar="RECONCILER_SOURCE", help="The repository: https, ssh, or a path.")
    ],
    branch: Annotated[str, typer.Option(envvar="RECONCILER_BRANCH", help="The branch to follow.")] = "main",
    environment: Annotated[
        list[str] | None,
        typer.Option(envvar="RECONCILER_ENVIRONMENTS", help="What to reconcile; all environments by default."),
    ] = None,
    in_cluster: Annotated[
        bool,
        typer.Option(
            "--in-cluster", help="Reconcile the cluster that this runs in, whatever the environment's `cluster` says."
        ),
    ] = False,
    mirror: Annotated[
        Path | None,
        typer.Option(metavar="DIR", envvar="RECONCILER_MIRROR", help="Where the mirror is kept; the cache by default."),
    ] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="RECONCILER_LISTEN", help="Health, metrics and webhooks.")
    ] = "127.0.0.1:8080",
    poll: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="How often git is asked.")] = 60.0,
    ssh_key: Annotated[
        Path | None, typer.Option(metavar="FILE", envvar="RECONCILER_SSH_KEY", help="The private key for ssh.")
    ] = None,
    known_hosts: Annotated[
        Path | None, typer.Option(metavar="FILE", envvar="RECONCILER_KNOWN_HOSTS", help="Host keys that ssh trusts.")
    ] = None,
) -> None:
    """Follow a repository and keep environments as it says: apply commits, repair drift, report.

    A token for HTTPS is read from RECONCILER_GIT_TOKEN, the secret of webhooks from RECONCILER_WEBHOOK_SECRET; neither
    can be given on the command line. Ends on SIGTERM and Ctrl-C: nothing new is begun, Leases are given back.
    """
    import hashlib

    from reconciler.agent.settings import Settings
    from reconciler.cli.connect import open_clones
    from reconciler.errors import UsageError
    from reconciler.source.mirror import Remote
    from reconciler.store import cache_dir

    configure_logs(invocation(context), 1)  # an agent tells what it does: there is nobody else to
    names = tuple(environment or ())
    if in_cluster and len(names) != 1:
        raise UsageError("--in-cluster needs exactly one --environment: one cluster is one environment")
    host, _, port = listen.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"--listen {listen}: expected HOST:PORT, e.g. 0.0.0.0:8080")
    remote = Remote(source, branch, os.environ.get(TOKEN, ""), ssh_key=ssh_key, known_hosts=known_hosts)
    remote.require_valid()
    key = hashlib.sha256(f"{remote.shown} {branch}".encode()).hexdigest()[:16]
    settings = Settings(
        remote,
        mirror or cache_dir() / "mirrors" / key,
        f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}",
        names,
        poll,
        host=host.strip("[]"),
        port=int(port),
        webhook_secret=os.environ.get(SECRET, ""),
        clones=open_clones(remote),
    )
    import asyncio

    gc.set_threshold(GC_THRESHOLD)
    gc.enable()  # as no other command needs it
    asyncio.run(_serve(settings, in_cluster=in_cluster))


async def _serve(settings: Settings, *, in_cluster: bool) -> None:
    import asyncio

    from reconciler.agent.agent import Agent
    from reconciler.agent.threads import Daemons
    from reconciler.clock import SystemClock

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Daemons())  # a thread that hangs does not delay the end
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await Agent(settings, _in_cluster if in_cluster else _as_it_says, SystemClock()).serve(stop)


@asynccontextmanager
async def _as_it_says(environment: Environment) -> AsyncIterator[tuple[Cluster, Memory]]:
    from reconciler.cli.connect import connected

    async with connected(environment, _log) as found:
        yield found


@asynccontextmanager
async def _in_cluster(environment: Environment) -> AsyncIterator[tuple[Cluster, Memory]]:
    from dataclasses import replace

    import msgspec

    from reconciler.environment import ClusterRef

    spec = msgspec.structs.replace(environment.spec, cluster=ClusterRef(in_cluster=True))
    async with _as_it_says(replace(environment, spec=spec)) as found:
        yield found


def _log(warnings: tuple[str, ...]) -> None:
    from reconciler.telemetry import logger

    for warning in warnings:
        logger().warning("cluster.warned", warning=warning)
