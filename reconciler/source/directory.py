"""Files of a directory on disk, as a tree with an edge: nothing outside of it can be read."""

from __future__ import annotations

import hashlib
import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import Problem, RenderError
from reconciler.limits import FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence


class DirectoryTree:
    """The files below a directory. See `model.files.FileTree` for what each method promises."""

    def __init__(self, root: Path) -> None:
        """Use a directory as the root."""
        self._root = root.resolve()
        self._prefix = str(self._root).rstrip("/") + "/"
        self._directories: dict[str, str] = {}  # where they are, links followed as they were when first seen
        self._digests: dict[str, tuple[tuple[int, ...], str]] = {}

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""
        return self._place(path).is_dir()

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there."""
        return self._place(path).is_file()

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory, sorted; git's own folder is not one of them."""
        return sorted(item.name for item in self._place(path).iterdir() if item.name != ".git")

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        place = self._place(path)
        try:
            with place.open("rb") as file:
                content = file.read(FILE_BYTES + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RenderError([Problem(path, 0, f"cannot be read: {error.strerror}")]) from error
        if len(content) > FILE_BYTES:
            raise RenderError([Problem(path, 0, f"is larger than {FILE_BYTES >> 20} MiB")])
        return content

    def digest(self, path: str) -> str:
        """Return the git blob id of a file; computed again when its size, times or inode change."""
        place = self._place(path)
        try:
            status = place.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._digests.get(path)
        if known is None or known[0] != state:
            content = self.read(path)
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            known = self._digests[path] = (state, digest)
        return known[1]

    def _place(self, path: str) -> Path:
        """Return where a path leads on disk; refuses one that leads out of the tree, by links or dots."""
        parent, name = posixpath.split(path)
        around = self._directories.get(parent)
        if around is None:
            around = self._directories[parent] = self._resolved(self._prefix + parent, path)
        place = Path(around, name) if name not in ("", ".", "..") else Path(self._resolved(self._prefix + path, path))
        return Path(self._resolved(str(place), path)) if place.is_symlink() else place

    def _resolved(self, place: str, path: str) -> str:
        real = os.path.realpath(place)
        if not (real + "/").startswith(self._prefix):
            raise RenderError([Problem(path, 0, "leads out of the repository", "links must stay within it")])
        return real
