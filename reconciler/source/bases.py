"""Remote bases as one commit of the repository may use them: the hosts that it allows, the commits that it pins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.environment import lockfile
from reconciler.environment.lockfile import Lock
from reconciler.errors import ConfigError, Problem, SourceError
from reconciler.model.remote import WAY_IN, Pinned

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.files import FileTree
    from reconciler.model.remote import RepoSpec
    from reconciler.source.clones import Clones
    from reconciler.source.repository import Repository

FETCH: Final = "run `reconciler vendor`, which fetches it into the cache"


class Bases:
    """The adapter of `model.remote.Remotes`: pins of a lock file, files of the cache. For one thread at a time."""

    def __init__(self, clones: Clones, hosts: Collection[str], lock: Lock, *, fetches: bool = True) -> None:
        """Allow the bases of some hosts; `fetches` False: what is not in the cache stays unknown."""
        self._clones, self._hosts, self._lock, self._fetches = clones, frozenset(hosts), lock, fetches
        self._found: dict[tuple[str, str], Pinned] = {}
        self._opened: list[Repository] = []
        self._failed: dict[tuple[str, str], SourceError] = {}

    @classmethod
    def open(cls, clones: Clones, files: FileTree, hosts: Collection[str], *, fetches: bool = True) -> Bases:
        """Read the pins of a tree, if any host is allowed; raises ConfigError where the lock file is wrong."""
        return cls(clones, hosts, lockfile.read(files) if hosts else Lock(), fetches=fetches)

    def close(self) -> None:
        """End the git processes that read bases; they are begun again where one is asked for."""
        self._found.clear()
        while self._opened:
            self._opened.pop().close()

    @property
    def allowed(self) -> bool:
        """Whether there is any host that bases may come from."""
        return bool(self._hosts)

    def commit(self, spec: RepoSpec) -> str:
        """Return the commit that a base is pinned to; raises ConfigError where it may not be used, or has no pin."""
        require_allowed(spec, self._hosts)
        commit = self._lock.commit(spec)
        if commit is None:
            hint = "run `reconciler vendor` and commit the file, or name a full commit: ?ref=COMMIT"
            raise ConfigError([Problem("", 0, f"{lockfile.PATH} does not say which commit that is", hint)])
        return commit

    def pinned(self, spec: RepoSpec) -> Pinned:
        """See `model.remote.Remotes`."""
        commit = self.commit(spec)
        known = self._found.get((spec.place, commit))
        if known is not None:
            return known
        try:
            repository = self._clones.open(spec, commit)
        except SourceError as error:
            raise ConfigError(str(error)) from error
        if repository is None:
            raise ConfigError(
                [Problem("", 0, f"commit {commit} is not in the cache, and nothing is fetched now", FETCH)]
            )
        self._opened.append(repository)
        made = self._found[spec.place, commit] = Pinned(commit, repository.tree(commit))
        return made

    def fetch(self, spec: RepoSpec) -> Pinned | None:
        """Return the files of a base, fetched where they have to be; None where they may not be.

        Raises SourceError (again, without another try, where the same has failed before), ConfigError.
        """
        commit = self.commit(spec)
        if self._fetches:
            failed = self._failed.get((spec.place, commit))
            if failed is not None:
                raise failed
            try:
                self._clones.fetch(spec, commit)
            except SourceError as error:
                self._failed[spec.place, commit] = error
                raise
        return self.pinned(spec)


def require_allowed(spec: RepoSpec, hosts: Collection[str]) -> None:
    """Raise ConfigError where a host is not on the list."""
    if spec.host not in hosts:
        raise ConfigError([Problem("", 0, f"the host {spec.host} is not allowed", WAY_IN)])
