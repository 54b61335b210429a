"""A local control plane: up, down, status. Real programs as plain processes, several sandboxes side by side."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import SandboxError, UsageError
from reconciler.sandbox import cluster, files, locks, places, programs, ready
from reconciler.sandbox.commands import COMMANDS, Settings
from reconciler.sandbox.processes import Process
from reconciler.sandbox.versions import KUBERNETES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_NAME: Final = "default"
NAME_PATTERN: Final = r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?"
DEFAULT_NODES: Final = 3
PORT_COUNT: Final = 5
ATTEMPTS: Final = 3
STEPS: Final = (
    ("starting etcd and the API server", ("etcd", "kube-apiserver")),
    ("starting controllers, scheduler and nodes", ("kube-controller-manager", "kube-scheduler", "kwok")),
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One sandbox, as its folder says."""

    name: str
    directory: Path
    server: str
    nodes: int
    programs: Mapping[str, str]

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
        return tuple(Process(name, self.directory) for name in COMMANDS)

    @property
    def running(self) -> bool:
        """Whether all of its processes run."""
        return all(process.pid is not None for process in self.processes)

    def run_kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run its kubectl as its administrator and return what that prints; raises SandboxError where it fails."""
        command = (str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments)
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
        if done.returncode:
            raise SandboxError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout


def read(name: str) -> Sandbox | None:
    """Return a sandbox that was started, whether or not its processes still run; None where there is none."""
    _check(name)
    directory = places.state_dir() / name
    try:
        told = json.loads((directory / "sandbox.json").read_text())
        return Sandbox(name, directory, told["server"], told["nodes"], told["programs"])
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
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Sandbox:
    """Start a sandbox, or return the one that runs; what a crash left of it is cleared first."""
    if (running := find(name)) is not None:
        return running
    if places.system() != "linux":
        raise SandboxError("the control plane's programs run on Linux only: use a cluster.context instead")
    found = programs.find_all(places.programs_dir(), folder, tell=tell)
    with _alone(name, tell):
        if (running := find(name)) is not None:
            return running
        _remove(name)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _start(name, found, nodes, storage_class=storage_class, tell=tell)
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


def _remove(name: str) -> bool:
    directory = places.state_dir() / name
    if not directory.exists():
        return False
    for item in reversed(tuple(COMMANDS)):
        Process(item, directory).stop()
    shutil.rmtree(directory, ignore_errors=True)
    return True


def _start(
    name: str,
    found: Mapping[str, Path],
    nodes: int,
    *,
    storage_class: bool,
    tell: Callable[[str], None],
) -> Sandbox:
    directory = places.state_dir() / name
    directory.mkdir(parents=True, mode=0o700)
    with _removed_on_failure(name):
        settings = Settings(directory, *ready.free_ports(PORT_COUNT))
        sandbox = Sandbox(name, directory, settings.server, nodes, {key: str(path) for key, path in found.items()})
        files.write(settings, name)
        for message, parts in STEPS:
            tell(message)
            for part in parts:
                Process(part, directory).start(COMMANDS[part](str(found[part]), settings))
            started = tuple(process for process in sandbox.processes if process.log.exists())
            ready.wait(lambda: ready.answers(settings.server, directory / "ca.crt"), started)
        objects = cluster.objects(nodes, storage_class=storage_class)
        sandbox.run_kubectl(
            "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )
        ready.wait(lambda: _settled(sandbox), sandbox.processes)
        (directory / "sandbox.json").write_text(json.dumps(_document(sandbox), indent=2) + "\n")
    return sandbox


@contextmanager
def _removed_on_failure(name: str) -> Iterator[None]:
    """Leave nothing running where the start fails or is interrupted."""
    try:
        yield
    except BaseException:
        _remove(name)
        raise


def _settled(sandbox: Sandbox) -> bool:
    """Whether the nodes are Ready and namespaces get their ServiceAccounts."""
    try:
        sandbox.run_kubectl("get", "serviceaccount", "default")
        nodes = json.loads(sandbox.run_kubectl("get", "nodes", "-o", "json"))["items"]
    except SandboxError:
        return False
    conditions = [item.get("status", {}).get("conditions", []) for item in nodes]
    ok = [any(one["type"] == "Ready" and one["status"] == "True" for one in item) for item in conditions]
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
