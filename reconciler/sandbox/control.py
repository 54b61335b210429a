"""A local control plane: up, down, status. Real programs as plain processes, several sandboxes side by side."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import SandboxError, UsageError
from reconciler.sandbox import cluster, files, locks, places, programs, ready
from reconciler.sandbox.commands import COMMANDS, LOOPBACK, Settings
from reconciler.sandbox.nodes import fleet, node
from reconciler.sandbox.processes import Process
from reconciler.sandbox.versions import KUBERNETES, NODE_PROGRAMS, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.sandbox.nodes.layout import Layout, Machine

DEFAULT_NAME: Final = "default"
NAME_PATTERN: Final = r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?"
DEFAULT_NODES: Final = 3
PORT_COUNT: Final = 5
USUAL_PORT: Final = 6443  # of API servers: network policies name it
ATTEMPTS: Final = 3
PLAYED: Final = "kwok"  # what plays nodes, where they are not real
STEPS: Final = (
    ("starting etcd and the API server", ("etcd", "kube-apiserver")),
    ("starting controllers and scheduler", ("kube-controller-manager", "kube-scheduler", PLAYED)),
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One sandbox, as its folder says. `layout` is None where its nodes are played."""

    name: str
    directory: Path
    server: str
    nodes: int
    programs: Mapping[str, str]
    layout: Layout | None = None

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of its administrator."""
        return self.directory / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        """The kubectl of its version."""
        return Path(self.programs["kubectl"])

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON document a line, at level Metadata."""
        return self.directory / "audit.log"

    @property
    def processes(self) -> tuple[Process, ...]:
        """Its processes, in the order of their start."""
        nodes = fleet.processes(self.layout, self.directory) if self.layout is not None else ()
        return (*self.control_plane, *nodes)

    @property
    def control_plane(self) -> tuple[Process, ...]:
        """Those without which it is no cluster; with them stands what plays its nodes."""
        names = (name for name in COMMANDS if self.layout is None or name != PLAYED)
        return tuple(Process(name, self.directory) for name in names)

    @property
    def running(self) -> bool:
        """Whether its control plane runs; a real node may be lost, as any cluster's."""
        return all(process.pid is not None for process in self.control_plane)

    def run_kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run its kubectl as its administrator and return what that prints; raises SandboxError where it fails."""
        command = (str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments)
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
        if done.returncode:
            raise SandboxError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def machine(self, name: str) -> Machine:
        """Return one of its real nodes; raises UsageError where there is none of this name."""
        machines = self.layout.machines if self.layout is not None else ()
        found = next((one for one in machines if one.name == name), None)
        if found is None:
            there = ", ".join(one.name for one in machines) or "none: it was started without --real"
            raise UsageError(f"sandbox {self.name} has no real node {name!r}; it has {there}")
        return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new sandbox should have."""

    nodes: int
    real: bool
    storage_class: bool
    pod_network: bool


def read(name: str) -> Sandbox | None:
    """Return a sandbox that was started, whether or not its processes still run; None where there is none."""
    _check(name)
    directory = places.state_dir() / name
    try:
        told = json.loads((directory / "sandbox.json").read_text())
        return Sandbox(name, directory, told["server"], told["nodes"], told["programs"], fleet.read(directory))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find(name: str) -> Sandbox | None:
    """Return a running sandbox; None where there is none of this name or not all of it runs."""
    found = read(name)
    return found if found is not None and found.running else None


def names() -> tuple[str, ...]:
    """Return the names of all sandboxes that have a folder, running or not."""
    root = places.state_dir()
    return tuple(sorted(item.name for item in root.iterdir() if item.is_dir())) if root.is_dir() else ()


