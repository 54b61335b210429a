"""Reading a document of ours strictly: pydantic's errors in words of the file, each with its line."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from reconciler.environment.models import HOST_PATTERN
from reconciler.errors import Problem
from reconciler.model.path import format_path
from reconciler.model.tree import origin_at

if TYPE_CHECKING:
    from collections.abc import Sequence

Model = TypeVar("Model", bound=BaseModel)

_WORDS: Final = {
    "missing": "is missing",
    "string_type": "has to be a string",
    "int_type": "has to be a whole number",
    "bool_type": "has to be true or false",
    "tuple_type": "has to be a list",
    "model_type": "has to be a mapping",
    "model_attributes_type": "has to be a mapping",
    "dict_type": "has to be a mapping",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def validated(model: type[Model], document: Any, path: str) -> tuple[Model | None, list[Problem]]:
    """Return a document as a model, or all that is wrong with it, each with its line."""
    try:
        return model.model_validate(document), []
    except ValidationError as error:
        return None, [_problem(model, document, path, item) for item in error.errors(include_url=False)]


def _problem(model: type[BaseModel], document: Any, path: str, error: Any) -> Problem:
    """Say one of pydantic's errors in words of the file."""
    steps = _steps(document, error["loc"])
    where = format_path(steps) or "the file"
    line = line_of(document, steps)
    kind = error["type"]
    if kind == "extra_forbidden":
        allowed = _allowed(model, steps[:-1])
        near = difflib.get_close_matches(str(steps[-1]), allowed, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(allowed)}"
        return Problem(path, line, f"unknown key {where}", hint)
    if kind in ("string_pattern_mismatch", "literal_error", "greater_than_equal", "less_than_equal"):
        return Problem(path, line, f"{where} is {error['input']!r}", _expected(error))
    if kind == "value_error":
        return Problem(path, line, f"{where}: {error['ctx']['error']}")
    return Problem(path, line, f"{where} {_WORDS.get(kind, error['msg'].lower())}")


def _expected(error: Any) -> str:
    context = error.get("ctx", {})
    if "pattern" in context:
        if context["pattern"] == HOST_PATTERN:
            return "expected a host's name in lower case, without a scheme, e.g. github.com or git.example.com:8443"
        durations = "expected a duration such as 90s, 5m or 1h30m"
        return durations if "ms|s|m|h" in context["pattern"] else "expected lower case letters, digits and dashes"
    return f"expected {context.get('expected') or error['msg'].lower()}"


def _steps(document: Any, location: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return the part of an error's location that is in the file; unions add words of their own to it."""
    steps: list[str | int] = []
    node = document
    for step in location:
        inside = (isinstance(node, dict) and step in node) or (isinstance(node, list) and isinstance(step, int))
        if inside:
            steps.append(step)
            node = node[step]
        elif isinstance(node, dict) and step == location[-1]:
            steps.append(step)
    return tuple(steps)


def line_of(document: Any, steps: Sequence[str | int]) -> int:
    """Return the line of a place in a document that was read with origins; 1 where it has none."""
    origin = origin_at(document, steps)
    return origin.line if origin is not None else 1


def _allowed(model: Any, steps: Sequence[str | int]) -> list[str]:
    """Return the keys that the mapping at a place may have."""
    for step in steps:
        if isinstance(step, int):
            continue
        field = next((item for item in model.model_fields.values() if item.alias == step), None)
        model = _model_in(field.annotation) if field is not None else None
        if model is None:
            return []
    return [str(item.alias) for item in model.model_fields.values()]


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)
