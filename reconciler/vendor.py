"""Remote bases before a build: those that directories name, nested ones too, are resolved and fetched.

A build reads only what is in the cache (`source.bases`), so whatever has to be asked of other servers is asked here.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from reconciler.environment import lockfile
from reconciler.environment.lockfile import Lock
from reconciler.errors import ConfigError, RenderError, SourceError
from reconciler.model.remote import Pinned
from reconciler.render.remote import walk
from reconciler.source.bases import require_allowed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.environment.lockfile import Key
    from reconciler.errors import Problem
    from reconciler.model.files import FileTree
    from reconciler.model.remote import RepoSpec
    from reconciler.render.remote import Place
    from reconciler.source.bases import Bases
    from reconciler.source.clones import Clones
    from reconciler.source.repository import Repository

    Target = tuple[str, Collection[str]]

Change = Literal["added", "updated", "removed", "unchanged"]


def fetch(files: FileTree, directories: Iterable[str], bases: Bases | None) -> None:
    """Fetch the bases that builds of directories will ask for; with all of them in the cache nobody is asked.

    Raises SourceError with all that could not be fetched. What else is wrong is left to the build to tell.
    """
    if bases is None or not bases.allowed:
        return
    failures: dict[str, None] = {}

    def visit(place: Place, spec: RepoSpec) -> Pinned | None:
        try:
            return bases.fetch(spec)
        except SourceError as error:
            failures[f"{place}: remote base {spec.shown}: {error}"] = None
            return None

    for directory in dict.fromkeys(directories):
        walk(files, directory, visit)
    if failures:
        raise SourceError("\n".join(failures))


@dataclass(frozen=True, slots=True)
class Base:
    """A branch or tag of a repository in the lock file, before and after; `named` are the `file:line`s that use it."""

    url: str
    ref: str
    commit: str | None
    before: str | None
    named: tuple[str, ...]

    @property
    def change(self) -> Change:
        """What happens to its entry."""
        if self.commit is None:
            return "removed"
        if self.before is None:
            return "added"
        return "unchanged" if self.commit == self.before else "updated"


@dataclass(frozen=True, slots=True)
class Vendored:
    """What the lock file should be, and each entry of it or of the one before."""

    lock: Lock
    bases: tuple[Base, ...]

    @property
    def stale(self) -> bool:
        """Whether the lock file is not what it should be."""
        return any(base.change != "unchanged" for base in self.bases)


@dataclass(slots=True)
class _Resolver:
    """Resolves each branch or tag once and fetches what it is; raises what walks are to tell."""

    clones: Clones
    known: Mapping[Key, str]
    commits: dict[Key, str] = field(default_factory=dict)
    named: dict[Key, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    failures: dict[str, None] = field(default_factory=dict)
    opened: dict[Key, tuple[Repository, Pinned]] = field(default_factory=dict)

    def visit(self, hosts: Collection[str], place: Place, spec: RepoSpec) -> Pinned | None:
        """Return the files of a base from an allowed host."""
        try:
            require_allowed(spec, hosts)
            commit = spec.pinned or self._resolved(spec, place)
            self.clones.fetch(spec, commit)
            return self._opened(spec, commit)
        except ConfigError as error:
            raise place.errors(error, spec) from error
        except SourceError as error:
            self.failures[f"{place}: remote base {spec.shown}: {error}"] = None
            return None

    def close(self) -> None:
        """End the git processes that read bases."""
        for repository, _ in self.opened.values():
            repository.close()

    def _opened(self, spec: RepoSpec, commit: str) -> Pinned | None:
        key = (spec.place, commit)
        if key not in self.opened:
            repository = self.clones.open(spec, commit)
            if repository is None:
                return None  # somebody has emptied the cache meanwhile
            self.opened[key] = repository, Pinned(commit, repository.tree(commit))
        return self.opened[key][1]

    def _resolved(self, spec: RepoSpec, place: Place) -> str:
        key = lockfile.key(spec)
        self.named[key][str(place)] = None
        if key not in self.commits:
            self.commits[key] = self.known.get(key) or self.clones.resolve(spec)
        return self.commits[key]


def vendor(
    files: FileTree, targets: Iterable[Target], clones: Clones, *, update: bool = False, everything: bool = True
) -> Vendored:
    """Return the lock file that directories need, each with the hosts that it allows; all of it is in the cache then.

    What the lock file says already stands, unless `update`. `everything`: the targets are all that there is, so that
    entries which they do not name are dropped. Raises ConfigError, SourceError with all that is wrong.
    """
    before = lockfile.read(files)
    resolver = _Resolver(clones, {} if update else before.bases)
    problems: dict[Problem, None] = {}
    with closing(resolver):
        for directory, hosts in targets:
            problems.update(dict.fromkeys(walk(files, directory, partial(resolver.visit, hosts))))
    if problems:
        raise RenderError(problems)
    if resolver.failures:
        raise SourceError("\n".join(resolver.failures))
    bases = resolver.commits if everything else {**before.bases, **resolver.commits}
    told = tuple(
        Base(*key, bases.get(key), before.bases.get(key), tuple(resolver.named.get(key, ())))
        for key in sorted({*bases, *before.bases})
    )
    return Vendored(Lock(bases, before.rest), told)
