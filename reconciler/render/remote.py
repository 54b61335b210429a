"""Remote bases in a build: their files beside those of the repository, and where a kustomization names them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.errors import ConfigError, Problem, RenderError
from reconciler.model import remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model.files import FileTree
    from reconciler.model.remote import Pinned, Remotes, RepoSpec
    from reconciler.render.kustomization import Kustomization

    Visit = Callable[["Place", RepoSpec], Pinned | None]

T = TypeVar("T")
FIELDS: Final = ("resources", "bases", "components", "generators", "transformers", "validators")
"""The fields of a kustomization whose entries may be directories."""
COPY: Final = "copy the file into the repository, e.g. with `curl -fsSLO URL`, and name it by its path"


class Mounted:
    """The files of the repository, and those of remote bases below their mounts. See `model.files.FileTree`.

    A remote base is a tree of its own: no path of it leads anywhere else (`model.remote.joined`).
    """

    def __init__(self, files: FileTree, remotes: Remotes | None = None) -> None:
        """Begin with the repository's own files; without `remotes` there are no others."""
        self._remotes = remotes
        self._trees = {"": files}
        self._specs: dict[str, RepoSpec] = {}

    def mount(self, spec: RepoSpec, pinned: Pinned) -> str:
        """Add the files of a commit and return the directory that is meant."""
        name = remote.mount(spec, pinned.commit)
        self._trees.setdefault(name, pinned.files)
        self._specs.setdefault(name, spec)
        return f"{name}/{spec.path}" if spec.path else name

    def base(self, entry: str) -> str:
        """Return the directory that a URL means; raises ConfigError, without a place, where it cannot be had."""
        spec = remote.parse(entry)
        if self._remotes is None:
            raise ConfigError([Problem("", 0, "remote bases are off", remote.WAY_IN)])
        path = self.mount(spec, self._remotes.pinned(spec))
        if not self.is_dir(path):
            raise ConfigError(f"it has no directory {spec.path}")
        return path

    def meant(self, path: str) -> RepoSpec | None:
        """Return the remote base that a path is in; None for one of the repository's own files."""
        return self._specs.get(remote.split(path)[0])

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands there."""
        return self._ask(path, lambda files, inner: files.is_dir(inner))

    def is_file(self, path: str) -> bool:
        """Whether a regular file stands there."""
        return self._ask(path, lambda files, inner: files.is_file(inner))

    def entries(self, path: str) -> Sequence[str]:
        """Return the names in a directory, sorted."""
        return self._ask(path, lambda files, inner: files.entries(inner))

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return self._ask(path, lambda files, inner: files.read(inner))

    def digest(self, path: str) -> str:
        """Return a file's git blob id."""
        return self._ask(path, lambda files, inner: files.digest(inner))

    def _ask(self, path: str, question: Callable[[FileTree, str], T]) -> T:
        """Ask the tree that a path is in; what it says is wrong is told with the whole path."""
        name, inner = remote.split(path)
        files = self._trees.get(name)
        if files is None:
            raise RenderError([Problem(path, 0, "is in no repository that this build knows")])
        try:
            return question(files, inner)
        except RenderError as error:
            if not name:
                raise
            told = (Problem(f"{name}/{item.file}", item.line, item.message, item.hint) for item in error.problems)
            raise RenderError(told) from error


class Root:
    """The directory that is built, as far as places of files are told relative to it."""

    __slots__ = ("_directory", "_files")

    def __init__(self, directory: str, files: Mounted) -> None:
        """Tell places relative to a directory."""
        self._directory, self._files = directory, files

    def told(self, path: str) -> tuple[str, str]:
        """Return a path as `buildMetadata` has it, and the lines that say which repository it is in."""
        spec = self._files.meant(path)
        if spec is None:
            return posixpath.relpath(path, self._directory or "."), ""
        ref = f"ref: {spec.ref}\n" if spec.ref != remote.DEFAULT_REF else ""
        url = remote.shown(spec.url) if spec.url.startswith("http") else spec.url
        return remote.split(path)[1], f"repo: {url}\n{ref}"


class Place:
    """An entry of a kustomization, as errors name it."""

    __slots__ = ("field", "index", "made")

    def __init__(self, made: Kustomization, field: str, index: int) -> None:
        """Name an entry of a field."""
        self.made, self.field, self.index = made, field, index

    def __str__(self) -> str:
        """Return `file:line`."""
        return str(self.made.place(self.field, self.index))

    def error(self, message: str, hint: str = "") -> RenderError:
        """Return what is wrong with the entry."""
        return self.made.error(f"{self.field}[{self.index}]: {message}", self.field, self.index, hint=hint)

    def errors(self, error: ConfigError, spec: RepoSpec) -> RenderError:
        """Return what a port says of a remote base, with its place."""
        found = (self.error(f"remote base {spec.shown}: {item.message}", item.hint) for item in error.problems)
        return RenderError(problem for item in found for problem in item.problems)


def specification(files: FileTree, place: Place, entry: str) -> RepoSpec | None:
    """Return what an entry means as a URL; None where it is a path.

    Raises RenderError where it is the URL of a file, or one that Kustomize would not take. A file of that name comes
    first, as in Kustomize.
    """
    spec = remote.find(entry)
    if spec is None and not remote.looks_remote(entry):
        return None
    if "://" not in entry:
        local = remote.joined(place.made.directory, entry)
        if local is not None and (files.is_file(local) or (spec is None and files.is_dir(local))):
            return None
    if remote.is_file(entry):
        raise place.error(f"{remote.shown(entry)} is the URL of a file, and builds fetch none", COPY)
    try:
        return spec or remote.parse(entry)
    except remote.NotRemote as error:
        hint = "expected e.g. https://HOST/ORG/REPOSITORY//DIRECTORY?ref=COMMIT"
        raise place.error(f"{remote.shown(entry)} is no URL of a repository: {error}", hint) from error


def walk(files: FileTree, directory: str, visit: Visit) -> tuple[Problem, ...]:
    """Tell `visit` of each remote base that a build of a directory would use, nested ones too; once each.

    `visit` returns the files to go on in, or None. Returned is what is wrong on the way; a build would say the same.
    """
    from reconciler.render import kustomization

    mounted = Mounted(files)
    problems: list[Problem] = []
    waiting, seen = [directory], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            made = kustomization.read(mounted, path)
            entries = list(_entries(made))
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        for place, entry in entries:
            try:
                waiting.extend(_led(mounted, place, entry, visit))
            except ConfigError as error:
                problems.extend(error.problems)
    return tuple(dict.fromkeys(problems))


def _entries(made: Kustomization) -> Iterator[tuple[Place, str]]:
    for field in FIELDS:
        for index, entry in enumerate(made.entries(field)):
            if isinstance(entry, str) and "\n" not in entry:
                yield Place(made, field, index), entry


def _led(files: Mounted, place: Place, entry: str, visit: Visit) -> Iterator[str]:
    """Yield the directory that an entry leads to, if it does."""
    spec = specification(files, place, entry)
    if spec is not None:
        pinned = visit(place, spec)
        if pinned is not None:
            yield files.mount(spec, pinned)
        return
    path = remote.joined(place.made.directory, entry)
    if path is not None and files.is_dir(path):
        yield path
