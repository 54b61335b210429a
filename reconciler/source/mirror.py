"""A bare mirror of one branch of a remote repository, kept up to date by fetching.

Nothing is ever checked out. A push that rewrote history is followed, and what it left behind stays readable for weeks.
A fetch that was killed leaves nothing that stops the next one; a mirror that is damaged is made anew beside the old one,
which gives way when the new one is whole. Credentials reach git by its environment, never by its arguments or files,
only for the address that they are meant for, and leave in no message.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import urllib.parse
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from reconciler.errors import ConfigError, SourceError
from reconciler.source.gitpython import (
    GitCommandError,
    GitCommandNotFound,
    InvalidGitRepositoryError,
    NoSuchPathError,
    git,
)
from reconciler.source.repository import Repository
from reconciler.source.told import told, without_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FETCH_SECONDS: Final = 300.0
CONNECT_SECONDS: Final = 15
KILL_SECONDS: Final = 5
SCHEMES: Final = ("https", "http", "ssh", "file")

_HELPER: Final = (  # printf is the shell's own, so that the token is in no list of processes
    """!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$RECONCILER_MIRROR_USERNAME" """
    '"$RECONCILER_MIRROR_PASSWORD"; }; f'
)
_SETTINGS: Final = {
    "core.fsync": "committed",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "true",  # what a forced push left behind stays readable until the log forgets it
    "fetch.unpackLimit": "1",  # packs only: no gc takes one before its branch has moved
    "gc.autoDetach": "false",
    "http.followRedirects": "initial",
    "maintenance.autoDetach": "false",
}
_SCP: Final = re.compile(r"[\w.][\w.-]*@[\w.][\w.-]*:(?!-)")
# git-check-ref-format(1), and what looks like an option
_NO_BRANCH: Final = re.compile(r"^$|^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.$|(^|/)\.|\.lock(/|$)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MALFORMED: Final = 1  # fsck's bit for objects that were made so: no damage


@dataclass(frozen=True, slots=True)
class Remote:
    """A branch of a remote repository and what is needed to read it.

    `token` is the password of HTTPS, with `username` (most forges take any) where the address names none. Git gets it
    for the scheme, host and port of the address alone: where a server sends git elsewhere, it does not go along. With
    plain http it is refused, but for this machine: whoever is on the way could read it, and write to the repository
    that says what runs.

    `ssh_key` and `known_hosts` are files. A host key that is not in `known_hosts` is refused; without that file, one
    that is in neither the user's own nor the machine's.
    """

    url: str
    branch: str
    token: str = field(default="", repr=False)
    username: str = "x-access-token"
    ssh_key: Path | None = None
    known_hosts: Path | None = None

    @property
    def shown(self) -> str:
        """The address without anything secret."""
        return without_user(self.url)

    @property
    def reference(self) -> str:
        """The full name of the branch."""
        return f"refs/heads/{self.branch}"

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables that git is run with."""
        settings = list(_SETTINGS.items())
        secrets = {}
        parts = urllib.parse.urlsplit(self.url)
        if self.token and parts.scheme in {"http", "https"}:
            place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            settings += [("credential.helper", ""), (f"credential.{place}.helper", _HELPER)]  # "": nobody keeps it
            secrets["RECONCILER_MIRROR_USERNAME"] = urllib.parse.unquote(parts.username or "") or self.username
            secrets["RECONCILER_MIRROR_PASSWORD"] = self.token.strip()
        numbered = {
            name: text
            for index, (key, value) in enumerate(settings)
            for name, text in ((f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value))
        }
        return {
            "GIT_ALLOW_PROTOCOL": ":".join(SCHEMES),
            "GIT_ASKPASS": "true",  # answers nothing, so that a missing credential is an error and not a question
            "GIT_COMMITTER_EMAIL": "reconciler@localhost",
            "GIT_COMMITTER_NAME": "reconciler",
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
            "GIT_HTTP_LOW_SPEED_TIME": "30",
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_SSH_VARIANT": "ssh",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_TRACE_REDACT": "1",
            "LC_ALL": "C",
            **secrets,
            **numbered,
        }

    def _ssh(self) -> str:
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"ConnectTimeout={CONNECT_SECONDS}"]
        options += ["ServerAliveInterval=15", "ControlMaster=no", "ControlPath=none", "UpdateHostKeys=no"]
        if self.known_hosts is not None:
            options += [f"UserKnownHostsFile={_quoted(self.known_hosts)}", f"GlobalKnownHostsFile={os.devnull}"]
        if self.ssh_key is not None:
            options += [f"IdentityFile={_quoted(self.ssh_key)}", "IdentitiesOnly=yes"]
        return shlex.join(["ssh", *(part for option in options for part in ("-o", option))])

    def require_valid(self) -> None:
        """Raise ConfigError where this can be no remote, or where a file of it is not there."""
        if not self._is_address():
            expected = "https://…, ssh://…, user@host:path or an absolute path"
            raise ConfigError(f"{self.shown} is no address of a repository: expected {expected}")
        parts = urllib.parse.urlsplit(self.url)
        if parts.password is not None:
            raise ConfigError(f"{self.shown}: the address holds a password, which others can see: give it as a token")
        if _NO_BRANCH.search(self.branch):
            raise ConfigError(f"{self.branch!r} is no name of a branch")
        if _CONTROL.search(self.token.strip()):
            raise ConfigError("the token has a line break or another control character in it")
        if self.token and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ConfigError(f"{self.shown}: a token is not sent over plain http, where others can read it: use https")
        for what, path in (("SSH key", self.ssh_key), ("known_hosts file", self.known_hosts)):
            if path is not None and not path.is_file():
                raise ConfigError(f"the {what} {path} is not there")

    def _is_address(self) -> bool:
        if _CONTROL.search(self.url) or self.url.startswith("-"):
            return False
        try:
            parts = urllib.parse.urlsplit(self.url)
            _ = parts.port
        except ValueError:
            return False
        if parts.scheme in SCHEMES and self.url.lower().startswith(f"{parts.scheme}://"):
            names = (parts.hostname or "", parts.username or "")
            return (bool(names[0]) or parts.scheme == "file") and not any(name.startswith("-") for name in names)
        return Path(self.url).is_absolute() or bool(_SCP.match(self.url))


class Mirror:
    """The mirror of a remote in a directory that no other process uses."""

    def __init__(self, remote: Remote, directory: Path, lock: IO[str], seconds: float = FETCH_SECONDS) -> None:
        """Use a directory that is locked; see `open`."""
        self.remote, self.directory, self.seconds = remote, directory, seconds
        self._lock = lock
        self._one = threading.Lock()  # held by who works in the directory
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._trusted = False  # whether the repository was seen to be whole, and no git was killed since

    @classmethod
    def open(cls, remote: Remote, directory: Path, seconds: float = FETCH_SECONDS) -> Mirror:
        """Make or take over the mirror in a directory; a fetch that takes longer than `seconds` is given up.

        Raises ConfigError where the remote is none, SourceError where the directory cannot be used or another process
        uses it.
        """
        remote.require_valid()
        directory = directory.absolute()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = (directory / "reconciler.lock").open("w")
        except OSError as error:
            raise SourceError(f"the mirror's directory {directory} cannot be used: {error.strerror}") from error
        mirror = cls(remote, directory, lock, seconds)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not mirror.path.exists():
                mirror._init(mirror.path)
        except (OSError, GitCommandError, SourceError) as error:
            lock.close()
            if isinstance(error, BlockingIOError):
                why = "is used by another process: give each agent a --mirror of its own"
            else:
                why = f"cannot be used: {error}"
            raise SourceError(f"the mirror's directory {directory} {why}") from error
        return mirror

    @property
    def path(self) -> Path:
        """The bare repository."""
        return self.directory / "repository.git"

    def close(self) -> None:
        """End a fetch that is under way, and let another process use the directory."""
        self._closed = True
        if self._process is not None:
            _kill(self._process)
        with self._one:
            self._lock.close()

    def fetch(self) -> str:
        """Bring the branch up to date and return the full id of its commit; raises SourceError."""
        with self._one:
            try:
                return self._fetch_or_mend()
            except GitCommandError as error:
                raise self._failure(error) from error
            except OSError as error:
                raise SourceError(f"the mirror of {self.remote.shown} in {self.directory}: {error}") from error

    def repository(self) -> Repository:
        """Open the mirror for reading; the caller closes it. One is to be used by one thread at a time.

        Raises SourceError where the mirror is damaged; the next fetch mends it.
        """
        try:
            return Repository(git.Repo(self.path))
        except (InvalidGitRepositoryError, NoSuchPathError, OSError, ValueError) as error:
            raise SourceError(f"the mirror in {self.directory} cannot be read: it has to be fetched again") from error

    def _fetch_or_mend(self) -> str:
        if not self._trusted:
            self._mend()
        self._trusted = False
        try:
            commit = self._fetch(self.path)
        except GitCommandError:
            if not self._mend():
                self._trusted = True  # it was just looked at
                raise
            commit = self._fetch(self.path)
        self._trusted = True
        return commit

    def _fetch(self, path: Path) -> str:
        reference = self.remote.reference
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--end-of-options")
        self._git(path, "fetch", *options, self.remote.url, f"+{reference}:{reference}")
        return self._git(path, "rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}").strip()

    def _mend(self) -> bool:
        """Remove what stands in the way of a fetch; return whether there was something."""
        locks = _sweep(self.path)
        for left in ("new", "old"):
            shutil.rmtree(self._beside(left), ignore_errors=True)
        if self._is_sound():
            return self._forget_others() or locks
        fresh, old = self._beside("new"), self._beside("old")
        self._init(fresh)
        self._fetch(fresh)
        with suppress(FileNotFoundError):
            self.path.rename(old)
        fresh.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)
        return True

    def _is_sound(self) -> bool:
        """Whether everything that the branch leads to is there and can be read; old logs do not matter."""
        try:
            self._git(self.path, "fsck", "--no-dangling", "--no-reflogs", "--no-progress")
        except GitCommandError as error:
            return isinstance(error.status, int) and error.status & ~_MALFORMED == 0
        return True

    def _forget_others(self) -> bool:
        """Remove other branches, which the directory was used for before: `a` is in the way of `a/b`."""
        found = self._git(self.path, "for-each-ref", "--format=%(refname)").split()
        others = [name for name in found if name != self.remote.reference]
        for name in others:
            self._git(self.path, "update-ref", "--no-deref", "-d", name)
        return bool(others)

    def _init(self, path: Path) -> None:
        self._git(path, "init", "--quiet", "--bare", "--template=")

    def _beside(self, name: str) -> Path:
        return self.directory / f"repository.{name}"

    def _git(self, path: Path, *arguments: str) -> str:
        """Run git in a process group of its own, which ends as a whole where it takes too long or we are closed."""
        command = ("git", *arguments)
        with self._running(command, {**self.remote.environment(), "GIT_DIR": str(path)}) as process:
            try:
                output, words = process.communicate(timeout=self.seconds)
            except subprocess.TimeoutExpired as error:
                what = f"{self.remote.shown}, branch {self.remote.branch}: git {arguments[0]}"
                raise SourceError(f"{what} was given up after {self.seconds:g} s") from error
        if self._closed:
            raise SourceError(f"the mirror in {self.directory} is closed")
        if process.returncode:
            raise GitCommandError(command, process.returncode, words.decode(errors="replace"))
        return output.decode(errors="replace")

    @contextmanager
    def _running(self, command: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        if self._closed:
            raise SourceError(f"the mirror in {self.directory} is closed")
        try:
            started = git.Git(self.directory).execute(command, as_process=True, env=environment, start_new_session=True)
        except GitCommandNotFound as error:
            raise SourceError("git is not there: it has to be installed, and on PATH") from error
        self._process = process = cast("subprocess.Popen[bytes]", started.proc)
        try:
            if self._closed:
                _kill(process)
            yield process
        finally:
            self._process = None
            if process.returncode is None or process.returncode < 0:
                _kill(process)
                with suppress(subprocess.TimeoutExpired):  # what left the group may still hold the pipes
                    process.communicate(timeout=KILL_SECONDS)
                _sweep(self.path)
                with suppress(ChildProcessError):  # as the first process of a container we inherit git's children
                    while True:
                        os.waitpid(-process.pid, 0)

    def _failure(self, error: GitCommandError) -> SourceError:
        words = str(error.stderr).strip().removeprefix("stderr:").strip(" '")
        why = told(words, error.status, self.remote.token)
        return SourceError(f"{self.remote.shown}, branch {self.remote.branch}, cannot be fetched: {why}")


def _sweep(path: Path) -> bool:
    """Remove what a git that was killed left behind; return whether there were locks, which stop another one.

    No other git is at work: the directory is ours. A pack without its index is one that was not finished.
    """
    packs = path / "objects" / "pack"
    locks = list(path.rglob("*.lock"))
    unfinished = [item for item in packs.glob("pack-*") if not item.with_suffix(".idx").exists()]
    for left in (*locks, *(path / "objects").rglob("tmp_*"), *packs.glob("*.keep"), *unfinished):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    return bool(locks)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and all that it has started: it talks to servers by children, which would stay."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _quoted(path: Path) -> str:
    """Return a file's name as ssh's options take it, from whatever directory ssh is run."""
    return '"' + str(path.absolute()).replace("%", "%%").replace('"', '\\"') + '"'


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
