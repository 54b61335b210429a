"""Encrypted objects: what is opened, from which file, and what is refused. The real SOPS is in tests/e2e/test_sops.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler import yaml
from reconciler.errors import ConfigError, SourceError
from reconciler.model.resource import Desired
from reconciler.render.build import build
from reconciler.sops import encrypted, sealed
from reconciler.sops.open import opened
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from pathlib import Path

CIPHER = """\
apiVersion: v1
kind: KIND
metadata: {name: login}
data:
  password: ENC[AES256_GCM,data:abc,type:str]
  plain: eA==
sops: {version: 3.13.3}
"""


def decrypt(file: str, text: bytes) -> str:
    """Decrypt as SOPS would: the same document with its values, without its own entry."""
    assert file == "web/secret.yaml"
    return text.decode().replace("ENC[AES256_GCM,data:abc,type:str]", "c2VjcmV0").partition("sops:")[0]


def files(root: Path, kind: str = "Secret", kustomization: str = "") -> tuple[DirectoryTree, Desired]:
    """Return a repository with an encrypted file, and what it renders."""
    (root / "web").mkdir()
    (root / "web" / "secret.yaml").write_text(CIPHER.replace("KIND", kind))
    (root / "web" / "kustomization.yaml").write_text("resources: [secret.yaml]\n" + kustomization)
    tree = DirectoryTree(root)
    return tree, Desired("dev", None, {"web": build(tree, "web").resources})


def test_values_are_opened_and_keep_their_lines(tmp_path: Path) -> None:
    tree, desired = files(tmp_path, kustomization='nameSuffix: "-1"\nlabels: [{pairs: {a: b}}]\n')
    ((_, item),) = opened(desired, tree, decrypt).resources
    assert item.body["data"] == {"password": "c2VjcmV0", "plain": "eA=="}
    assert item.body["data"].origins["password"].line == 5
    assert item.body["metadata"]["name"] == "login-1"
    assert not encrypted(item)
    assert encrypted(desired.resources[0][1]), "what was rendered stays as it is"


def test_sealed_objects_have_nothing_of_sops_and_no_value(tmp_path: Path) -> None:
    _, desired = files(tmp_path)
    ((_, item),) = sealed(desired).resources
    assert set(item.body) == {"apiVersion", "kind", "metadata", "data"}
    assert item.body["data"]["password"].startswith("ENC[")
    assert "c2VjcmV0" not in yaml.dump(item.body)


@pytest.mark.parametrize(
    ("kind", "kustomization", "told"),
    [
        ("ConfigMap", "", "encrypt Secrets only"),
        ("Secret", "patches: [{patch: 'OTHER'}]\n", "or one that is not in web/secret.yaml"),
        ("Secret", "commonAnnotations: {a: 'ENC[x]'}\n", "holds an encrypted value outside of data and stringData"),
    ],
)
def test_what_cannot_be_opened_is_refused(tmp_path: Path, kind: str, kustomization: str, told: str) -> None:
    patch = '{apiVersion: v1, kind: Secret, metadata: {name: login}, data: {other: "ENC[y]"}}'
    tree, desired = files(tmp_path, kind, kustomization.replace("OTHER", patch))
    with pytest.raises(ConfigError, match=r"login") as raised:
        opened(desired, tree, decrypt)
    assert told in str(raised.value)
    assert "web/secret.yaml:1" in str(raised.value)


def test_all_files_that_cannot_be_decrypted_are_told(tmp_path: Path) -> None:
    tree, desired = files(tmp_path)

    def fails(_file: str, _text: bytes) -> str:
        raise SourceError("no key")

    with pytest.raises(ConfigError, match="no key"):
        opened(desired, tree, fails)
