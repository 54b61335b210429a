"""Fields that the server does not let anybody change: which of git's they are, recognised from its refusal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.errors import Conflict, Forbidden, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.errors import ClusterError
    from reconciler.model.plan import FieldChange

_SIGNS: Final = ("immutable", "updates to ", "cannot change roleRef", "may not change", "may not be changed")
_QUOTED: Final = re.compile(r"'([\w.]+)'")
_EXCEPT: Final = re.compile(r"fields other than (.*?) are forbidden|except (.*?)(?: for |$)", re.DOTALL)


def refused(error: ClusterError) -> bool:
    """Whether the server refuses a change because of a field that may not change."""
    told = isinstance(error, Invalid | Forbidden) and not isinstance(error, Conflict)
    return told and any(sign in str(error) for sign in _SIGNS)


def fields(error: ClusterError, changed: Sequence[FieldChange]) -> tuple[FieldChange, ...]:
    """Return which of an object's changes the server means; all of them where it does not say."""
    named = list(_named(error))
    mutable = _mutable(str(error))
    found = tuple(
        item
        for item in changed
        if any(_within(item.path, path) for path in named) and not any(_within(item.path, path) for path in mutable)
    )
    return found or tuple(changed)


def _named(error: ClusterError) -> Iterator[str]:
    causes = error.details.get("causes")
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and any(sign in str(cause.get("message", "")) for sign in _SIGNS):
            yield str(cause.get("field", ""))


def _mutable(words: str) -> list[str]:
    """Return the fields that a refusal of a whole spec excepts: "fields other than 'replicas', 'template', …"."""
    found = _EXCEPT.search(words)
    if found is None:
        return []
    text = found[1] or found[2]
    names = _QUOTED.findall(text) or re.findall(r"[a-z][\w.]*[A-Z.][\w.]*", text)
    return [f"spec.{name}" for name in names]


def _within(path: str, around: str) -> bool:
    return path == around or path.startswith((f"{around}.", f"{around}["))
