"""Which files a build may read, found without building: whatever the strings of its kustomizations lead to.

Wide on purpose. A build reads nothing that no string of a kustomization names, so what is outside of the closure cannot
change its result; what is inside may not matter after all, which costs a build and no more.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from reconciler import yaml
from reconciler.environment.load import KUSTOMIZATIONS
from reconciler.environment.lockfile import PATH as LOCK
from reconciler.errors import ConfigError
from reconciler.model import remote
from reconciler.model.origin import Source
from reconciler.render import helmfields, helmfiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.files import FileTree


class Closures:
    """The closures of one commit, each directory read once."""

    def __init__(self, files: FileTree) -> None:
        """Read from a tree."""
        self._files = files
        self._named: dict[str, frozenset[str]] = {}

    def of(self, directory: str) -> frozenset[str]:
        """Return the files and directories that a build of a directory may read, and places where it would look."""
        found: set[str] = set()
        waiting = [directory]
        while waiting:
            path = waiting.pop()
            if path in found:
                continue
            found.add(path)
            if path not in self._named:
                self._named[path] = frozenset(self._names(path))
            waiting.extend(self._named[path])
        return frozenset(found)

    def content(self, directory: str) -> frozenset[tuple[str, str]]:
        """Return a closure with the digest of each file, links followed; "" where no file stands."""
        return frozenset((path, self._digest(path)) for path in self.of(directory))

    def _digest(self, path: str) -> str:
        try:
            return self._files.digest(path) if self._files.is_file(path) else ""
        except ConfigError:
            return ""

    def _names(self, path: str) -> Iterator[str]:
        """Yield what a directory's kustomization names; a directory without one is read whole."""
        try:
            if not self._files.is_dir(path):
                return
            kustomizations = [name for name in KUSTOMIZATIONS if self._files.is_file(posixpath.join(path, name))]
            if not kustomizations:
                yield from (posixpath.join(path, name) for name in self._files.entries(path))
            for name in kustomizations:
                yield posixpath.join(path, name)
                yield from self._mentioned(path, posixpath.join(path, name))
        except ConfigError:
            return  # a link that leads out of the repository; the build tells it

    def _mentioned(self, directory: str, file: str) -> Iterator[str]:
        try:
            documents = yaml.parse(self._files.read(file), Source(file, directory))
        except ConfigError:
            return  # the build tells what is wrong with it, and the file itself is in the closure
        yield from self._charts(directory, documents)
        for text in _strings(documents):
            if remote.find(text) is not None:
                yield LOCK  # says what the URL stands for
            for part in {text, text.partition("=")[2]}:  # generators write `key=file`
                path = posixpath.normpath(posixpath.join(directory, part)) if part and "\n" not in part else ".."
                if not path.startswith(".."):
                    yield path

    def _charts(self, directory: str, documents: list[Any]) -> Iterator[str]:
        """Yield the files of all charts where one may be meant, and the file that pins those of repositories."""
        homes = helmfields.homes([*documents, *self._plugins(directory, documents)])
        if homes:
            yield helmfiles.LOCK
        for home in homes:
            path = posixpath.normpath(posixpath.join(directory, home))
            if not path.startswith(("..", "/")):
                yield path
                if self._files.is_dir(path):
                    yield from helmfiles.walk(self._files, path)

    def _plugins(self, directory: str, documents: list[Any]) -> Iterator[Any]:
        """Yield the generators of a kustomization that are written in it or in a file beside it."""
        for entry in (entry for item in documents if isinstance(item, dict) for entry in item.get("generators") or ()):
            path = posixpath.normpath(posixpath.join(directory, entry)) if isinstance(entry, str) else ".."
            try:
                if isinstance(entry, str) and "\n" in entry:
                    yield from yaml.parse(entry, Source(directory, directory))
                elif not path.startswith("..") and self._files.is_file(path):
                    yield from yaml.parse(self._files.read(path), Source(path, directory))
            except ConfigError:
                continue  # the build tells what is wrong with it


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
