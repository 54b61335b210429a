"""From an API server's error answer to the error tree."""

from __future__ import annotations

from typing import Any

import orjson

from reconciler import errors

_BY_STATUS: dict[int, type[errors.ClusterError]] = {
    400: errors.Invalid,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.NotFound,
    415: errors.Invalid,
    422: errors.Invalid,
    429: errors.Unavailable,
}
_SHOWN = 300


def error_of(status: int, content: bytes, retry_after: str | None, what: str) -> errors.ClusterError:
    """Return the error for an answer; `what` says which request it was, for answers that are no `metav1.Status`."""
    body = _status(content)
    reason = str(body.get("reason") or "")
    kind = _BY_STATUS.get(status) or (errors.Unavailable if status >= 500 else errors.ClusterError)
    if reason == "AlreadyExists":
        kind = errors.AlreadyExists
    message = str(body.get("message") or content[:_SHOWN].decode(errors="replace") or "no message")
    details = body.get("details")
    return kind(
        f"{what}: {message}" if not body else message,
        status=status,
        reason=reason,
        details=details if isinstance(details, dict) else {},
        retry_after=_seconds(retry_after),
    )


def _status(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) and body.get("kind") == "Status" else {}


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
