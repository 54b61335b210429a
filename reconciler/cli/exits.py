"""Exit codes, in one place."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from reconciler import errors

if TYPE_CHECKING:
    from reconciler.errors import ReconcilerError


class Exit(IntEnum):
    """What the process tells its caller."""

    OK = 0
    FAILED = 1  # something failed: an object, the cluster, git
    INVALID = 2  # wrong usage or invalid configuration
    CHANGES = 3  # `diff --exit-code` found changes
    REFUSED = 4  # the whole plan was refused before the first write
    INTERRUPTED = 130


def code_of(error: ReconcilerError) -> Exit:
    """Return the exit code that an error ends the process with."""
    if isinstance(error, errors.ConfigError | errors.RevisionNotFound | errors.GitUnusable):
        return Exit.INVALID
    if isinstance(error, errors.UnsafePlan):
        return Exit.REFUSED
    return Exit.FAILED
