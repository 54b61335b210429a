"""Archives of charts from repositories on this machine: HTTP with an index, and an OCI registry with tokens."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from reconciler import yaml
from reconciler.cli.main import main
from reconciler.errors import ChartError
from reconciler.model.charts import Pin
from reconciler.model.origin import Source
from reconciler.source import charts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOKEN = "t0ken"


@dataclass
class Site:
    """What a server has, by path, and what it was asked; a `token` makes it a registry that wants one."""

    address: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    token: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            given = self.headers.get("Authorization", "")
            site.asked.append((self.path, given))
            if site.token and path.startswith("/v2/") and given != f"Bearer {site.token}":
                realm = f'Bearer realm="{site.address}/token",service="registry"'
                self._answer(401, b"", {"WWW-Authenticate": realm})
            elif path == "/token" and site.token:
                self._answer(200, json.dumps({"token": site.token}).encode())
            elif path in site.moved:
                self._answer(307, b"", {"Location": site.moved[path]})
            elif path in site.pages:
                self._answer(200, site.pages[path])
            else:
                self._answer(404, b"no")

        def _answer(self, code: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def packed(name: str, files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), mtime=0)


ARCHIVE = packed("web", {"Chart.yaml": "name: web\n", "values.yaml": "{}\n"})
INDEX = "entries:\n  web:\n    - {version: 2.0.0, urls: []}\n    - {version: 1.0.0, urls: [packed/web-1.0.0.tgz]}\n"
HTTP_PAGES = {"/charts/index.yaml": INDEX.encode(), "/charts/packed/web-1.0.0.tgz": ARCHIVE}


def manifest(media_type: str = charts.LAYER) -> bytes:
    return json.dumps({"layers": [{"mediaType": media_type, "digest": charts.digest(ARCHIVE)}]}).encode()


def test_an_archive_of_an_index_is_kept_by_its_digest(tmp_path: Path) -> None:
    with serving(Site(pages=dict(HTTP_PAGES))) as site:
        pin = charts.resolve(f"{site.address}/charts/", "web", "1.0.0")
        assert pin == Pin(f"{site.address}/charts", "web", "1.0.0", f"sha256:{hashlib.sha256(ARCHIVE).hexdigest()}")
        assert charts.fetch(pin, tmp_path) == ARCHIVE
    assert pin.archive(tmp_path).read_bytes() == ARCHIVE


def test_other_content_than_pinned_is_never_used(tmp_path: Path) -> None:
    with serving(Site(pages=dict(HTTP_PAGES))) as site:
        pin = Pin(f"{site.address}/charts", "web", "1.0.0", f"sha256:{'0' * 64}")
        with pytest.raises(ChartError, match=rf"is now {charts.digest(ARCHIVE)}, pinned is sha256:000"):
            charts.fetch(pin, tmp_path)
    assert not pin.archive(tmp_path).exists()


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("web", "3.0.0", "has no archive of web 3.0.0"),
        ("web", "2.0.0", "has no archive of web 2.0.0"),
        ("other", "1.0.0", "has no chart other"),
    ],
)
def test_what_an_index_does_not_have_is_told(name: str, version: str, told: str) -> None:
    with serving(Site(pages=dict(HTTP_PAGES))) as site, pytest.raises(ChartError, match=told):
        charts.resolve(f"{site.address}/charts", name, version)


@pytest.mark.parametrize("repo", ["http://127.0.0.1:9/charts", "file:///etc", "git@example.com:a/b"])
def test_a_repository_that_cannot_be_read_is_told(repo: str) -> None:
    with pytest.raises(ChartError, match=r"cannot be read|is no address of a chart repository"):
        charts.resolve(repo, "web", "1.0.0")


@pytest.mark.parametrize("token", ["", TOKEN])
def test_an_archive_of_a_registry(token: str, tmp_path: Path) -> None:
    """By the tag to learn the digest, by the digest from then on; a plus in a version is an underline in its tag."""
    pages = {
        "/v2/": b"{}",
        "/v2/team/web/manifests/1.0.0_b1": manifest(),
        f"/v2/team/web/blobs/{charts.digest(ARCHIVE)}": ARCHIVE,
    }
    with serving(Site(pages=pages, token=token)) as site:
        repo = f"oci://{site.address.removeprefix('http://')}/team"
        pin = charts.resolve(repo, "web", "1.0.0+b1")
        assert pin.digest == charts.digest(ARCHIVE)
        del site.pages["/v2/team/web/manifests/1.0.0_b1"]
        assert charts.fetch(pin, tmp_path) == ARCHIVE
        if token:
            assert "/token?service=registry&scope=repository%3Ateam%2Fweb%3Apull" in [path for path, _ in site.asked]


def test_a_token_stays_with_its_registry(tmp_path: Path) -> None:
    """Registries send readers on to other places for blobs."""
    blob = f"/v2/team/web/blobs/{charts.digest(ARCHIVE)}"
    with serving(Site(pages={"/blob": ARCHIVE})) as store:
        moved = Site(pages={"/v2/": b"{}"}, moved={blob: f"{store.address}/blob"}, token=TOKEN)
        with serving(moved) as site:
            repo = f"oci://{site.address.removeprefix('http://')}/team"
            assert charts.fetch(Pin(repo, "web", "1.0.0", charts.digest(ARCHIVE)), tmp_path) == ARCHIVE
        assert store.asked == [("/blob", "")]


def test_what_is_no_chart_is_told() -> None:
    pages = {"/v2/": b"{}", "/v2/team/web/manifests/1.0.0": manifest("application/vnd.oci.image.layer.v1.tar+gzip")}
    with serving(Site(pages=pages)) as site, pytest.raises(ChartError, match="is no chart: expected one layer"):
        charts.resolve(f"oci://{site.address.removeprefix('http://')}/team", "web", "1.0.0")


def test_the_entry_of_a_chart_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Site(pages=dict(HTTP_PAGES))) as site:
        assert main(["pin-chart", f"{site.address}/charts/", "web", "1.0.0"]) == 0
        printed = capsys.readouterr().out
        assert main(["pin-chart", f"{site.address}/charts/", "web", "9.0.0"]) == 1
    entry = {"repo": f"{site.address}/charts", "name": "web", "version": "1.0.0", "digest": charts.digest(ARCHIVE)}
    assert yaml.parse(printed, Source("", "")) == [{"charts": [entry]}]
    assert "has no archive of web 9.0.0" in capsys.readouterr().err
