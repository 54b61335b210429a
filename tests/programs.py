"""Programs that tests need, built from their pinned Go modules (`tests/*/gomod`) and kept in the cache."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import gobuild, locks
from reconciler.store import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: Final = Path(__file__).parent
SHOWN_LINES: Final = 15
SETTINGS: Final = {**gobuild.SETTINGS, "GOFLAGS": "-buildvcs=false -mod=readonly"}


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module that pins programs: its folder beside this file, their packages, and what the linker writes into them."""

    name: str
    version: str
    packages: tuple[str, ...]
    flags: str = ""


HELM: Final = Module(
    "helm", "4.3.1", ("helm.sh/helm/v4/cmd/helm",), "-X helm.sh/helm/v4/internal/version.version=v4.3.1"
)
PROMETHEUS: Final = Module(
    "prometheus",
    "0.316.0",
    ("github.com/prometheus/prometheus/cmd/promtool", "github.com/prometheus/alertmanager/cmd/amtool"),
)
REGISTRY: Final = Module("registry", "3.1.2", ("github.com/distribution/distribution/v3/cmd/registry",))
SOPS: Final = Module("sops", "3.13.3", ("github.com/getsops/sops/v3/cmd/sops", "filippo.io/age/cmd/age-keygen"))


def built(module: Module, tell: Callable[[str], None]) -> Path:
    """Return the folder with a module's programs, built at the first call; raises SandboxError where it cannot be."""
    home = cache_dir() / "programs" / f"{module.name}-{module.version}"
    if not home.is_dir():
        with locks.held(home.parent / ".lock", lambda: tell(f"waiting for another process: {module.name}")):
            if not home.is_dir():
                _build(module, home, tell)
    return home


def _build(module: Module, home: Path, tell: Callable[[str], None]) -> None:
    """Build into a folder of another name, which then gets its own: what is there is whole."""
    go = gobuild.toolchain(home.parent, tell=tell)
    tell(f"building {module.name} {module.version} from its Go module (minutes, once)")
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.") as scratch:
        part = Path(scratch) / home.name
        part.mkdir()
        command = (go, "build", "-trimpath", "-ldflags", f"-s -w {module.flags}", "-o", f"{part}/", *module.packages)
        done = subprocess.run(
            command,
            cwd=HERE / module.name / "gomod",
            env={**os.environ, **SETTINGS},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            words = "\n".join(done.stderr.strip().splitlines()[-SHOWN_LINES:])
            raise SandboxError(f"go build of {module.name} failed:\n{words}")
        part.replace(home)
