"""What can be made again, on disk, by the digest of what it was made from: bounded, and safe to delete at any time.

Each is written under another name and then gets its own, so that two processes never see half of one. A directory that
cannot be written costs time and nothing else, as the cache of dry-runs does.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

LIMIT: Final = 256 << 20  # bytes
EVERY: Final = 64  # writes of a process from one look at the size to the next


def cache_dir() -> Path:
    """Return the directory for what can be made again: `RECONCILER_CACHE_DIR`, else the user's cache directory."""
    return Path(os.environ.get("RECONCILER_CACHE_DIR") or platformdirs.user_cache_dir("reconciler"))


class Store:
    """A directory of contents."""

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        """Use a directory, which is made when it is first needed."""
        self._directory = directory
        self._limit = limit
        self._written = 0

    def get(self, key: str) -> bytes | None:
        """Return a content, and count it as used; None where it is not there."""
        path = self._directory / key
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep a content; the ones that were not used for longest make room for it."""
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # there are Secrets among what is rendered
            if self._written % EVERY == 0:
                self._shrink()
            self._written += 1
            with tempfile.NamedTemporaryFile(dir=self._directory, prefix=".", delete=False) as part:
                try:
                    part.write(content)
                    part.flush()
                    Path(part.name).replace(self._directory / key)
                except OSError:
                    Path(part.name).unlink(missing_ok=True)
                    raise

    def _shrink(self) -> None:
        found: list[tuple[float, int, Path]] = []
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):  # another process was faster
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        size = sum(item[1] for item in found)
        for _, length, path in sorted(found):
            if size <= self._limit:
                return
            path.unlink(missing_ok=True)
            size -= length
