"""`reconciler agent`."""

from __future__ import annotations

import gc
import os
import socket
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from reconciler.cli.invocation import PATH, Seconds, configure_logs
from reconciler.cli.signals import ending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reconciler.agent.settings import Settings
    from reconciler.cli.invocation import Invocation
    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment
    from reconciler.observe.memory import Memory

TOKEN, SECRET = "RECONCILER_GIT_TOKEN", "RECONCILER_WEBHOOK_SECRET"
GC_THRESHOLD = 200_000  # allocations between two looks for cycles: plans are big, and hold none


@click.command
@click.option(
    "--source",
    required=True,
    metavar="URL",
    envvar="RECONCILER_SOURCE",
    show_envvar=True,
    help="The repository: https, ssh, or a path.",
)
@click.option("--branch", default="main", envvar="RECONCILER_BRANCH", show_envvar=True, help="The branch to follow.")
@click.option(
    "--environment",
    multiple=True,
    envvar="RECONCILER_ENVIRONMENTS",
    show_envvar=True,
    help="What to reconcile; all environments by default.",
)
@click.option(
    "--in-cluster",
    is_flag=True,
    help="Reconcile the cluster that this runs in, whatever the environment's `cluster` says.",
)
@click.option(
    "--mirror",
    type=PATH,
    metavar="DIR",
    envvar="RECONCILER_MIRROR",
    show_envvar=True,
    help="Where the mirror is kept; the cache by default.",
)
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    metavar="HOST:PORT",
    envvar="RECONCILER_LISTEN",
    show_envvar=True,
    help="Health, metrics and webhooks.",
)
@click.option("--poll", type=Seconds(min=1), default=60.0, metavar="SECONDS", help="How often git is asked.")
@click.option(
    "--ssh-key",
    type=PATH,
    metavar="FILE",
    envvar="RECONCILER_SSH_KEY",
    show_envvar=True,
    help="The private key for ssh.",
)
@click.option(
    "--known-hosts",
    type=PATH,
    metavar="FILE",
    envvar="RECONCILER_KNOWN_HOSTS",
    show_envvar=True,
    help="Host keys that ssh trusts.",
)
@click.pass_obj
def agent(
    invocation: Invocation,
    source: str,
    branch: str,
    environment: tuple[str, ...],
    in_cluster: bool,
    mirror: Path | None,
    listen: str,
    poll: float,
    ssh_key: Path | None,
    known_hosts: Path | None,
) -> None:
    """Follow a repository and keep environments as it says: apply commits, repair drift, report.

    A token for HTTPS is read from RECONCILER_GIT_TOKEN, the secret of webhooks from RECONCILER_WEBHOOK_SECRET; neither
    can be given on the command line. Ends on SIGTERM, SIGHUP and Ctrl-C: nothing new is begun, Leases are given back.
    """
    import hashlib

    from reconciler.agent.settings import Settings
    from reconciler.cli.connect import open_clones
    from reconciler.errors import UsageError
    from reconciler.source.mirror import Remote
    from reconciler.store import cache_dir

    configure_logs(invocation, 1)  # an agent tells what it does: there is nobody else to
    if in_cluster and len(environment) != 1:
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
        environment,
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
    for number in ending():
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
