"""The terminal that text goes to: rich where it draws, plain text where it is piped."""

from __future__ import annotations

import os
import re
import sys
from typing import IO, Any, Final

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

PIPED_WIDTH = 10_000  # a pipe has no edge at which to wrap


CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Canvas(Console):
    """A console on which text of the repository or the cluster cannot move the cursor, change colours or hide itself."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, with a mark in the place of each control character."""
        super().print(*(self._fitted(item) if isinstance(item, Table) else _shown(item) for item in objects), **options)

    def _fitted(self, made: Table) -> Table:
        """Return a table as it is, or, where it is too wide, closer together and without its empty columns."""
        if made.__rich_measure__(self, self.options.update_width(PIPED_WIDTH)).maximum <= self.width:
            return made
        narrow = _plain(*(column for column in made.columns if any(column.cells)), gap=1)
        narrow.rows = made.rows
        return narrow


def _shown(item: Any) -> Any:
    if isinstance(item, Text):
        item.plain = CONTROL.sub("\ufffd", item.plain)  # as long as before, so its styles stay where they are
    return CONTROL.sub("\ufffd", item) if isinstance(item, str) else item


def one_line(text: str) -> str:
    """Return a text of others as it stands in one line of ours."""
    return text.replace("\n", "\\n").replace("\r", "\\r")


def canvas(stream: IO[str] | None = None) -> Console:
    """Return a console on a stream (stdout by default); colour only on a terminal and without NO_COLOR."""
    stream = stream if stream is not None else sys.stdout
    terminal = stream.isatty()
    return _Canvas(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
        force_terminal=terminal,
        no_color="NO_COLOR" in os.environ or not terminal,
        width=None if terminal else PIPED_WIDTH,
    )


def table(*headers: str, right: tuple[int, ...] = ()) -> Table:
    """Return a plain table without lines; the columns numbered in `right` hold numbers.

    What does not fit into a terminal goes on below, the widest columns first.
    """
    columns = (
        Column(header, justify="right" if index in right else "left", overflow="fold")
        for index, header in enumerate(headers)
    )
    return _plain(*columns, gap=3)


def _plain(*columns: Column, gap: int) -> Table:
    return Table(*columns, box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, gap, 0, 0))
