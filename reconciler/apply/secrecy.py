"""Keeps secret values out of everything that a run tells: server messages, log lines, events.

All words of a run pass through its ledger, and the ledger passes them through here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Conflict, Forbidden, NotFound, Unauthorized
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.errors import ClusterError
    from reconciler.model.plan import Plan
    from reconciler.model.resource import Resource

SECRET: Final = GroupKind("", "Secret")
SHORTEST: Final = 4  # characters: shorter values are found in any text
SHORTEST_LINE: Final = 8  # characters, of one line of a longer value, such as a key
HIDDEN: Final = "(secret)"
_FIELD = re.compile(r"\.?\b(?:data|stringData)\.[\w.-]+")


def redactor(plan: Plan) -> Callable[[str], str]:
    """Return a function that blacks out every value of the plan's Secrets in a text."""
    secrets = (item.resource for item in plan.changes if item.resource is not None and item.id.group_kind == SECRET)
    words = {form for secret in secrets for value in _values(secret) for form in _forms(value)}
    if not words:
        return str
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))
    return lambda text: pattern.sub(HIDDEN, text)


def rejection(kind: GroupKind, error: ClusterError) -> str:
    """Return what to say of an error; of a Secret that is not acceptable only the fields, as the server quotes values."""
    shown = isinstance(error, Conflict | Forbidden | NotFound | Unauthorized) or error.status in (0, 429, 503)
    if kind != SECRET or shown:
        return str(error)
    fields = _fields(error)
    where = f" at {', '.join(fields)}" if fields else ""
    return (
        f"the server does not accept it{where} (HTTP {error.status}, {error.reason or 'no reason given'}); "
        "its words are not shown, since they may hold the value"
    )


def _fields(error: ClusterError) -> list[str]:
    causes: Any = error.details.get("causes")
    told = [str(item.get("field", "")) for item in causes if isinstance(item, dict)] if isinstance(causes, list) else []
    found = told or [match.group().lstrip(".") for match in _FIELD.finditer(str(error))]
    return list(dict.fromkeys(field for field in found if field))


def _values(secret: Resource) -> Iterator[str]:
    for value in (secret.body.get("stringData") or {}).values():
        yield str(value)
    for value in (secret.body.get("data") or {}).values():
        yield str(value)
        try:
            yield base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue  # no text: only its encoded form can be in a message


def _forms(value: str) -> Iterable[str]:
    lines = (line.strip() for line in value.splitlines())
    forms = [value.strip(), json.dumps(value)[1:-1], *(line for line in lines if len(line) >= SHORTEST_LINE)]
    return (form for form in forms if len(form) >= SHORTEST)
