"""From an API server's refusal to an error of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES: dict[int, type[ClusterError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Unavailable,
}
SCHEMA_FAILURE = "failed to create typed"
SHOWN: Final = 500  # bytes of an answer that is no Status

_TAG: Final = re.compile(r"<(style|script)\b.*?(</\1>|$)|<[^>]*(>|$)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent back; header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def of_answer(answer: Answer, server: str) -> ClusterError:
    """Return the error for an answer of 400 or above."""
    status = _json(answer.body)
    words = _words(answer.body, status)
    told = f"{server} answered {answer.status}" + (f": {words}" if words else " without a reason")
    if answer.status == 401:
        words = words or "it gives no reason"
        told = f"{server} does not accept the credentials: {words}; renew them or name another context"
    elif status.get("kind") == "Status":
        told = words or told
    elif answer.status == 404 and (status or _is_page(answer.body)):  # who is no API server says nothing of objects
        return ClusterError(f"{told}; this is no answer of Kubernetes: is the address right?", status=404)
    return of_status({**status, "message": told}, answer.status, _seconds(answer.headers.get("retry-after")))


def of_status(status: Mapping[str, Any], code: int, retry_after: float | None = None) -> ClusterError:
    """Return the error for a `metav1.Status`.

    A dry-run or apply that does not fit the schema is answered with 500; it is Invalid all the same, and never retried.
    The continue token of an expired page, which stands in the Status' metadata, is kept in `details`.
    """
    message, reason = str(status.get("message", "")), str(status.get("reason", ""))
    details = dict(status.get("details") or {})
    if token := (status.get("metadata") or {}).get("continue"):
        details["continue"] = token
    kind = TYPES.get(code, Unavailable if code >= 500 else ClusterError)
    if code == 409 and reason == "AlreadyExists":
        kind = AlreadyExists
    elif code == 500 and message.startswith(SCHEMA_FAILURE):
        kind = Invalid
    wait = retry_after if retry_after is not None else details.get("retryAfterSeconds")
    return kind(message, status=code, reason=reason, details=details, retry_after=wait)


def _json(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    return content if isinstance(content, dict) else {}


def _words(body: bytes, status: Mapping[str, Any]) -> str:
    """Return the message of an answer, else its text; of a page without its tags."""
    if status:
        return str(status.get("message") or "")
    text = body[:SHOWN].decode(errors="replace")
    return " ".join((_TAG.sub(" ", text) if _is_page(body) else text).split())


def _is_page(body: bytes) -> bool:
    return body.lstrip().startswith(b"<")


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
