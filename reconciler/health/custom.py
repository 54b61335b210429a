"""Health of kinds that this room has no rule for: conditions, and CEL expressions from environment.yaml."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.errors import ConfigError
from reconciler.health.status import CURRENT, Body, failed, in_progress, status_conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.environment import HealthCheck
    from reconciler.model.outcome import Health

EXPRESSIONS_KEPT = 256


def by_conditions(body: Body, related: Sequence[Body] = ()) -> Health:  # noqa: ARG001 - as all rules
    """Judge by the conditions that controllers agree on; an object without any is Current (kstatus)."""
    known = status_conditions(body)
    for name in ("Stalled", "Failed"):
        condition = known.get(name)
        if condition is not None and condition.status == "True":
            return failed(condition.text)
    reconciling = known.get("Reconciling")
    if reconciling is not None and reconciling.status == "True":
        return in_progress(reconciling.text)
    for name in ("Ready", "Available"):
        condition = known.get(name)
        if condition is not None:
            return CURRENT if condition.status == "True" else in_progress(condition.text)
    return CURRENT


def by_check(body: Body, check: HealthCheck) -> Health:
    """Judge by CEL: `failed` first, then `current`; what cannot be evaluated yet is InProgress and says so."""
    from celpy.adapter import json_to_cel
    from celpy.evaluation import CELEvalError

    known = json_to_cel(body)
    variables = {**{str(key): value for key, value in known.items()}, "self": known}  # type: ignore[union-attr]
    try:
        if check.failed is not None and _evaluate(check.failed, variables, absent=False):
            return failed(f"failed by the health check: {check.failed}")
        return CURRENT if _evaluate(check.current, variables) else in_progress(f"not yet: {check.current}")
    except CELEvalError as error:
        return in_progress(f"health check {check.current} cannot be evaluated yet: {error.args[0]}")


def require_valid(checks: Iterable[HealthCheck]) -> None:
    """Compile every expression; raises ConfigError naming the one that is no CEL."""
    for check in checks:
        for expression in (check.current, check.failed):
            if expression is not None:
                _program(expression)


def _evaluate(expression: str, variables: dict[str, Any], *, absent: bool | None = None) -> bool:
    from celpy.evaluation import CELEvalError

    try:
        return bool(_program(expression).evaluate(variables))
    except CELEvalError:
        if absent is None:
            raise
        return absent


@lru_cache(maxsize=EXPRESSIONS_KEPT)
def _program(expression: str) -> Any:
    import celpy
    from celpy.celparser import CELParseError

    environment = celpy.Environment()
    try:
        return environment.program(environment.compile(expression))
    except CELParseError as error:
        raise ConfigError(
            f"health check {expression!r} is not CEL: {str(error.args[0]).splitlines()[0]}; "
            "expected an expression like status.phase == 'Ready'"
        ) from error
