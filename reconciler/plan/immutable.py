"""Fields that the server does not let anybody change: which of git's they are, recognised from its refusal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.errors import Conflict, Forbidden, Invalid
from reconciler.plan.constraints import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.errors import ClusterError
    from reconciler.model.plan import FieldChange
    from reconciler.model.schema import Schema

_SIGNS: Final = re.compile(
    r"immutable|updates to |cannot change roleRef|may not change"
    r"|(?:can ?not|can't|may not|must not) be (?:changed|modified|updated|altered)"
)
_STEP: Final = re.compile(r"[^.\[\]]+")
_QUOTED: Final = re.compile(r"'([\w.]+)'")
_EXCEPT: Final = re.compile(r"fields other than (.*?) are forbidden|except (.*?)(?: for |$)", re.DOTALL)


def refused(error: ClusterError, schema: Schema) -> bool:
    """Whether the server refuses a change because of a field that may not change.

    The schema tells the rules of custom kinds that compare with the old value, whatever their message. What a webhook or an
    admission policy denies is no such field, whatever its words: it may be about who changes it, or when.
    """
    if not isinstance(error, Invalid | Forbidden) or isinstance(error, Conflict) or error.denied:
        return False
    return _SIGNS.search(str(error)) is not None or any(_fixed(cause, schema) for cause in _causes(error))


def others(error: ClusterError, schema: Schema) -> tuple[str, ...]:
    """Return what else the server refuses: the same object would be as invalid if it were made anew."""
    return tuple(f"{field}: {message}" for field, message in _causes(error) if not _fixed((field, message), schema))


def names(error: ClusterError, schema: Schema) -> tuple[str, ...]:
    """Return the fields that the server says may not change, as it writes them."""
    return tuple(field for field, message in _causes(error) if field and _fixed((field, message), schema))


def fields(error: ClusterError, changed: Sequence[FieldChange], schema: Schema) -> tuple[FieldChange, ...]:
    """Return which of an object's changes the server means: all where it names none, none where it names what is no such.

    A field that nobody asked to change may still go, as when another manager's part of an object is taken over.
    """
    named = names(error, schema)
    mutable = _mutable(str(error))
    found = tuple(
        item
        for item in changed
        if any(_within(item.path, path) for path in named) and not any(_within(item.path, path) for path in mutable)
    )
    return found if found or named else tuple(changed)


def _causes(error: ClusterError) -> Iterator[tuple[str, str]]:
    """Yield field and message of everything that the server refuses."""
    causes = error.details.get("causes")
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict):
            yield str(cause.get("field", "")), str(cause.get("message", ""))


def _fixed(cause: tuple[str, str], schema: Schema) -> bool:
    """Whether a cause is that a field may not change."""
    field, message = cause
    return _SIGNS.search(message) is not None or any(rule in message for rule in _transitions(field, schema))


def _transitions(field: str, schema: Schema) -> Iterator[str]:
    """Yield the words of the rules at a field that compare with its old value (KEP-2876, transition rules)."""
    for step in _STEP.findall(field):
        schema = schema.items if step.isdecimal() and schema.items is not None else schema.child(step)
    for rule in schema.asked.get(RULES, ()):
        if "oldSelf" in str(rule.get("rule")):
            yield str(rule.get("message") or rule["rule"])


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
