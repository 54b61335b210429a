"""Health of kinds that this room has no rule for: conditions, and CEL expressions from environment.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler import cel
from reconciler.errors import ConfigError
from reconciler.health.status import CURRENT, Body, failed, in_progress, outdated, status_conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.environment import HealthCheck
    from reconciler.model.outcome import Health


def by_conditions(body: Body, related: Sequence[Body] = ()) -> Health:  # noqa: ARG001 - as all rules
    """Judge by the conditions that controllers agree on; an object without any is Current (kstatus).

    A condition that says which generation it speaks of says nothing of a later one.
    """
    known = status_conditions(body)
    for name in ("Stalled", "Failed"):
        condition = known.get(name)
        if condition is not None and condition.status == "True":
            return outdated(condition, body) or failed(condition.text)
    reconciling = known.get("Reconciling")
    if reconciling is not None and reconciling.status == "True":
        return in_progress(reconciling.text)
    for name in ("Ready", "Available"):
        condition = known.get(name)
        if condition is not None:
            well = CURRENT if condition.status == "True" else in_progress(condition.text)
            return outdated(condition, body) or well
    return CURRENT


def by_check(body: Body, check: HealthCheck) -> Health:
    """Judge by CEL: `failed` first, then `current`; what cannot be evaluated yet is InProgress and says so."""
    known = cel.value(body)
    variables = {**{str(key): value for key, value in known.items()}, "self": known}
    if check.failed is not None and _fails(check.failed, variables):
        return failed(f"failed by the health check: {check.failed}")
    try:
        return CURRENT if cel.evaluate(check.current, variables) else in_progress(f"not yet: {check.current}")
    except cel.CannotEvaluateError as error:
        return in_progress(f"health check {check.current} cannot be evaluated yet: {error}")


def require_valid(checks: Iterable[HealthCheck]) -> None:
    """Compile every expression; raises ConfigError naming the one that is no CEL."""
    for check in checks:
        for expression in (check.current, check.failed):
            if expression is not None:
                try:
                    cel.program(expression)
                except ConfigError as error:
                    expected = "expected an expression like status.phase == 'Ready'"
                    raise ConfigError(f"health check {error}; {expected}") from error


def _fails(expression: str, variables: dict[str, Any]) -> bool:
    try:
        return bool(cel.evaluate(expression, variables))
    except cel.CannotEvaluateError:
        return False
