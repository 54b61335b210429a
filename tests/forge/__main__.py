"""`python -m tests.forge build` builds the forge's program ahead of the tests and prints where it is."""

from __future__ import annotations

import sys

from tests.forge.build import program


def tell(line: str) -> None:
    """Print what goes on, apart from the answer."""
    sys.stderr.write(f"{line}\n")


if sys.argv[1:] != ["build"]:
    sys.exit("usage: python -m tests.forge build")
sys.stdout.write(f"{program(tell)[0]}\n")
