"""`reconciler sandbox up|down|status|run`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import PATH, output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from reconciler.cli.invocation import Output
    from reconciler.sandbox.control import Sandbox

FORWARDING: Final[Mapping[str, bool]] = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Leaves what a command does not know, options too, to the command that it runs."""


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - they are the same everywhere
        """Return the names in the order in which the commands are defined."""
        return list(self.commands)


@click.group(
    "sandbox",
    cls=_InOrder,
    help="A real local Kubernetes control plane: etcd, API server, controllers, scheduler, and nodes, played or real.",
)
def group() -> None:
    """Hold the commands together."""


name_option = click.option("--name", default="default", help="Which sandbox; several run side by side.")
WANTED: Final = (
    click.option("--nodes", type=click.IntRange(min=1, max=1000), default=3, help="How many nodes it has."),
    click.option(
        "--storage-class/--no-storage-class",
        default=True,
        help="Whether it has a default StorageClass (played nodes).",
    ),
    click.option(
        "--real", is_flag=True, help="Real nodes (kubelet, containerd, runc, kube-proxy): Pods run. Needs root."
    ),
    click.option(
        "--pod-network/--no-pod-network",
        default=True,
        help="Whether real nodes have a network for Pods, or wait for one.",
    ),
    click.option(
        "--programs", "folder", type=PATH, metavar="DIR", help="A folder with the programs of a control plane."
    ),
)
"""What a sandbox is to be like; each is a parameter of `control.up`."""


