"""OpenAPI v3 documents kept on disk by the hash that the server gives them.

A document never changes under its hash, so files are written once and read ever after. A disk that is full or
read-only costs the cache and nothing else.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pathlib import Path


class Documents:
    """A folder of JSON documents."""

    def __init__(self, folder: Path) -> None:
        """Use a folder that may not exist yet."""
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """Return a document; None where it is not kept, or damaged."""
        try:
            found = orjson.loads(self._path(key).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, content: bytes) -> None:
        """Keep a document; it appears whole or not at all."""
        path = self._path(key)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        with suppress(OSError):
            part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json"
