"""The plan id: a digest of what a plan does, bound to content and to nothing else.

It holds the environment, what the policy refuses and, per changed object, action, identity, uid, the digest of the desired object and the live
values of the fields that change. It holds no commit, time, origin or order, so that a squash merge or a new comment in
a file keeps it. Live values of Secrets are stood in for by their resourceVersion.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from reconciler.model.plan import WAITING
from reconciler.plan import mask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.plan import Change, Refusal
    from reconciler.model.resource import Desired

_LENGTH = 16  # hexadecimal digits


def plan_id(environment: str, changes: Iterable[Change], refusals: Iterable[Refusal] = ()) -> str:
    """Return the id of a plan for an environment.

    What the policy refuses counts, so that an acknowledgement is of that and of nothing else; the time of day does not.
    """
    entries = sorted(orjson.dumps(_entry(item)) for item in changes if item.acts)
    entries += sorted(
        orjson.dumps([item.rule, sorted(map(list, item.ids))]) for item in refusals if item.rule not in WAITING
    )
    digest = hashlib.sha256(environment.encode())
    for entry in entries:
        digest.update(b"\n" + entry)
    return digest.hexdigest()[:_LENGTH]


def content_id(desired: Desired) -> str:
    """Return a digest of everything that git wants of an environment, whatever is live."""
    digest = hashlib.sha256(desired.environment.encode())
    for component, item in sorted(desired.resources, key=lambda pair: pair[1].id):
        digest.update(component.encode() + orjson.dumps(item.body, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()[:_LENGTH]


def _entry(change: Change) -> list[Any]:
    old: Any = sorted(
        (item.path, orjson.dumps(item.old, option=orjson.OPT_SORT_KEYS).decode()) for item in change.fields
    )
    if mask.is_secret(change.id):
        old = change.resource_version
    body = b"" if change.resource is None else orjson.dumps(change.resource.body, option=orjson.OPT_SORT_KEYS)
    return [
        str(change.action),
        list(change.id),
        change.uid,
        hashlib.sha256(body).hexdigest(),
        old,
        change.force,
        bool(change.problem),
    ]
