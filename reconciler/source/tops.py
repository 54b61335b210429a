"""The top of a working tree, told from files alone: GitPython takes longer to load than a small plan to make."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS: Final = ("HEAD", "objects", "refs")
_SPECIAL: Final = re.compile(rb"worktree|bare\s*=(?!\s*false)|\[include", re.IGNORECASE)


class Unclear(Exception):
    """Only git can tell: a bare repository, a worktree beside its repository, settings that lead elsewhere."""


def top_of(directory: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the top of the working tree that a directory is in, None where it is in no repository; raises Unclear."""
    if "GIT_DIR" in environ or "GIT_WORK_TREE" in environ:
        raise Unclear
    start = Path(os.path.abspath(directory))  # noqa: PTH100 - GitPython follows no links on its way up either
    for place in (start, *start.parents):
        inside = place / ".git"
        if inside.is_dir() and _plain(inside):
            return place.resolve()
        if inside.exists() or all((place / part).exists() for part in PARTS):
            raise Unclear
    return None


def _plain(folder: Path) -> bool:
    """Whether a `.git` is a whole repository whose working tree is the folder that it is in."""
    try:
        told = (folder / "config").read_bytes()
    except OSError:
        return False
    return all((folder / part).exists() for part in PARTS) and not _SPECIAL.search(told)
