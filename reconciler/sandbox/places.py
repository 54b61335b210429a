"""Where a sandbox keeps programs and state, and for which machine its programs are."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

import platformdirs

from reconciler.sandbox.versions import CONTAINERD, ETCD, KUBERNETES, KWOK
from reconciler.store import cache_dir

_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def programs_dir() -> Path:
    """Return the folder of programs that were built or downloaded: in `RECONCILER_CACHE_DIR`, else the user's cache."""
    return cache_dir() / "sandbox" / f"kubernetes-{KUBERNETES}-etcd-{ETCD}-kwok-{KWOK}"


def node_programs_dir() -> Path:
    """Return the folder of the programs of real nodes."""
    return cache_dir() / "sandbox" / f"nodes-{KUBERNETES}-containerd-{CONTAINERD}"


def state_dir() -> Path:
    """Return the folder that holds one folder a sandbox: in `RECONCILER_STATE_DIR`, else the user's state."""
    return _state() / "sandboxes"


def lock_file(name: str) -> Path:
    """Return the file whose lock is held while a sandbox starts or stops."""
    return _state() / "locks" / name


def system() -> str:
    """Return the operating system as Go names it."""
    return platform.system().lower()


def machine() -> str:
    """Return the processor's architecture as Go names it."""
    return _MACHINES.get(platform.machine(), platform.machine())


def _state() -> Path:
    return Path(os.environ.get("RECONCILER_STATE_DIR") or platformdirs.user_state_dir("reconciler"))
