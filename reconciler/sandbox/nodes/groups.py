"""Control groups of nodes: one a node, below the machine's root, in either version of the kernel's interface."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path("/sys/fs/cgroup")
CONTROLLERS: Final = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")
REMOVAL_SECONDS: Final = 5.0


def make(name: str, root: Path = ROOT) -> None:
    """Make a node's control group; raises OSError where the machine does not let us."""
    unified = (root / "cgroup.controllers").is_file()
    if unified:
        offered = (root / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{one}" for one in CONTROLLERS if one in offered)
        (root / "cgroup.subtree_control").write_text(wanted)
    for parent in _hierarchies(root):
        (parent / name).mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of version 1, and then nothing may run in it
            if not unified and (parent / file).is_file():
                (parent / name / file).write_text((parent / file).read_text())


def remove(name: str, root: Path = ROOT) -> None:
    """Remove a node's control group with all below it; the processes in them are gone or going."""
    until = time.monotonic() + REMOVAL_SECONDS
    for parent in _hierarchies(root):
        while (parent / name).is_dir():
            folders = sorted((parent / name).rglob("*/"), key=lambda path: len(path.parts), reverse=True)
            for folder in (*folders, parent / name):
                with suppress(OSError):  # one that is still in use; it is tried again
                    folder.rmdir()
            if time.monotonic() > until:
                break
            time.sleep(0.05)


def _hierarchies(root: Path) -> Iterator[Path]:
    """Yield the folders that hold groups: the root itself in version 2, one for each controller in version 1.

    Where both are mounted, runc makes its groups in each of them.
    """
    if (root / "cgroup.controllers").is_file():
        yield root
        return
    for folder in sorted(root.iterdir()):
        if (folder / "cgroup.procs").is_file() and not folder.is_symlink():
            yield folder
