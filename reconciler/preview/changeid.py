"""The change id: a digest of what a change does to one environment, bound to content and to nothing else.

It holds the environment and, per object that differs, its identity with the digests of the old and the new desired
object, our own labels included (so that a move to another component counts). No commit, time, origin or order is in
it: a squash merge or a rebase keeps it, and the agent that applies the change can name it again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.identity import ObjectId
    from reconciler.model.resource import Desired

LENGTH = 16  # hexadecimal digits

Digests = dict["ObjectId", str]


def digests(desired: Desired) -> Digests:
    """Return the digest of every object; `desired` is marked with our labels (`plan.mark`)."""
    return {
        item.id: hashlib.sha256(orjson.dumps(item.body, option=orjson.OPT_SORT_KEYS)).hexdigest()
        for _, item in desired.resources
    }


def change_id(environment: str, old: Mapping[ObjectId, str], new: Mapping[ObjectId, str]) -> str:
    """Return the id of the change from old objects to new ones; "" where nothing differs."""
    differing = sorted(item for item in {*old, *new} if old.get(item) != new.get(item))
    if not differing:
        return ""
    digest = hashlib.sha256(environment.encode())
    for item in differing:
        digest.update(b"\n" + orjson.dumps([list(item), old.get(item, ""), new.get(item, "")]))
    return digest.hexdigest()[:LENGTH]
