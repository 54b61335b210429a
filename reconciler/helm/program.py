"""The program `helm`: found, and asked for its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from reconciler.errors import ChartError

VARIABLE: Final = "RECONCILER_HELM"
LEAST: Final = (3, 14)
BELOW: Final = (5, 0)
TIMEOUT_SECONDS: Final = 30
GET_IT: Final = f"install Helm 4, or name the program by {VARIABLE} or --helm-command"


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and all that it says of its version."""

    path: str
    version: str


def find(command: str | None) -> Program:
    """Return a helm that is new enough; raises ChartError with what is there and what to do."""
    named = command or os.environ.get(VARIABLE) or "helm"
    path = shutil.which(named)
    if path is None:
        raise ChartError(f"there is no program {named}: {GET_IT}")
    said = _said(os.path.abspath(path))  # noqa: PTH100 - links stay: some programs look at the name they are called by
    number = re.search(r"v(\d+)\.(\d+)", said)
    if number is None:
        raise ChartError(f"{path} says of its version {said!r}: {GET_IT}")
    if not LEAST <= (int(number[1]), int(number[2])) < BELOW:
        least, below = (".".join(map(str, part)) for part in (LEAST, BELOW))
        raise ChartError(f"{path} is {number[0]}, at least v{least} and below v{below} is needed: {GET_IT}")
    return Program(os.path.abspath(path), said)  # noqa: PTH100


def _said(path: str) -> str:
    command = (path, "version", "--template", "{{.Version}} {{.GitCommit}} {{.GoVersion}}")
    try:
        done = subprocess.run(command, env={}, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChartError(f"{path} cannot be run: {error}; {GET_IT}") from error
    text = done.stdout.decode(errors="replace").strip()
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip() or f"it ends with {done.returncode}"
        raise ChartError(f"{path} cannot tell its version: {words}; {GET_IT}")
    return text
