"""The shipped platform in a git repository of its own, set up for the sandbox's real nodes by commits, as people do it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.nodes.images import IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = "dev-onprem"
VERSIONS: Final = "overlays/images/versions/kustomization.yaml"
UPSTREAMS: Final = {
    "pull-docker-io": "https://registry-1.docker.io",
    "pull-ghcr-io": "https://ghcr.io",
    "pull-quay-io": "https://quay.io",
    "pull-registry-k8s-io": "https://registry.k8s.io",
}
MANAGEMENT: Final = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../../base/cluster-management/metrics-server
  - ../../../base/cluster-management/roles
components:
  - ../../../overlays/images/versions
"""
IDENTITY: Final = {f"GIT_{who}_{what}": "lab" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def _on_sandbox(spec: dict[str, Any], left_out: frozenset[str]) -> None:
    spec["cluster"] = {"sandbox": True}
    spec["components"] = [one for one in spec["components"] if one["name"] not in left_out]
    for one in spec["components"]:
        if "dependsOn" in one:
            one["dependsOn"] = [name for name in one["dependsOn"] if name not in left_out]


def _images(workload: dict[str, Any]) -> set[str]:
    spec = workload["spec"]["template"]["spec"]
    return {one["image"] for one in (*spec["containers"], *spec.get("initContainers", ()))}


class Repository:
    """A copy of the platform, and the sandbox that its environment `dev-onprem` is applied to."""

    def __init__(self, folder: Path, sandbox: str) -> None:
        """Copy the platform and commit it as it is."""
        self.folder, self.sandbox = folder, sandbox
        for part in ("base", "overlays", "environments", "rules"):
            shutil.copytree(ROOT / part, folder / part)
        self._git("init", "-q", "-b", "main")
        self.commit("The platform as it is shipped")

    def commit(self, message: str) -> None:
        """Commit what has been changed."""
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", message)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text that a file has to hold."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{path} does not hold {old!r}"
        file.write_text(text.replace(old, new))

    def run(self, *arguments: str, expect: Iterable[int] = (0,), seconds: int = 1200) -> str:
        """Run the reconciler here as a user would and return what it prints."""
        command = (sys.executable, "-m", "reconciler.cli.main", *arguments)
        surroundings = {**os.environ, "RECONCILER_SANDBOX": self.sandbox}
        done = subprocess.run(
            command, cwd=self.folder, env=surroundings, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode in tuple(expect), f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self) -> Any:
        """Apply the environment and return the report."""
        return json.loads(self.run("apply", ENVIRONMENT, "--yes", "-o", "json"))

    def diff(self, expect: Iterable[int] = (0,)) -> Any:
        """Return the plan of the environment."""
        return json.loads(self.run("diff", ENVIRONMENT, "-o", "json", expect=expect))

    def settle(self, upstream: str, left_out: Iterable[str]) -> None:
        """Commit what is particular about this place, one commit a reason."""
        self._name_what_is_built()
        self._look_for_images(upstream)
        self.edit_environment(lambda spec: _on_sandbox(spec, frozenset(left_out)))
        self.commit("The cluster is a sandbox; what has no images here is left out")
        (self.folder / "environments" / ENVIRONMENT / "cluster-management" / "kustomization.yaml").write_text(
            MANAGEMENT
        )
        self.commit("Metrics and roles; the agent would follow a repository that no Pod can reach here")
        waiting = self._without_image()
        for component, names in waiting.items():
            self._scale_to_nothing(component, names)
        self.commit("What has no image here does not run: " + ", ".join(sorted(set().union(*waiting.values()))))

    def edit_environment(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the environment's `spec`, without committing."""
        file = self.folder / "environments" / ENVIRONMENT / "environment.yaml"
        document = yaml.safe_load(file.read_text())
        change(document["spec"])
        file.write_text(yaml.safe_dump(document, sort_keys=False))

    def set_version(self, image: str, tag: str) -> None:
        """Change the version of an image in the one place where it stands, without committing."""
        self._retag({image: tag})

    def _without_image(self) -> dict[str, set[str]]:
        """Return the workloads that cannot run here, by component."""
        built = {one.reference for one in IMAGES}
        found: dict[str, set[str]] = {}
        for name in self._components():
            for item in yaml.safe_load_all(self.run("render", ENVIRONMENT, "--component", name)):
                wanted = _images(item) if item["kind"] in ("Deployment", "StatefulSet") else set()
                if wanted - built:
                    found.setdefault(name, set()).add(item["metadata"]["name"])
        return found

    def _components(self) -> list[str]:
        file = self.folder / "environments" / ENVIRONMENT / "environment.yaml"
        return [one["name"] for one in yaml.safe_load(file.read_text())["spec"]["components"]]

    def _scale_to_nothing(self, component: str, names: set[str]) -> None:
        file = self.folder / "environments" / ENVIRONMENT / component / "kustomization.yaml"
        document = yaml.safe_load(file.read_text())
        document["replicas"] = [{"name": name, "count": 0} for name in sorted(names)]
        file.write_text(yaml.safe_dump(document, sort_keys=False))

    def _name_what_is_built(self) -> None:
        """Give the true versions of images that could not be had in the platform's."""
        built: dict[str, str] = {}
        for one in IMAGES:
            name, _, tag = one.reference.rpartition(":")
            built.setdefault(name, tag)
        self._retag(built)
        self.commit("The versions that can be built here")

    def _retag(self, tags: dict[str, str]) -> None:
        text = (self.folder / VERSIONS).read_text()
        for name, tag in tags.items():
            text = re.sub(rf"(- name: {re.escape(name)}\n    newTag: )\S+", rf"\g<1>{tag}", text)
        (self.folder / VERSIONS).write_text(text)

    def _look_for_images(self, upstream: str) -> None:
        file = "base/registry/pull-through/caches.yaml"
        for address in UPSTREAMS.values():
            self.replace(file, f"value: {address}\n", f"value: {upstream}\n")
        self.commit("Caches look for images where they can be had here")

    def _git(self, *arguments: str) -> None:
        subprocess.run(
            ("git", *arguments), cwd=self.folder, env={**os.environ, **IDENTITY}, check=True, capture_output=True
        )
