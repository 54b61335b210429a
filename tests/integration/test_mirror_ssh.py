"""Mirrors over SSH: a real server with a key of its own, which is known, unknown, or another one than it was."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.errors import SourceError
from reconciler.model import remote
from reconciler.sandbox import ready
from reconciler.source.clones import Clones
from reconciler.source.mirror import Mirror, Remote
from tests.integration.wires import BLOB, HALF, MARK, commit, git, half_written, leftovers, talkers, wire_to
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cluster

SSHD: Final = Path("/usr/sbin/sshd")
SETTINGS: Final = """\
ListenAddress 127.0.0.1:{port}
HostKey "{home}/host"
AuthorizedKeysFile "{keys}/authorized"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
# Only root's server wants a folder for the part of it that has no rights; it gets one that nobody else sees.
AS_ROOT: Final = 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"'


@dataclass(frozen=True, slots=True)
class Server:
    """An SSH server of the user that runs the tests, and a folder with its keys and those of clients."""

    home: Path
    port: int
    repository: Path

    def remote(self, key: str = "client", known_hosts: str = "known hosts", port: int = 0) -> Remote:
        """Return a remote with files of the folder."""
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port or self.port}{self.repository}"
        return Remote(url, "main", ssh_key=self.home / key, known_hosts=self.home / known_hosts)

    def trust(self, name: str, key: str, port: int = 0) -> None:
        """Write a file of known hosts that knows the server by a key."""
        kind, public, *_ = (self.home / f"{key}.pub").read_text().split()
        (self.home / name).write_text(f"[127.0.0.1]:{port or self.port} {kind} {public}\n")


def make_key(path: Path, passphrase: str = "") -> None:
    """Make a key pair."""
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)), check=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with a repository; a folder of keys has a name that a careless command line would break."""
    if not SSHD.is_file():
        pytest.skip(f"{SSHD} is not there: install Debian's package openssh-server")
    home = tmp_path_factory.mktemp("ssh") / "100% of keys"
    home.mkdir()
    for name in ("host", "other", "client", "stranger"):
        make_key(home / name)
    make_key(home / "locked", "a passphrase")
    (home / "authorized").write_text((home / "client.pub").read_text() + (home / "locked.pub").read_text())
    repository = home.parent / "repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    commit(repository, os.urandom(BLOB))
    found = Server(home, ready.free_ports(1)[0], repository)
    found.trust("known hosts", "host")
    found.trust("changed", "other")
    (home / "empty").write_text("")
    keys = str(home).replace("%", "%%")  # as it is wanted in some settings only
    (home / "sshd_config").write_text(SETTINGS.format(home=home, keys=keys, port=found.port))
    with _running(found):
        yield found


def _running(server: Server) -> closing[_Process]:
    command = [str(SSHD), "-D", "-e", "-f", str(server.home / "sshd_config")]
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        command = ["unshare", "--mount", "sh", "-c", AS_ROOT, "sh", *command]
    log = server.home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    running = _Process(process)
    try:
        until(lambda: process.poll() is not None or "Server listening" in log.read_text(), "the server listens")
        assert process.poll() is None, f"sshd ended:\n{log.read_text()}"
    except BaseException:
        running.close()
        raise
    return closing(running)


@dataclass(frozen=True, slots=True)
class _Process:
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=10)


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See that nobody is asked for anything, and that all processes have ended; nothing of this user's is used."""
    program = tmp_path / "ask"
    program.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(tmp_path / 'was asked'))}\n")
    program.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv(MARK, str(os.getpid()))
    yield
    assert not (tmp_path / "was asked").exists()
    assert not talkers()


def refusal(remote: Remote, directory: Path) -> str:
    """Return why a fetch is refused."""
    with closing(Mirror.open(remote, directory)) as mirror, pytest.raises(SourceError) as caught:
        mirror.fetch()
    return str(caught.value)


def test_a_known_host_and_the_right_key(server: Server, tmp_path: Path) -> None:
    with closing(Mirror.open(server.remote(), tmp_path / "mirror")) as mirror:
        assert mirror.fetch() == git(server.repository, "rev-parse", "HEAD")


def test_a_remote_base_beside_the_repository(server: Server, tmp_path: Path) -> None:
    """It is reached with the same key; an unknown host is refused as well."""
    spec = remote.parse(f"{server.remote().url}//?ref=main")
    clones = Clones(tmp_path / "bases", server.remote())
    found = clones.resolve(spec)
    clones.fetch(spec, found)
    opened = clones.open(spec, found)
    assert opened is not None
    with closing(opened):
        assert opened.tree(found).read("a") == (server.repository / "a").read_bytes()
    with pytest.raises(SourceError, match="add the server's key to the known_hosts file"):
        Clones(tmp_path / "none", server.remote(known_hosts="empty")).resolve(spec)


def test_files_may_be_named_from_here(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(server.home)
    remote = replace(server.remote(), ssh_key=Path("client"), known_hosts=Path("known hosts"))
    with closing(Mirror.open(remote, tmp_path / "mirror")) as mirror:
        assert mirror.fetch() == git(server.repository, "rev-parse", "HEAD")


def test_an_unknown_host_is_refused(server: Server, tmp_path: Path) -> None:
    told = refusal(server.remote(known_hosts="empty"), tmp_path / "mirror")
    assert "Host key verification failed" in told
    assert "add the server's key to the known_hosts file" in told
    assert (server.home / "empty").read_text() == ""


def test_a_host_with_another_key_is_refused(server: Server, tmp_path: Path) -> None:
    told = refusal(server.remote(known_hosts="changed"), tmp_path / "mirror")
    assert "Host key verification failed" in told
    assert "the server shows another key than the one in the known_hosts file" in told
    assert "add the server's key" not in told


@pytest.mark.parametrize("key", ["stranger", "locked"])
def test_a_key_that_is_not_let_in_is_refused(server: Server, tmp_path: Path, key: str) -> None:
    """The passphrase of a key is not asked for."""
    told = refusal(server.remote(key=key), tmp_path / "mirror")
    assert "Permission denied (publickey)" in told
    assert "is the token or the key right" in told


def test_a_key_that_others_can_read_is_refused(server: Server, tmp_path: Path) -> None:
    (server.home / "open").write_bytes((server.home / "client").read_bytes())
    (server.home / "open").chmod(0o644)
    assert "only its owner may read a key: chmod 600" in refusal(server.remote(key="open"), tmp_path / "mirror")


def test_a_server_that_stalls_is_given_up(server: Server, tmp_path: Path) -> None:
    with wire_to(server.port) as wire:
        server.trust("by wire", "host", wire.port)
        remote = server.remote(known_hosts="by wire", port=wire.port)
        wire.stall_after = HALF
        with closing(Mirror.open(remote, tmp_path / "mirror", seconds=2)) as mirror:
            with pytest.raises(SourceError, match="git fetch was given up after 2 s"):
                mirror.fetch()
            assert not half_written(tmp_path / "mirror")
            assert not leftovers(mirror)
            assert not talkers()
            wire.stall_after = None
            mirror.seconds = 20
            assert mirror.fetch() == git(server.repository, "rev-parse", "HEAD")
