"""Ports for programs that tests start."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """Return a port that nobody listens on, below the range that outgoing connections take theirs from."""
    for port in random.sample(range(20_000, 32_000), 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
