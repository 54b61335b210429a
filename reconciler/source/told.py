"""What git says when it fails, in a line that a person can use and that holds nothing secret."""

from __future__ import annotations

import re
from typing import Final

SHOWN_LINES: Final = 5

_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BOILERPLATE: Final = re.compile(
    r"please make sure you have the correct access|and the repository exists|@+$", re.IGNORECASE
)


def without_user(text: str) -> str:
    """Return a text without the users and passwords of the addresses in it."""
    return _USERINFO.sub("", text)


def told(words: str, status: object, token: str = "") -> str:
    """Return the last lines of what git wrote to stderr, without control characters, users and the token."""
    lines = [_CONTROL.sub(" ", line).strip() for line in words.splitlines()]
    lines = [line for line in lines if line and not _BOILERPLATE.match(line)]
    text = without_user("; ".join(lines[-SHOWN_LINES:]) or f"git ended with {status}")
    return (text.replace(token.strip(), "***") if token.strip() else text) + _way_out(words)


def _way_out(told: str) -> str:
    lower = told.lower()
    if "host identification has changed" in lower:
        return (
            " (the server shows another key than the one in the known_hosts file: ask who runs it whether that is "
            "meant; if not, somebody is in between)"
        )
    if "host key verification failed" in lower:
        return " (add the server's key to the known_hosts file; ssh-keyscan shows it, who runs the server vouches)"
    if "couldn't find remote ref" in lower:
        return " (there is no such branch)"
    if "unprotected private key" in lower:
        return " (only its owner may read a key: chmod 600)"
    if any(sign in lower for sign in ("authentication failed", "could not read username", "permission denied", "403")):
        return " (is the token or the key right, and may it read this repository?)"
    return ""
