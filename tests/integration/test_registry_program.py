"""The registry itself reads the configuration that the platform renders for it, serves, and caches for another one."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(registry: Path, directory: str, folder: Path, **settings: str) -> Iterator[tuple[str, str]]:
    """Run the registry with a component's configuration; yield where it serves, and where it tells of itself."""
    configuration = next(
        item.body["data"]["config.yml"]
        for item in build(DirectoryTree(ROOT), directory).resources
        if item.id.kind == "ConfigMap"
    )
    folder.mkdir()
    ports = {":5000": f"127.0.0.1:{free_port()}", ":5001": f"127.0.0.1:{free_port()}"}
    for old, new in ports.items():
        configuration = configuration.replace(f"addr: {old}", f"addr: {new}")
    (folder / "config.yml").write_text(configuration.replace("/var/lib/registry", str(folder / "data")))
    surroundings = {**os.environ, "OTEL_TRACES_EXPORTER": "none", **settings}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            (registry / "registry", "serve", folder / "config.yml"), stdout=log, stderr=log, env=surroundings
        )
    try:
        serves, tells = (f"http://{place}" for place in ports.values())
        end = time.monotonic() + 30
        while True:
            try:
                ask(f"{serves}/v2/")
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.1)
        yield serves, tells
    finally:
        process.terminate()
        process.wait(20)


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[dict[str, str], bytes]:
    """Send a request; return headers and body."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=given)  # noqa: S310 - http on this machine
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return {key.lower(): value for key, value in answer.headers.items()}, answer.read()


def push(registry: str, name: str, content: bytes) -> str:
    """Push an image of one layer (distribution-spec); return its digest."""

    def blob(data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        told, _ = ask(f"{registry}/v2/{name}/blobs/uploads/", "POST", b"")
        place = told["location"] if told["location"].startswith("http") else registry + told["location"]
        ask(f"{place}&digest={digest}", "PUT", data, Content_Type="application/octet-stream")
        return {"digest": digest, "size": len(data), "mediaType": "application/octet-stream"}

    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": blob(b"{}"), "layers": [blob(content)]}
    text = json.dumps(manifest).encode()
    told, _ = ask(f"{registry}/v2/{name}/manifests/1.0", "PUT", text, Content_Type=MANIFEST)
    return told["docker-content-digest"]


def test_it_serves_is_healthy_and_measures_itself(registry: Path, tmp_path: Path) -> None:
    with serving(registry, "base/registry/distribution", tmp_path / "own", REGISTRY_HTTP_SECRET="x") as (serves, tells):
        digest = push(serves, "platform/web", b"a layer")
        told, text = ask(f"{serves}/v2/platform/web/manifests/1.0", Accept=MANIFEST)
        assert told["docker-content-digest"] == digest == f"sha256:{hashlib.sha256(text).hexdigest()}"
        assert ask(f"{tells}/debug/health")[1].strip() == b"{}"
        assert b"registry_http_requests_total" in ask(f"{tells}/metrics")[1]
        ask(f"{serves}/v2/platform/web/manifests/{digest}", "DELETE")  # storage.delete.enabled


def test_a_cache_keeps_what_it_was_asked_for(registry: Path, tmp_path: Path) -> None:
    """Also when the registry behind it is gone."""
    with serving(registry, "base/registry/distribution", tmp_path / "upstream", REGISTRY_HTTP_SECRET="x") as (
        upstream,
        _,
    ):
        digest = push(upstream, "library/web", b"a layer")
        upstream_settings = {"REGISTRY_PROXY_REMOTEURL": upstream}
        with serving(registry, "base/registry/pull-through", tmp_path / "cache", **upstream_settings) as (cache, tells):
            told, text = ask(f"{cache}/v2/library/web/manifests/{digest}", Accept=MANIFEST)
            assert told["docker-content-digest"] == digest
            layer = json.loads(text)["layers"][0]["digest"]
            assert ask(f"{cache}/v2/library/web/blobs/{layer}")[1] == b"a layer"
            assert ask(f"{tells}/debug/health")[1].strip() == b"{}"
            with pytest.raises(OSError, match=r"40[15]"):
                push(cache, "library/mine", b"x")
