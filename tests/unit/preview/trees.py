"""Two sides of a change as trees of files in memory."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.preview.run import Side, preview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.preview import Preview

ENVIRONMENT = """\
apiVersion: reconciler.dev/v1alpha1
kind: Environment
metadata: {{name: {name}}}
spec:
  cluster: {{sandbox: true}}
  components:
    - {{name: base, path: base}}
    - {{name: web, path: web, dependsOn: [base]}}
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: example.com/web:1
          ports: [{containerPort: 80}]
        - name: side
          image: example.com/side:1
"""


@dataclass(slots=True)
class Files:
    """Files by path; notes what was read."""

    files: Mapping[str, str]
    read_paths: list[str] = field(default_factory=list)

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""
        return not path or any(name.startswith(f"{path}/") for name in self.files)

    def is_file(self, path: str) -> bool:
        """Whether a file stands there."""
        return path in self.files

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory."""
        inside = (
            name[len(path) + 1 if path else 0 :] for name in self.files if not path or name.startswith(f"{path}/")
        )
        return sorted({name.split("/")[0] for name in inside})

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        self.read_paths.append(path)
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path].encode()

    def digest(self, path: str) -> str:
        """Return a digest of a file's content."""
        if path not in self.files:
            raise FileNotFoundError(path)
        return hashlib.sha256(self.files[path].encode()).hexdigest()


def platform(*names: str, **changed: str) -> dict[str, str]:
    """Return a repository with environments that share a base; `changed` replaces files, `__` stands for `/`."""
    files = {
        "shared/web/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: c, files: [k=data.txt]}]\n",
        "shared/web/web.yaml": WEB,
        "shared/web/data.txt": "text",
        "shared/base/kustomization.yaml": "resources: [base.yaml]\n",
        "shared/base/base.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    }
    for name in names or ("dev",):
        root = f"environments/{name}"
        files |= {
            f"{root}/environment.yaml": ENVIRONMENT.format(name=name),
            f"{root}/base/kustomization.yaml": "resources: [../../../shared/base]\n",
            f"{root}/web/kustomization.yaml": "resources: [../../../shared/web]\n",
        }
    return files | {posixpath.normpath(path.replace("__", "/")): text for path, text in changed.items()}


def compared(base: Mapping[str, str], head: Mapping[str, str]) -> Preview:
    """Preview the change between two repositories."""
    return preview(Side("b" * 40, Files(base)), Side("a" * 40, Files(head)))
