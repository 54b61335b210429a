"""Changes that have to wait: of components that are suspended, or outside of the windows in which they may be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.environment import Environment
    from reconciler.model.plan import Change


def reasons(environment: Environment, closed: Mapping[str, str]) -> dict[str, str]:
    """Return why changes of a component have to wait; `closed` says so of those outside of their windows."""
    suspended = {
        item.name: f"component {item.name} is suspended" for item in environment.spec.components if item.suspend
    }
    return {**closed, **suspended}


def held(changes: Iterable[Change], why: Mapping[str, str]) -> Iterator[Change]:
    """Yield changes, those that have to wait marked; what moves waits for both its components."""
    for change in changes:
        reason = why.get(change.component) or why.get(change.moved_from, "")
        if reason and change.action is not Action.UNCHANGED:
            yield replace(change, held=reason, problem="")
        elif reason and change.problem:
            yield replace(change, problem="", notes=(*change.notes, change.problem))
        else:
            yield change
