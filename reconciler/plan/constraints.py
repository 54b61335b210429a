"""What a schema asks of a value beyond its type: enum, pattern, ranges, sizes and their combinations.

The keywords are those that a structural schema of a CustomResourceDefinition may hold (OpenAPI v3.0, "Schema Object"),
read as the API server reads them: patterns are RE2 and match anywhere, `exclusiveMinimum` is a switch. CEL rules
(`x-kubernetes-validations`) are left to the server; they are kept to tell what it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHOWN: Final = 60  # characters of a value in a message
RULES: Final = "x-kubernetes-validations"


def of(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a raw schema asks beyond the type; empty where that is nothing."""
    found = {key: value for key, value in raw.items() if key in _CHECKS or key in ("minimum", "maximum", RULES)}
    if found.keys() & {"minimum", "maximum"}:
        found |= {key: raw[key] for key in ("exclusiveMinimum", "exclusiveMaximum") if key in raw}
    return found


def broken(value: Any, asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a value does not satisfy, in words."""
    for keyword, limit in asked.items():
        check = _CHECKS.get(keyword)
        if check is not None:
            yield from check(value, limit)
    if _is_number(value):
        yield from _range(value, asked)


def _fits(value: Any, raw: Mapping[str, Any]) -> bool:
    """Whether a value satisfies a branch of a combination, which may speak of its entries too."""
    if next(broken(value, of(raw)), None) is not None:
        return False
    kinds = _KINDS.get(raw.get("type", ""))
    if kinds is not None and not (isinstance(value, kinds) and isinstance(value, bool) is (kinds == (bool,))):
        return False
    if isinstance(value, dict):
        entries = ((value[key], below) for key, below in (raw.get("properties") or {}).items() if key in value)
        return all(key in value for key in raw.get("required") or ()) and all(_fits(*entry) for entry in entries)
    items = raw.get("items")
    return not (isinstance(value, list) and items) or all(_fits(item, items) for item in value)


def _range(value: float, asked: Mapping[str, Any]) -> Iterator[str]:
    least, most = asked.get("minimum"), asked.get("maximum")
    if least is not None and (value < least or (value == least and asked.get("exclusiveMinimum"))):
        yield f"must be {'more than' if asked.get('exclusiveMinimum') else 'at least'} {least}, found {value}"
    if most is not None and (value > most or (value == most and asked.get("exclusiveMaximum"))):
        yield f"must be {'less than' if asked.get('exclusiveMaximum') else 'at most'} {most}, found {value}"


def _enum(value: Any, allowed: list[Any]) -> Iterator[str]:
    if value not in allowed:
        yield f"must be one of {', '.join(_text(item) for item in allowed)}, found {_text(value)}"


def _pattern(value: Any, pattern: str) -> Iterator[str]:
    if not isinstance(value, str):
        return
    import re2  # only few kinds have patterns

    try:
        matches = re2.search(pattern, value) is not None
    except re2.error:
        return  # the server refuses such a definition, in its own words
    if not matches:
        yield f"must match {pattern}, found {_text(value)}"


def _multiple(value: Any, step: float) -> Iterator[str]:
    if _is_number(value) and value % step:
        yield f"must be a multiple of {step}, found {value}"


def _sized(kind: type[str | list[Any] | dict[str, Any]], few: str, words: str) -> Callable[[Any, int], Iterator[str]]:
    def check(value: Any, limit: int) -> Iterator[str]:
        if isinstance(value, kind) and (len(value) < limit if few == "least" else len(value) > limit):
            yield f"must have at {few} {limit} {words}, found {len(value)}"

    return check


def _unique(value: Any, wanted: Any) -> Iterator[str]:
    if wanted and isinstance(value, list) and len({_key(item) for item in value}) < len(value):
        yield "must not hold an item twice"


def _all(value: Any, branches: list[Mapping[str, Any]]) -> Iterator[str]:
    for branch in branches:
        yield from broken(value, of(branch))
        if not _fits(value, branch) and next(broken(value, of(branch)), None) is None:
            yield f"must also satisfy {_text(branch)}"


def _any(value: Any, branches: list[Mapping[str, Any]]) -> Iterator[str]:
    if not any(_fits(value, branch) for branch in branches):
        yield f"must satisfy one of {_text(branches)}"


def _one(value: Any, branches: list[Mapping[str, Any]]) -> Iterator[str]:
    fitting = sum(_fits(value, branch) for branch in branches)
    if fitting != 1:
        yield f"must satisfy exactly one of {_text(branches)}, satisfies {fitting}"


def _not(value: Any, branch: Mapping[str, Any]) -> Iterator[str]:
    if _fits(value, branch):
        yield f"must not satisfy {_text(branch)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _text(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_CHECKS: Final[Mapping[str, Callable[[Any, Any], Iterator[str]]]] = {
    "enum": _enum,
    "pattern": _pattern,
    "multipleOf": _multiple,
    "minLength": _sized(str, "least", "characters"),
    "maxLength": _sized(str, "most", "characters"),
    "minItems": _sized(list, "least", "items"),
    "maxItems": _sized(list, "most", "items"),
    "minProperties": _sized(dict, "least", "entries"),
    "maxProperties": _sized(dict, "most", "entries"),
    "uniqueItems": _unique,
    "allOf": _all,
    "anyOf": _any,
    "oneOf": _one,
    "not": _not,
}
