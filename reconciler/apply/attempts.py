"""How often a write is tried that is bound to what was read, and how long to wait in between.

A controller that keeps the status of an object up to date changes it several times a second while much else goes on.
"""

from __future__ import annotations

from typing import Final

ATTEMPTS: Final = 12
FIRST: Final = 0.05  # seconds
MOST: Final = 2.0  # seconds


def pause(attempt: int) -> float:
    """Return how long to wait after a try, counted from 0, in seconds; about ten seconds in all."""
    return min(MOST, FIRST * 2.0**attempt)
