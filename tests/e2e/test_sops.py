"""Secrets that stand in git encrypted by the real SOPS, with a key of age."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Answer, Platform

pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      render: {sops: true}
      components: [{name: web, path: web}]
    """
SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: login
stringData:
  user: admin-of-all
  password: {password}
---
apiVersion: v1
kind: Secret
metadata:
  name: token
data:
  token: dG9rZW4tb2YtYWxs
"""
KUSTOMIZATION = """\
namespace: %N
namePrefix: a-
resources: [secret.yaml]
labels: [{pairs: {team: web}}]
"""


class Keys:
    """An age key, and sops with it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._sops, self.file = programs / "sops", folder / "key.txt"
        subprocess.run((programs / "age-keygen", "-o", self.file), check=True, capture_output=True)
        self._public = self.file.read_text().partition("public key: ")[2].split()[0]

    def encrypt(self, text: str) -> str:
        """Return a file encrypted as the guide says."""
        types = ("--input-type", "yaml", "--output-type", "yaml", "--filename-override", "secret.yaml")
        command = (self._sops, "encrypt", "--age", self._public, "--encrypted-regex", "^(data|stringData)$", *types)
        done = subprocess.run((*command, "/dev/stdin"), input=text, check=True, capture_output=True, text=True)
        return done.stdout


@pytest.fixture
def keys(sops: Path, tmp_path: Path, platform: Platform) -> Keys:
    """Return a key; the platform's commands find it and sops."""
    made = Keys(sops, tmp_path)
    platform.variables.update({"RECONCILER_SOPS": str(sops / "sops"), "SOPS_AGE_KEY_FILE": str(made.file)})
    return made


def whole(answer: Answer) -> str:
    """Return all that a command said."""
    return answer.out + answer.err


def test_encrypted_secrets_are_applied_and_never_told(
    keys: Keys, platform: Platform, control_plane: Sandbox, kubectl: Callable[..., str]
) -> None:
    name = platform.name
    kubectl("create", "namespace", name)
    platform.write(
        {
            "environments/%N/environment.yaml": ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}"),
            "environments/%N/web/kustomization.yaml": KUSTOMIZATION,
            "environments/%N/web/secret.yaml": keys.encrypt(SECRET.replace("{password}", "one-password")),
        }
    )
    platform.commit("encrypted")

    def data(secret: str) -> dict[str, str]:
        found = json.loads(kubectl("get", "secret", secret, "-n", name, "-o", "json"))["data"]
        return {key: base64.b64decode(value).decode() for key, value in found.items()}

    said = whole(platform.expect(0, "apply", name, "--yes"))
    assert data("a-login") == {"user": "admin-of-all", "password": "one-password"}
    assert data("a-token") == {"token": "token-of-all"}
    said += whole(platform.expect(0, "diff", name, "--exit-code"))
    said += whole(platform.expect(0, "render", name))

    file = platform.root / "environments" / name / "web" / "secret.yaml"
    file.write_text(keys.encrypt(SECRET.replace("{password}", "other-password")))
    changed = json.loads(platform.expect(3, "diff", name, "--exit-code", "-o", "json").out)
    assert [[field["path"] for field in item["fields"]] for item in changed["changes"]] == [["data.password"]]
    said += json.dumps(changed) + whole(platform.expect(0, "apply", name, "--yes"))
    assert data("a-login")["password"] == "other-password"
    for value in ("admin-of-all", "one-password", "other-password", "token-of-all"):
        assert value not in said
        assert base64.b64encode(value.encode()).decode() not in said


def test_what_cannot_be_opened_is_told_with_its_file(
    keys: Keys, platform: Platform, control_plane: Sandbox, tmp_path: Path
) -> None:
    name = platform.name
    cipher = keys.encrypt(SECRET.replace("{password}", "one-password"))
    environment = ENVIRONMENT.replace("%C", f"sandbox-{control_plane.name}")
    platform.write(
        {
            "environments/%N/environment.yaml": environment,
            "environments/%N/web/kustomization.yaml": KUSTOMIZATION,
            "environments/%N/web/secret.yaml": cipher,
        }
    )
    place = f"environments/{name}/web/secret.yaml:"
    here = platform.root / "environments" / name

    platform.variables["SOPS_AGE_KEY_FILE"] = os.devnull
    refused = platform.expect(2, "diff", name).err
    assert place in refused
    assert "cannot be decrypted" in refused
    assert "SOPS_AGE_KEY_FILE" in refused

    platform.variables["SOPS_AGE_KEY_FILE"] = str(keys.file)
    (here / "web" / "secret.yaml").write_text(cipher.replace("a-login", "login").replace("type:str]", "type:int]", 1))
    assert "cannot be decrypted" in platform.expect(2, "diff", name).err

    (here / "web" / "secret.yaml").write_text(cipher)
    platform.variables["RECONCILER_SOPS"] = str(tmp_path / "nothing")
    assert "there is no program" in platform.expect(1, "diff", name).err

    off = (here / "environment.yaml").read_text().replace("render: {sops: true}", "render: {}")
    (here / "environment.yaml").write_text(off)
    told = platform.expect(2, "validate", name).out
    assert f"Secret/a-login -n {name} is encrypted by SOPS (allow it with spec.render.sops: true)" in told
