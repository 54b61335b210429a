"""The registries of the world, for nodes that reach none: one real registry on this machine that holds what tests push.

It stands for docker.io, quay.io and the others at once; the platform's caches are told to look there.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from reconciler.sandbox import ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS: Final = 30


@contextmanager
def serving(program: Path, folder: Path, address: str) -> Iterator[str]:
    """Run a registry at an address of this machine; yield its URL."""
    port = ready.free_ports(1)[0]
    place = f"{address}:{port}"
    folder.mkdir(parents=True)
    configuration = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": place},
    }
    (folder / "config.yml").write_text(json.dumps(configuration))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            (program, "serve", folder / "config.yml"),
            stdout=log,
            stderr=log,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(f"http://{place}/v2/"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(20)


def push(registry: str, archive: Path, repository: str, tag: str) -> str:
    """Push the image of an OCI archive as anybody would, by the distribution API; return its digest."""
    with tarfile.open(archive) as tar:
        files = {entry.name: entry for entry in tar}

        def read(name: str) -> bytes:
            content = tar.extractfile(files[name])
            assert content is not None
            return content.read()

        described = json.loads(read("index.json"))["manifests"][0]
        manifest = read(_blob(described["digest"]))
        document = json.loads(manifest)
        for part in (document["config"], *document["layers"]):
            _upload(registry, repository, part["digest"], read(_blob(part["digest"])))
    address = f"{registry}/v2/{repository}/manifests/{tag}"
    _send("PUT", address, manifest, {"Content-Type": described["mediaType"]})
    return str(described["digest"])


def _upload(registry: str, repository: str, digest: str, content: bytes) -> None:
    started = _send("POST", f"{registry}/v2/{repository}/blobs/uploads/", b"", {})
    place = started["location"]
    address = place if "://" in place else f"{registry}{place}"
    joint = "&" if "?" in address else "?"
    _send("PUT", f"{address}{joint}digest={digest}", content, {"Content-Type": "application/octet-stream"})


def _send(method: str, address: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    request = urllib.request.Request(address, data=body, method=method, headers=headers)  # noqa: S310 - http, on this machine
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return {key.lower(): value for key, value in answer.headers.items()}


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - http, on this machine
            return bool(answer.status == 200)
    except OSError:
        return False


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def catalog(registry: str) -> Any:
    """Return the names of the repositories that a registry holds."""
    with urllib.request.urlopen(f"{registry}/v2/_catalog", timeout=20) as answer:  # noqa: S310 - http, on this machine
        return json.load(answer)["repositories"]
