"""A local control plane: up, down, status. Real programs as plain processes, several sandboxes side by side."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import SandboxError, UsageError
from reconciler.sandbox import certificates, cluster, places, programs
from reconciler.sandbox.commands import COMMANDS, Settings
from reconciler.sandbox.processes import Process
from reconciler.sandbox.versions import KUBERNETES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_NAME: Final = "default"
NAME_PATTERN: Final = r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?"
DEFAULT_NODES: Final = 3
READY_SECONDS: Final = 60.0
PORTS: Final = range(20_000, 32_000)  # below the range that outgoing connections take theirs from
ATTEMPTS: Final = 3


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


def find(name: str) -> Sandbox | None:
    """Return a running sandbox; None where there is none of this name or not all of it runs."""
    found = _read(name)
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
    _check(name)
    running = find(name)
    if running is not None:
        return running
    found = programs.find_all(places.programs_dir(), folder, tell=tell)
    down(name)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _start(name, found, nodes, storage_class=storage_class, tell=tell)
        except _PortTaken as error:
            if attempt == ATTEMPTS:
                raise SandboxError(str(error)) from error
    raise AssertionError("not reached")


def down(name: str) -> bool:
    """Stop a sandbox and remove its folder; return whether there was one. Works on what a crash left, too."""
    _check(name)
    directory = places.state_dir() / name
    if not directory.exists():
        return False
    for process in reversed([Process(item, directory) for item in COMMANDS]):
        process.stop()
    shutil.rmtree(directory, ignore_errors=True)
    return True


class _PortTaken(Exception):
    """Somebody took a port between our look and our use."""


def _start(
    name: str,
    found: Mapping[str, Path],
    nodes: int,
    *,
    storage_class: bool,
    tell: Callable[[str], None],
) -> Sandbox:
    directory = places.state_dir() / name
    try:
        directory.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise SandboxError(f"{directory} cannot be made: {error.strerror}; set RECONCILER_STATE_DIR") from error
    with _down_on_failure(name):
        settings = Settings(directory, *_free_ports(5))
        sandbox = Sandbox(name, directory, settings.server, nodes, {key: str(path) for key, path in found.items()})
        _write_files(settings, name)
        tell("starting etcd and the API server")
        for part in ("etcd", "kube-apiserver"):
            Process(part, directory).start(COMMANDS[part](str(found[part]), settings))
        _await(lambda: _answers(settings), sandbox)
        tell("starting controllers, scheduler and nodes")
        for part in ("kube-controller-manager", "kube-scheduler", "kwok"):
            Process(part, directory).start(COMMANDS[part](str(found[part]), settings))
        _create(sandbox, cluster.objects(nodes, storage_class=storage_class))
        _await(lambda: _settled(sandbox), sandbox)
        (directory / "sandbox.json").write_text(json.dumps(_document(sandbox), indent=2) + "\n")
    return sandbox


@contextmanager
def _down_on_failure(name: str) -> Iterator[None]:
    """Leave nothing running where the start fails or is interrupted."""
    try:
        yield
    except BaseException:
        down(name)
        raise


def _write_files(settings: Settings, name: str) -> None:
    directory = settings.directory
    ca = certificates.authority(f"sandbox-{name}")
    serving = certificates.server(
        ca, "kube-apiserver", ("127.0.0.1", settings.service_address), ("localhost", "kubernetes.default.svc")
    )
    tokens = certificates.signing_key()
    secret = {
        "ca.key": ca.key_pem,
        "server.key": serving.key_pem,
        "tokens.key": certificates.private_pem(tokens),
        "kubeconfig": _kubeconfig(settings.server, name, ca, certificates.client(ca, "admin", ("system:masters",))),
    }
    public = {
        "ca.crt": ca.certificate_pem,
        "server.crt": serving.certificate_pem,
        "tokens.pub": certificates.public_pem(tokens),
        "audit.yaml": b"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n",
    }
    for file, content in {**secret, **public}.items():
        path = directory / file
        path.touch(mode=0o600 if file in secret else 0o644)
        path.write_bytes(content)


def _kubeconfig(server: str, name: str, ca: certificates.Pair, user: certificates.Pair) -> bytes:
    def encoded(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    title = f"sandbox-{name}"
    return yaml.dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": title,
            "contexts": [{"name": title, "context": {"cluster": title, "user": title}}],
            "clusters": [
                {
                    "name": title,
                    "cluster": {"server": server, "certificate-authority-data": encoded(ca.certificate_pem)},
                }
            ],
            "users": [
                {
                    "name": title,
                    "user": {
                        "client-certificate-data": encoded(user.certificate_pem),
                        "client-key-data": encoded(user.key_pem),
                    },
                }
            ],
        }
    ).encode()


def _free_ports(count: int) -> list[int]:
    """Return free ports that no outgoing connection will take; the kernel says which are free."""
    found: list[int] = []
    start = time.monotonic_ns() // 1000 % len(PORTS)
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise SandboxError(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")


def _answers(settings: Settings) -> bool:
    context = ssl.create_default_context(cafile=str(settings.directory / "ca.crt"))
    try:
        with urllib.request.urlopen(f"{settings.server}/readyz", timeout=2, context=context) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _settled(sandbox: Sandbox) -> bool:
    """Whether the nodes are Ready and namespaces get their ServiceAccounts."""
    if subprocess.run(
        _kubectl(sandbox, "get", "serviceaccount", "default"), capture_output=True, check=False
    ).returncode:
        return False
    done = subprocess.run(_kubectl(sandbox, "get", "nodes", "-o", "json"), capture_output=True, check=False)
    if done.returncode:
        return False
    conditions = [item.get("status", {}).get("conditions", []) for item in json.loads(done.stdout)["items"]]
    ready = [any(one["type"] == "Ready" and one["status"] == "True" for one in item) for item in conditions]
    return sum(ready) == sandbox.nodes


def _await(ready: Callable[[], bool], sandbox: Sandbox) -> None:
    until = time.monotonic() + READY_SECONDS
    while not ready():
        for process in sandbox.processes:
            if process.pid is None and process.log.exists():
                words = process.last_words()
                if "address already in use" in words:
                    raise _PortTaken(words)
                raise SandboxError(f"{process.name} ended at once; the end of its log:\n{words}")
        if time.monotonic() > until:
            logs = "\n".join(f"{item.name}: {item.last_words().splitlines()[-1:]}" for item in sandbox.processes)
            raise SandboxError(f"the control plane is not ready after {READY_SECONDS:.0f} s; last words:\n{logs}")
        time.sleep(0.05)


def _create(sandbox: Sandbox, objects: list[dict[str, Any]]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    command = _kubectl(sandbox, "create", "-f", "-")
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SandboxError(f"the nodes cannot be created: {done.stderr.strip()}")


def _kubectl(sandbox: Sandbox, *arguments: str) -> tuple[str, ...]:
    return (str(sandbox.kubectl), "--kubeconfig", str(sandbox.kubeconfig), *arguments)


def _document(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": sandbox.name,
        "server": sandbox.server,
        "nodes": sandbox.nodes,
        "version": KUBERNETES,
        "programs": dict(sandbox.programs),
    }


def _read(name: str) -> Sandbox | None:
    directory = places.state_dir() / name
    try:
        told = json.loads((directory / "sandbox.json").read_text())
        return Sandbox(name, directory, told["server"], told["nodes"], told["programs"])
    except (OSError, ValueError, KeyError):
        return None


def _check(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} is no name for a sandbox: expected lower case letters, digits and dashes, at most 40"
        )
