"""Giving memory back after a run: an agent rests nearly all of the time, and what it rests with is what it costs."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any


def release() -> None:
    """Collect what a run has left behind and, where the C library can (glibc), give free pages to the system."""
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
