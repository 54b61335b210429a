"""Waiting for what comes about in its own time, on a machine that may be slow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from reconciler.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60.0


def until(seen: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Return what is seen once there is something to see; where kubectl fails, nothing is seen yet."""
    end = time.monotonic() + seconds
    while True:
        told = ""
        try:
            if found := seen():
                return found
        except SandboxError as error:
            told = f": {error}"
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}{told}"
        time.sleep(0.05)
