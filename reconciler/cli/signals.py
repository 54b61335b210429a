"""The signals that ask a process to end."""

from __future__ import annotations

import signal


def ending() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to end: a closed terminal is one, but not below `nohup`, where it is ignored."""
    asked = (signal.SIGINT, signal.SIGTERM)
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*asked, signal.SIGHUP)
