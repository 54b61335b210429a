"""Numbers and lists of objects in the words of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.identity import ObjectId

_NAMED: Final = 5  # objects that a message names before it only counts


def counted(number: int) -> str:
    """Return a number of objects."""
    return f"{number} object" if number == 1 else f"{number} objects"


def listed(ids: Sequence[ObjectId]) -> str:
    """Return the first objects by name and how many more there are."""
    named = ", ".join(str(identity) for identity in ids[:_NAMED])
    return named + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
