"""Tables on terminals and in pipes."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from reconciler.report.canvas import canvas, table

if TYPE_CHECKING:
    from rich.table import Table

STYLES = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def made(needs: str = "network, storage") -> Table:
    wide = table("RUN", "COMPONENT", "CREATE", "UPDATE", "DELETE", "NEEDS", right=(0, 2, 3, 4))
    wide.add_row("1", "cluster-management", "12", "", "", needs)
    wide.add_row("2", "web", "", "", "3", "")
    return wide


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_a_terminal_shows_everything_that_is_in_a_table(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    screen, needs = Terminal(), ", ".join(f"component-{number}" for number in range(9))
    canvas(screen).print(made(needs))
    lines = STYLES.sub("", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    cells = {word for line in lines for word in line.split()}
    assert {"1", "2", "3", "12"} <= cells
    shown = "".join("".join(lines).split())
    assert all(shown.count(digit) >= needs.count(digit) for digit in "0123456789")


def test_a_column_that_is_empty_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    screen = Terminal()
    canvas(screen).print(made())
    assert [line.rstrip() for line in STYLES.sub("", screen.getvalue()).splitlines()] == [
        "RUN COMPONENT          CREATE DELETE NEEDS",
        "  1 cluster-management     12        network, storage",
        "  2 web                            3",
    ]


def test_a_pipe_has_no_edge() -> None:
    pipe = io.StringIO()
    canvas(pipe).print(made("x" * 300))
    assert [line.rstrip() for line in pipe.getvalue().splitlines()] == [
        "RUN   COMPONENT            CREATE   UPDATE   DELETE   NEEDS",
        f"  1   cluster-management       12                     {'x' * 300}",
        "  2   web                                         3",
    ]
