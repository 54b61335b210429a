"""The forge of the tests is a real one: pull requests, comments, statuses, merges and signed webhooks work."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from tests.forge.client import Refused, plain_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.forge.client import Forge

pytestmark = pytest.mark.cluster

SECRET = "only we two know"
DELIVERY_SECONDS = 60
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(checkout: Path, *arguments: str) -> str:
    """Run git; return what it prints."""
    environment = {**plain_environment(), **IDENTITY}
    command = ("git", *arguments)
    return subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True).stdout


def commit(checkout: Path, name: str, text: str) -> str:
    """Commit one file; return the commit."""
    (checkout / name).write_text(text)
    git(checkout, "add", name)
    git(checkout, "commit", "--quiet", "-m", f"Write {name}")
    return git(checkout, "rev-parse", "HEAD").strip()


@pytest.fixture
def repo(forge: Forge) -> str:
    """Return a repository of this test alone."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    forge.create_repository(name)
    return name


@pytest.fixture
def checkout(tmp_path: Path, forge: Forge, repo: str) -> Path:
    """Return a local repository with one commit on `main`, pushed."""
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    commit(path, "readme", "hello\n")
    forge.push(path, repo, "main")
    return path


@contextmanager
def listening() -> Iterator[tuple[str, Queue[tuple[Mapping[str, str], bytes]]]]:
    """Serve HTTP on loopback; yield its address and what is posted there: headers and raw body."""
    posted: Queue[tuple[Mapping[str, str], bytes]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", posted
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("style", "parents"), [("merge", 2), ("squash", 1)])
def test_a_pull_request_is_opened_talked_about_and_merged(
    forge: Forge, repo: str, checkout: Path, style: str, parents: int
) -> None:
    git(checkout, "switch", "--quiet", "-c", "topic")
    head = commit(checkout, "web.yaml", "replicas: 3\n")
    forge.push(checkout, repo, "topic")
    pull = forge.open_pull(repo, "Scale web", "topic", "main")
    assert pull["head"]["sha"] == head

    at = f"/repos/{forge.user}/{repo}"
    said = forge.api("POST", f"{at}/issues/{pull['number']}/comments", {"body": "one change"})
    forge.api("PATCH", f"{at}/issues/comments/{said['id']}", {"body": "two changes"})
    assert [comment["body"] for comment in forge.comments(repo, pull["number"])] == ["two changes"]

    for state in ("pending", "success"):
        forge.api("POST", f"{at}/statuses/{head}", {"state": state, "context": "reconciler/plan"})
    told = [(status["context"], status["status"]) for status in forge.statuses(repo, head)]
    assert told == [("reconciler/plan", "success"), ("reconciler/plan", "pending")]

    merged = forge.merge(repo, pull["number"], "squash" if style == "squash" else "merge")
    assert merged["merged"]
    git(checkout, "fetch", "--quiet", forge.clone_url(repo), "main")
    assert git(checkout, "show", "FETCH_HEAD:web.yaml") == "replicas: 3\n"
    assert git(checkout, "rev-parse", "FETCH_HEAD").strip() == merged["merge_commit_sha"]
    assert len(git(checkout, "show", "--no-patch", "--format=%P", "FETCH_HEAD").split()) == parents


def test_a_push_is_told_to_a_webhook_with_a_signature(forge: Forge, repo: str, checkout: Path) -> None:
    with listening() as (url, posted):
        forge.create_hook(repo, url, SECRET)
        pushed = commit(checkout, "web.yaml", "replicas: 3\n")
        forge.push(checkout, repo)
        headers, body = posted.get(timeout=DELIVERY_SECONDS)
        while json.loads(body)["after"] != pushed:  # the first push may be told of as well
            headers, body = posted.get(timeout=DELIVERY_SECONDS)
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Gitea-Signature"] == signature
    assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
    assert headers["X-Gitea-Event"] == "push"
    assert json.loads(body)["ref"] == "refs/heads/main"


def test_a_refusal_has_status_and_words(forge: Forge, repo: str) -> None:
    with pytest.raises(Refused, match="already exists") as refused:
        forge.create_repository(repo)
    assert refused.value.status == 409
