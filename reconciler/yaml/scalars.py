"""What a plain scalar means, and how a value is written.

The rules are those of go-yaml, as Kustomize uses it: version 3 reads resources (`yes`, `on` and `y` are strings, `0o17` and
`017` are octal, `1e3` is a number, a date becomes a time), and version 2, which still knows the booleans of YAML 1.1,
reads kustomization files and writes the output.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_YAML11_BOOLEANS: Final = {
    form: meaning
    for words, meaning in ((("y", "yes", "on"), True), (("n", "no", "off"), False))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS: Final = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TIME: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:([Tt])(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?(Z|[-+]\d\d:\d\d))|(?:( )(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?))?"
)
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_NUMERIC: Final = frozenset("0123456789+-.")
_INT64: Final = range(-(2**63), 2**63)
_WHOLE_BELOW: Final = 1e21  # Go writes larger floats as JSON with an exponent, and they stay floats


@lru_cache(maxsize=1 << 14)
def resolve(text: str) -> Any:
    """Return what a plain scalar of a resource means."""
    if text in _NULLS:
        return None
    first = text[0]
    if first in _NUMERIC:
        return _number(text)
    if first in "tTfF":
        return _BOOLEANS.get(text, text)
    return text


def resolve11(text: str) -> Any:
    """Return what a plain scalar of a kustomization file means: `on` and `yes` are booleans, and a time is its text."""
    if text in _YAML11_BOOLEANS:
        return _YAML11_BOOLEANS[text]
    value = resolve(text)
    return text if isinstance(value, str) else value


def canonical(value: Any) -> str:
    """Return the usual text of a scalar's value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_float(value) if isinstance(value, float) else str(value)


def go_float(value: float) -> str:
    """Return a float as Go's `strconv.FormatFloat(value, 'g', -1, 64)` writes it."""
    if math.isinf(value) or math.isnan(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    power = len(text) + int(exponent) - 1
    if not -4 <= power < 6:
        made = text[0] + (f".{text[1:]}" if len(text) > 1 else "") + f"e{'-' if power < 0 else '+'}{abs(power):02d}"
        return ("-" if sign else "") + made
    return format(Decimal(repr(value)).normalize(), "f")


def ambiguous(text: str) -> bool:
    """Whether go-yaml 2 would read the plain text as something else than a string, so that it has to be quoted."""
    if not text or text in _YAML11_BOOLEANS:
        return True
    if text[0] not in "0123456789+-.tTfFnN~":
        return False
    return not isinstance(resolve(text), str) or _time(text) is not None or _SEXAGESIMAL.fullmatch(text) is not None


def _number(text: str) -> Any:
    if _INT.fullmatch(text):
        try:
            value = _integer(text.replace("_", ""))
        except ValueError:
            pass
        else:
            return value if value in _INT64 else _float(text, value)
    if _FLOAT.fullmatch(text):
        return _float(text, text)
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    return _time(text) or text


def _float(text: str, number: int | str) -> int | float | str:
    """Return a float as it comes out of JSON that Go wrote: a whole number within 64 bits is an integer.

    To Go a number that no float can hold is none: it stays the text that it is.
    """
    try:
        value = float(number)
    except OverflowError:
        return text
    if math.isinf(value):
        return text
    if not value.is_integer() or abs(value) >= _WHOLE_BELOW:
        return value
    whole = int(Decimal(repr(value)))
    return whole if -(2**63) <= whole < 2**64 else value


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    for prefix, base in (("0b", 2), ("0o", 8), ("0x", 16)):
        if digits.lower().startswith(prefix):
            return sign * int(digits[2:], base)
    if len(digits) > 1 and digits.startswith("0"):
        return sign * int(digits, 8)
    return sign * int(digits)


def _time(text: str) -> str | None:
    """Return a time as JSON of Go has it (RFC 3339); None where the text is no time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, tee, *with_zone, zone, blank, hour, minute, second, fraction = found.groups()
    if tee:
        hour, minute, second, fraction = with_zone
    elif not blank:
        hour, minute, second, fraction = "0", "0", "0", None
    try:
        made = dt.datetime(  # noqa: DTZ001 - the zone stays text
            int(year), int(month), int(day), int(hour), int(minute), int(second)
        )
    except ValueError:
        return None
    digits = (fraction or "").rstrip("0")
    return made.isoformat() + (digits if digits != "." else "") + (zone or "Z")


@lru_cache(maxsize=1 << 14)
def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a key that sorts as go-yaml does: runs of digits by their number, letters after everything else."""
    parts = re.findall(r"[0-9]+|[^0-9]", text)
    return tuple((False, int(part), part) if part[0] in "0123456789" else (part.isalpha(), -1, part) for part in parts)
