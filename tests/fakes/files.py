"""Files in memory, for the stages that read a tree of them."""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Files:
    """A tree of files in memory. See `model.files.FileTree` for what each method promises; there are no links."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        """Take files by path."""
        self._files = {
            posixpath.normpath(path): text.encode() if isinstance(text, str) else text for path, text in files.items()
        }

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""
        path = posixpath.normpath(path) if path else "."
        return path == "." or any(name.startswith(f"{path}/") for name in self._files)

    def is_file(self, path: str) -> bool:
        """Whether a file stands there."""
        return posixpath.normpath(path) in self._files

    def entries(self, path: str) -> list[str]:
        """Return the names in a directory."""
        prefix = f"{path}/" if path else ""
        return sorted({name.removeprefix(prefix).split("/")[0] for name in self._files if name.startswith(prefix)})

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        if not self.is_file(path):
            raise FileNotFoundError(path)
        return self._files[posixpath.normpath(path)]

    def digest(self, path: str) -> str:
        """Return a digest of a file's content."""
        return hashlib.sha256(self.read(path)).hexdigest()
