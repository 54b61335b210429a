"""What became of each object so far: the run's memory, and the source of its events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.model.outcome import Event, Health, Outcome, Phase, Result

if TYPE_CHECKING:
    from reconciler.clock import Clock
    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Change

Emit = Callable[[Event], None]


@dataclass(slots=True)
class _Span:
    begun: float
    ended: float


@dataclass(slots=True)
class Ledger:
    """The outcomes of one run. Every entry of an object but the first events is final, except a later failure."""

    clock: Clock
    emit: Emit
    redact: Callable[[str], str] = str  # blacks out secret values in every message
    outcomes: dict[ObjectId, Outcome] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # components in which something failed or was skipped
    _begun: dict[ObjectId, float] = field(default_factory=dict)
    _spans: dict[str, _Span] = field(default_factory=dict)

    def started(self, change: Change) -> None:
        """Note that requests for an object begin."""
        self._begun.setdefault(change.id, self.clock.monotonic())
        self._tell(Phase.STARTED, change)

    def applied(self, change: Change) -> None:
        """Note that the server has accepted an object."""
        self._note(change, Result.APPLIED)
        self._tell(Phase.APPLIED, change)

    def waiting(self, change: Change, health: Health) -> None:
        """Note that an object is not healthy yet, or not gone yet, and why."""
        self._tell(Phase.WAITING, change, health.message)

    def healthy(self, change: Change, health: Health) -> None:
        """Note that an applied object, or an unchanged one that others need, is healthy."""
        before = self.outcomes.get(change.id)
        self._note(change, before.result if before else Result.UNCHANGED, health=health)
        self._tell(Phase.HEALTHY, change, health.message)

    def unchanged(self, change: Change, message: str = "") -> None:
        """Note that nothing was done to an object."""
        self.outcomes[change.id] = Outcome(change.id, change.component, change.action, Result.UNCHANGED, None, message)

    def pruned(self, change: Change, message: str = "") -> None:
        """Note that an object is gone."""
        self._note(change, Result.PRUNED, message)
        self._tell(Phase.PRUNED, change, message)

    def released(self, change: Change) -> None:
        """Note that an object stays and is no longer ours."""
        self._note(change, Result.RELEASED)
        self._tell(Phase.RELEASED, change)

    def deleting(self, change: Change) -> None:
        """Note that the server has accepted a delete whose end was not seen."""
        self._note(change, Result.PRUNED, "deleted, but the run ended before it was gone")

    def unfinished(self, change: Change, health: Health | None) -> None:
        """Note that the run ended before an applied object was seen to be healthy."""
        self._note(change, Result.APPLIED, "the run ended before it was healthy", health)

    def failed(self, change: Change, message: str, health: Health | None = None) -> None:
        """Note that an object failed."""
        self.broken.add(change.component)
        self._note(change, Result.FAILED, message, health)
        self._tell(Phase.FAILED, change, message)

    def skipped(self, change: Change, reason: str) -> None:
        """Note that an object was left out, and why."""
        self.broken.add(change.component)
        self._note(change, Result.SKIPPED, reason)
        self._tell(Phase.SKIPPED, change, reason)

    @property
    def component_seconds(self) -> dict[str, float]:
        """Seconds from the first to the last event of each component."""
        return {name: span.ended - span.begun for name, span in self._spans.items()}

    def _note(self, change: Change, result: Result, message: str = "", health: Health | None = None) -> None:
        now, message = self.clock.monotonic(), self.redact(message)
        health = Health(health.state, self.redact(health.message)) if health is not None else None
        seconds = now - self._begun.get(change.id, now)
        self.outcomes[change.id] = Outcome(change.id, change.component, change.action, result, health, message, seconds)

    def _tell(self, phase: Phase, change: Change, message: str = "") -> None:
        now = self.clock.monotonic()
        self._spans.setdefault(change.component, _Span(now, now)).ended = now
        self.emit(Event(phase, change.component, change.id, self.redact(message)))
