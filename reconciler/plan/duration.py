"""Durations as Kubernetes writes them: `90s` and `1m30s` are the same."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE: Final = re.compile(rf"([+-]?)((?:{_PART.pattern})+)")


def nanoseconds(text: str) -> int | None:
    """Return a duration in nanoseconds, as `time.ParseDuration` of Go reads it; None where it is none."""
    if text.strip("+-") == "0":
        return 0
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return None
    length = sum(int(Fraction(number) * _UNITS[unit]) for number, unit in _PART.findall(whole[2]))
    return -length if whole[1] == "-" else length
