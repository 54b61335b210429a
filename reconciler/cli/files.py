"""Files that a command writes: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from reconciler.errors import UsageError


def write(path: Path, text: str) -> None:
    """Write a file in one step; raises UsageError where that cannot be."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
            name = Path(part.name)
            try:
                part.write(text)
                part.flush()
                name.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
                name.replace(path)
            except OSError:
                with suppress(OSError):
                    name.unlink()
                raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
