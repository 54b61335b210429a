"""The house is as docs/architecture.md draws it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "reconciler"


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in PACKAGE.rglob("*.py") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_every_room_is_on_the_plan() -> None:
    """A new room has to be drawn before it is built; the import contracts say what it may know."""
    plan = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [f"`{item.name}/`" for item in PACKAGE.iterdir() if (item / "__init__.py").exists()]
    files = [f"`{item.name}`" for item in PACKAGE.glob("*.py") if item.name != "__init__.py"]
    assert [name for name in (*rooms, *files) if name not in plan] == []


def test_no_module_is_a_novel() -> None:
    """A file that is longer than this holds more than one idea."""
    long = {path.name: lines for path in PACKAGE.rglob("*.py") if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}
