"""CEL, the expressions of health checks and rules: compiled once, told apart from what is no CEL.

https://github.com/google/cel-spec, by cel-python; it is loaded only where an expression is used. Functions on strings are
those of https://kubernetes.io/docs/reference/using-api/cel/.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = 256
"""Programs that are kept compiled; an environment has a few dozen."""


class CannotEvaluateError(Exception):
    """An expression that is CEL has no value for these variables, e.g. because a field is absent."""


@lru_cache(maxsize=KEPT)
def program(expression: str) -> Any:
    """Compile an expression; raises ConfigError where it is no CEL."""
    import celpy
    from celpy.celparser import CELParseError

    environment = celpy.Environment()
    try:
        return environment.program(environment.compile(expression), functions=_functions())
    except CELParseError as error:
        raise ConfigError(f"{expression!r} is not CEL: {str(error.args[0]).splitlines()[0]}") from error


def _functions() -> dict[str, Any]:
    """Return the functions on strings and lists that Kubernetes adds to CEL, as far as rules are in want of them."""
    from celpy.celtypes import ListType, StringType

    def strings(values: Iterable[str]) -> Any:
        return ListType([StringType(value) for value in values])

    return {
        "find": lambda text, pattern: StringType(match[0] if (match := re2.search(str(pattern), str(text))) else ""),
        "join": lambda values, between="": StringType(str(between).join(map(str, values))),
        "lowerAscii": lambda text: StringType(str(text).lower()),
        "replace": lambda text, old, new: StringType(str(text).replace(str(old), str(new))),
        "split": lambda text, separator: strings(str(text).split(str(separator))),
        "trim": lambda text: StringType(str(text).strip()),
    }


def evaluate(expression: str, variables: dict[str, Any]) -> Any:
    """Return an expression's value; raises ConfigError, CannotEvaluateError."""
    from celpy.evaluation import CELEvalError

    try:
        return program(expression).evaluate(variables)
    except CELEvalError as error:
        raise CannotEvaluateError(str(error.args[0])) from error


def holds(expression: str, variables: dict[str, Any]) -> bool:
    """Return whether an expression is true; raises ConfigError, and CannotEvaluateError where it is no truth value."""
    from celpy.celtypes import BoolType

    answer = evaluate(expression, variables)
    if not isinstance(answer, bool | BoolType):
        raise CannotEvaluateError(f"it is {answer}, expected true or false")
    return bool(answer)


def value(body: Any) -> Any:
    """Return a value of JSON as CEL has it."""
    from celpy.adapter import json_to_cel

    return json_to_cel(body)


def listed(values: Iterable[Any]) -> Any:
    """Return a list of values that are CEL's already."""
    from celpy.celtypes import ListType

    return ListType(list(values))
