"""The port to files: a working tree or a commit's tree, as the render stage reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class FileTree(Protocol):
    """A tree of files. Paths are relative to its root, normalised, with forward slashes; "" is the root.

    Symbolic links that lead out of the tree are refused with a RenderError that names the link; so is what is in a submodule
    of a commit.
    """

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there (a link to one within the tree counts)."""

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory, sorted."""

    def read(self, path: str) -> bytes:
        """Return a file's content; raises FileNotFoundError."""

    def digest(self, path: str) -> str:
        """Return a file's git blob id: equal content has an equal digest, in whichever kind of tree."""
