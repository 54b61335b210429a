"""The shipped platform in a repository of its own at a forge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tests.e2e.conftest import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.forge.client import Forge

ROOT: Final = Path(__file__).parents[2]
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Repository:
    """A copy of the shipped platform in a repository of the forge."""

    def __init__(self, forge: Forge, folder: Path, name: str) -> None:
        self.forge, self.folder, self.name = forge, folder, name
        for part in ("base", "overlays", "rules", "environments/dev"):
            shutil.copytree(ROOT / part, folder / part)
        self.git("init", "-q", "-b", "main")
        self.replace("environments/dev/environment.yaml", "interval: 5m", "interval: 3s")
        forge.create_repository(name)

    def git(self, *arguments: str) -> str:
        """Run git and return what it prints."""
        done = subprocess.run(
            ("git", *arguments),
            cwd=self.folder,
            check=True,
            env={**os.environ, **IDENTITY},
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a file, which has to hold the old text."""
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def commit(self, message: str) -> str:
        """Commit everything and return the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *references: str) -> None:
        """Push branches to the forge."""
        self.forge.push(self.folder, self.name, *references)

    def command(self, *arguments: str, code: int = 0, variables: Mapping[str, str] = NOTHING) -> str:
        """Run the reconciler in the repository and return what it prints."""
        done = subprocess.run(
            (sys.executable, "-m", "reconciler.cli.main", *arguments),
            cwd=self.folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
