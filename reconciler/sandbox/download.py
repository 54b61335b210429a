"""Official binaries, taken only with the checksum that is published beside them.

The checksum of a program is remembered when it is first used (`checksums.json` in the cache); a later download of the
same version that is published with another one is refused. No checksum is ever made up here.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.sandbox.versions import Program

BASE_VARIABLE: Final = "RECONCILER_SANDBOX_DOWNLOADS"
DEFAULT_BASE: Final = "https://dl.k8s.io"
CONNECT_SECONDS: Final = 5
CHUNK: Final = 1 << 20
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def download(program: Program, target: Path, *, tell: Callable[[str], None]) -> None:
    """Download a program, check it, and put it in its place whole; raises SandboxError saying why it cannot."""
    if not program.binary:
        raise SandboxError("no binary is published for it with a checksum of its own")
    base = os.environ.get(BASE_VARIABLE, DEFAULT_BASE).rstrip("/")
    names = {"system": platform.system().lower(), "machine": _MACHINES.get(platform.machine(), platform.machine())}
    address = f"{base}/{program.binary.format(**names)}"
    expected = _checksum(f"{base}/{program.checksum.format(**names)}")
    _remember(target.parent / "checksums.json", address, expected)
    tell(f"downloading {program.name}")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        found = _fetch(address, part)
        if found != expected:
            raise SandboxError(f"{address} has the sha256 {found}, published is {expected}: it is not used")
        part.chmod(0o755)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _checksum(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=CONNECT_SECONDS) as answer:  # noqa: S310 - https or a test's server
            text = answer.read(4096).decode("ascii", "replace").split()
    except (OSError, ValueError) as error:
        raise SandboxError(f"{address} cannot be read: {getattr(error, 'reason', error)}") from error
    if not text or not re.fullmatch(r"[0-9a-f]{64}", text[0]):
        raise SandboxError(f"{address} holds no sha256")
    return str(text[0])


def _fetch(address: str, part: Path) -> str:
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(address, timeout=CONNECT_SECONDS) as answer, part.open("wb") as file:  # noqa: S310
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, ValueError) as error:
        raise SandboxError(f"{address} cannot be read: {getattr(error, 'reason', error)}") from error
    return digest.hexdigest()


def _remember(path: Path, address: str, checksum: str) -> None:
    known: dict[str, str] = {}
    if path.exists():
        try:
            known = json.loads(path.read_text())
        except ValueError as error:
            raise SandboxError(f"{path} is damaged; remove it to begin anew") from error
    if known.get(address, checksum) != checksum:
        raise SandboxError(
            f"{address} was first used with the sha256 {known[address]} and is now published with {checksum}: "
            f"it is not used; if that is meant, remove the line from {path}"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps({**known, address: checksum}, indent=2, sort_keys=True) + "\n")
    part.replace(path)
