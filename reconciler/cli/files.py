"""Files that a command writes: whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from reconciler.errors import UsageError


def write(path: Path, text: str) -> None:
    """Write a file in one step, or straight into what is there and is no file, such as a device or a FIFO.

    Where the path is a link, what it leads to is written and the link stays. Raises UsageError where that cannot be.
    """
    try:
        mode = _mode(path)
        if stat.S_ISREG(mode):
            _replace(Path(os.path.realpath(path)), text, mode & 0o777)
        else:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _mode(path: Path) -> int:
    """Return the mode of what a path leads to, or of the file that is to be made there."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return stat.S_IFREG | 0o666 & ~_umask()


def _replace(path: Path, text: str, mode: int) -> None:
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    ) as part:
        name = Path(part.name)
        try:
            part.write(text)
            part.flush()
            name.chmod(mode)
            name.replace(path)
        except OSError:
            with suppress(OSError):
                name.unlink()
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
