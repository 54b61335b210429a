"""Official binaries, taken only with the checksum that is published beside them.

The checksum of a file is remembered when it is first used (`checksums.json` in the cache); a later download of the same
file that is published with another one is refused. No checksum is ever made up here.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import tarfile
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import locks, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.sandbox.versions import Program

BASE_VARIABLE: Final = "RECONCILER_SANDBOX_DOWNLOADS"
TIMEOUT_SECONDS: Final = 5  # for a connection, and for each silence after it
CHUNK: Final = 1 << 20
CHECKSUMS_LIMIT: Final = 1 << 16


def download(program: Program, target: Path, *, tell: Callable[[str], None]) -> None:
    """Download a program, check it, and put it in its place whole; raises SandboxError saying why it cannot.

    A mirror named by `RECONCILER_SANDBOX_DOWNLOADS` stands for all official places; paths below it are the same.
    """
    source = program.download
    if source is None:
        raise SandboxError("no checksum is published beside its binary")
    base = (os.environ.get(BASE_VARIABLE) or source.base).rstrip("/")
    path, checksum, member = map(_for_this_machine, (source.path, source.checksum, source.member))
    expected = _published(f"{base}/{checksum}", Path(path).name)
    _remember(target.parent / "checksums.json", f"{base}/{path}", expected)
    tell(f"downloading {program.name} {program.version}")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{program.name}.") as scratch:
        file = Path(scratch) / "download"
        found = _fetch(f"{base}/{path}", file)
        if found != expected:
            raise SandboxError(f"{base}/{path} has the sha256 {found}, published is {expected}: it is not used")
        ready = _unpacked(file, member) if member else file
        ready.chmod(0o755)
        ready.replace(target)


def _for_this_machine(path: str) -> str:
    return path.format(system=places.system(), machine=places.machine())


def _published(address: str, name: str) -> str:
    """Return the checksum that a file of checksums has for a name; a file with one sum alone is for any name."""
    with _reading(address) as answer:
        lines = [line.split() for line in answer.read(CHECKSUMS_LIMIT).decode("ascii", "replace").splitlines()]
    for line in lines:
        fits = line[1:] in ([name], [f"*{name}"]) or (len(lines) == 1 and len(line) == 1)
        if fits and re.fullmatch(r"[0-9a-f]{64}", line[0]):
            return line[0]
    raise SandboxError(f"{address} holds no sha256 of {name}")


def _fetch(address: str, file: Path) -> str:
    digest = hashlib.sha256()
    with _reading(address) as answer, file.open("wb") as out:
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


@contextmanager
def _reading(address: str) -> Iterator[http.client.HTTPResponse]:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the user's own choice
            yield answer
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise SandboxError(f"{address} cannot be read: {getattr(error, 'reason', error)}") from error


def _unpacked(archive: Path, member: str) -> Path:
    target = archive.with_name("program")
    try:
        with tarfile.open(archive) as tar, target.open("wb") as out:
            content = tar.extractfile(member)
            if content is not None:
                shutil.copyfileobj(content, out, CHUNK)
                return target
    except (KeyError, tarfile.TarError, EOFError) as error:
        raise SandboxError(f"the downloaded archive has no {member}: {error}") from error
    raise SandboxError(f"in the downloaded archive {member} is no file")


def _remember(path: Path, address: str, checksum: str) -> None:
    with locks.held(path.with_name(".checksums.lock")):
        known = _known(path)
        if known.setdefault(address, checksum) != checksum:
            raise SandboxError(
                f"{address} was first used with the sha256 {known[address]} and is now published with {checksum}: "
                f"it is not used; if that is meant, remove the line from {path}"
            )
        part = path.with_name(f".{path.name}.new")
        part.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        part.replace(path)


def _known(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text())
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise SandboxError(f"{path} is damaged; remove it to begin anew")
    return known
