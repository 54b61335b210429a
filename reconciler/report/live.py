"""A run under way as a table that is redrawn in place; loaded only on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.text import Text

from reconciler.report.canvas import canvas, table
from reconciler.report.progress import Row

if TYPE_CHECKING:
    from types import TracebackType

    from rich.table import Table

    from reconciler.model.outcome import Event

REFRESH_PER_SECOND = 8
SHOWN_WAITS = 2


class LiveProgress:
    """A table of components, redrawn in place."""

    def __init__(self, rows: dict[str, Row]) -> None:
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
        self._rows.setdefault(event.component, Row({event.id})).take(event)

    def _draw(self) -> Table:
        made = table("COMPONENT", "DONE", "", "")
        for name, row in self._rows.items():
            made.add_row(name, f"{len(row.done)}/{row.total}", _state(row), _waits(row))
        return made


def _state(row: Row) -> Text:
    if row.failed:
        return Text(f"{len(row.failed)} failed", style="red")
    if row.finished:
        return Text("done", style="green")
    return Text("working" if row.done or row.waiting else "to come", style="yellow" if row.done else "dim")


def _waits(row: Row) -> str:
    shown = [
        f"{identity.kind}/{identity.name}: {message}" for identity, message in list(row.waiting.items())[:SHOWN_WAITS]
    ]
    more = len(row.waiting) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
