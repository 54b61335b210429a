"""A run under way, from its events: a live table on a terminal, lines in a log elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from rich.live import Live
from rich.text import Text

from reconciler.model.outcome import Event, Phase
from reconciler.report.canvas import canvas, table

if TYPE_CHECKING:
    from types import TracebackType

    from rich.table import Table

    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Plan

REFRESH_PER_SECOND = 8
SHOWN_WAITS = 2
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
class _Row:
    total: int = 0
    done: set[ObjectId] = field(default_factory=set)
    healthy: set[ObjectId] = field(default_factory=set)
    failed: set[ObjectId] = field(default_factory=set)
    waiting: dict[ObjectId, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        if event.phase in _DONE:
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
    def finished(self) -> bool:
        return len(self.done | self.failed) >= self.total and not self.waiting


def progress(plan: Plan) -> Progress:
    """Return the progress display that fits stderr."""
    rows: dict[str, _Row] = {name: _Row() for name in plan.graph.order}
    for change in plan.changes:
        if change.acts or change.problem:
            rows.setdefault(change.component, _Row()).total += 1
    changing = {name: row for name, row in rows.items() if row.total}
    return LiveProgress(changing) if sys.stderr.isatty() else LineProgress(changing)


class LiveProgress:
    """A table of components, redrawn in place."""

    def __init__(self, rows: dict[str, _Row]) -> None:
        """Begin with the components that change."""
        self._rows = rows
        self._live = Live(console=canvas(sys.stderr), refresh_per_second=REFRESH_PER_SECOND, get_renderable=self._draw)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw the last state and stop."""
        self._live.stop()

    def emit(self, event: Event) -> None:
        """Take one event; the next refresh shows it."""
        self._rows.setdefault(event.component, _Row(total=1)).take(event)

    def _draw(self) -> Table:
        made = table("COMPONENT", "DONE", "", "")
        for name, row in self._rows.items():
            made.add_row(name, f"{len(row.done)}/{row.total}", _state(row), _waits(row))
        return made


class LineProgress:
    """One line where a component begins, where an object has to be waited for, and where one fails."""

    def __init__(self, rows: dict[str, _Row]) -> None:
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
        row = self._rows.setdefault(event.component, _Row(total=1))
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


def _state(row: _Row) -> Text:
    if row.failed:
        return Text(f"{len(row.failed)} failed", style="red")
    if row.finished:
        return Text("done", style="green")
    return Text("working" if row.done or row.waiting else "to come", style="yellow" if row.done else "dim")


def _waits(row: _Row) -> str:
    shown = [
        f"{identity.kind}/{identity.name}: {message}" for identity, message in list(row.waiting.items())[:SHOWN_WAITS]
    ]
    more = len(row.waiting) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
