"""GitPython, and one sentence where there is no git: by itself it ends with a page of advice for programmers."""

from __future__ import annotations

from reconciler.errors import GitUnusable

try:
    import git
    from git.exc import GitCommandError, GitCommandNotFound, GitError, InvalidGitRepositoryError, NoSuchPathError
    from gitdb.exc import BadName, BadObject
except ImportError as error:
    raise GitUnusable(
        "git is needed to read commits, and does not run here: install it, and have it on PATH"
    ) from error

__all__ = [
    "BadName",
    "BadObject",
    "GitCommandError",
    "GitCommandNotFound",
    "GitError",
    "InvalidGitRepositoryError",
    "NoSuchPathError",
    "git",
]
