"""Mirrors of real remotes: a forge behind TLS and a token, an SSH server, and wires that stall in the middle of a pack."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import os
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import uuid
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.errors import SourceError
from reconciler.sandbox import ready
from reconciler.source.mirror import Mirror, Remote
from tests.integration.wires import (
    BLOB,
    HALF,
    MARK,
    commit,
    git,
    half_written,
    leftovers,
    reads,
    talkers,
    wire_to,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forge.client import Forge
    from tests.integration.wires import Wire

pytestmark = pytest.mark.cluster

WRONG: Final = "0123456789abcdef0123456789abcdef01234567"


def descendants(root: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found = list(parents.get(root, []))
    for pid in found:
        found += parents.get(pid, [])
    return found


@pytest.fixture(autouse=True)
def _marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mark what is started here, and see that all of it has ended."""
    monkeypatch.setenv(MARK, str(os.getpid()))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield
    until(lambda: not [line for line in talkers() if "git" in line], f"all processes have ended: {talkers()}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository with one small commit."""
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    commit(root, b"one")
    return root


@pytest.fixture
def repo(forge: Forge, checkout: Path) -> str:
    """Return a private repository of the forge with that commit."""
    name = f"mirror-{uuid.uuid4().hex[:8]}"
    forge.api("POST", "/user/repos", {"name": name, "default_branch": "main", "private": True})
    forge.push(checkout, name, "main")
    return name


@pytest.fixture
def wire(forge: Forge, tls: ssl.SSLContext) -> Iterator[Wire]:
    """Return a wire to the forge that speaks TLS."""
    with wire_to(int(forge.url.rpartition(":")[2]), tls) as found:
        yield found


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return a server's side of TLS, with a certificate that git trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wire")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "tls.crt").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "tls.key").write_bytes(private)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "tls.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    return context


def at(wire: Wire, forge: Forge, repo: str, token: str) -> Remote:
    """Return the remote at the end of a wire."""
    scheme = "http" if wire.tls is None else "https"
    return Remote(f"{scheme}://127.0.0.1:{wire.port}/{forge.user}/{repo}.git", "main", token)


def fetched_elsewhere(remote: Remote, directory: Path) -> subprocess.Popen[bytes]:
    """Fetch in a process of its own."""
    program = "import os, sys; from pathlib import Path; from reconciler.source.mirror import Mirror, Remote\n"
    program += "Mirror.open(Remote(sys.argv[1], 'main', os.environ['TOKEN']), Path(sys.argv[2])).fetch()"
    command = (sys.executable, "-c", program, remote.url, str(directory))
    return subprocess.Popen(command, env={**os.environ, "TOKEN": remote.token}, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("with_git", [True, False], ids=["with git", "git lives on"])
def test_a_fetch_that_is_killed_leaves_nothing_behind(
    forge: Forge, wire: Wire, repo: str, checkout: Path, tmp_path: Path, with_git: bool
) -> None:
    """In the middle of a pack, by SIGKILL; the branch stays where it was until all of the new commit is there."""
    remote, directory = at(wire, forge, repo, forge.token), tmp_path / "mirror"
    with closing(Mirror.open(remote, directory)) as mirror:
        first = mirror.fetch()
    second = commit(checkout, os.urandom(BLOB))
    forge.push(checkout, repo, "main")
    wire.stall_after = HALF
    with fetched_elsewhere(remote, directory) as process:
        until(lambda: wire.stalled.is_set() and half_written(directory), "a pack is being written")
        ending = (process.pid, *(descendants(process.pid) if with_git else ()))
        for how in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: one that sees another end would tidy up
            for pid in ending:
                os.kill(pid, how)
    assert half_written(directory)
    wire.stall_after = None
    with closing(Mirror.open(remote, directory)) as mirror:
        assert reads(mirror) == b"one"
        with closing(mirror.repository()) as repository:
            assert repository.resolve("main") == first
        assert mirror.fetch() == second
        assert len(reads(mirror)) == BLOB
        assert not leftovers(mirror)
        wire.ending.set()  # the old git, if it lives, is cut off, and must not turn anything back
        until(lambda: not talkers(), "the old git has ended")
        assert mirror.fetch() == second
        assert not leftovers(mirror)


def test_a_server_that_stalls_is_given_up(forge: Forge, wire: Wire, repo: str, checkout: Path, tmp_path: Path) -> None:
    commit(checkout, os.urandom(BLOB))
    forge.push(checkout, repo, "main")
    wire.stall_after = HALF
    with closing(Mirror.open(at(wire, forge, repo, forge.token), tmp_path / "mirror", seconds=2)) as mirror:
        with pytest.raises(SourceError, match="branch main: git fetch was given up after 2 s"):
            mirror.fetch()
        assert not [line for line in talkers() if line.startswith("git")]
        assert not leftovers(mirror)
        wire.stall_after = None
        mirror.seconds = 20.0
        mirror.fetch()
        assert len(reads(mirror)) == BLOB


def test_closing_ends_a_fetch_that_stalls(forge: Forge, wire: Wire, repo: str, checkout: Path, tmp_path: Path) -> None:
    commit(checkout, os.urandom(BLOB))
    forge.push(checkout, repo, "main")
    wire.stall_after = HALF
    mirror = Mirror.open(at(wire, forge, repo, forge.token), tmp_path / "mirror")
    told: list[str] = []

    def fetch() -> None:
        with pytest.raises(SourceError) as caught:
            mirror.fetch()
        told.append(str(caught.value))

    thread = threading.Thread(target=fetch)
    thread.start()
    until(lambda: wire.stalled.is_set() and half_written(tmp_path / "mirror"), "a pack is being written")
    mirror.close()
    thread.join()
    assert told == [f"the mirror in {tmp_path / 'mirror'} is closed"]
    assert not talkers()


def test_a_token_opens_a_private_repository(
    forge: Forge, wire: Wire, repo: str, checkout: Path, tmp_path: Path
) -> None:
    """It is in no list of processes, in no file of the mirror."""
    commit(checkout, os.urandom(BLOB))
    forge.push(checkout, repo, "main")
    pair = base64.b64encode(f"x-access-token:{forge.token}".encode()).decode()
    wire.stall_after = HALF
    mirror = Mirror.open(at(wire, forge, repo, f"{forge.token}\n"), tmp_path / "mirror")
    with closing(mirror):
        thread = threading.Thread(target=_fetch_in_vain, args=(mirror,))
        thread.start()
        until(lambda: wire.stalled.is_set() and half_written(tmp_path / "mirror"), "a pack is being written")
        lines = talkers()
        assert any("remote-https" in line for line in lines)
        assert not [line for line in lines if forge.token in line or pair in line]
        wire.stall_after = None
        wire.ending.set()
        thread.join()
        assert mirror.fetch() == git(checkout, "rev-parse", "HEAD")
        files = [path.read_bytes() for path in mirror.directory.rglob("*") if path.is_file()]
        assert not [content for content in files if forge.token.encode() in content or pair.encode() in content]
    assert pair.encode() in wire.heard
    assert not (tmp_path / "remembered").exists()


def test_the_address_may_name_the_user(forge: Forge, wire: Wire, repo: str, checkout: Path, tmp_path: Path) -> None:
    remote = at(wire, forge, repo, forge.token)
    remote = replace(remote, url=remote.url.replace("://", f"://{forge.user}@"))
    with closing(Mirror.open(remote, tmp_path / "mirror")) as mirror:
        assert mirror.fetch() == git(checkout, "rev-parse", "HEAD")
    assert base64.b64encode(f"{forge.user}:{forge.token}".encode()) in wire.heard


def _fetch_in_vain(mirror: Mirror) -> None:
    with pytest.raises(SourceError):
        mirror.fetch()


@pytest.mark.parametrize("token", [WRONG, ""], ids=["wrong", "missing"])
def test_without_the_right_token_it_is_refused(forge: Forge, wire: Wire, repo: str, tmp_path: Path, token: str) -> None:
    with (
        closing(Mirror.open(at(wire, forge, repo, token), tmp_path / "mirror")) as mirror,
        pytest.raises(SourceError, match=r"is the token or the key right") as caught,
    ):
        mirror.fetch()
    assert WRONG not in str(caught.value)


@pytest.mark.parametrize("private", [True, False])
def test_a_token_does_not_follow_a_redirect(
    forge: Forge, repo: str, checkout: Path, tmp_path: Path, private: bool
) -> None:
    """Neither where the second server asks for it, nor where it does not."""
    forge.api("PATCH", f"/repos/{forge.user}/{repo}", {"private": private})
    pair = base64.b64encode(f"x-access-token:{forge.token}".encode())
    with (
        wire_to(int(forge.url.rpartition(":")[2])) as elsewhere,
        _redirecting(elsewhere.port, asks=private) as (port, heard),
    ):
        remote = Remote(f"http://localhost:{port}/{forge.user}/{repo}.git", "main", forge.token)
        with closing(Mirror.open(remote, tmp_path / "mirror")) as mirror:
            if private:
                with pytest.raises(SourceError, match="is the token or the key right"):
                    mirror.fetch()
            else:
                assert mirror.fetch() == git(checkout, "rev-parse", "HEAD")
    assert (pair in heard) == private
    assert b"/info/refs" in elsewhere.heard
    assert pair not in elsewhere.heard
    assert forge.token.encode() not in elsewhere.heard


@contextmanager
def _redirecting(port: int, *, asks: bool) -> Iterator[tuple[int, bytearray]]:
    """Serve HTTP that sends on to another port, if asked for after a password; also give what it has heard."""
    heard = bytearray()

    class Asking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines = []
            while (line := self.rfile.readline().strip()) != b"":
                lines.append(line)
            heard.extend(b"\n".join(lines))
            to = f"http://127.0.0.1:{port}{lines[0].split()[1].decode()}"
            known = not asks or any(line.lower().startswith(b"authorization:") for line in lines)
            head = f"302 Found\r\nLocation: {to}" if known else '401 No\r\nWWW-Authenticate: Basic realm="x"'
            self.wfile.write(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", ready.free_ports(1)[0]), Asking) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield int(server.server_address[1]), heard
        server.shutdown()
        thread.join()
