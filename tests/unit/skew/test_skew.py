"""Two environments side by side: what differs, and which layer makes it differ."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata: {name: NAME}
spec:
  cluster: {sandbox: true}
  components:
    - name: web
      path: web
      timeout: TIME
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: web}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: example.com/web:1
          envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: web}
"""
FILES = {
    "base/web/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web/web.yaml": WEB,
    "environments/one/environment.yaml": ENVIRONMENT.replace("NAME", "one").replace("TIME", "5m"),
    "environments/one/web/kustomization.yaml": (
        "resources: [../../../base/web]\nnamespace: web\n"
        "configMapGenerator: [{name: settings, literals: [mode=slow]}]\n"
        "secretGenerator: [{name: key, literals: [key=first-value]}]\n"
    ),
    "environments/two/environment.yaml": ENVIRONMENT.replace("NAME", "two").replace("TIME", "9m"),
    "environments/two/web/kustomization.yaml": (
        "resources: [../../../base/web, extra.yaml]\nnamespace: web\n"
        "configMapGenerator: [{name: settings, literals: [mode=fast]}]\n"
        "secretGenerator: [{name: key, literals: [key=other-value]}]\n"
        "replicas: [{name: web, count: 3}]\n"
    ),
    "environments/two/web/extra.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two environments."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    subprocess.run(("git", "init", "-q"), cwd=tmp_path, check=True)
    return tmp_path


def run(root: Path, *arguments: str, code: int = 0) -> str:
    """Run `reconciler skew` and return what it prints."""
    command = (sys.executable, "-m", "reconciler.cli.main", "--repo", str(root), "skew", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_every_difference_has_its_layer(repository: Path) -> None:
    made: dict[str, Any] = json.loads(run(repository, "one", "two", "-o", "json"))
    (setting,) = made["settings"]
    assert setting["path"] == "spec.components[name=web].timeout"
    assert (setting["left"]["value"], setting["right"]["value"]) == ("5m", "9m")

    objects = {item["id"]["kind"] + "/" + item["id"]["name"].partition("-")[0]: item for item in made["objects"]}
    (replicas,) = objects["Deployment/web"]["fields"]
    assert replicas["path"] == "spec.replicas"
    assert replicas["left"]["origin"]["layer"] == "base/web"
    assert replicas["right"]["origin"] == {
        "file": "environments/two/web/kustomization.yaml",
        "line": 5,
        "layer": "environments/two/web",
        "by": "replicas",
        "commit": None,
    }
    assert replicas["layers"] == ["base/web", "environments/two/web"]
    assert objects["ConfigMap/extra"]["only"] == "right"
    assert made["same"] == 1


def test_generated_names_are_paired_and_secrets_are_hidden(repository: Path) -> None:
    """A hash in a name is no difference, nor is a reference to it; what the object holds is."""
    made = json.loads(run(repository, "one", "two", "-o", "json"))
    fields = {
        item["id"]["kind"]: [field["path"] for field in item["fields"]] for item in made["objects"] if not item["only"]
    }
    assert fields == {"Deployment": ["spec.replicas"], "ConfigMap": ["data.mode"], "Secret": ["data.key"]}
    for output in ("text", "json", "yaml"):
        told = run(repository, "one", "two", "-o", output)
        assert "secret, 11 bytes" in told
        for value in ("first-value", "other-value", "Zmlyc3QtdmFsdWU=", "b3RoZXItdmFsdWU="):
            assert value not in told


def test_text_and_exit_codes(repository: Path) -> None:
    told = run(repository, "one", "two", "--exit-code", code=3)
    assert "+ 3  environments/two/web/kustomization.yaml:5 (replicas)" in told
    assert "3 objects differ, 0 only in one, 1 only in two, 1 the same, 1 settings differ" in told
    assert "0 objects differ" in run(repository, "one", "one", "--exit-code")
    assert "neither environment has a component 'wob'" in run(repository, "one", "two", "--component", "wob", code=2)
    assert "no environment three" in run(repository, "one", "three", code=2)
