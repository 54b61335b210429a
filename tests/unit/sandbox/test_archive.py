"""Archives of images: what an importer reads, and the same bytes for the same files."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox.nodes import archive as archives
from tests.nodes.images import IMAGES
from tests.programs import Edit, change

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = archives.Settings(("/bin/web",), ("--port", "80"), "1000", ("A=b",))


def tree(root: Path) -> Path:
    """Return a folder as an image may hold: a program, a link, a folder that everybody may write to."""
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/web").write_text("a program")
    (root / "usr/bin/web").chmod(0o755)
    (root / "bin").symlink_to("usr/bin")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    return root


def blobs(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive by their names."""
    with tarfile.open(archive) as tar:
        members = ((entry.name, tar.extractfile(entry)) for entry in tar)
        return {name: file.read() for name, file in members if file}


def follow(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """Return what a descriptor points to, which has to be as it says."""
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(content) == descriptor["size"]
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    return content


def test_every_part_is_found_by_its_digest(tmp_path: Path) -> None:
    archive = tmp_path / "web.tar"
    told = archives.write("example.org/web:1.0", SETTINGS, tree(tmp_path / "root"), archive, {"note": "made here"})
    files = blobs(archive)
    entry = json.loads(files["index.json"])["manifests"][0]
    assert entry["digest"] == told
    assert entry["annotations"]["io.containerd.image.name"] == "example.org/web:1.0"
    manifest = json.loads(follow(files, entry))
    config = json.loads(follow(files, manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["Entrypoint"] == ["/bin/web"]
    assert config["config"]["User"] == "1000"
    (tmp_path / "layer.tar").write_bytes(follow(files, manifest["layers"][0]))
    with tarfile.open(tmp_path / "layer.tar") as layer:
        modes = {entry.name: (oct(entry.mode), entry.linkname) for entry in layer}
    assert modes["usr/bin/web"] == ("0o755", "")
    assert modes["bin"][1] == "usr/bin"
    assert modes["tmp"] == ("0o1777", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layer.tar", "root", "web.tar"]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        archives.write("example.org/web:1.0", SETTINGS, tree(tmp_path / name), tmp_path / f"{name}.tar", {})
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_every_image_has_a_name_of_its_own() -> None:
    names = [image.reference for image in IMAGES]
    assert len(set(names)) == len(names)
    assert all(":" in name.rsplit("/", 1)[1] for name in names)


def test_a_change_of_a_module_that_is_not_as_expected_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main\n")
    with pytest.raises(SandboxError, match=r"main\.go: found 0 times, expected 1: 'import \"C\"'"):
        change(tmp_path, Edit("main.go", 'import "C"\n', ""))
    change(tmp_path, Edit("main.go", "package main", "package other"))
    assert (tmp_path / "main.go").read_text() == "package other\n"
