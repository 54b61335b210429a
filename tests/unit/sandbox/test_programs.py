"""Where the programs of a sandbox come from, in which order, and what is refused on the way."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError, UsageError
from reconciler.sandbox import control, download, gobuild, programs
from reconciler.sandbox.versions import PROGRAMS, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOL = Program("tool", "v1.2.", "tool", "example.com/tool", binary="bin/tool", checksum="bin/tool.sha256")


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
    thread = threading.Thread(target=httpd.serve_forever)
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
    assert "tool v1.2. cannot be had" in text
    assert "says tool v1.1.0, v1.2. is needed" in text
    assert "download:" in text
    assert "build: there is no go here" in text


def test_a_download_is_checked_kept_and_remembered(tmp_path: Path, server: Path, told: list[str]) -> None:
    publish(server, b"#!/bin/sh\necho tool v1.2.9\n")
    found = programs.find(TOOL, tmp_path / "cache", None, tell=told.append)
    assert found == tmp_path / "cache" / "tool"
    assert os.access(found, os.X_OK)
    assert told == ["downloading tool"]
    assert "bin/tool" in (tmp_path / "cache" / "checksums.json").read_text()


def test_a_download_that_does_not_fit_its_checksum_is_not_used(tmp_path: Path, server: Path, told: list[str]) -> None:
    """Nothing of it stays, not even under another name."""
    publish(server, b"something else", "0" * 64)
    with pytest.raises(SandboxError, match="it is not used"):
        programs.find(TOOL, tmp_path / "cache", None, tell=told.append)
    assert sorted(item.name for item in (tmp_path / "cache").iterdir()) == [".tool.lock", "checksums.json"]


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


@pytest.mark.parametrize("name", ["", "Big", "a/b", "..", "x" * 60])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name for a sandbox"):
        control.up(name)
