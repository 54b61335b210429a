"""Where a sandbox keeps programs and state."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from reconciler.sandbox.versions import KUBERNETES


def programs_dir() -> Path:
    """Return the folder of programs that were built or downloaded: `RECONCILER_CACHE_DIR`, else the user's cache."""
    root = Path(os.environ.get("RECONCILER_CACHE_DIR") or platformdirs.user_cache_dir("reconciler"))
    return root / "sandbox" / KUBERNETES


def state_dir() -> Path:
    """Return the folder that holds one folder a sandbox: `RECONCILER_STATE_DIR`, else the user's state."""
    root = Path(os.environ.get("RECONCILER_STATE_DIR") or platformdirs.user_state_dir("reconciler"))
    return root / "sandboxes"
