"""All that is wrong with a document, in words of the file: it is walked through by the types of its model.

What is a mistake is msgspec's to say: a document has mistakes here exactly where `msgspec.convert` refuses it.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import inspect

from reconciler.environment.models import Unfit
from reconciler.model.path import format_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Steps = tuple[str | int, ...]

_SHAPES: Final[dict[type[inspect.Type], type]] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.BoolType: bool,
    inspect.VarTupleType: list,
    inspect.DictType: dict,
    inspect.StructType: dict,
}
_WORDS: Final = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


class Mistake(NamedTuple):
    """One thing that is wrong, at one place of the document."""

    steps: Steps
    message: str
    hint: str = ""


def mistakes(model: type, document: Any) -> list[Mistake]:
    """Return all that is wrong with a document."""
    return list(_wrong(inspect.type_info(model), document, ()))


def _wrong(kind: inspect.Type, value: Any, steps: Steps, expected: str = "") -> Iterator[Mistake]:
    """Yield what is wrong with a value; `expected` says in words what a pattern asks for."""
    if isinstance(kind, inspect.Metadata):
        extra = kind.extra or {}
        found = list(_wrong(kind.type, value, steps, extra.get("expected", expected)))
        yield from found or _checked(extra.get("check"), value, steps)
    elif isinstance(kind, inspect.UnionType):
        yield from _of_union(kind, value, steps, expected)
    elif isinstance(kind, inspect.LiteralType):
        if value not in kind.values or isinstance(value, bool):
            yield Mistake(steps, f"{_at(steps)} is {value!r}", f"expected {_one_of(_words(kind))}")
    elif not _has_shape(kind, value):
        yield Mistake(steps, f"{_at(steps)} has to be {_one_of(_words(kind))}")
    else:
        yield from _inside(kind, value, steps, expected)


def _inside(kind: inspect.Type, value: Any, steps: Steps, expected: str) -> Iterator[Mistake]:
    """Yield what is wrong with a value that has the shape of its type."""
    if isinstance(kind, inspect.StrType):
        yield from _of_string(kind, value, steps, expected)
    elif isinstance(kind, inspect.IntType):
        yield from _of_number(kind, value, steps)
    elif isinstance(kind, inspect.StructType):
        yield from _of_struct(kind, value, steps)
    elif isinstance(kind, inspect.VarTupleType | inspect.DictType):
        yield from _of_many(kind, value, steps)


def _checked(check: Callable[[Any], None] | None, value: Any, steps: Steps) -> Iterator[Mistake]:
    """Yield what a model's own check says of one key; it raises ValueError."""
    try:
        if check is not None:
            check(value)
    except ValueError as error:
        yield Mistake(steps, f"{_at(steps)}: {error}")


def _of_union(kind: inspect.UnionType, value: Any, steps: Steps, expected: str) -> Iterator[Mistake]:
    """Hold a value against the type that has its shape; where none has, all of them are named."""
    if value is None and kind.includes_none:
        return
    branches = [item for item in kind.types if not isinstance(item, inspect.NoneType)]
    branch = next((item for item in branches if _has_shape(item, value)), None)
    if branch is not None:
        yield from _wrong(branch, value, steps, expected)
    else:
        words = [word for item in branches for word in _words(item)]
        yield Mistake(steps, f"{_at(steps)} has to be {_one_of(words)}")


def _words(kind: inspect.Type) -> list[str]:
    """Return what a value may be, in words."""
    if isinstance(kind, inspect.Metadata):
        return _words(kind.type)
    if isinstance(kind, inspect.LiteralType):
        return [repr(item) for item in kind.values]
    return [_WORDS[_SHAPES[type(kind)]]]


def _has_shape(kind: inspect.Type, value: Any) -> bool:
    if isinstance(kind, inspect.Metadata):
        return _has_shape(kind.type, value)
    if isinstance(kind, inspect.LiteralType):
        return type(value) in {type(item) for item in kind.values}
    shape = _SHAPES[type(kind)]
    return isinstance(value, shape) and not (shape is int and isinstance(value, bool))


def _of_string(kind: inspect.StrType, value: str, steps: Steps, expected: str) -> Iterator[Mistake]:
    if len(value) < (kind.min_length or 0):
        yield Mistake(steps, f"{_at(steps)} must not be empty")
    elif kind.max_length is not None and len(value) > kind.max_length:
        yield Mistake(steps, f"{_at(steps)} has {len(value)} characters", f"expected at most {kind.max_length}")
    elif kind.pattern is not None and re.search(kind.pattern, value) is None:
        yield Mistake(steps, f"{_at(steps)} is {value!r}", f"expected {expected or f'text that fits {kind.pattern}'}")


def _of_number(kind: inspect.IntType, value: int, steps: Steps) -> Iterator[Mistake]:
    low, high = kind.ge, kind.le
    if (low is not None and value < low) or (high is not None and value > high):
        expected = f"{low} or more" if high is None else f"{high} or less" if low is None else f"{low} to {high}"
        yield Mistake(steps, f"{_at(steps)} is {value}", f"expected {expected}")


def _of_many(kind: inspect.VarTupleType | inspect.DictType, value: Any, steps: Steps) -> Iterator[Mistake]:
    if len(value) < (kind.min_length or 0):
        yield Mistake(steps, f"{_at(steps)} must not be empty")
    elif isinstance(kind, inspect.VarTupleType):
        for index, item in enumerate(value):
            yield from _wrong(kind.item_type, item, (*steps, index))
    else:
        for key, item in value.items():
            yield from _wrong(kind.value_type, item, (*steps, key))


def _of_struct(kind: inspect.StructType, value: dict[str, Any], steps: Steps) -> Iterator[Mistake]:
    fields = {field.encode_name: field for field in kind.fields}
    found = [_unknown(key, fields, steps) for key in value if key not in fields]
    for name, field in fields.items():
        if name in value:
            found += _wrong(field.type, value[name], (*steps, name))
        elif field.required:
            found.append(Mistake((*steps, name), f"{_at((*steps, name))} is missing"))
    yield from found or _of_whole(kind.cls, value, steps)


def _unknown(key: str, known: Mapping[str, Any], steps: Steps) -> Mistake:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return Mistake((*steps, key), f"unknown key {_at((*steps, key))}", hint)


def _of_whole(model: type, value: dict[str, Any], steps: Steps) -> Iterator[Mistake]:
    """Yield what is wrong with keys that are right by themselves."""
    try:
        msgspec.convert(value, model)
    except msgspec.ValidationError as error:
        cause = error.__cause__
        place = (*steps, cause.key) if isinstance(cause, Unfit) and cause.key in value else steps
        yield Mistake(place, f"{_at(place)}: {cause or error}")


def _at(steps: Steps) -> str:
    return format_path(steps) or "the file"


def _one_of(options: list[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"
