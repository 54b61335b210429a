"""A folder as an image of one layer, in an archive of the OCI image layout that containerd imports (image-spec 1.1).

The same folder gives the same bytes: entries in the order of their names, owned by root, of no time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEDIA: Final = "application/vnd.oci.image"
EPOCH: Final = "1970-01-01T00:00:00Z"
PLATFORM: Final = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, ""), "os": "linux"}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a container of an image is started, where its Pod says nothing else."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    env: tuple[str, ...] = ()


DEFAULT: Final = Settings()


def write(reference: str, settings: Settings, root: Path, archive: Path, labels: Mapping[str, str]) -> str:
    """Write the archive of an image whose files are those under a folder; return the digest of its manifest."""
    layer = archive.with_name(f"{archive.name}.layer")
    try:
        with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
            _add_tree(tar, root)
        digest, size = _digest(layer), layer.stat().st_size
        config = _config(settings, digest, labels)
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": f"{MEDIA}.manifest.v1+json",
                "config": _descriptor("config.v1+json", config),
                "layers": [{"mediaType": f"{MEDIA}.layer.v1.tar", "digest": f"sha256:{digest}", "size": size}],
            }
        )
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(tar, "index.json", _index(reference, manifest))
            for blob in (config, manifest):
                _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
            with layer.open("rb") as file:
                _add_file(tar, f"blobs/sha256/{digest}", file, size)
    finally:
        layer.unlink(missing_ok=True)
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def _config(settings: Settings, layer: str, labels: Mapping[str, str]) -> bytes:
    container = {
        "Entrypoint": list(settings.entrypoint),
        "Cmd": list(settings.command),
        "User": settings.user,
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *settings.env],
        "WorkingDir": "/",
        "Labels": dict(labels),
    }
    return _json(
        {
            **PLATFORM,
            "created": EPOCH,
            "config": container,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": EPOCH, "created_by": "tests/nodes"}],
        }
    )


def _index(reference: str, manifest: bytes) -> bytes:
    """Return the index, which names the image as containerd and other tools look for a name."""
    names = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference.rsplit(":", 1)[1]}
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.index.v1+json",
            "manifests": [
                {**_descriptor("manifest.v1+json", manifest), "platform": PLATFORM, "annotations": names},
            ],
        }
    )


def _descriptor(media: str, blob: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    return {"mediaType": f"{MEDIA}.{media}", "digest": digest, "size": len(blob)}


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add_tree(tar: tarfile.TarFile, root: Path) -> None:
    for path in sorted(root.rglob("*")):
        entry = tar.gettarinfo(path, path.relative_to(root).as_posix())
        entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
        if entry.islnk():  # a second name of a file, which its inode tells: written as a file of its own
            entry.type, entry.size = tarfile.REGTYPE, path.stat().st_size
        if entry.isreg():
            with path.open("rb") as file:
                tar.addfile(entry, file)
        else:
            tar.addfile(entry)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    _add_file(tar, name, io.BytesIO(content), len(content))


def _add_file(tar: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    tar.addfile(entry, file)
