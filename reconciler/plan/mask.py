"""Hiding what Secrets hold: no value of a Secret leaves the plan, not even as a digest.

What stays is how long a value is and that it differs.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.generated import PENDING

if TYPE_CHECKING:
    from reconciler.errors import ClusterError
    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import FieldChange, FieldConflict


_REFUSER: Final = re.compile(
    r"""exceeded quota: [\w.-]+|admission webhook "[\w.-]+" denied the request|ValidatingAdmissionPolicy '[\w.-]+'"""
)


def is_secret(identity: ObjectId) -> bool:
    """Whether an object is a Secret."""
    return identity.group_kind == ("", "Secret")


def masked_change(change: FieldChange) -> FieldChange:
    """Return a field change without its values; the sign of a replaced value says that it is another one."""
    old, new = hidden(change.old, change.path), hidden(change.new, change.path)
    if change.op == "replace" and isinstance(new, str):
        new = f"{new[:-1]}, another value)"
    return replace(change, old=old, new=new)


def masked_conflict(conflict: FieldConflict) -> FieldConflict:
    """Return a conflict without its values."""
    return replace(conflict, ours=hidden(conflict.ours, conflict.path), theirs=hidden(conflict.theirs, conflict.path))


def hidden(value: Any, path: str) -> Any:
    """Return what may be told of a value: the keys of a map, the length of anything else."""
    if value is None:
        return None
    if value == PENDING:
        return "(secret, made when it is applied)"
    if isinstance(value, dict):
        return {key: hidden(item, path) for key, item in value.items()}
    return f"(secret, {_size(value, encoded=path.startswith('data'))} bytes)"


def server_words(identity: ObjectId, error: ClusterError) -> str:
    """Return what the server says of an object; of a Secret only the reason and the fields, words may quote values."""
    if not is_secret(identity):
        return str(error)
    causes = error.details.get("causes")
    fields = (
        [str(cause.get("field", "")) for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
    )
    if refuser := _REFUSER.search(str(error)):
        return f"{refuser[0]}; the rest of its words is left out, it may quote the Secret"
    return f"the server says {error.reason or error.status or 'nothing'}" + (
        f" about {', '.join(fields)}" if fields else "; its words are left out, they may quote the Secret"
    )


def _size(value: Any, *, encoded: bool) -> int:
    if not isinstance(value, str):
        return len(orjson.dumps(value))
    if encoded:
        try:
            return len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            pass
    return len(value.encode())
