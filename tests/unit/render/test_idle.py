"""Patches and replacements that do nothing are told, where somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.render.build import build
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from pathlib import Path

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec: {replicas: 3}
"""
SAME = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n"


def warnings(root: Path, text: str, *, thorough: bool = True, **files: str) -> list[str]:
    for name, content in {"kustomization.yaml": "resources: [web.yaml]\n" + text, "web.yaml": WEB, **files}.items():
        (root / name).write_text(content)
    return [str(warning) for warning in build(DirectoryTree(root), "", thorough=thorough).warnings]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"patches:\n- patch: {SAME!r}\n".replace("'", '"'), 3, "the patch changes nothing of Deployment/web"),
        (
            "patches:\n- target: {kind: Deployment}\n  patch: '[{op: replace, path: /spec/replicas, value: 3}]'\n",
            3,
            "the patch changes nothing of Deployment/web",
        ),
        (
            (
                "replacements:\n- source: {kind: Deployment, fieldPath: metadata.labels.app}\n"
                "  targets:\n  - {select: {kind: Deployment}, fieldPaths: [metadata.name]}\n"
            ),
            3,
            "the replacement changes nothing",
        ),
    ],
)
def test_what_changes_nothing_is_told(tmp_path: Path, text: str, line: int, words: str) -> None:
    [warning] = warnings(tmp_path, text)
    assert warning.startswith(f"kustomization.yaml:{line}: {words}")
    assert warnings(tmp_path, text, thorough=False) == []


def test_what_changes_something_is_not(tmp_path: Path) -> None:
    assert warnings(tmp_path, f"patches:\n- patch: {SAME.replace('3', '4')!r}\n".replace("'", '"')) == []
    deleted = SAME.replace("spec:", "$patch: delete\nspec:")
    assert warnings(tmp_path, f"patches:\n- patch: {deleted!r}\n".replace("'", '"')) == []
