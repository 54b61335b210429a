"""Agents as real processes, as Pods would run them: with the ServiceAccount's files where a Pod has them."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox

FILES = "/run/secrets/kubernetes.io/serviceaccount"
IN_POD = f'mount -t tmpfs none /run && mkdir -p {FILES} && cp "$0"/* {FILES}/ && exec "$@"'
UNSHARED = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
SECONDS = 60.0


def possible() -> bool:
    """Whether a process can have mounts of its own here: as root, or where users may make namespaces."""
    try:
        return subprocess.run((*UNSHARED, "true"), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@dataclass(slots=True)
class Agent:
    """A running agent."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def wait_for(self, event: str, after: int = 0, within: float = SECONDS, **fields: object) -> dict[str, Any]:
        """Return the first logged event, from a line on, that has these fields."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            for line in self.lines[after:]:
                if line["event"] == event and all(line.get(key) == value for key, value in fields.items()):
                    return line
            assert self.process.poll() is None, f"the agent ended:\n{self.log.read_text()[-4000:]}"
            time.sleep(0.05)
        raise AssertionError(f"no {event} {fields} within {within} s:\n{self.log.read_text()[-6000:]}")

    def get(self, path: str) -> str:
        """Ask its server."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how long it took."""
        begun = time.monotonic()
        self.process.terminate()
        return self.process.wait(timeout=60), time.monotonic() - begun

    def kill(self) -> None:
        """End it as the machine under it would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)


@dataclass(frozen=True, slots=True)
class Pod:
    """The identity of a Pod: a folder with token, ca.crt and namespace, and the API server's address."""

    folder: Path
    server: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, sandbox: Sandbox, folder: Path, account: str, namespace: str) -> Pod:
        """Return the identity of a ServiceAccount, as the TokenRequest API and the root CA's ConfigMap give it."""
        folder.mkdir(parents=True)
        kubectl = sandbox.run_kubectl
        (folder / "token").write_text(kubectl("create", "token", account, "-n", namespace, "--duration", "1h").strip())
        (folder / "ca.crt").write_text(
            kubectl("get", "configmap", "kube-root-ca.crt", "-n", namespace, "-o", r"jsonpath={.data.ca\.crt}")
        )
        (folder / "namespace").write_text(namespace)
        server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").strip()
        return cls(folder, server)

    @property
    def credential(self) -> str:
        """What the audit log calls this token (KEP-4193)."""
        payload = (self.folder / "token").read_text().split(".")[1]
        return f"JTI={json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))['jti']}"

    def command(self, *arguments: str) -> list[str]:
        """Return a command line that runs with this identity, see `possible`."""
        return [*UNSHARED, "sh", "-c", IN_POD, str(self.folder), *arguments]

    @property
    def surroundings(self) -> dict[str, str]:
        """The variables that a Pod has."""
        host, _, port = self.server.removeprefix("https://").rpartition(":")
        return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


@contextmanager
def running(pod: Pod, folder: Path, port: int, *options: str, **variables: str) -> Iterator[Agent]:
    """Run an agent for environment `dev` in a Pod's place; it is ended at the latest when left."""
    folder.mkdir(parents=True)
    arguments = (sys.executable, "-m", "reconciler.cli.main", "--log-format", "json", "agent", "--in-cluster")
    settings = ("--environment", "dev", "--mirror", str(folder / "mirror"), "--listen", f"127.0.0.1:{port}")
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "RECONCILER_", "GIT_"))}
    surroundings = {**keep, **pod.surroundings, "RECONCILER_CACHE_DIR": str(folder / "cache"), **variables}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            pod.command(*arguments, *settings, *options),
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Agent(process, log, port)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=10)


class Proxy:
    """A way to a server that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.port = free_port()
        self._listener: socket.socket | None = None
        self._pairs: list[socket.socket] = []

    @classmethod
    @contextmanager
    def to(cls, url: str) -> Iterator[Proxy]:
        """Give a way to the server of a URL."""
        host, _, port = url.rpartition("/")[2].rpartition(":")
        proxy = cls(host, int(port))
        proxy.up()
        try:
            yield proxy
        finally:
            proxy.down()

    def up(self) -> None:
        """Take connections."""
        self._listener = listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections and cut those that there are."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._pairs += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
