"""When two values are the same to Kubernetes.

What git says and what a server keeps differ in form: amounts are rewritten (`1000m` to `1`), defaults are filled in,
empty values are dropped. Here that counts as equal. In doubt the answer is "different": the server has the last word.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from reconciler.model.schema import MISSING, Schema, Type
from reconciler.plan.duration import nanoseconds
from reconciler.plan.quantity import same_amount


def empty(value: Any) -> bool:
    """Whether a value counts as absent: null, or a map or list without entries."""
    return value is None or (isinstance(value, dict | list) and not value)


def zero(value: Any) -> bool:
    """Whether a value is one that typed kinds leave out when they are written (`omitempty`)."""
    return value is False or value == "" or (type(value) is int and value == 0) or empty(value)


def same_scalar(wanted: Any, live: Any, schema: Schema) -> bool:
    """Whether two scalars are the same under a schema."""
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if isinstance(wanted, int | float) and isinstance(live, int | float):
        return wanted == live
    if schema.type is Type.QUANTITY:
        return same_amount(wanted, live)
    if isinstance(wanted, str) and isinstance(live, str):
        return wanted == live or _same_text(wanted, live, schema.type)
    return wanted is None and live is None


def same_value(wanted: Any, live: Any, schema: Schema) -> bool:
    """Whether a live value is the wanted one as a whole; it may hold defaults that git leaves out, and nothing else."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted and live is None
        return all(_same_entry(wanted.get(key), live.get(key), schema.child(key)) for key in {**wanted, **live})
    if isinstance(wanted, list):
        if not isinstance(live, list):
            return not wanted and live is None
        items = schema.items or Schema()
        return len(wanted) == len(live) and all(
            same_value(one, other, items) for one, other in zip(wanted, live, strict=True)
        )
    return same_scalar(wanted, live, schema)


def _same_entry(wanted: Any, live: Any, schema: Schema) -> bool:
    """Compare one entry inside an atomic value, where an empty map may mean much (`namespaceSelector: {}`)."""
    if wanted is None:
        return live is None or live == [] or _is_default(live, schema)
    if live is None:
        return _is_default(wanted, schema) if isinstance(wanted, dict) else zero(wanted)
    return same_value(wanted, live, schema)


def _is_default(value: Any, schema: Schema) -> bool:
    if schema.default is not MISSING and schema.default == value:
        return True
    if not isinstance(value, dict):
        return False
    if not value:
        return schema.values is not None
    return schema.default == {} and all(_is_default(item, schema.child(name)) for name, item in value.items())


def _same_text(wanted: str, live: str, kind: Type) -> bool:
    if kind is Type.BYTES:
        first, second = _bytes(wanted), _bytes(live)
        return first is not None and first == second
    if kind is Type.TIME:
        moment, other = _instant(wanted), _instant(live)
        return moment is not None and moment == other
    if kind is Type.DURATION:
        length = nanoseconds(wanted)
        return length is not None and length == nanoseconds(live)
    return False


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.translate({9: None, 10: None, 13: None, 32: None}), validate=True)
    except (binascii.Error, ValueError):
        return None


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
