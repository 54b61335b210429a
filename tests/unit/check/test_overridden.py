"""Values that a patch overrides in every environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.check import overridden
from reconciler.model.resource import Desired
from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "base/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  a: base\n  b: base\n  c: base\n",
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "one/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\nnamespace: one\n",
    "one/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  a: one\n  b: one\n",
    "two/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
    "two/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  a: two\n",
}


def test_only_what_every_environment_overrides_is_told(tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    found = [Desired(name, None, {"web": build(DirectoryTree(tmp_path), name).resources}) for name in ("one", "two")]
    assert [str(item) for item in overridden(found)] == [
        "base/web.yaml:5: the value is always overridden, last by two/patch.yaml:5 (take one of them out)"
    ]
    assert [item.line for item in overridden(found[:1])] == [5, 6]
