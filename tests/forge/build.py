"""Gitea, built from its pinned Go module (`gomod/`) and kept in the cache with the files that it serves.

It has no build tags, so templates, options and locales are read from beside the program: they are copied out of the
module, and a cache that was carried to another machine works there without Go.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import gobuild, locks
from reconciler.store import cache_dir
from tests.programs import copy_files

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION: Final = "1.27.3"
PACKAGE: Final = "gitea.dev"
MODULE: Final = Path(__file__).parent / "gomod"
STATIC: Final = ("options", "public", "templates")
SHOWN_LINES: Final = 15
SETTINGS: Final = {**gobuild.SETTINGS, "GOFLAGS": "-buildvcs=false -mod=readonly"}


def program(tell: Callable[[str], None]) -> tuple[Path, Path]:
    """Return Gitea and the root of its static files, built at the first call; raises SandboxError where it cannot be."""
    home = cache_dir() / "forge" / f"gitea-{VERSION}"
    found = home / "gitea", home / "static"
    if home.is_dir():
        return found
    with locks.held(home.parent / ".lock", lambda: tell("waiting for another process: gitea")):
        if not home.is_dir():
            _build(home, tell)
    return found


def _build(home: Path, tell: Callable[[str], None]) -> None:
    """Build into a folder of another name, which then gets its own: what is there is whole."""
    go = gobuild.toolchain(home.parent, tell=tell)
    tell(f"building gitea {VERSION} from its Go module (minutes, once)")
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.") as scratch:
        part = Path(scratch) / home.name
        part.mkdir()
        flags = f"-s -w -X main.Version={VERSION}"
        _run(go, "build", "-trimpath", "-ldflags", flags, "-o", str(part / "gitea"), PACKAGE)
        source = Path(_run(go, "list", "-m", "-f", "{{.Dir}}", PACKAGE).strip())
        for name in STATIC:
            copy_files(source / name, part / "static" / name)
        part.replace(home)


def _run(*command: str) -> str:
    done = subprocess.run(
        command, cwd=MODULE, env={**os.environ, **SETTINGS}, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        words = "\n".join(done.stderr.strip().splitlines()[-SHOWN_LINES:])
        raise SandboxError(f"go {command[1]} {PACKAGE} failed:\n{words}")
    return done.stdout
