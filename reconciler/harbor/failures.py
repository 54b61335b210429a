"""From Harbor's refusal to an error of ours: `{"errors": [{"code": …, "message": …}]}`, and what else comes in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from reconciler.errors import (
    AlreadyExists,
    ClusterError,
    Forbidden,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES: Final[Mapping[int, type[ClusterError]]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: AlreadyExists,
    412: ClusterError,  # something depends on it: no reason to try again, as a Conflict would be
    422: Invalid,
    429: Unavailable,
}
LONGEST: Final = 500  # characters of an answer that are told


def of_answer(server: str, what: str, status: int, body: bytes, headers: Mapping[str, str]) -> ClusterError:
    """Return the error for an answer of 400 or above; `what` is the request in words."""
    kind = TYPES.get(status, Unavailable if status >= 500 else ClusterError)
    hint = "; look at the Secret that the HarborServer names" if status == 401 else ""
    pause = headers.get("retry-after", "")
    return kind(
        f"{server} answered {what} with {status}: {words(body)}{hint}",
        status=status,
        reason=code(body),
        retry_after=float(pause) if pause.isdigit() else None,
    )


def words(body: bytes) -> str:
    """Return Harbor's own words, or what else answered in its place."""
    told = [f"{item.get('code', '')}: {item.get('message', '')}".strip(": ") for item in _errors(body)]
    text = "; ".join(filter(None, told)) or body[:LONGEST].decode(errors="replace").strip()
    return text[:LONGEST] or "no reason"


def code(body: bytes) -> str:
    """Return Harbor's code of the first error, e.g. CONFLICT."""
    return next((str(item.get("code", "")) for item in _errors(body)), "")


def _errors(body: bytes) -> list[dict[str, object]]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    found = content.get("errors") if isinstance(content, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