def up(
    name: str = DEFAULT_NAME,
    *,
    nodes: int = DEFAULT_NODES,
    storage_class: bool = True,
    real: bool = False,
    pod_network: bool = True,
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Sandbox:
    """Start a sandbox, or return the one that runs; what a crash left of it is cleared first.

    Played nodes come with a StorageClass unless told otherwise, real ones with a network for their Pods.
    """
    wanted = Wanted(nodes=nodes, real=real, storage_class=storage_class, pod_network=pod_network)
    if (running := find(name)) is not None:
        return _fitting(running, wanted)
    if places.system() != "linux":
        raise SandboxError("the control plane's programs run on Linux only: use a cluster.context instead")
    if wanted.real:  # before minutes of building
        fleet.choose(name, wanted.nodes, _shared_folders(), with_pod_network=wanted.pod_network)
    found = _programs(wanted, folder, tell)
    with _alone(name, tell):
        if (running := find(name)) is not None:
            return _fitting(running, wanted)
        _remove(name)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _start(name, found, wanted, tell=tell)
            except ready.PortTaken:
                if attempt == ATTEMPTS:
                    raise
    raise AssertionError("not reached")


def down(name: str, *, tell: Callable[[str], None] = lambda _: None) -> bool:
    """Stop a sandbox and remove its folder; return whether there was one. Works on what a crash left, too."""
    _check(name)
    with _alone(name, tell):
        return _remove(name)


@contextmanager
def _alone(name: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Keep other processes from starting or stopping the same sandbox meanwhile."""
    try:
        lock = locks.held(places.lock_file(name), lambda: tell(f"waiting for another process that has sandbox {name}"))
        with lock:
            yield
    except OSError as error:
        place = places.state_dir().parent
        raise SandboxError(f"{place} cannot be used: {error.strerror}; set RECONCILER_STATE_DIR") from error


def lose(sandbox: Sandbox, name: str) -> None:
    """End one real node at once, with all that runs on it; its Node object stays."""
    node.stop(sandbox.machine(name), sandbox.directory)


def bring_back(sandbox: Sandbox, name: str) -> None:
    """Start a real node that was lost, with what it had on its disk. Raises SandboxError where it still runs."""
    machine = sandbox.machine(name)
    if node.processes(machine, sandbox.directory)[0].pid is not None:
        raise SandboxError(f"{name} runs")
    if sandbox.layout is not None:
        node.start(sandbox.layout, machine, sandbox.directory, sandbox.programs, sandbox.directory / fleet.PAUSE)


def load(sandbox: Sandbox, archive: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
    """Give every real node the images of an OCI archive. Raises UsageError where the sandbox has no real nodes."""
    if sandbox.layout is None:
        raise UsageError(f"sandbox {sandbox.name} has no real nodes: it was started without --real")
    for machine in sandbox.layout.machines:
        tell(f"loading {archive.name} into {machine.name}")
        node.load(node.enter(machine, sandbox.directory), sandbox.programs["ctr"], archive)


def entering(sandbox: Sandbox, name: str) -> tuple[str, ...]:
    """Return what runs a command in a real node when it stands before it."""
    return node.enter(sandbox.machine(name), sandbox.directory)


def _programs(wanted: Wanted, folder: Path | None, tell: Callable[[str], None]) -> Mapping[str, Path]:
    control = [one for one in PROGRAMS if not (wanted.real and one.name == PLAYED)]
    found = programs.find_all(control, places.programs_dir(), folder, tell=tell)
    if not wanted.real:
        return found
    return {**found, **programs.find_all(NODE_PROGRAMS, places.node_programs_dir(), folder, tell=tell)}


def _shared_folders() -> tuple[Path, ...]:
    return (places.state_dir(), places.programs_dir(), places.node_programs_dir())


def _fitting(running: Sandbox, wanted: Wanted) -> Sandbox:
    """Return a sandbox that runs; raises UsageError where it has nodes of the other kind."""
    if wanted.real and running.layout is None:
        raise UsageError(
            f"sandbox {running.name} runs with nodes that are played: take it down, or give another --name"
        )
    return running


def _remove(name: str) -> bool:
    directory = places.state_dir() / name
    if not directory.exists():
        return False
    fleet.remove(directory)
    for item in reversed(tuple(COMMANDS)):
        Process(item, directory).stop()
    shutil.rmtree(directory, ignore_errors=True)
    return True


def _start(name: str, found: Mapping[str, Path], wanted: Wanted, *, tell: Callable[[str], None]) -> Sandbox:
    directory = places.state_dir() / name
    directory.mkdir(parents=True, mode=0o700)
    with _removed_on_failure(name):
        layout = None
        if wanted.real:
            layout = fleet.choose(name, wanted.nodes, _shared_folders(), with_pod_network=wanted.pod_network)
            fleet.prepare(layout, directory)
        address = str(layout.gateway) if layout is not None else LOOPBACK
        settings = Settings(directory, address, *ready.free_ports(PORT_COUNT))
        if settings.real:
            settings = replace(settings, server_port=ready.port_at(address, USUAL_PORT, otherwise=settings.server_port))
        told = {key: str(path) for key, path in found.items()}
        sandbox = Sandbox(name, directory, settings.server, wanted.nodes, told, layout)
        authority = files.write(settings, name)
        _start_control_plane(sandbox, settings, tell)
        if layout is None:
            _create(sandbox, cluster.objects(wanted.nodes, storage_class=wanted.storage_class), "kubectl-create")
        else:
            _create(sandbox, fleet.objects(layout), "kubelet")
            fleet.start(layout, directory, settings.server, authority, told, tell)
        ready.wait(lambda: _settled(sandbox), sandbox.processes)
        (directory / "sandbox.json").write_text(json.dumps(_document(sandbox), indent=2) + "\n")
    return sandbox


def _create(sandbox: Sandbox, objects: Sequence[Mapping[str, Any]], manager: str) -> None:
    """Create what a sandbox begins with, as if made by whoever makes it elsewhere."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    sandbox.run_kubectl("create", f"--field-manager={manager}", "-f", "-", stdin=text)


def _start_control_plane(sandbox: Sandbox, settings: Settings, tell: Callable[[str], None]) -> None:
    for message, parts in STEPS:
        tell(message)
        for part in parts:
            if part in sandbox.programs:
                Process(part, sandbox.directory).start(COMMANDS[part](sandbox.programs[part], settings))
        started = tuple(process for process in sandbox.processes if process.log.exists())
        ready.wait(lambda: ready.answers(settings.server, sandbox.directory / "ca.crt"), started)


@contextmanager
def _removed_on_failure(name: str) -> Iterator[None]:
    """Leave nothing running where the start fails or is interrupted."""
    try:
        yield
    except BaseException:
        _remove(name)
        raise


def _settled(sandbox: Sandbox) -> bool:
    """Whether the nodes are Ready and namespaces get their ServiceAccounts.

    Real nodes without a Pod network cannot be Ready: it is enough that their kubelets have told of them.
    """
    good = ("True",) if sandbox.layout is None or sandbox.layout.with_pod_network else ("True", "False")
    try:
        sandbox.run_kubectl("get", "serviceaccount", "default")
        nodes = json.loads(sandbox.run_kubectl("get", "nodes", "-o", "json"))["items"]
    except SandboxError:
        return False
    conditions = [item.get("status", {}).get("conditions", []) for item in nodes]
    ok = [any(one["type"] == "Ready" and one["status"] in good for one in item) for item in conditions]
    return sum(ok) == sandbox.nodes


def _document(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": sandbox.name,
        "server": sandbox.server,
        "nodes": sandbox.nodes,
        "version": KUBERNETES,
        "programs": dict(sandbox.programs),
    }


def _check(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} is no name for a sandbox: expected lower case letters, digits and dashes, at most 40"
        )
