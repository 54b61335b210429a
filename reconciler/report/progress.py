"""A run under way, from its events: a live table on a terminal, lines in a log elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from reconciler.model.outcome import Event, Phase

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Plan

_DONE = (Phase.APPLIED, Phase.WAITING, Phase.HEALTHY, Phase.PRUNED, Phase.RELEASED)


class Progress(Protocol):
    """What a run tells its events to."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def emit(self, event: Event) -> None:
        """Take one event."""


@dataclass(slots=True)
class Row:
    """What became of the objects of one component so far."""

    objects: set[ObjectId]  # those that change
    done: set[ObjectId] = field(default_factory=set)
    healthy: set[ObjectId] = field(default_factory=set)
    failed: set[ObjectId] = field(default_factory=set)
    waiting: dict[ObjectId, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take one event."""
        if event.phase in _DONE and event.id in self.objects:  # health is awaited of others, too
            self.done.add(event.id)
        if event.phase is Phase.WAITING:
            self.waiting[event.id] = event.message
        else:
            self.waiting.pop(event.id, None)
        if event.phase is Phase.HEALTHY:
            self.healthy.add(event.id)
        if event.phase in (Phase.FAILED, Phase.SKIPPED):
            self.failed.add(event.id)

    @property
    def total(self) -> int:
        """How many change."""
        return len(self.objects)

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to do."""
        return len(self.done | self.failed) >= self.total and not self.waiting


def progress(plan: Plan) -> Progress:
    """Return the progress display that fits stderr."""
    rows: dict[str, Row] = {name: Row(set()) for name in plan.graph.order}
    for change in plan.changes:
        if change.acts or change.problem:
            rows.setdefault(change.component, Row(set())).objects.add(change.id)
    changing = {name: row for name, row in rows.items() if row.objects}
    if not sys.stderr.isatty():
        return LineProgress(changing)
    from reconciler.report.live import LiveProgress

    return LiveProgress(changing)


class LineProgress:
    """One line where a component begins, where an object has to be waited for, and where one fails."""

    def __init__(self, rows: dict[str, Row]) -> None:
        """Begin with the components that change."""
        self._rows = rows
        self._told: set[str | ObjectId] = set()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; there is nothing to undo."""

    def emit(self, event: Event) -> None:
        """Take one event."""
        row = self._rows.setdefault(event.component, Row({event.id}))
        if event.phase is Phase.FAILED:
            self._tell(event.component, f"{event.id} failed: {event.message}")
        elif event.phase is Phase.WAITING and event.id not in self._told:
            self._told.add(event.id)
            self._tell(event.component, f"waiting for {event.id}: {event.message}")
        elif event.component not in self._told and event.phase is not Phase.SKIPPED:
            self._tell(event.component, f"{row.total} to change")
        self._told.add(event.component)

    def _tell(self, component: str, message: str) -> None:
        sys.stderr.write(f"{component}: {message}\n")
