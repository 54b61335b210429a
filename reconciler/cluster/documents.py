"""OpenAPI v3 documents, kept on disk under the server's hash of them, so that only the index is read each time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = 400  # files; a server has some sixty documents


class Documents:
    """A directory of documents by group/version and hash.

    A directory that cannot be read or written is no error: documents are then read from the server again. `note` says so.
    """

    def __init__(self, directory: Path) -> None:
        """Use a directory, which is made when the first document is kept."""
        self._directory = directory
        self.note = ""

    def find(self, group_version: str, url: str) -> dict[str, Any] | None:
        """Return the document kept for a group/version at this URL (which holds its hash)."""
        try:
            found = orjson.loads(self._path(group_version, url).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return found if isinstance(found, dict) else None

    def keep(self, group_version: str, url: str, document: Mapping[str, Any]) -> None:
        """Keep a document; the file appears as a whole or not at all."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._directory)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(orjson.dumps(document))
                Path(name).replace(self._path(group_version, url))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._trim()
        except OSError as error:
            self.note = f"OpenAPI documents are not kept in {self._directory}: {error.strerror}"

    def _path(self, group_version: str, url: str) -> Path:
        digest = hashlib.sha256(url.encode()).hexdigest()[:32]
        return self._directory / f"{group_version.replace('/', '_')}-{digest}.json"

    def _trim(self) -> None:
        files = sorted(self._directory.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in files[:-KEPT]:
            path.unlink(missing_ok=True)


def needed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth keeping of a document: its schemas. The paths are two thirds of it."""
    return {"openapi": document.get("openapi", ""), "components": document.get("components") or {}}


def index_key(group_version: str) -> str:
    """Return the key of a group/version in the index: `api/v1`, `apis/apps/v1`."""
    return f"apis/{group_version}" if "/" in group_version else f"api/{group_version}"
