"""Whose an object of Harbor's is. Harbor keeps no labels, so the custom resource is the record: its status has the id.

An id is noted only of what we made or adopted, with the time of its making, for another Harbor gives the same small ids. What was announced in the status before it was made, and is newer than that
by Harbor's own clock, was made by a run that ended before it could note the id.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.harbor.kinds import Kind
    from reconciler.harbor.port import Item

_TOLERANCE: Final = timedelta(seconds=1)  # Date has whole seconds


class Claim(StrEnum):
    """What a custom resource may say of an object that Harbor has under its name."""

    OURS = "ours"  # its id is noted
    UNNOTED = "unnoted"  # announced, made, and not noted
    FOREIGN = "foreign"


def claim(kind: Kind, status: Mapping[str, Any], item: Item) -> Claim:
    """Tell whose an object is, by the status of its custom resource."""
    if status.get("id") is not None:
        same = (status["id"], status.get("made")) == (kind.id_of(item), item.get("creation_time"))
        return Claim.OURS if same else Claim.FOREIGN
    announced, made = _time(status.get("creating")), _time(item.get("creation_time"))
    if announced is not None and made is not None and made >= announced - _TOLERANCE:
        return Claim.UNNOTED
    return Claim.FOREIGN


def told(kind: Kind, item: Item) -> str:
    """Return the words for an object that is not ours."""
    made = str(item.get("creation_time") or "")[:19]
    by = f" by {item['owner_name']}" if item.get("owner_name") else ""
    return f"id {kind.id_of(item)}" + (f", made {made}{by}" if made else "")


def _time(text: object) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
