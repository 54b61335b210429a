"""Finding the programs of a control plane, each by the same steps.

A folder that the user names, `KUBEBUILDER_ASSETS`, `PATH`, the cache, a checked download, a build. A program found on
the machine has to tell the version that is needed; one that tells another is passed over and named if nothing fits.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SandboxError
from reconciler.sandbox import download, gobuild
from reconciler.sandbox.versions import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.sandbox.versions import Program


def find_all(cache: Path, folder: Path | None, *, tell: Callable[[str], None]) -> Mapping[str, Path]:
    """Return the path of each program, downloading or building what the machine does not have."""
    return {program.name: find(program, cache, folder, tell=tell) for program in PROGRAMS}


def find(program: Program, cache: Path, folder: Path | None, *, tell: Callable[[str], None]) -> Path:
    """Return the path of one program; raises SandboxError that tells every step that was tried."""
    tried: list[str] = []
    for where, candidate in _candidates(program, folder):
        if candidate is None:
            tried.append(f"{where}: not there")
        elif (told := version_of(program, candidate)) is None:
            return candidate
        else:
            tried.append(f"{where}: {candidate} {told}")
    target = cache / program.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f".{program.name}.lock", tell, program):
            if target.exists():
                return target
            for how, make in (("download", download.download), ("build", gobuild.build)):
                try:
                    make(program, target, tell=tell)
                except SandboxError as error:
                    tried.append(f"{how}: {error}")
                else:
                    return target
    except OSError as error:
        raise SandboxError(f"the cache {cache} cannot be used: {error.strerror}; set RECONCILER_CACHE_DIR") from error
    steps = "\n".join(f"  {step}" for step in tried)
    raise SandboxError(f"{program.name} {program.version} cannot be had:\n{steps}")


def version_of(program: Program, path: Path) -> str | None:
    """Return None where a program is of the version that is needed, else what is wrong with it."""
    try:
        done = subprocess.run(
            (str(path), *program.version_arguments), capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    told = (done.stdout + done.stderr).strip()
    if program.version in told:
        return None
    return f"says {told.splitlines()[0] if told else 'nothing'}, {program.version} is needed"


def _candidates(program: Program, folder: Path | None) -> Iterator[tuple[str, Path | None]]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for where, directory in (("--programs", folder), ("KUBEBUILDER_ASSETS", Path(assets) if assets else None)):
        if directory is not None:
            path = directory / program.name
            yield where, path if path.is_file() else None
    found = shutil.which(program.name)
    yield "PATH", Path(found) if found else None


@contextmanager
def _locked(path: Path, tell: Callable[[str], None], program: Program) -> Iterator[None]:
    """Hold a file's lock, so that of two processes one makes a program and the other waits for it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another process that makes {program.name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