def wanted_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that starts a sandbox the options that say what it is to be like."""
    return reduce(lambda made, option: option(made), reversed(WANTED), command)


node_argument = click.argument("node", metavar="NODE", help="One of its real nodes, as `node-1`.")


@group.command
@name_option
@wanted_options
@output_option
def up(name: str, output: Output, **wanted: Any) -> None:
    """Start a sandbox; one that runs already is left as it is.

    Its programs are looked for in --programs, KUBEBUILDER_ASSETS, PATH and the cache; then downloaded with the
    checksums that are published beside them; then built from pinned Go modules, which takes minutes, once.
    """
    from reconciler.sandbox import control

    begun = time.monotonic()
    was_there = control.find(name) is not None
    with _telling() as tell:
        sandbox = control.up(name, **wanted, tell=tell)
    _print(sandbox, output, "already running" if was_there else f"ready after {time.monotonic() - begun:.1f} s")


@group.command
@name_option
@click.option("--all", "every", is_flag=True, help="Stop all sandboxes.")
def down(name: str, every: bool) -> None:
    """Stop a sandbox and remove what it kept; what a crash left of it, too."""
    from reconciler.sandbox import control

    for one in control.names() if every else (name,):
        with _telling() as tell:
            stopped = control.down(one, tell=tell)
        sys.stdout.write(f"sandbox {one} {'is stopped' if stopped else 'was not running'}\n")


@group.command
@name_option
@output_option
def status(name: str, output: Output) -> int:
    """Tell whether a sandbox runs (exit code 0) or not (1), and where its parts are."""
    from reconciler.sandbox import control

    sandbox = control.read(name)
    if sandbox is not None and sandbox.running:
        _print(sandbox, output, "running")
        return Exit.OK
    ended = [process.name for process in sandbox.processes if process.pid is None] if sandbox is not None else []
    if output == "text":
        because = f"; ended: {', '.join(ended)}" if ended else ""
        sys.stdout.write(f"sandbox {name} is not running{because}\n")
    else:
        from reconciler.cli.printing import print_document

        print_document({"name": name, "running": False, "ended": ended}, output)
    return Exit.FAILED


@group.command(context_settings=FORWARDING)
@name_option
@wanted_options
@click.pass_context
def run(context: click.Context, /, name: str, **wanted: Any) -> int:
    """Run a command with KUBECONFIG set to a sandbox: `reconciler sandbox run -- CMD ARGS`.

    The sandbox is started where it does not run and stopped again in the end; the command's exit code is passed on.
    """
    from reconciler.errors import UsageError
    from reconciler.sandbox import control

    if not context.args:
        raise UsageError("there is no command to run: reconciler sandbox run -- CMD ARGS")
    was_there = control.find(name) is not None
    with _telling() as tell:
        sandbox = control.up(name, **wanted, tell=tell)
    surroundings = {**os.environ, "KUBECONFIG": str(sandbox.kubeconfig), "RECONCILER_SANDBOX": name}
    with _ended_by_its_command() as obeyed_by:
        try:
            command = subprocess.Popen(context.args, env=surroundings)
        except OSError as error:
            raise UsageError(f"{context.args[0]} cannot be run: {error.strerror}") from error
        else:
            obeyed_by(command)
            code = command.wait()
        finally:
            if not was_there:
                control.down(name)
    return code if code >= 0 else 128 - code


@group.command
@click.argument(
    "archives",
    type=PATH,
    nargs=-1,
    required=True,
    metavar="ARCHIVE...",
    help="OCI or Docker archives of images.",
)
@name_option
def load(archives: tuple[Path, ...], name: str) -> None:
    """Give all real nodes the images of archives, as pulled ones: Pods find them by name."""
    from reconciler.sandbox import control

    sandbox = _running(name)
    with _telling() as tell:
        for archive in archives:
            control.load(sandbox, archive, tell=tell)


@group.command("exec", context_settings=FORWARDING)
@node_argument
@name_option
@click.pass_context
def execute(context: click.Context, node: str, name: str) -> int:
    """Run a command in a real node: `reconciler sandbox exec node-1 -- crictl ps`; its exit code is passed on.

    What the node has of its own is seen as it sees it: network, processes, /etc, /opt, /run, /var/lib, /var/log.
    """
    from reconciler.errors import UsageError
    from reconciler.sandbox import control

    if not context.args:
        raise UsageError(f"there is no command to run: reconciler sandbox exec {node} -- CMD ARGS")
    inside = control.entering(_running(name), node)
    return subprocess.run((*inside, *context.args), check=False).returncode


@group.command
@node_argument
@name_option
def lose(node: str, name: str) -> None:
    """End a real node at once, as when its power goes; its Pods are made elsewhere some 40 seconds later."""
    from reconciler.sandbox import control

    control.lose(_running(name), node)
    sys.stdout.write(f"{node} of sandbox {name} is lost\n")


@group.command
@node_argument
@name_option
def recover(node: str, name: str) -> None:
    """Start a real node that was lost, with what it has on its disk."""
    from reconciler.sandbox import control

    control.bring_back(_running(name), node)
    sys.stdout.write(f"{node} of sandbox {name} is back\n")


def _running(name: str) -> Sandbox:
    """Return a sandbox that was started, a lost node or not."""
    from reconciler.errors import SandboxError
    from reconciler.sandbox import control

    sandbox = control.read(name)
    if sandbox is None:
        raise SandboxError(f"sandbox {name} is not running: reconciler sandbox up --name {name} --real")
    return sandbox


@contextmanager
def _ended_by_its_command() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Let the command decide when it ends: Ctrl-C reaches it by its terminal, SIGTERM is passed on.

    Gives what to call with the command once it is started; a SIGTERM that came before that is passed on then.
    """
    started: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(number: int, _: object) -> None:
        asked.append(number)
        for command in started:
            command.terminate()

    def obey(command: subprocess.Popen[bytes]) -> None:
        started.append(command)
        if asked:
            command.terminate()

    kept = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
    }
    try:
        yield obey
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Give a way to tell what takes time: a line that lives and counts on a terminal, else one plain line each."""
    if not sys.stderr.isatty():
        yield lambda message: print(message, file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def tell(message: str) -> None:
            for task in progress.tasks:
                progress.update(task.id, completed=1)
            progress.add_task(message, total=1)

        yield tell
        for task in progress.tasks:
            progress.update(task.id, completed=1)


def _print(sandbox: Sandbox, output: Output, state: str) -> None:
    document = _document(sandbox)
    if output != "text":
        from reconciler.cli.printing import print_document

        print_document(document, output)
        return
    sys.stdout.write(
        f"sandbox {sandbox.name}: {state}\n"
        f"  Kubernetes {document['version']} at {sandbox.server}, {sandbox.nodes} {'real' if sandbox.layout else 'played'} nodes\n"
        f"  {', '.join(f'{name} (pid {pid})' for name, pid in document['processes'].items())}\n"
        f"  export KUBECONFIG={sandbox.kubeconfig}\n"
    )


def _document(sandbox: Sandbox) -> dict[str, Any]:
    from reconciler.sandbox.versions import KUBERNETES

    return {
        "name": sandbox.name,
        "running": True,
        "version": KUBERNETES,
        "server": sandbox.server,
        "nodes": sandbox.nodes,
        "real": sandbox.layout is not None,
        "kubeconfig": str(sandbox.kubeconfig),
        "kubectl": str(sandbox.kubectl),
        "auditLog": str(sandbox.audit_log),
        "processes": {process.name: process.pid for process in sandbox.processes},
    }
