"""The top of a working tree is told without git only where that is what git would say."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SourceError
from reconciler.source.repository import Repository
from reconciler.source.tops import Unclear, top_of

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> None:
    """Run git."""
    subprocess.run(("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments), cwd=folder, check=True)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a folder with repositories of many kinds."""
    for name in ("plain", "elsewhere", "no-tree", "included"):
        (tmp_path / name / "deep/er").mkdir(parents=True)
        git(tmp_path / name, "init", "--quiet")
    (tmp_path / "outside").mkdir()
    git(tmp_path / "plain", "commit", "--quiet", "--allow-empty", "-m", "one")
    git(tmp_path / "plain", "worktree", "add", "--quiet", str(tmp_path / "beside"))
    git(tmp_path, "init", "--quiet", "--bare", "bare")
    git(tmp_path / "elsewhere", "config", "core.worktree", str(tmp_path / "outside"))
    git(tmp_path / "no-tree", "config", "core.bare", "true")
    git(tmp_path / "included", "config", "include.path", "more")
    (tmp_path / "plain/broken/.git").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "plain/deep")
    (tmp_path / "plain/out").symlink_to(tmp_path / "outside")
    return tmp_path


@pytest.mark.parametrize("path", ["plain", "plain/deep/er", "plain/out", "link", "outside", "."])
def test_it_is_what_git_says(made: Path, path: str) -> None:
    try:
        expected = Repository.open(made / path).root
    except SourceError:
        expected = None
    assert top_of(made / path, {}) == expected


@pytest.mark.parametrize(
    "path", ["bare", "bare/refs", "beside", "elsewhere/deep", "no-tree", "included", "plain/broken"]
)
def test_what_only_git_knows_is_unclear(made: Path, path: str) -> None:
    with pytest.raises(Unclear):
        top_of(made / path, {})


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE"])
def test_so_is_what_the_surroundings_say(made: Path, name: str) -> None:
    with pytest.raises(Unclear):
        top_of(made / "plain", {name: "elsewhere"})
