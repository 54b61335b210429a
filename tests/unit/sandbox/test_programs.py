"""Where the programs of a sandbox come from, in which order, and what is refused on the way."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import download, gobuild, places, programs
from reconciler.sandbox.versions import ETCD, KUBERNETES, KWOK, PROGRAMS, Download, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OFFICIAL = Download("http://127.0.0.1:1", "bin/tool", "bin/tool.sha256")
TOOL = Program("tool", "1.2.9", "tool v1.2.", "tool", "example.com/tool", download=OFFICIAL)
PACKED = Program(
    "tool",
    "1.2.9",
    "tool v1.2.",
    "tool",
    "example.com/tool",
    download=Download("http://127.0.0.1:1", "bin/tool-{system}-{machine}.tar.gz", "bin/SUMS", "tool-{machine}/tool"),
)


def script(path: Path, version: str) -> Path:
    """Write a program that tells its version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho tool {version}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def told() -> list[str]:
    """Return a list that takes progress messages."""
    return []


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own programs and networks out of these tests."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv(download.BASE_VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setattr(gobuild, "build", _no_build)


def _no_build(program: Program, target: Path, *, tell: object) -> None:
    raise SandboxError("there is no go here")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder over HTTP as the place of downloads; return the folder."""
    root = tmp_path / "server"
    (root / "bin").mkdir(parents=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, directory=str(root), **options)  # type: ignore[arg-type]

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv(download.BASE_VARIABLE, f"http://127.0.0.1:{httpd.server_port}")
    yield root
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def publish(root: Path, content: bytes, checksum: str | None = None) -> None:
    """Publish a program and its checksum."""
    (root / "bin" / "tool").write_bytes(content)
    (root / "bin" / "tool.sha256").write_text(checksum or hashlib.sha256(content).hexdigest())


def test_the_order_is_folder_assets_path_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """Each place is asked only when those before it have nothing that fits."""
    cache = tmp_path / "cache"
    places = [tmp_path / "folder" / "tool", tmp_path / "assets" / "tool", tmp_path / "path" / "tool", cache / "tool"]
    for place in places:
        script(place, "v1.2.3")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    for place in places:
        assert programs.find(TOOL, cache, tmp_path / "folder", tell=told.append) == place
        place.unlink()
    assert told == []


def test_a_program_of_another_version_is_passed_over(tmp_path: Path, told: list[str]) -> None:
    """What does not fit is named with what it says, together with every other step that was tried."""
    script(tmp_path / "path" / "tool", "v1.1.0")
    with pytest.raises(SandboxError) as caught:
        programs.find(TOOL, tmp_path / "cache", None, tell=told.append)
    text = str(caught.value)
    assert "tool 1.2.9 cannot be had" in text
    assert "says 'tool v1.1.0', 'tool v1.2.' is needed" in text
    assert "download:" in text
    assert "build: there is no go here" in text


def test_a_download_is_checked_kept_and_remembered(tmp_path: Path, server: Path, told: list[str]) -> None:
    publish(server, b"#!/bin/sh\necho tool v1.2.9\n")
    found = programs.find(TOOL, tmp_path / "cache", None, tell=told.append)
    assert found == tmp_path / "cache" / "tool"
    assert os.access(found, os.X_OK)
    assert told == ["downloading tool 1.2.9"]
    assert "bin/tool" in (tmp_path / "cache" / "checksums.json").read_text()


def test_a_download_that_does_not_fit_its_checksum_is_not_used(tmp_path: Path, server: Path, told: list[str]) -> None:
    """Nothing of it stays, not even under another name."""
    publish(server, b"something else", "0" * 64)
    with pytest.raises(SandboxError, match="it is not used"):
        programs.find(TOOL, tmp_path / "cache", None, tell=told.append)
    assert sorted(item.name for item in (tmp_path / "cache").iterdir()) == [
        ".checksums.lock",
        ".tool.lock",
        "checksums.json",
    ]


def test_a_checksum_that_changes_is_refused(tmp_path: Path, server: Path, told: list[str]) -> None:
    """A version that is published anew with another content is not what was first used."""
    publish(server, b"first")
    programs.find(TOOL, tmp_path / "cache", None, tell=told.append).unlink()
    publish(server, b"second")
    with pytest.raises(SandboxError, match="was first used with the sha256"):
        programs.find(TOOL, tmp_path / "cache", None, tell=told.append)


def test_what_is_published_without_a_checksum_is_not_downloaded(tmp_path: Path, server: Path, told: list[str]) -> None:
    (server / "bin" / "tool").write_bytes(b"x")
    with pytest.raises(SandboxError, match=r"tool\.sha256 cannot be read"):
        programs.find(TOOL, tmp_path / "cache", None, tell=told.append)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SandboxError, match="set RECONCILER_CACHE_DIR"):
        programs.find(TOOL, tmp_path / "file" / "cache", None, tell=told.append)


def test_every_program_has_its_module_file() -> None:
    """What is built is pinned: the package carries a module file and its sums for each program."""
    for program in PROGRAMS:
        folder = gobuild.MODULES / program.module
        assert program.package.split("/cmd/")[0] in (folder / "go.mod").read_text()
        assert (folder / "go.sum").stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "told", "fits"),
    [
        ("etcd", f"etcd Version: {ETCD}\nGo Version: go1.26.8", True),
        ("etcd", "etcd Version: 3.6.1\nGo Version: go1.23.1", True),
        ("etcd", "etcd Version: 3.5.21\nGo Version: go1.23.6", False),
        ("kube-apiserver", f"Kubernetes v{KUBERNETES}", True),
        ("kube-apiserver", "Kubernetes v1.36.2", False),
        ("kubectl", "Client Version: v1.37.0\nKustomize Version: v5.8.1", True),
        ("kwok", f"kwok version v{KWOK} go1.26.8 (linux/amd64)", True),
        ("kwok", "kwok version v0.6.1 go1.23.4 (linux/amd64)", False),
    ],
)
def test_a_program_fits_by_its_own_version(tmp_path: Path, name: str, told: str, fits: bool) -> None:
    """Any patch of the series fits; other numbers in the answer, such as the compiler's, do not count."""
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\necho '{told}'\n")
    path.chmod(0o755)
    program = next(item for item in PROGRAMS if item.name == name)
    assert (programs.version_of(program, path) is None) is fits


