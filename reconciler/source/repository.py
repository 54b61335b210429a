"""A git repository: revisions, trees of files, who last touched a line."""

from __future__ import annotations

import os
import shlex
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from reconciler.errors import GitUnusable, RevisionNotFound, SourceError
from reconciler.model.commit import Commit
from reconciler.source.directory import DirectoryTree
from reconciler.source.gitpython import (
    BadName,
    BadObject,
    GitCommandError,
    InvalidGitRepositoryError,
    NoSuchPathError,
    git,
)
from reconciler.source.told import told
from reconciler.source.tree import CommitTree

if TYPE_CHECKING:
    from reconciler.model.files import FileTree

UNCOMMITTED = "0" * 40
DEEPER: Final = "`git fetch --unshallow`, `fetch-depth: 0` in CI"


class Repository:
    """One repository on disk, with a working tree or bare."""

    def __init__(self, repo: git.Repo) -> None:
        """Use an open repository."""
        self._repo = repo
        self._blames: dict[tuple[str, str | None], list[Commit | None]] = {}
        self._trees: dict[str, CommitTree] = {}

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
                f"{base} and {head} have no commit in common: a shallow clone has to be fetched deeper ({DEEPER})"
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

        Links on the way to the file are followed; raises GitUnusable where git does not read the repository. Without a revision the working tree is asked, so that lines that were just written have no commit.
        """
        key = (file, revision)
        if key not in self._blames:
            self._blames[key] = self._blame(file, revision)
        lines = self._blames[key]
        return lines[line - 1] if 0 < line <= len(lines) else None

    def _blame(self, file: str, revision: str | None) -> list[Commit | None]:
        try:
            place = self._place(file, revision)
            groups = cast("list[tuple[git.Commit, list[str]]]", self._repo.blame(revision, place) or [])
        except GitCommandError:
            self._require_read()
            return []  # git does not know the file
        lines: list[Commit | None] = []
        for commit, texts in groups:
            lines.extend([_told(commit, boundary=commit.hexsha in self._boundary)] * len(texts))
        return lines

    def _place(self, file: str, revision: str | None) -> str:
        """Return where a file is in the repository, by links within it: git knows no path that leads through one."""
        if revision is not None:
            if revision not in self._trees:
                self._trees[revision] = CommitTree(self._commit(revision).tree)
            return self._trees[revision].place(file) or file
        real = Path(os.path.realpath(self.root / file))
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else file

    @cached_property
    def _boundary(self) -> frozenset[str]:
        """The commits that a shallow clone ends at; none where it is whole."""
        try:
            return frozenset((Path(self._repo.common_dir) / "shallow").read_text().split())
        except FileNotFoundError:
            return frozenset()

    def _require_read(self) -> None:
        """Raise GitUnusable where git reads nothing of the repository, whatever it is asked."""
        try:
            self._repo.git.rev_parse("--git-dir")
        except GitCommandError as error:
            words = error.stderr.partition("'")[2].removesuffix("'").strip()
            if "safe.directory" in words:
                why = f"{words.splitlines()[0].removeprefix('fatal: ')}: another user owns it"
                way_out = f"`git config --global --add safe.directory {shlex.quote(str(self.root))}` allows it"
                raise GitUnusable(f"git does not read {self.root}: {why} ({way_out})") from error
            raise GitUnusable(f"git does not read {self.root}: {told(words, error.status)}") from error

    def _commit(self, revision: str) -> git.Commit:
        try:
            found = self._repo.commit(revision)
            _ = found.tree  # a full id is taken on trust until it is looked at
        except BrokenPipeError as error:  # git ended at once
            self._require_read()
            raise SourceError(f"{self.root}: git ended when it was asked for {revision}") from error
        except (BadName, BadObject, ValueError, IndexError, NotImplementedError, GitCommandError) as error:
            self._require_read()
            shallow = f"; the clone is shallow and lacks what is older ({DEEPER})" if self._boundary else ""
            raise RevisionNotFound(
                f"{self.root} has no revision {revision!r}: expected a commit, branch or tag{shallow}"
            ) from error
        return found


def _told(commit: git.Commit, *, boundary: bool = False) -> Commit | None:
    if commit.hexsha == UNCOMMITTED:
        return None
    summary = commit.summary if isinstance(commit.summary, str) else commit.summary.decode(errors="replace")
    return Commit(commit.hexsha, str(commit.author.name or ""), commit.authored_datetime, summary, boundary)
