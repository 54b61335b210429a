"""The standard streams of a process that goes on where they are closed, full or read by nobody any more.

What a run does to a cluster must not end in the middle because a line about it cannot be written. What was lost of stdout is
told at the end; what is lost of stderr can be told nowhere.
"""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing import TextIO


class Stream(TextIOWrapper):
    """A stream that takes whatever it is given; `lost` is why the rest of it came to nobody.

    Characters that its encoding does not have are written as escapes.
    """

    lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write, unless something was lost before."""
        if self.lost is None:
            try:
                return super().write(text)
            except OSError as error:
                self.lost = error
        return len(text)

    def flush(self) -> None:
        """Hand over what was written, unless something was lost before."""
        if self.lost is None:
            try:
                super().flush()
            except OSError as error:
                self.lost = error


def install() -> None:
    """Put such streams in the places of stdout and stderr, and one with nothing in it where stdin is closed."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = _stream(sys.stdout, os.O_RDONLY)  # a closed one cannot be written to
    sys.stderr = _stream(sys.stderr, os.O_WRONLY)


def lost() -> OSError | None:
    """Return why not all of stdout was written; None where it was."""
    sys.stdout.flush()
    return sys.stdout.lost if isinstance(sys.stdout, Stream) else None


def tell() -> bool:
    """Tell where stdout was not written as a whole, and return whether that is so; a reader that has enough is not told."""
    error = lost()
    if error is not None and error.errno != errno.EPIPE:
        sys.stderr.write(f"error: the output could not be written: {error.strerror}\n")
    return error is not None


def _stream(now: TextIO | None, mode: int) -> Stream:
    """Return such a stream for one of Python's, or for one that was closed before the process began.

    The file descriptor of a closed one is taken, so that nothing that is opened later gets it.
    """
    if now is None:
        closed: BinaryIO = os.fdopen(os.open(os.devnull, mode), "wb", closefd=False)
        return Stream(closed, encoding="utf-8", errors="backslashreplace")
    made = Stream(now.buffer, encoding=now.encoding, errors="backslashreplace")
    if isinstance(now, TextIOWrapper):
        made.reconfigure(line_buffering=now.line_buffering, write_through=now.write_through)
    return made
