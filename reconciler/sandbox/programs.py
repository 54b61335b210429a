"""Finding the programs of a control plane, each by the same steps.

A folder that the user names, `KUBEBUILDER_ASSETS`, `PATH`, the cache, a checked download, a build. A program found on
the machine has to tell the version that is needed; one that tells another is passed over and named if nothing fits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import download, gobuild, locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconciler.sandbox.versions import Program

VERSION_SECONDS: Final = 20


def find_all(
    wanted: Sequence[Program], cache: Path, folder: Path | None, *, tell: Callable[[str], None]
) -> Mapping[str, Path]:
    """Return the path of each program, downloading or building what the machine does not have."""
    return {program.name: find(program, cache, folder, tell=tell) for program in wanted}


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
    if target.is_file():
        return target
    try:
        with locks.held(cache / f".{program.name}.lock", lambda: tell(f"waiting for another process: {program.name}")):
            if target.is_file() or _made(program, target, tried, tell):
                return target
    except OSError as error:
        raise SandboxError(f"the cache {cache} cannot be used: {error.strerror}; set RECONCILER_CACHE_DIR") from error
    steps = "\n".join(f"  {step}" for step in tried)
    raise SandboxError(f"{program.name} {program.version} cannot be had:\n{steps}")


def version_of(program: Program, path: Path) -> str | None:
    """Return None where a program is of the version that is needed, else what is wrong with it."""
    try:
        done = subprocess.run(
            (str(path), *program.version_arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            check=False,
            timeout=VERSION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    told = done.stdout.strip()
    if program.says in told:
        return None
    return f"says {told.splitlines()[0] if told else 'nothing'!r}, {program.says!r} is needed"


def _made(program: Program, target: Path, tried: list[str], tell: Callable[[str], None]) -> bool:
    """Download or build a program; say whether one of them worked and add what went wrong to what was tried."""
    for how, make in (("download", download.download), ("build", gobuild.build)):
        try:
            make(program, target, tell=tell)
        except SandboxError as error:
            tried.append(f"{how}: {error}")
        else:
            return True
    return False


def _candidates(program: Program, folder: Path | None) -> Iterator[tuple[str, Path | None]]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for where, directory in (("--programs", folder), ("KUBEBUILDER_ASSETS", Path(assets) if assets else None)):
        if directory is not None:
            path = (directory / program.name).absolute()
            yield where, path if path.is_file() else None
    found = shutil.which(program.name)
    yield "PATH", Path(found).absolute() if found else None
