"""The terminal that text goes to: rich where it draws, plain text where it is piped."""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 10_000  # a pipe has no edge at which to wrap


def canvas(stream: IO[str] | None = None) -> Console:
    """Return a console on a stream (stdout by default); colour only on a terminal and without NO_COLOR."""
    stream = stream if stream is not None else sys.stdout
    terminal = stream.isatty()
    return Console(
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
    """Return a plain table without lines; the columns numbered in `right` hold numbers."""
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for index, header in enumerate(headers):
        made.add_column(header, justify="right" if index in right else "left", no_wrap=True, overflow="ignore")
    return made
