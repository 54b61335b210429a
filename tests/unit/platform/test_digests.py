"""`hack/digests` writes what registries say, and nothing that they do not say."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + "ab" * 32

FILE = """\
# A comment that stays.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
images:
  - name: HOST/web
    newTag: 1.2.3
  # Another one.
  - name: short
    newName: HOST/known
    newTag: v1
  - name: HOST/missing
    newTag: v9
  - name: reconciler
    newName: registry.registry.svc:5000/reconciler
    newTag: 0.1.0
"""


class Registry(BaseHTTPRequestHandler):
    """Has two images, and wants a token for them."""

    def do_HEAD(self) -> None:
        """Answer for a manifest."""
        if self.headers.get("Authorization") != "Bearer t":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="r",scope="repository:x:pull"')
        elif self.path in ("/v2/web/manifests/1.2.3", "/v2/known/manifests/v1"):
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        """Give a token."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "t"}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    """Return where the registry is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        (sys.executable, str(ROOT / "hack" / "digests"), *arguments), capture_output=True, text=True, check=False
    )


def test_what_the_registry_says_is_written_and_used(host: str, tmp_path: Path) -> None:
    file = tmp_path / "kustomization.yaml"
    file.write_text(FILE.replace("HOST", host))
    done = run(str(file))
    assert done.returncode == 1
    assert f"{host}/missing:v9: HTTP Error 404" in done.stderr
    text = file.read_text()
    assert text.count(f"    digest: {DIGEST}\n") == 2
    assert text.replace(f"    digest: {DIGEST}\n", "") == FILE.replace("HOST", host)
    assert run(str(file)).returncode == 1
    assert file.read_text() == text

    listed = run("--check", str(file))
    assert (listed.returncode, listed.stdout) == (1, f"{host}/missing:v9 has no digest yet\n")

    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "kustomization.yaml").write_text("resources: [pod.yaml]\ncomponents: [..]\n")
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: short}]}\n"
    (tmp_path / "web" / "pod.yaml").write_text(pod)
    (made,) = build(DirectoryTree(tmp_path), "web").resources
    assert made.body["spec"]["containers"][0]["image"] == f"{host}/known:v1@{DIGEST}"


def test_the_shipped_images_can_be_looked_up() -> None:
    """Every entry is of the form that the script reads."""
    text = (ROOT / "overlays" / "images" / "versions" / "kustomization.yaml").read_text()
    listed = run("--check")
    known = len(listed.stdout.splitlines()) + text.count("    digest: ") + 1  # the agent's image is nobody else's
    assert known == text.count("  - name: ")
