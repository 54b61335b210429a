"""`reconciler sandbox up|down|status|run`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.exits import Exit
from reconciler.cli.invocation import Output, OutputOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.sandbox.control import Sandbox

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A real local Kubernetes control plane: etcd, API server, controllers, scheduler, and nodes, played or real.",
)

NameOption = Annotated[str, typer.Option("--name", help="Which sandbox; several run side by side.")]
NodesOption = Annotated[int, typer.Option("--nodes", min=1, max=1000, help="How many nodes it has.")]
ProgramsOption = Annotated[
    Path | None, typer.Option("--programs", metavar="DIR", help="A folder with the programs of a control plane.")
]
ClassOption = Annotated[
    bool,
    typer.Option("--storage-class/--no-storage-class", help="Whether it has a default StorageClass (played nodes)."),
]
RealOption = Annotated[
    bool, typer.Option("--real", help="Real nodes (kubelet, containerd, runc, kube-proxy): Pods run. Needs root.")
]
NetworkOption = Annotated[
    bool,
    typer.Option("--pod-network/--no-pod-network", help="Whether real nodes have a network for Pods, or wait for one."),
]
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="One of its real nodes, as `node-1`.")]


@app.command("up")
def up(
    name: NameOption = "default",
    nodes: NodesOption = 3,
    storage_class: ClassOption = True,
    real: RealOption = False,
    pod_network: NetworkOption = True,
    programs: ProgramsOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Start a sandbox; one that runs already is left as it is.

    Its programs are looked for in --programs, KUBEBUILDER_ASSETS, PATH and the cache; then downloaded with the
    checksums that are published beside them; then built from pinned Go modules, which takes minutes, once.
    """
    from reconciler.sandbox import control

    begun = time.monotonic()
    was_there = control.find(name) is not None
    with _telling() as tell:
        sandbox = control.up(
            name,
            nodes=nodes,
            storage_class=storage_class,
            real=real,
            pod_network=pod_network,
            folder=programs,
            tell=tell,
        )
    _print(sandbox, output, "already running" if was_there else f"ready after {time.monotonic() - begun:.1f} s")


@app.command("down")
def down(
    name: NameOption = "default",
    every: Annotated[bool, typer.Option("--all", help="Stop all sandboxes.")] = False,
) -> None:
    """Stop a sandbox and remove what it kept; what a crash left of it, too."""
    from reconciler.sandbox import control

    for one in control.names() if every else (name,):
        with _telling() as tell:
            stopped = control.down(one, tell=tell)
        sys.stdout.write(f"sandbox {one} {'is stopped' if stopped else 'was not running'}\n")


@app.command("status")
def status(name: NameOption = "default", output: OutputOption = Output.TEXT) -> int:
    """Tell whether a sandbox runs (exit code 0) or not (1), and where its parts are."""
    from reconciler.sandbox import control

    sandbox = control.read(name)
    if sandbox is not None and sandbox.running:
        _print(sandbox, output, "running")
        return Exit.OK
    ended = [process.name for process in sandbox.processes if process.pid is None] if sandbox is not None else []
    if output is Output.TEXT:
        because = f"; ended: {', '.join(ended)}" if ended else ""
        sys.stdout.write(f"sandbox {name} is not running{because}\n")
    else:
        from reconciler.cli.printing import print_document

        print_document({"name": name, "running": False, "ended": ended}, output)
    return Exit.FAILED


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    name: NameOption = "default",
    nodes: NodesOption = 3,
    storage_class: ClassOption = True,
    real: RealOption = False,
    pod_network: NetworkOption = True,
    programs: ProgramsOption = None,
) -> int:
    """Run a command with KUBECONFIG set to a sandbox: `reconciler sandbox run -- CMD ARGS`.

    The sandbox is started where it does not run and stopped again in the end; the command's exit code is passed on.
    """
    from reconciler.errors import UsageError
    from reconciler.sandbox import control

    if not context.args:
        raise UsageError("there is no command to run: reconciler sandbox run -- CMD ARGS")
    was_there = control.find(name) is not None
    with _telling() as tell:
        sandbox = control.up(
            name,
            nodes=nodes,
            storage_class=storage_class,
            real=real,
            pod_network=pod_network,
            folder=programs,
            tell=tell,
        )
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


@app.command("load")
def load(
    archives: Annotated[list[Path], typer.Argument(metavar="ARCHIVE...", help="OCI or Docker archives of images.")],
    name: NameOption = "default",
) -> None:
    """Give all real nodes the images of archives, as pulled ones: Pods find them by name."""
    from reconciler.sandbox import control

    sandbox = _running(name)
    with _telling() as tell:
        for archive in archives:
            control.load(sandbox, archive, tell=tell)


@app.command("exec", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def execute(context: typer.Context, node: NodeArgument, name: NameOption = "default") -> int:
    """Run a command in a real node: `reconciler sandbox exec node-1 -- crictl ps`; its exit code is passed on.

    What the node has of its own is seen as it sees it: network, processes, /etc, /opt, /run, /var/lib, /var/log.
    """
    from reconciler.errors import UsageError
    from reconciler.sandbox import control

    if not context.args:
        raise UsageError(f"there is no command to run: reconciler sandbox exec {node} -- CMD ARGS")
    inside = control.entering(_running(name), node)
    return subprocess.run((*inside, *context.args), check=False).returncode


@app.command("lose")
def lose(node: NodeArgument, name: NameOption = "default") -> None:
    """End a real node at once, as when its power goes; its Pods are made elsewhere some 40 seconds later."""
    from reconciler.sandbox import control

    control.lose(_running(name), node)
    sys.stdout.write(f"{node} of sandbox {name} is lost\n")


@app.command("recover")
def recover(node: NodeArgument, name: NameOption = "default") -> None:
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
    if output is not Output.TEXT:
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
