"""The words of commit statuses."""

from __future__ import annotations

from typing import Final, Literal

State = Literal["success", "failure", "error", "pending"]

LONGEST: Final = 140  # characters of a description: GitHub's limit, the least of the three (GitLab takes 255)


def shortened(description: str) -> str:
    """Return a description on one line that every forge takes, with an ellipsis where something was cut off."""
    line = " ".join(description.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
