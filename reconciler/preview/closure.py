"""Which files a build may read, found without building: whatever the strings of its kustomizations lead to.

Wide on purpose. A build reads nothing that no string of a kustomization names, so what is outside of the closure cannot
change its result; what is inside may not matter after all, which costs a build and no more.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.environment.load import KUSTOMIZATIONS
from reconciler.environment.lockfile import PATH as LOCK
from reconciler.errors import ConfigError
from reconciler.model import remote
from reconciler.model.origin import Source
from reconciler.render import helmfields, helmfiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.files import FileTree


PLUGINS: Final = frozenset({"generators", "transformers", "validators"})
_WORD: Final = re.compile(r"[^\s'\"\[\]{},]+")  # what may be a path in a file that is no YAML


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
        content = self._files.read(file)
        try:
            documents = yaml.parse(content, Source(file, directory), yaml.Dialect.KUSTOMIZATION)
        except ConfigError:
            yield from _paths(
                directory, _WORD.findall(content.decode(errors="replace"))
            )  # the build tells what is wrong
            return
        yield from self._charts(directory, documents)
        named = [*_strings(documents), *_strings(list(self._plugins(directory, documents)))]
        if any(remote.find(text) is not None for text in named):
            yield LOCK  # says what the URL stands for
        yield from _paths(directory, named)

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
        """Yield the plugins of a kustomization, written in it, in a file, or in a directory that is built.

        What they name is looked for from the kustomization's own directory.
        """
        for document in documents:
            for field, entries in document.items() if isinstance(document, dict) else ():
                if field.lower() in PLUGINS and isinstance(entries, list):
                    for entry in entries:
                        yield from self._plugin(directory, entry)

    def _plugin(self, directory: str, entry: object) -> Iterator[Any]:
        if not isinstance(entry, str):
            return
        path = posixpath.normpath(posixpath.join(directory, entry)) if "\n" not in entry else ".."
        try:
            if "\n" in entry:
                yield from yaml.parse(entry, Source(directory, directory))
            elif path.startswith(("../", "/")) or path == "..":
                return
            elif self._files.is_dir(path):
                for name in self.of(path):
                    if name.endswith((".yaml", ".yml", ".json")) and self._files.is_file(name):
                        yield from yaml.parse(self._files.read(name), Source(name, directory))
            elif self._files.is_file(path):
                yield from yaml.parse(self._files.read(path), Source(path, directory))
        except ConfigError:
            return  # the build tells what is wrong with it


def _paths(directory: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield the places within the repository that texts may mean, seen from a directory."""
    for text in texts:
        for part in {text, text.partition("=")[2]}:  # generators write `key=file`
            path = posixpath.normpath(posixpath.join(directory, part)) if part and "\n" not in part else ".."
            if not path.startswith(".."):
                yield path


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
