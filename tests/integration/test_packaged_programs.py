"""What Docker and nginx, as Debian packages them, say of the configuration that the platform renders for them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree
from tests.nodes import debian

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
DOCKER = ("docker.io", "libc6", "libsystemd0", "libcap2")
NGINX = ("libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "libzstd1", "nginx", "nginx-common", "zlib1g")


def files(directory: str, name: str) -> Mapping[str, str]:
    """Return the files of a ConfigMap that a directory renders, whatever digest its name ends in."""
    found = build(DirectoryTree(ROOT), directory).resources
    return next(item.body["data"] for item in found if item.id.kind == "ConfigMap" and item.id.name.startswith(name))


def says(command: Sequence[str], **settings: str) -> tuple[int, str]:
    """Run a program; return how it ended and what it said."""
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_docker_accepts_its_settings(tmp_path: Path) -> None:
    """And refuses one that it does not know, so that accepting means something."""
    root = debian.tree(DOCKER)
    text = files("base/runtime/cri-dockerd", "node-files-docker")["daemon.json"]
    (tmp_path / "daemon.json").write_text(text)
    (tmp_path / "wrong.json").write_text(text.replace("live-restore", "live-restor"))
    validate = (*debian.command(root, "usr/sbin/dockerd"), "--validate", "--config-file")
    path = f"{root}/usr/sbin:{os.environ['PATH']}"
    assert says((*validate, str(tmp_path / "daemon.json")), PATH=path) == (0, "configuration OK\n")
    code, said = says((*validate, str(tmp_path / "wrong.json")), PATH=path)
    assert code == 1
    assert "live-restor" in said


@pytest.mark.parametrize("name", ["nginx.conf", "portal.conf"])
def test_nginx_accepts_the_front_of_harbor(name: str, tmp_path: Path) -> None:
    """With a certificate at hand, and addresses for the names that a cluster resolves."""
    root = debian.tree(NGINX)
    text = files("base/registry/harbor", "harbor-proxy-files")[name]
    for old, new in {
        "/tmp/": f"{tmp_path}/",  # noqa: S108 - what the file says
        "/etc/nginx/cert/": f"{tmp_path}/",
        "/etc/nginx/": f"{root}/etc/nginx/",
        "http {": "http { access_log off;",  # without this its place is built into the program
        "harbor-core:80": "127.0.0.1:80",
        "harbor-portal:80": "127.0.0.1:80",
    }.items():
        text = text.replace(old, new)
    (tmp_path / name).write_text(text)
    _certificate(tmp_path)
    code, said = says((*debian.command(root, "usr/sbin/nginx"), "-t", "-e", "stderr", "-c", str(tmp_path / name)))
    assert (code, "test is successful" in said) == (0, True), said


def _certificate(folder: Path) -> None:
    """Write a key and its own certificate, as the cluster's Secret has them."""
    options = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=registry")
    command = ("openssl", "req", *options, "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"))
    subprocess.run(command, check=True, capture_output=True)
