"""The cache of remote bases: commits of other repositories, each in a bare repository of its own.

A commit is fetched alone where the server permits, else with everything that the repository has. It is fetched beside
its place and renamed when it is whole, under a lock of its repository: a fetch that was killed leaves nothing that
counts, and of two processes one waits for the other. What is there never changes and is never asked for again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from reconciler.errors import RevisionNotFound, SourceError
from reconciler.model import remote
from reconciler.source.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.remote import RepoSpec
    from reconciler.source.mirror import Remote
    from reconciler.source.repository import Repository

FETCH_SECONDS: Final = 120.0  # where the URL of a base gives no timeout
KILL_SECONDS: Final = 5.0
DAMAGED: Final = "is damaged: remove it, and it is fetched again"
PINNED: Final = "refs/reconciler/pinned"

_QUIET: Final = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
_NOT_ALONE: Final = re.compile(r"unadvertised object|not our ref|shallow|dumb http|remote ref", re.IGNORECASE)
_LINE: Final = re.compile(r"([0-9a-f]{40})\t(\S+)")
_LOCAL: Final = re.compile(r"GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|NAMESPACE|PREFIX|.*OBJECT_DIRECTOR.*)")


class Failed(Exception):
    """Git ended with an error; the text is what it wrote to stderr."""

    def __init__(self, words: str, status: int) -> None:
        """Keep its exit code."""
        super().__init__(words)
        self.words, self.status = words, status


class Clones:
    """A folder of remote bases, which several processes may use at once."""

    def __init__(self, directory: Path, access: Remote | None = None, seconds: float = FETCH_SECONDS) -> None:
        """Use a folder, made when it is first needed.

        Git finds credentials as it does for the user; those of `access` are used for its scheme and host as well.
        """
        self.directory, self.access, self.seconds = directory.absolute(), access, seconds

    def open(self, spec: RepoSpec, commit: str) -> Repository | None:
        """Return a repository that has a commit, which the caller closes; None where it has not been fetched.

        Raises SourceError where it is damaged.
        """
        path = self._path(spec, commit)
        if not path.is_dir():
            return None
        from reconciler.source.gitpython import GitError, git
        from reconciler.source.repository import Repository

        try:
            found = Repository(git.Repo(path))
        except (GitError, OSError) as error:
            raise SourceError(f"{path} {DAMAGED}") from error
        try:
            found.tree(commit)
        except RevisionNotFound as error:
            found.close()
            raise SourceError(f"{path} {DAMAGED}") from error
        return found

    def resolve(self, spec: RepoSpec) -> str:
        """Ask the server which commit a branch or tag is; raises SourceError, ConfigError."""
        access = self._remote(spec)
        self._use(self.directory)
        try:
            out = self._git(spec, access, "ls-remote", "--quiet", "--", spec.url, spec.ref, f"{spec.ref}^{{}}")
        except Failed as error:
            why = told(error.words, error.status, access.token)
            raise SourceError(f"{spec.place} cannot be asked what {spec.ref} is: {why}") from error
        found: dict[str, str] = {name: commit for commit, name in _LINE.findall(out)}
        for name in (spec.ref, *(f"refs/{part}{spec.ref}" for part in ("", "tags/", "heads/"))):
            if name in found:
                return found.get(f"{name}^{{}}", found[name])
        raise SourceError(
            f"{spec.place} has no branch or tag {spec.ref}; a commit has to be given in full, with 40 digits"
        )

    def fetch(self, spec: RepoSpec, commit: str) -> None:
        """Fetch a commit that is not there yet; raises SourceError, ConfigError."""
        path = self._path(spec, commit)
        if path.is_dir():
            return
        access = self._remote(spec)
        with self._alone(path.parent):
            if path.is_dir():
                return  # another process was faster
            for left in path.parent.glob("*.new"):
                shutil.rmtree(left)
            fresh = path.with_suffix(".new")
            try:
                self._fetch(spec, access, commit, fresh)
                fresh.rename(path)
            except Failed as error:
                why = told(error.words, error.status, access.token)
                raise SourceError(f"{spec.place}, commit {commit}, cannot be fetched: {why}") from error
            except OSError as error:
                raise SourceError(f"the cache of remote bases {self.directory}: {error}") from error
            finally:
                shutil.rmtree(fresh, ignore_errors=True)

    def _fetch(self, spec: RepoSpec, access: Remote, commit: str, fresh: Path) -> None:
        self._git(spec, access, "init", "--quiet", "--bare", "--template=", at=fresh)
        options = (*_QUIET, "--end-of-options", spec.url)
        try:
            self._git(spec, access, "fetch", "--depth=1", *options, f"{commit}:{PINNED}", at=fresh)
        except Failed as error:
            if not _NOT_ALONE.search(error.words):
                raise
            every = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self._git(spec, access, "fetch", *options, *every, at=fresh)
        try:
            self._git(spec, access, "update-ref", PINNED, f"{commit}^{{commit}}", at=fresh)
        except Failed as error:
            raise SourceError(
                f"{spec.place} has no commit {commit}, or it is on no branch or tag (any more): was history rewritten?"
            ) from error

    def _path(self, spec: RepoSpec, commit: str) -> Path:
        return self.directory / hashlib.sha256(spec.place.encode()).hexdigest()[:16] / f"{commit}.git"

    def _remote(self, spec: RepoSpec) -> Remote:
        """Return how a repository is reached; raises ConfigError where it cannot be."""
        from reconciler.source.mirror import Remote

        access = self.access
        if access is None or not _beside(access.url, spec):
            known_hosts = access.known_hosts if access is not None else None
            made = Remote(spec.url, remote.DEFAULT_REF, known_hosts=known_hosts)
        else:
            made = Remote(
                spec.url, remote.DEFAULT_REF, access.token, access.username, access.ssh_key, access.known_hosts
            )
        made.require_valid()
        return made

    def _use(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"the cache of remote bases {folder} cannot be used: {error.strerror}; set RECONCILER_CACHE_DIR"
            raise SourceError(why) from error

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Keep other processes from the folder of a repository; they wait."""
        self._use(folder)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _git(self, spec: RepoSpec, access: Remote, *arguments: str, at: Path | None = None) -> str:
        """Run git in a process group of its own, which ends as a whole where it takes too long; raises Failed."""
        inherited = {name: value for name, value in os.environ.items() if not _LOCAL.fullmatch(name)}
        here = {"GIT_DIR": str(at)} if at is not None else {"GIT_CEILING_DIRECTORIES": str(self.directory.parent)}
        seconds = spec.timeout or self.seconds
        try:
            process = subprocess.Popen(
                ("git", *arguments),
                cwd=self.directory,
                env={**inherited, **access.environment(), **here},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise SourceError("git is not there: it has to be installed, and on PATH") from error
        with process:
            try:
                output, words = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                raise SourceError(f"{spec.place}: git {arguments[0]} was given up after {seconds:g} s") from error
            finally:
                _end(process)
        if process.returncode:
            raise Failed(words.decode(errors="replace"), process.returncode)
        return output.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and all that it has started, if it has not ended by itself: it talks to servers by children."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # what left the group may still hold the pipes
        process.communicate(timeout=KILL_SECONDS)
    with suppress(ChildProcessError):  # as the first process of a container we inherit git's children
        while True:
            os.waitpid(-process.pid, 0)


def _beside(url: str, spec: RepoSpec) -> bool:
    """Whether a repository is at the scheme, host and port of an address, so that its credentials are meant for it."""
    other = remote.find(url)
    return other is not None and other.host == spec.host and other.place.split("://")[0] == spec.place.split("://")[0]
