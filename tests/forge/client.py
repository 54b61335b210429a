"""What tests ask of a running forge: its API, and pushes. Every repository belongs to the forge's one user."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_SECONDS: Final = 60
MERGE_SECONDS: Final = 60.0
KNOWN_SECONDS: Final = 30.0
NOT_KNOWN: Final = (404, 500)  # of a repository that counts as empty it says 500
PAUSE_SECONDS: Final = 0.1
NOT_YET: Final = "try again later"  # said of a pull request that is still being checked, and of one with conflicts
MOST: Final = 50  # the longest page that the forge gives


class Refused(RuntimeError):
    """The forge answered with an error: `status` and `body` are its answer."""

    def __init__(self, request: str, status: int, body: str) -> None:
        super().__init__(f"{request}: {status} {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Forge:
    """A running forge. `url` has no slash at its end; `user` owns all repositories, `token` may do everything."""

    url: str
    user: str
    token: str = field(repr=False)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API, with a path below `/api/v1`; return its JSON, None where it says nothing. Raises Refused."""
        request = urllib.request.Request(  # noqa: S310 - the forge's own address
            f"{self.url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine
        try:
            with opener.open(request, timeout=ANSWER_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                words = error.read().decode(errors="replace")
            raise Refused(f"{method} {path}", error.code, words) from None
        return json.loads(text) if text else None

    def clone_url(self, repo: str) -> str:
        """Return the address for git; anybody may read from it."""
        return f"{self.url}/{self.user}/{repo}.git"

    def create_repository(self, name: str) -> dict[str, Any]:
        """Create an empty public repository with the default branch `main`."""
        return self._object("POST", "/user/repos", {"name": name, "default_branch": "main"})

    def create_hook(self, repo: str, url: str, secret: str) -> dict[str, Any]:
        """Have pushes told to a URL, signed in `X-Gitea-Signature` and `X-Hub-Signature-256`.

        They come some time after the push has returned; so a push just before the hook was made may be told of too.
        """
        config = {"url": url, "content_type": "json", "secret": secret}
        hook = {"type": "gitea", "active": True, "events": ["push"], "config": config}
        return self._object("POST", f"{self._at(repo)}/hooks", hook)

    def open_pull(self, repo: str, title: str, head: str, base: str) -> dict[str, Any]:
        """Open a pull request between two branches; its `number` is what the other methods want.

        The forge learns of a push some time after it has returned, so branches that it does not know yet are waited for.
        """
        until = time.monotonic() + KNOWN_SECONDS
        while True:
            try:
                return self._object("POST", f"{self._at(repo)}/pulls", {"title": title, "head": head, "base": base})
            except Refused as error:
                if error.status not in NOT_KNOWN or time.monotonic() > until:
                    raise
            time.sleep(PAUSE_SECONDS)

    def comments(self, repo: str, number: int) -> list[dict[str, Any]]:
        """Return the comments of a pull request, oldest first."""
        return self._objects(f"{self._at(repo)}/issues/{number}/comments")

    def statuses(self, repo: str, sha: str) -> list[dict[str, Any]]:
        """Return the last statuses of a commit, newest first."""
        found = self._objects(f"{self._at(repo)}/commits/{sha}/statuses?limit={MOST}")
        return sorted(found, key=lambda status: int(status["id"]), reverse=True)  # the forge knows seconds only

    def merge(self, repo: str, number: int, style: Literal["merge", "squash"] = "merge") -> dict[str, Any]:
        """Merge a pull request as soon as the forge has checked it; return it, with `merge_commit_sha`."""
        until = time.monotonic() + MERGE_SECONDS
        pull = f"{self._at(repo)}/pulls/{number}"
        while True:
            try:
                self.api("POST", f"{pull}/merge", {"Do": style})
            except Refused as error:
                if NOT_YET not in error.body or time.monotonic() > until:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                return self._object("GET", pull)

    def push(self, directory: Path, repo: str, *refspecs: str) -> None:
        """Push from a local repository; without refspecs, its current branch. Raises RuntimeError with git's words."""
        command = ("git", "push", "--quiet", self.clone_url(repo), *(refspecs or ("HEAD",)))
        done = subprocess.run(
            command, cwd=directory, env=self._git(), capture_output=True, errors="replace", check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")

    def _git(self) -> Mapping[str, str]:
        """Return git's environment; it holds the token, which no list of processes shows. Git takes no tokens bare."""
        login = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        return {
            **plain_environment(),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": f"http.{self.url}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
            "GIT_CONFIG_KEY_1": "http.proxy",
            "GIT_CONFIG_VALUE_1": "",
        }

    def _at(self, repo: str) -> str:
        return f"/repos/{self.user}/{repo}"

    def _object(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.api(method, path, body)
        return answer

    def _objects(self, path: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self.api("GET", path)
        return answer


def plain_environment() -> dict[str, str]:
    """Return this process's environment without what steers git and Gitea (a hook sets `GIT_DIR`, for one)."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITEA_", "XDG_"))}
