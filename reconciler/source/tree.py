"""The files of a commit, read by blob from git's object database: nothing is checked out."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from reconciler.errors import Problem, RenderError
from reconciler.limits import FILE_BYTES, LINKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import git

_LINK_MODE: Final = 0o120000
_SUBMODULE_MODE: Final = 0o160000


class CommitTree:
    """The files of one commit. See `model.files.FileTree` for what each method promises."""

    def __init__(self, tree: git.Tree) -> None:
        """Use a commit's root tree; directories are read when they are first asked for."""
        self._directories: dict[str, dict[str, git.Object]] = {"": _named(tree)}

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""
        return self._directory(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there."""
        return self._blob(path) is not None

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory, sorted."""
        found = self._directory(path)
        if found is None:
            raise FileNotFoundError(path)
        return sorted(found)

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        blob = self._blob(path)
        if blob is None:
            raise FileNotFoundError(path)
        if blob.size > FILE_BYTES:
            raise RenderError([Problem(path, 0, f"is larger than {FILE_BYTES >> 20} MiB")])
        content: bytes = blob.data_stream.read()
        return content

    def digest(self, path: str) -> str:
        """Return the git blob id of a file."""
        blob = self._blob(path)
        if blob is None:
            raise FileNotFoundError(path)
        return str(blob.hexsha)

    def place(self, path: str) -> str | None:
        """Return the path of a file without the links on the way to it; None where there is no file."""
        blob = self._blob(path)
        return None if blob is None else str(blob.path)

    def _blob(self, path: str) -> git.Object | None:
        found = self._entry(path, LINKS)
        return found if found is not None and found.type == "blob" else None

    def _directory(self, path: str) -> dict[str, git.Object] | None:
        path = _normal(path, path)
        if path in self._directories:
            return self._directories[path]
        found = self._entry(path, LINKS)
        if found is None or found.type != "tree":
            return None
        self._directories[path] = _named(found)
        return self._directories[path]

    def _entry(self, path: str, links: int) -> git.Object | None:
        """Return what stands at a path, links within the tree followed."""
        path = _normal(path, path)
        parent, name = posixpath.split(path)
        around = self._directory(parent) if name else None
        found = around.get(name) if around is not None else None
        if found is None:
            return None
        if found.mode == _SUBMODULE_MODE:
            hint = "a commit holds none of its files: copy them into the repository, or name its URL (remote bases)"
            raise RenderError([Problem(path, 0, "is a submodule", hint)])
        if found.mode != _LINK_MODE:
            return found
        if links == 0:
            raise RenderError([Problem(path, 0, "is a link that leads to itself")])
        target = found.data_stream.read().decode(errors="replace")
        return self._entry(_normal(posixpath.join(parent, target), path), links - 1)


def _named(tree: git.Object) -> dict[str, git.Object]:
    return {posixpath.basename(str(item.path)): item for item in tree}  # a submodule has no name that git would know


def _normal(path: str, asked: str) -> str:
    """Return a path without dots; refuses one that leads out of the tree."""
    normal = posixpath.normpath(path) if path else ""
    if normal.startswith(("../", "/")) or normal == "..":
        raise RenderError([Problem(asked, 0, "leads out of the repository", "links must stay within it")])
    return "" if normal == "." else normal
