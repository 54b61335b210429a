"""A git repository: revisions, trees of files, who last touched a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import git
from git.exc import GitCommandError, InvalidGitRepositoryError, NoSuchPathError
from gitdb.exc import BadName, BadObject

from reconciler.errors import RevisionNotFound, SourceError
from reconciler.model.commit import Commit
from reconciler.source.directory import DirectoryTree
from reconciler.source.tree import CommitTree

if TYPE_CHECKING:
    from reconciler.model.files import FileTree

UNCOMMITTED = "0" * 40


class Repository:
    """One repository on disk, with a working tree or bare."""

    def __init__(self, repo: git.Repo) -> None:
        """Use an open repository."""
        self._repo = repo
        self._blames: dict[tuple[str, str | None], list[Commit | None]] = {}

    @classmethod
    def open(cls, path: Path) -> Repository:
        """Open the repository that a directory is in; raises SourceError where it is in none."""
        try:
            return cls(git.Repo(path, search_parent_directories=True))
        except NoSuchPathError as error:
            raise SourceError(f"there is no directory {path}") from error
        except InvalidGitRepositoryError as error:
            raise SourceError(f"{path} is not in a git repository") from error

    def close(self) -> None:
        """End the git processes that read objects."""
        self._repo.close()

    @property
    def root(self) -> Path:
        """The top of the working tree; of a bare repository its own folder."""
        return Path(self._repo.working_tree_dir or self._repo.git_dir).resolve()

    def working_tree(self) -> FileTree:
        """Return the files as they are on disk; raises SourceError for a bare repository."""
        if self._repo.bare:
            raise SourceError(f"{self.root} is a bare repository and has no working tree: name a --revision")
        return DirectoryTree(self.root)

    def head(self) -> str | None:
        """Return the commit that is checked out; None before the first one."""
        return self._repo.head.commit.hexsha if self._repo.head.is_valid() else None

    def resolve(self, revision: str) -> str:
        """Return the full id of a commit, branch or tag; raises RevisionNotFound."""
        return self._commit(revision).hexsha

    def merge_base(self, base: str, head: str) -> str:
        """Return the newest commit that two revisions have in common; raises SourceError where there is none.

        Of several (after criss-cross merges) it is the one that git names first.
        """
        try:
            found = self._repo.merge_base(self._commit(base), self._commit(head))
        except GitCommandError as error:
            raise SourceError(f"{base} and {head} cannot be compared: git says {error.stderr.strip()}") from error
        if not found:
            raise SourceError(
                f"{base} and {head} have no commit in common: a shallow clone has to be fetched deeper "
                "(`git fetch --unshallow`, `fetch-depth: 0` in CI)"
            )
        return found[0].hexsha

    def tree(self, revision: str) -> FileTree:
        """Return the files of a commit; raises RevisionNotFound."""
        return CommitTree(self._commit(revision).tree)

    def commit(self, revision: str) -> Commit | None:
        """Return a commit; None where the repository does not have it."""
        try:
            return _told(self._commit(revision))
        except RevisionNotFound:
            return None

    def blame(self, file: str, line: int, revision: str | None) -> Commit | None:
        """Return the commit that last touched a line of a file; None where the line is not committed.

        Without a revision the working tree is asked, so that lines that were just written have no commit.
        """
        key = (file, revision)
        if key not in self._blames:
            self._blames[key] = self._blame(file, revision)
        lines = self._blames[key]
        return lines[line - 1] if 0 < line <= len(lines) else None

    def _blame(self, file: str, revision: str | None) -> list[Commit | None]:
        try:
            groups = cast("list[tuple[git.Commit, list[str]]]", self._repo.blame(revision, file) or [])
        except GitCommandError:
            return []  # git does not know the file
        lines: list[Commit | None] = []
        for commit, texts in groups:
            lines.extend([_told(commit)] * len(texts))
        return lines

    def _commit(self, revision: str) -> git.Commit:
        try:
            found = self._repo.commit(revision)
            _ = found.tree  # a full id is taken on trust until it is looked at
        except (BadName, BadObject, ValueError, IndexError, NotImplementedError, GitCommandError) as error:
            raise RevisionNotFound(
                f"{self.root} has no revision {revision!r}: expected a commit, branch or tag"
            ) from error
        return found


def _told(commit: git.Commit) -> Commit | None:
    if commit.hexsha == UNCOMMITTED:
        return None
    summary = commit.summary if isinstance(commit.summary, str) else commit.summary.decode(errors="replace")
    return Commit(commit.hexsha, str(commit.author.name or ""), commit.authored_datetime, summary)
