"""Helm, built from its pinned Go module (`gomod/`) and kept in the cache."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import gobuild, locks
from reconciler.store import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION: Final = "4.3.1"
PACKAGE: Final = "helm.sh/helm/v4/cmd/helm"
MODULE: Final = Path(__file__).parent / "gomod"
SHOWN_LINES: Final = 15
SETTINGS: Final = {**gobuild.SETTINGS, "GOFLAGS": "-buildvcs=false -mod=readonly"}


def program(tell: Callable[[str], None]) -> Path:
    """Return Helm, built at the first call; raises SandboxError where it cannot be."""
    home = cache_dir() / "programs" / f"helm-{VERSION}"
    if not home.is_dir():
        with locks.held(home.parent / ".lock", lambda: tell("waiting for another process: helm")):
            if not home.is_dir():
                _build(home, tell)
    return home / "helm"


def _build(home: Path, tell: Callable[[str], None]) -> None:
    """Build into a folder of another name, which then gets its own: what is there is whole."""
    go = gobuild.toolchain(home.parent, tell=tell)
    tell(f"building helm {VERSION} from its Go module (minutes, once)")
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.") as scratch:
        part = Path(scratch) / home.name
        part.mkdir()
        flags = f"-s -w -X helm.sh/helm/v4/internal/version.version=v{VERSION}"
        command = (go, "build", "-trimpath", "-ldflags", flags, "-o", str(part / "helm"), PACKAGE)
        done = subprocess.run(
            command, cwd=MODULE, env={**os.environ, **SETTINGS}, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            words = "\n".join(done.stderr.strip().splitlines()[-SHOWN_LINES:])
            raise SandboxError(f"go build {PACKAGE} failed:\n{words}")
        part.replace(home)
