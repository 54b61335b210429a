"""A commit, as far as reports tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; `sha` is the full id, `date` the author's date.

    `boundary`: a shallow clone ends at it, so what git says of it may be true of an earlier one.
    """

    sha: str
    author: str
    date: datetime
    summary: str
    boundary: bool = False
