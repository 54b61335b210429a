"""Trees of files: a directory and a commit give the same answers."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import GitUnusable, RenderError, RevisionNotFound, SourceError
from reconciler.source.directory import DirectoryTree
from reconciler.source.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.files import FileTree


def git(root: Path, *arguments: str) -> None:
    """Run git with a fixed identity."""
    identity = {f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(("git", *arguments), cwd=root, check=True, env={**os.environ, **identity, "HOME": str(root)})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with one commit."""
    (tmp_path / "outside.yaml").write_text("secret: 1\n")
    root = tmp_path / "repository"
    (root / "base" / "web").mkdir(parents=True)
    (root / "base" / "web" / "a.yaml").write_text("a: 1\nb: 2\n")
    (root / "base" / "link").symlink_to("web")
    (root / "base" / "out.yaml").symlink_to("../../outside.yaml")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


@pytest.fixture
def repository(root: Path) -> Iterator[Repository]:
    """Return the repository, opened from below its top."""
    opened = Repository.open(root / "base")
    yield opened
    opened.close()


@pytest.fixture(params=["directory", "commit"])
def tree(root: Path, repository: Repository, request: pytest.FixtureRequest) -> FileTree:
    """Return the same files in both kinds of tree."""
    return DirectoryTree(root) if request.param == "directory" else repository.tree("main")


def test_both_trees_tell_the_same(tree: FileTree) -> None:
    assert tree.entries("") == ["base"]
    assert tree.entries("base") == ["link", "out.yaml", "web"]
    assert tree.read("base/web/a.yaml") == b"a: 1\nb: 2\n"
    assert tree.is_dir("base/web")
    assert not tree.is_file("base/web")
    assert not tree.is_dir("base/none")
    assert not tree.is_file("base/" + 300 * "x")
    assert not tree.is_dir("base/web/a.yaml/b")
    assert tree.digest("base/web/a.yaml") == "083c5aec5d713f2f8285b135c6dc515a71bbe814"


def test_links_within_the_tree_are_followed(tree: FileTree) -> None:
    assert tree.read("base/link/a.yaml") == b"a: 1\nb: 2\n"
    assert tree.is_dir("base/link")


@pytest.mark.parametrize("path", ["base/out.yaml", "../outside.yaml", "base/../../outside.yaml"])
def test_nothing_outside_can_be_read(tree: FileTree, path: str) -> None:
    """Links and dots that lead out are refused, and the path is named."""
    with pytest.raises(RenderError, match="leads out of the repository"):
        tree.read(path)


def test_a_missing_file_is_told(tree: FileTree) -> None:
    with pytest.raises(FileNotFoundError):
        tree.read("base/web/none.yaml")


def test_blames_lines(root: Path, repository: Repository) -> None:
    """A committed line has its commit, a line that was just written has none."""
    (root / "base" / "web" / "a.yaml").write_text("a: 1\nb: 3\n")
    first = repository.blame("base/web/a.yaml", 1, None)
    assert first is not None
    assert (first.sha, first.author, first.summary) == (repository.head(), "ada@example.com", "first")
    assert repository.blame("base/web/a.yaml", 2, None) is None
    assert repository.blame("base/web/a.yaml", 2, "main") is not None
    assert repository.blame("base/web/none.yaml", 1, None) is None


def test_blames_lines_by_way_of_links(root: Path) -> None:
    """Git knows no path that leads through a link, and takes a link itself for a file of one line."""
    (root / "base" / "same.yaml").symlink_to("link/a.yaml")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "second")
    with closing(Repository.open(root)) as opened:
        for revision in (None, "main"):
            for file in ("base/link/a.yaml", "base/same.yaml"):
                found = opened.blame(file, 2, revision)
                assert found is not None
                assert (found.summary, found.boundary) == ("first", False)


def test_a_shallow_clone_is_told(root: Path, tmp_path: Path) -> None:
    """What is older is not there, and the commit that it ends at may not be the one that wrote a line."""
    git(root, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", root.as_uri(), "shallow")
    with closing(Repository.open(tmp_path / "shallow")) as opened:
        with pytest.raises(
            RevisionNotFound, match=r"no revision 'HEAD~1'.*the clone is shallow.*git fetch --unshallow"
        ):
            opened.resolve("HEAD~1")
        found = opened.blame("base/web/a.yaml", 1, None)
        assert found is not None
        assert (found.summary, found.boundary) == ("second", True)


def test_a_repository_of_another_user_is_told_with_the_way_out(
    root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    expected = f"{root}.*dubious ownership.*git config --global --add safe.directory {root}` allows it"
    asks: tuple[Callable[[], object], ...] = (
        lambda: repository.resolve("main"),
        lambda: repository.commit("main"),
        lambda: repository.merge_base("main", "main"),
        lambda: repository.blame("base/web/a.yaml", 1, None),
    )
    for ask in asks:
        with pytest.raises(GitUnusable, match=expected):
            ask()


def test_without_git_one_sentence_says_so(tmp_path: Path) -> None:
    code = "import reconciler.source.repository"
    told = subprocess.run(
        (sys.executable, "-c", code),
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    expected = "git is needed to read commits, and does not run here: install it, and have it on PATH"
    assert told.splitlines()[-1] == f"reconciler.errors.GitUnusable: {expected}"


def test_an_unknown_revision_is_named(repository: Repository) -> None:
    with pytest.raises(RevisionNotFound, match="no revision 'nope'"):
        repository.resolve("nope")


def test_a_plain_directory_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not in a git repository"):
        Repository.open(tmp_path)


def test_a_submodule_is_told_where_it_is_read(root: Path) -> None:
    """Its files are another repository's; what is beside it is read all the same."""
    with closing(Repository.open(root)) as opened:
        link = f"160000,{opened.resolve('main')},vendored"
    git(root, "update-index", "--add", "--cacheinfo", link)
    git(root, "update-index", "--add", "--cacheinfo", link.replace("vendored", "base/inner"))
    git(root, "commit", "-q", "-m", "with submodules")
    with closing(Repository.open(root)) as opened:
        tree = opened.tree("main")
        assert tree.entries("") == ["base", "vendored"]
        for path, submodule in (("vendored", "vendored"), ("base/inner/web/a.yaml", "base/inner")):
            for ask in (tree.is_file, tree.is_dir, tree.read):
                with pytest.raises(
                    RenderError, match=f"^{submodule}: is a submodule .a commit holds none of its files"
                ):
                    ask(path)
        assert tree.read("base/web/a.yaml") == b"a: 1\nb: 2\n"


@pytest.mark.parametrize("revision", ["0" * 40, "main@{yesterday}", "main^{nothing}", "", "-x"])
def test_revisions_that_git_cannot_make_sense_of_are_named(repository: Repository, revision: str) -> None:
    for ask in (repository.resolve, repository.tree, lambda name: repository.merge_base(name, "main")):
        with pytest.raises((RevisionNotFound, SourceError)):
            ask(revision)
