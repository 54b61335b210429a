"""Files of a directory on disk, as a tree with an edge: nothing outside of it can be read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import Problem, RenderError
from reconciler.limits import FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
        return self._is(stat.S_ISDIR, path)

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there."""
        return self._is(stat.S_ISREG, path)

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory, sorted; git's own folder is not one of them."""
        return sorted(item.name for item in self._place(path).iterdir() if item.name != ".git")

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        place = self._place(path)
        try:
            with place.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read(FILE_BYTES + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RenderError([Problem(path, 0, f"cannot be read: {error.strerror}")]) from error
        if len(content) > FILE_BYTES:
            raise RenderError([Problem(path, 0, f"is larger than {FILE_BYTES >> 20} MiB")])
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        self._digests[path] = (_state(status), digest)
        return content

    def digest(self, path: str) -> str:
        """Return the git blob id of a file; computed again when its size, times or inode change."""
        try:
            status = os.lstat(self._named(path))  # no Path: this look is all that a build takes which is there already
            state = _state(self._place(path).stat() if stat.S_ISLNK(status.st_mode) else status)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error
        if path not in self._digests or self._digests[path][0] != state:
            self.read(path)
        return self._digests[path][1]

    def _is(self, kind: Callable[[int], bool], path: str) -> bool:
        """Whether something of a kind stands there; where nothing can stand, there is nothing."""
        try:
            return kind(self._place(path).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a NUL
            return False
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                return False
            raise

    def _place(self, path: str) -> Path:
        """Return where a path leads on disk; refuses one that leads out of the tree, by links or dots."""
        place = Path(self._named(path))
        return Path(self._resolved(str(place), path)) if place.is_symlink() else place

    def _named(self, path: str) -> str:
        """Return the place that a path names, which may be a link itself; the directory around it is within the tree."""
        parent, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            return self._resolved(self._prefix + path, path)
        around = self._directories.get(parent)
        if around is None:
            around = self._directories[parent] = self._resolved(self._prefix + parent, path)
        return f"{around}/{name}"

    def _resolved(self, place: str, path: str) -> str:
        real = os.path.realpath(place)
        if not (real + "/").startswith(self._prefix):
            raise RenderError([Problem(path, 0, "leads out of the repository", "links must stay within it")])
        return real


def _state(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file does."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