def test_a_program_out_of_an_archive(tmp_path: Path, server: Path, told: list[str]) -> None:
    """Its checksum is the line for this machine's archive in a file for all of them."""
    archive = publish_archive(server, f"tool-{places.machine()}/tool")
    sums = {f"tool-plan9-{places.machine()}.tar.gz": "0" * 64, archive.name: hashed(archive)}
    (server / "bin" / "SUMS").write_text("".join(f"{checksum}  {name}\n" for name, checksum in sums.items()))
    found = programs.find(PACKED, tmp_path / "cache", None, tell=told.append)
    assert programs.version_of(PACKED, found) is None


def test_an_archive_without_the_program_is_refused(tmp_path: Path, server: Path, told: list[str]) -> None:
    archive = publish_archive(server, "README")
    (server / "bin" / "SUMS").write_text(f"{hashed(archive)}  {archive.name}\n")
    with pytest.raises(SandboxError, match=r"the downloaded archive has no tool-\w+/tool"):
        programs.find(PACKED, tmp_path / "cache", None, tell=told.append)


def test_a_checksum_for_another_file_is_none(tmp_path: Path, server: Path, told: list[str]) -> None:
    archive = publish_archive(server, f"tool-{places.machine()}/tool")
    (server / "bin" / "SUMS").write_text(f"{hashed(archive)}  other.tar.gz\n")
    with pytest.raises(SandboxError, match="holds no sha256 of tool-"):
        programs.find(PACKED, tmp_path / "cache", None, tell=told.append)


def publish_archive(server: Path, member: str) -> Path:
    """Publish an archive with one program in it; return the archive."""
    archive = server / "bin" / f"tool-{places.system()}-{places.machine()}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(script(server / "tool", "v1.2.9"), member)
    return archive


def hashed(path: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_broken_answer_of_the_server_is_told(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that talks something else than HTTP gives a message, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv(download.BASE_VARIABLE, f"http://127.0.0.1:{listener.getsockname()[1]}")

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(b"what?\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SandboxError, match=r"download: .* cannot be read"):
            programs.find(TOOL, tmp_path / "cache", None, tell=told.append)
        thread.join()


def test_of_two_that_need_a_program_one_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """The other waits, says so, and uses what the first one made."""
    making, go_on, made = threading.Event(), threading.Event(), []

    def build(program: Program, target: Path, *, tell: object) -> None:
        made.append(program.name)
        making.set()
        assert go_on.wait(10)
        script(target, "v1.2.9")

    def hear(message: str) -> None:
        told.append(message)
        go_on.set()

    monkeypatch.setattr(gobuild, "build", build)
    first = threading.Thread(target=programs.find, args=(TOOL, tmp_path / "cache", None), kwargs={"tell": print})
    first.start()
    assert making.wait(10)
    assert programs.find(TOOL, tmp_path / "cache", None, tell=hear) == tmp_path / "cache" / "tool"
    first.join()
    assert made == ["tool"]
    assert told == ["waiting for another process: tool"]
