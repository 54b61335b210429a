"""Real git over real HTTP on this machine: `git http-backend` behind a server that counts, refuses or stalls on demand."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.forge.client import plain_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IDENTITY: Final = {
    f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(root: Path, *arguments: str) -> str:
    """Run git with a fixed identity; return what it prints."""
    environment = {**plain_environment(), **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(("git", *arguments), cwd=root, check=True, env=environment, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass(slots=True)
class Upstream:
    """A repository on the server, with a working tree that nobody sees."""

    root: Path
    url: str

    def commit(self, files: Mapping[str, str | Path], tag: str = "") -> str:
        """Write files (a Path makes a link to it), commit them and perhaps tag them; return the commit."""
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            if isinstance(content, Path):
                target.symlink_to(content)
            else:
                target.write_text(content)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "--allow-empty", "-m", "Change files")
        if tag:
            git(self.root, "tag", "-f", "-a", tag, "-m", tag)
        return git(self.root, "rev-parse", "HEAD")


@dataclass(slots=True)
class GitServer:
    """A server of the repositories below a folder.

    `requests` are the paths asked for. `token`, where set, is the password that every request has to give. `protocol`
    is the newest version of git's protocol that is spoken; below 2 a server gives commits that are no tip only if it is
    set up to. `stalled`, where set: requests are read, and not answered before it happens.
    """

    root: Path
    port: int = 0
    requests: list[str] = field(default_factory=list)
    token: str = ""
    protocol: int = 2
    stalled: threading.Event | None = None

    @property
    def host(self) -> str:
        """What an allow-list has to name."""
        return f"127.0.0.1:{self.port}"

    def repository(self, name: str) -> Upstream:
        """Make a repository."""
        root = self.root / name
        root.mkdir(parents=True)
        git(root, "init", "-q", "-b", "main")
        git(root, "config", "http.receivepack", "false")
        return Upstream(root, f"http://{self.host}/{name}")

    def remove(self, upstream: Upstream) -> None:
        """Take a repository away."""
        shutil.rmtree(upstream.root)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request with git's own program."""
        self.requests.append(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        if handler.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(_chunks(handler))
        if self.stalled is not None:
            self.stalled.wait()
            return
        if self.token and not _knows(handler.headers.get("Authorization", ""), self.token):
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="git"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        path, _, query = handler.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", "") if self.protocol >= 2 else "",
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(
            ("git", "http-backend"), input=body, capture_output=True, check=False, env=plain_environment() | variables
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        handler.send_response(int(status.split()[0]))
        for name, value in fields:
            if name != "Status":
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def _knows(header: str, token: str) -> bool:
    return base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[2] == token


def _chunks(handler: http.server.BaseHTTPRequestHandler) -> Iterator[bytes]:
    while size := int(handler.rfile.readline(), 16):
        yield handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()


@contextmanager
def serving(root: Path) -> Iterator[GitServer]:
    """Serve the repositories of a folder on a free port."""
    shared = GitServer(root)

    class Handler(http.server.BaseHTTPRequestHandler):
        """Hands requests over."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer."""
            shared.answer(self)

        def do_POST(self) -> None:
            """Answer."""
            shared.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shared.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield shared
    finally:
        if shared.stalled is not None:
            shared.stalled.set()
        server.shutdown()
        thread.join()
        server.server_close()
