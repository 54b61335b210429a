"""Kubernetes quantities: `100m`, `1.5Gi`, `2e3` (apimachinery `resource.Quantity`), compared by amount."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_FORM: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?")
_FACTORS: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{letter: Fraction(1000 ** (power + 1)) for power, letter in enumerate("kMGTPE")},
    **{f"{letter}i": Fraction(1024 ** (power + 1)) for power, letter in enumerate("KMGTPE")},
}


@lru_cache(maxsize=4096)
def amount(text: str) -> Fraction | None:
    """Return the exact amount that a quantity stands for; None where the text is none."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    number, suffix, exponent = match.groups()
    value = Fraction(number)
    if suffix:
        return value * _FACTORS[suffix]
    return value * Fraction(10) ** int(exponent) if exponent else value


def same_amount(one: object, other: object) -> bool:
    """Whether two values are quantities of the same amount; numbers count as their text."""
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    first, second = amount(str(one)), amount(str(other))
    return first is not None and first == second
