"""What the demos share: saying what comes next, running a command as a user would, and how long each part took."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECONCILER = str(Path(sys.executable).parent / "reconciler")
took: list[tuple[str, float]] = []


def heading(text: str) -> None:
    """Say what comes next."""
    print(f"\n\033[1m── {text}\033[0m" if sys.stdout.isatty() else f"\n── {text}", flush=True)


def say(text: str) -> None:
    """Say what was seen."""
    print(text, flush=True)


def require(seen: object, what: str) -> None:
    """End where something that the demo shows is not so."""
    if not seen:
        sys.exit(f"demo: {what}")


@contextmanager
def part(what: str) -> Iterator[None]:
    """Time a part of the demo."""
    heading(what)
    begun = time.monotonic()
    yield
    took.append((what, time.monotonic() - begun))
    print(f"({took[-1][1]:.1f} s)", flush=True)


def run(*arguments: str, environment: Mapping[str, str], cwd: Path = ROOT, expect: Sequence[int] = (0,)) -> None:
    """Run one command and show it; end where it ends otherwise than expected."""
    shown = (item for item in arguments if item != "--kubeconfig" and not item.endswith("/kubeconfig"))
    print("$ " + " ".join(Path(item).name if item == arguments[0] else item for item in shown), flush=True)
    code = subprocess.run(arguments, cwd=cwd, env=dict(environment), check=False).returncode
    if code not in expect:
        sys.exit(f"demo: expected exit code {' or '.join(map(str, expect))}, got {code}")
    if code:
        print(f"(exit code {code})", flush=True)


def summary() -> None:
    """Tell how long each part took."""
    heading("how long each part took")
    for what, seconds in took:
        print(f"{seconds:7.1f} s  {what}")
