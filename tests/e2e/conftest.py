"""Repositories for whole runs of the command line on the sandbox's control plane."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "file",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as the one JSON document that it has to be."""
        return json.loads(self.out)


@dataclass(slots=True)
class Platform:
    """A git repository with one environment on a real API server, and the command line in it."""

    root: Path
    kubeconfig: Path
    name: str
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files into the working tree; `%N` stands for the environment's name, which is also its namespace."""
        for path, text in files.items():
            target = self.root / path.replace("%N", self.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text).replace("%N", self.name).replace("%K", str(self.kubeconfig)))

    def commit(self, message: str = "change") -> str:
        """Commit everything and return the commit's id."""
        for arguments in (("add", "-A"), ("commit", "-q", "-m", message)):
            subprocess.run(("git", *arguments), cwd=self.root, check=True, env={**os.environ, **IDENTITY})
        told = subprocess.run(("git", "rev-parse", "HEAD"), cwd=self.root, check=True, capture_output=True, text=True)
        return told.stdout.strip()

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the reconciler."""
        return [sys.executable, "-m", "reconciler.cli.main", *arguments]

    @property
    def surroundings(self) -> dict[str, str]:
        """The variables that commands run with."""
        return {**os.environ, **IDENTITY, "KUBECONFIG": str(self.kubeconfig), **self.variables}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Answer:
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=180)
        return Answer(process.returncode, out, err)

    def expect(self, code: int, *arguments: str) -> Answer:
        """Run a command that has to end with this exit code."""
        answer = self.run(*arguments)
        assert answer.code == code, f"{arguments}: exit code {answer.code}\n{answer.out}\n{answer.err}"
        return answer


@pytest.fixture
def platform(tmp_path: Path, control_plane: Sandbox) -> Platform:
    """Return an empty repository whose environment has a name of its own, so that tests share the control plane."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    root = tmp_path / "repository"
    root.mkdir()
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=root, check=True)
    return Platform(root, control_plane.kubeconfig, name, {"RECONCILER_CACHE_DIR": str(tmp_path / "cache")})


@pytest.fixture
def own_sandbox() -> Iterator[Sandbox]:
    """Return a sandbox of the test's own: the shipped platform is applied to all of it."""
    from reconciler.sandbox import control

    name = f"own-{os.getpid()}"
    try:
        yield control.up(name, storage_class=False)
    finally:
        control.down(name)
