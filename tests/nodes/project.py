"""This project itself as a part of an image: its package, and all that it needs from the lock file, for Debian's Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import locks
from reconciler.store import cache_dir
from tests.nodes import debian

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "requirements/runtime.lock"
PYTHON: Final = "3.13"
PACKAGES: Final = (
    "libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1", "liblzma5", "libncursesw6",
    "libpython3.13-minimal", "libpython3.13-stdlib", "libreadline8t64", "libsqlite3-0", "libssl3t64", "libstdc++6",
    "libtinfo6", "libuuid1", "libzstd1", "media-types", "netbase", "python3.13", "python3.13-minimal", "tzdata", "zlib1g",
)  # fmt: skip
PLATFORMS: Final = ("manylinux_2_17", "manylinux_2_28", "manylinux_2_34", "manylinux2014")


@dataclass(frozen=True, slots=True)
class Project:
    """The project as it is in the working tree: `digest` is of its package and of its lock file."""

    name: str
    digest: str

    @property
    def key(self) -> str:
        """What its folder in the cache is called."""
        return f"{self.name}-{self.digest}"


def here() -> Project:
    """Return the project as it is now."""
    whole = hashlib.sha256(LOCK.read_bytes())
    for path in sorted(_files()):
        whole.update(f"{path.relative_to(ROOT)}\n".encode())
        whole.update(path.read_bytes())
    return Project("reconciler", whole.hexdigest()[:10])


def installed(project: Project, tell: Callable[[str], None]) -> Path:
    """Return a folder whose `lib` is what Python imports, made at the first call."""
    home = cache_dir() / "programs" / project.key
    if not home.is_dir():
        with locks.held(home.parent / ".lock-project", lambda: tell(f"waiting for another process: {project.name}")):
            if not home.is_dir():
                tell(f"installing {project.name} and what it needs for Python {PYTHON}")
                with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.") as scratch:
                    part = Path(scratch) / home.name
                    _install(part / "lib")
                    part.replace(home)
    return home


def _install(library: Path) -> None:
    """Install the locked packages and copy the project's own beside them, all of it compiled as it will be imported."""
    pip = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "--no-deps",
    )
    platforms = (word for name in PLATFORMS for word in ("--platform", f"{name}_{os.uname().machine}"))
    chosen = ("--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON, *platforms)
    _run((*pip, *chosen, "--require-hashes", "--requirement", str(LOCK), "--target", str(library)))
    for path in _files():
        target = library / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    root = debian.tree(PACKAGES)
    python = debian.command(root, f"usr/bin/python{PYTHON}")
    compiles = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(library))
    _run((*python, *compiles, "-p", "/opt/reconciler/lib", str(library)), PYTHONHOME=str(root / "usr"))


def _files() -> list[Path]:
    """Return the files of the package, without what Python itself leaves there."""
    return [path for path in (ROOT / "reconciler").rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _run(command: tuple[str, ...], **settings: str) -> None:
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SandboxError(f"{' '.join(command[:4])} failed:\n{(done.stderr or done.stdout).strip()}")
