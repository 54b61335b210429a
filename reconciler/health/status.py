"""What all rules need: safe reading of a body, conditions, and the two checks that come before any rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.model.outcome import Health, HealthState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Body = dict[str, Any]

CURRENT = Health(HealthState.CURRENT)


class Condition(NamedTuple):
    """One entry of `status.conditions` (metav1.Condition and its older relatives).

    `seen` is the generation that it speaks of (`observedGeneration`), 0 where it does not say.
    """

    type: str
    status: str
    reason: str
    message: str
    seen: int = 0

    @property
    def text(self) -> str:
        """What the condition says, in one line."""
        return ": ".join(part for part in (self.reason, self.message) if part) or f"{self.type} is {self.status}"


def section(body: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a nested mapping; empty where it is missing or no mapping."""
    node: Any = body
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def items(body: Mapping[str, Any], *keys: str) -> list[dict[str, Any]]:
    """Return a nested list of mappings; empty where it is missing."""
    found = section(body, *keys[:-1]).get(keys[-1])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def count(mapping: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return a number; the default where it is missing or no number."""
    found = mapping.get(key)
    return found if isinstance(found, int) else default


def conditions(entries: Sequence[Mapping[str, Any]]) -> dict[str, Condition]:
    """Return conditions by type."""
    return {condition.type: condition for condition in map(_condition, entries)}


def _condition(entry: Mapping[str, Any]) -> Condition:
    kind, status, reason, message = (str(entry.get(key) or "") for key in ("type", "status", "reason", "message"))
    return Condition(kind, status, reason, message, count(entry, "observedGeneration"))


def status_conditions(body: Mapping[str, Any]) -> dict[str, Condition]:
    """Return the conditions of an object's status by type."""
    return conditions(items(body, "status", "conditions"))


def outdated(condition: Condition, body: Mapping[str, Any]) -> Health | None:
    """Return InProgress where a condition speaks of an earlier generation; None where it is of now, or does not say."""
    latest = count(section(body, "metadata"), "generation")
    if not 0 < condition.seen < latest:
        return None
    return in_progress(f"{condition.type} is told of generation {condition.seen}, the latest is {latest}")


def in_progress(message: str) -> Health:
    """Return InProgress with its reason."""
    return Health(HealthState.IN_PROGRESS, message)


def failed(message: str) -> Health:
    """Return Failed with its reason."""
    return Health(HealthState.FAILED, message)


def terminating(body: Mapping[str, Any]) -> Health | None:
    """Return Terminating for an object that is being deleted, with the finalizers that hold it."""
    metadata = section(body, "metadata")
    if not metadata.get("deletionTimestamp"):
        return None
    finalizers = metadata.get("finalizers") or ()
    held = f", held by {', '.join(finalizers)}" if finalizers else ""
    return Health(HealthState.TERMINATING, f"is being deleted{held}")


def unobserved(body: Mapping[str, Any]) -> Health | None:
    """Return InProgress where the controller has not seen the latest generation."""
    generation = section(body, "metadata").get("generation")
    observed = section(body, "status").get("observedGeneration")
    if generation is None or observed is None or observed == generation:
        return None
    return in_progress(f"its controller has seen generation {observed}, the latest is {generation}")
