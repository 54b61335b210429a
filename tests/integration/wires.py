"""What tests of mirrors share: wires that can stall in the middle of a pack, and a look at what git leaves behind."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.sandbox import ready
from tests.forge.client import plain_environment

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from reconciler.source.mirror import Mirror

BLOB: Final = 2 << 20
HALF: Final = 1 << 20
MARK: Final = "RECONCILER_TEST_MIRROR"
IDENTITY = {f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(root: Path, *arguments: str) -> str:
    """Run git with a fixed identity; return what it prints."""
    environment = {**plain_environment(), **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(("git", *arguments), cwd=root, check=True, env=environment, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, content: bytes) -> str:
    """Commit the file `a` with a content; return the commit."""
    (root / "a").write_bytes(content)
    git(root, "add", "a")
    git(root, "commit", "-q", "-m", "Write a")
    return git(root, "rev-parse", "HEAD")


def reads(mirror: Mirror) -> bytes:
    """Read the file `a` of the branch."""
    with closing(mirror.repository()) as repository:
        return repository.tree("main").read("a")


def talkers() -> list[str]:
    """Return the command lines of the git and ssh processes that use a mirror of these tests, whoever started them."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={os.getpid()}".encode() in (entry / "environ").read_bytes():
                lines.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return [line for line in lines if line]


def half_written(directory: Path) -> list[Path]:
    """Return the packs that a fetch is writing, or has left."""
    return list((directory / "repository.git" / "objects").rglob("tmp_*"))


def leftovers(mirror: Mirror) -> list[str]:
    """Return the names of files that only a git at work has."""
    return [path.name for path in mirror.path.rglob("*") if path.name.startswith("tmp_") or path.suffix == ".lock"]


class Wire(socketserver.ThreadingTCPServer):
    """A way to a server on this machine; it records what clients send, and stalls where it is told to."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        """Lead to a port."""
        super().__init__(("127.0.0.1", ready.free_ports(1)[0]), _Carrier)
        self.target, self.tls = target, tls
        self.port = int(self.server_address[1])
        self.stall_after: int | None = None  # bytes of one connection
        self.stalled, self.ending = threading.Event(), threading.Event()
        self.heard = bytearray()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are killed here."""


class _Carrier(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Carry bytes both ways until one side ends."""
        wire = self.server
        assert isinstance(wire, Wire)
        near = self.request if wire.tls is None else wire.tls.wrap_socket(self.request, server_side=True)
        with near, socket.create_connection(("127.0.0.1", wire.target)) as far, suppress(OSError):
            threading.Thread(target=self._send, args=(near, far, wire), daemon=True).start()
            count = 0
            while data := far.recv(16384):
                near.sendall(data)
                count += len(data)
                if wire.stall_after is not None and count >= wire.stall_after:
                    wire.stalled.set()
                    wire.ending.wait()
                    break
            near.shutdown(socket.SHUT_RDWR)  # closing alone does not end it while another thread reads

    @staticmethod
    def _send(near: socket.socket, far: socket.socket, wire: Wire) -> None:
        with suppress(OSError, ValueError):
            while data := near.recv(16384):
                wire.heard += data
                far.sendall(data)
        with suppress(OSError):
            far.shutdown(socket.SHUT_WR)


@contextmanager
def wire_to(target: int, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Serve a wire."""
    with Wire(target, tls) as wire:
        thread = threading.Thread(target=wire.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield wire
        finally:
            wire.ending.set()
            wire.shutdown()
            thread.join()
