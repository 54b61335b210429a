"""From the command line's options to files, revision and environment: what each command begins with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import GitUnusable, SourceError, UsageError
from reconciler.source.directory import DirectoryTree
from reconciler.source.tops import Unclear, top_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.cli.invocation import Invocation
    from reconciler.model.commit import Commit
    from reconciler.model.files import FileTree
    from reconciler.model.origin import Origin
    from reconciler.pipeline import Checkout
    from reconciler.source.repository import Repository


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files that a command reads."""

    files: FileTree
    revision: str | None
    opened: Callable[[], Repository | None]

    @property
    def repository(self) -> Repository | None:
        """The repository, opened when it is first asked for; None in a directory that is under no git."""
        return self.opened()

    def commits(self, origins: Iterable[Origin | None]) -> Mapping[tuple[str, int], Commit]:
        """Return the commit that last touched each origin's line; lines that are not committed have none."""
        asked = [origin for origin in origins if origin is not None]
        repository = self.repository if asked else None
        return commits(repository, asked, self.revision) if repository is not None else {}


def commits(
    repository: Repository, origins: Iterable[Origin | None], revision: str | None
) -> Mapping[tuple[str, int], Commit]:
    """Return the commit that last touched each origin's line at a revision; lines that are not committed have none."""
    found: dict[tuple[str, int], Commit] = {}
    for file, line in {(origin.source.file, origin.line) for origin in origins if origin is not None}:
        commit = repository.blame(file, line, revision)
        if commit is not None:
            found[file, line] = commit
    return found


def certain(found: Mapping[tuple[str, int], Commit]) -> Mapping[tuple[str, int], Commit]:
    """Return the commits without those at which a shallow clone ends, where an earlier one may be meant; warns of them."""
    from reconciler.cli.printing import print_warnings

    known = {place: commit for place, commit in found.items() if not commit.boundary}
    if len(known) < len(found):
        print_warnings(("the clone is shallow: the commits of some lines are not known (git fetch --unshallow)",))
    return known


def _require_directory(repo: Path) -> None:
    """Raise UsageError where a directory is not there; the current one may have been removed under the shell."""
    try:
        there = repo.absolute().is_dir()
    except FileNotFoundError:
        there = False
    if not there:
        raise UsageError(f"--repo {repo}: there is no such directory")


def open_repository(invocation: Invocation) -> Repository:
    """Open the repository that the options name; raises SourceError where there is none."""
    _require_directory(invocation.repo)
    from reconciler.source.repository import Repository

    return Repository.open(invocation.repo)


def open_workspace(invocation: Invocation) -> Workspace:
    """Open the repository (or the plain directory) that the options name."""
    _require_directory(invocation.repo)
    if invocation.revision is None:
        try:
            top = top_of(invocation.repo)
        except Unclear:
            pass
        else:
            opened = cache(partial(open_repository, invocation)) if top is not None else _nothing
            return Workspace(DirectoryTree(top or invocation.repo.resolve()), None, opened)
    return _asked_of_git(invocation)


def _nothing() -> None:
    return None


def _asked_of_git(invocation: Invocation) -> Workspace:
    try:
        repository = open_repository(invocation)
    except GitUnusable:
        raise
    except SourceError:
        if invocation.revision is not None:
            raise
        return Workspace(DirectoryTree(invocation.repo.resolve()), None, _nothing)
    revision = None if invocation.revision is None else repository.resolve(invocation.revision)
    files = repository.working_tree() if revision is None else repository.tree(revision)
    return Workspace(files, revision, lambda: repository)


def root_of(workspace: Workspace, invocation: Invocation) -> Path:
    """Return the top of the files that a command reads, on disk."""
    return workspace.repository.root if workspace.repository else invocation.repo.resolve()


def open_environment(workspace: Workspace, name: str) -> Checkout:
    """Load one environment of a workspace; raises InvalidEnvironment with everything that is wrong with it."""
    from reconciler import pipeline
    from reconciler.cli.connect import open_clones

    return pipeline.open_checkout(workspace.files, name, workspace.revision, open_clones())


def _top(directory: Path) -> Path:
    """Return the top of the working tree that a directory is in, found without git; the directory where there is none."""
    return next((place for place in (directory, *directory.parents) if (place / ".git").exists()), directory)


def open_build(invocation: Invocation, directory: Path) -> tuple[FileTree, str]:
    """Return the tree that a directory belongs to and the directory's path in it.

    Below the repository that is the repository's tree; a directory elsewhere is a tree of its own, with the file
    system as its root, so that it may point to its neighbours.
    """
    if invocation.revision is None:
        _require_directory(invocation.repo)
        root = _top(invocation.repo.resolve())
        files: FileTree = DirectoryTree(root)
    else:
        workspace = open_workspace(invocation)
        root, files = root_of(workspace, invocation), workspace.files
    target = (invocation.repo / directory).resolve()
    if target.is_relative_to(root):
        return files, "" if target == root else target.relative_to(root).as_posix()
    if invocation.revision is not None:
        raise UsageError(f"{directory} is not in the repository {root}, so it has no revision {invocation.revision}")
    return DirectoryTree(Path("/")), target.relative_to("/").as_posix()
