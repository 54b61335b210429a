"""A bare mirror of one branch of a remote repository, kept up to date by fetching.

Nothing is ever checked out. A push that rewrote history is followed; a fetch that was killed leaves nothing that stops
the next one; a mirror that is damaged is made anew. Credentials reach git by its environment, never by its arguments,
and leave in no message.
"""

from __future__ import annotations

import base64
import fcntl
import re
import shlex
import shutil
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import git
from git.exc import GitCommandError, InvalidGitRepositoryError, NoSuchPathError

from reconciler.errors import ConfigError, SourceError
from reconciler.source.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping

FETCH_SECONDS: Final = 300
CONNECT_SECONDS: Final = 15
SHOWN_LINES: Final = 5
SCHEMES: Final = ("https", "http", "ssh", "file")

_DAMAGE: Final = re.compile(
    r"corrupt|bad object|unable to read|loose object|unresolved delta|not a git repository|necessary objects"
    r"|inflate:|is empty|invalid sha1 pointer|packfile .* (cannot|is not)",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Remote:
    """A branch of a remote repository and what is needed to read it.

    `token` is the password of HTTPS, with `username` (most forges take any); `ssh_key` and `known_hosts` are files. A
    host key that is not in `known_hosts`, or else in the user's own file, is refused.
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
        return _USERINFO.sub("", self.url)

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables that git is run with."""
        settings = {"http.followRedirects": "initial", "gc.autoDetach": "false", "maintenance.autoDetach": "false"}
        if self.token:
            parts = urllib.parse.urlsplit(self.url)
            pair = base64.b64encode(f"{self.username}:{self.token}".encode()).decode()
            settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {pair}"
        numbered = {
            name: text
            for index, (key, value) in enumerate(settings.items())
            for name, text in ((f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value))
        }
        return {
            "GIT_ALLOW_PROTOCOL": ":".join(SCHEMES),
            "GIT_ASKPASS": "true",  # answers nothing, so that a missing credential is an error and not a question
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
            "GIT_HTTP_LOW_SPEED_TIME": "30",
            "GIT_SSH_COMMAND": self._ssh(),
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **numbered,
        }

    def _ssh(self) -> str:
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"ConnectTimeout={CONNECT_SECONDS}"]
        options += ["ServerAliveInterval=15"]
        if self.known_hosts is not None:
            options.append(f"UserKnownHostsFile={self.known_hosts}")
        command = ["ssh", *(part for option in options for part in ("-o", option))]
        if self.ssh_key is not None:
            command += ["-i", str(self.ssh_key), "-o", "IdentitiesOnly=yes"]
        return shlex.join(command)

    def require_valid(self) -> None:
        """Raise ConfigError where this can be no remote, or where a file of it is not there."""
        scheme = urllib.parse.urlsplit(self.url).scheme
        local = scheme == "" and Path(self.url).is_absolute()
        if scheme not in SCHEMES and not local and not re.match(r"^[\w.-]+@[\w.-]+:", self.url):
            raise ConfigError(
                f"{self.shown} is no address of a repository: expected https://…, ssh://…, user@host:path or an "
                "absolute path"
            )
        if self.url.startswith("-") or self.branch.startswith("-") or not self.branch:
            raise ConfigError(f"{self.branch!r} is no name of a branch")
        for what, path in (("SSH key", self.ssh_key), ("known_hosts file", self.known_hosts)):
            if path is not None and not path.is_file():
                raise ConfigError(f"the {what} {path} is not there")


class Mirror:
    """The mirror of a remote in a directory that no other process uses."""

    def __init__(self, remote: Remote, directory: Path, lock: IO[str]) -> None:
        """Use a directory that is locked; see `open`."""
        self.remote, self.directory = remote, directory
        self._lock = lock

    @classmethod
    def open(cls, remote: Remote, directory: Path) -> Mirror:
        """Make or take over the mirror in a directory.

        Raises ConfigError where the remote is none, SourceError where the directory cannot be used or another process
        uses it.
        """
        remote.require_valid()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = (directory / "reconciler.lock").open("w")
        except OSError as error:
            raise SourceError(f"the mirror's directory {directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise SourceError(
                f"{directory} is used by another process: give each agent a --mirror of its own"
            ) from error
        mirror = cls(remote, directory, lock)
        mirror._prepare()
        return mirror

    @property
    def path(self) -> Path:
        """The bare repository."""
        return self.directory / "repository.git"

    def close(self) -> None:
        """Let another process use the directory."""
        self._lock.close()

    def fetch(self) -> str:
        """Bring the branch up to date and return the full id of its commit; raises SourceError."""
        try:
            return self._fetch()
        except GitCommandError as error:
            if not _DAMAGE.search(str(error.stderr)):
                raise self._failure(error) from error
        except (ValueError, OSError, InvalidGitRepositoryError, NoSuchPathError):
            pass  # what is on disk is no repository any more
        shutil.rmtree(self.path, ignore_errors=True)
        self._prepare()
        try:
            return self._fetch()
        except GitCommandError as error:
            raise self._failure(error) from error
        except (ValueError, OSError) as error:
            raise SourceError(
                f"the mirror of {self.remote.shown} in {self.directory} cannot be made: {error}"
            ) from error

    def repository(self) -> Repository:
        """Open the mirror for reading; the caller closes it. One is to be used by one thread at a time."""
        return Repository(git.Repo(self.path))

    def _fetch(self) -> str:
        reference = f"refs/heads/{self.remote.branch}"
        self._sweep()
        repo = git.Repo(self.path)
        try:
            with repo.git.custom_environment(**self.remote.environment()):
                repo.git.fetch(
                    "--quiet",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--end-of-options",
                    self.remote.url,
                    f"+{reference}:{reference}",
                    kill_after_timeout=FETCH_SECONDS,
                )
            commit = repo.commit(reference)
            _ = commit.tree.hexsha
            return commit.hexsha
        finally:
            repo.close()

    def _prepare(self) -> None:
        """Make the repository where there is none that can be used."""
        try:
            git.Repo(self.path).close()
        except (InvalidGitRepositoryError, NoSuchPathError):
            shutil.rmtree(self.path, ignore_errors=True)
            try:
                git.Repo.init(self.path, bare=True).close()
            except (GitCommandError, OSError) as error:
                raise SourceError(f"the mirror in {self.directory} cannot be made: {error}") from error

    def _sweep(self) -> None:
        """Remove what a git that was killed left behind; the directory is ours alone, so no other one is at work."""
        for left in (*self.path.rglob("*.lock"), *(self.path / "objects").rglob("tmp_*")):
            left.unlink(missing_ok=True) if not left.is_dir() else shutil.rmtree(left, ignore_errors=True)

    def _failure(self, error: GitCommandError) -> SourceError:
        words = str(error.stderr).strip().removeprefix("stderr:").strip(" '")
        lines = [line.strip() for line in words.splitlines() if line.strip()]
        told = "; ".join(lines[-SHOWN_LINES:]) or f"git ended with {error.status}"
        told = _USERINFO.sub("", told)
        if self.remote.token:
            told = told.replace(self.remote.token, "***")
        return SourceError(
            f"{self.remote.shown}, branch {self.remote.branch}, cannot be fetched: {told}{_way_out(told)}"
        )


def _way_out(told: str) -> str:
    lower = told.lower()
    if "host key verification failed" in lower:
        return " (add the server's key to the known_hosts file)"
    if "couldn't find remote ref" in lower:
        return " (there is no such branch)"
    if any(sign in lower for sign in ("authentication failed", "could not read username", "permission denied", "403")):
        return " (is the token or the key right, and may it read this repository?)"
    return ""
