"""Writes that are bound to what the plan saw: what was shown is what is written to, though minutes may go by in between.

An object that was there is written to by its uid; one of which fields are taken from others by its version as well, so that
nobody loses a field who had none of it then. A new object cannot be bound to its absence (server-side apply knows no such
precondition); the answer tells who else has written to it, and what we put into somebody else's object is taken out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Conflict, NotFound
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.harbor import is_declared
from reconciler.model.managers import made_before, makers, shares
from reconciler.model.plan import Action

if TYPE_CHECKING:
    from reconciler.cluster.port import Body, Cluster
    from reconciler.errors import ClusterError
    from reconciler.model.api import ApiResource
    from reconciler.model.plan import Change

AGAIN = "nothing was written to it, run again to see what is to be done now"


def to_what_was_planned(change: Change, wanted: Body, version: str) -> Body:
    """Return an object as it is sent, with what it is bound to; `version` is "" where it is gone and may be made again."""
    if not version or not _bindable(change):
        return wanted
    metadata = {**wanted["metadata"], "uid": change.uid}
    if _takes(change):
        metadata["resourceVersion"] = version
    return {**wanted, "metadata": metadata}


def outdated(change: Change, error: ClusterError) -> bool:
    """Whether an answer says that the object is not as it was when it was planned for."""
    causes = error.details.get("causes")
    fields = [item.get("field") for item in causes if isinstance(item, dict)] if isinstance(causes, list) else []
    return _bindable(change) and ("metadata.uid" in fields or (isinstance(error, Conflict) and not fields))


async def version_now(cluster: Cluster, kind: ApiResource, change: Change) -> str:
    """Return the version at which a planned write may be sent again; "" where the object is gone.

    Raises Conflict where it is another object by now, or where others have come to own fields that would be taken from them.
    """
    try:
        body = await cluster.get(kind, change.id.namespace, change.id.name)
    except NotFound:
        return ""
    if body["metadata"]["uid"] != change.uid:
        raise Conflict(f"somebody deleted it and made another of its name since the plan: {AGAIN}", status=409)
    if _takes(change) and not shares(body) <= change.shares:  # after a lost answer they have less, and we the rest
        raise Conflict(f"others ({', '.join(makers(body))}) have written to it since the plan: {AGAIN}", status=409)
    version: str = body["metadata"]["resourceVersion"]
    return version


async def require_new(cluster: Cluster, kind: ApiResource, change: Change, made: Body) -> None:
    """Raise Conflict where an object that was to be created was there already, after it is as it was before."""
    found = makers(made)
    if not found or not made_before(made) or is_declared(change.id.group, change.id.kind):
        return
    metadata = {"name": change.id.name, "uid": made["metadata"]["uid"]}
    if change.id.namespace:
        metadata["namespace"] = change.id.namespace
    nothing = {"apiVersion": kind.gvk.api_version, "kind": kind.kind, "metadata": metadata}
    await cluster.apply(kind, nothing, field_manager=FIELD_MANAGER, brief=True)
    raise Conflict(
        f"{', '.join(found)} has made it since the plan: it is left as it was, run again to see whether it may be adopted",
        status=409,
    )


def _bindable(change: Change) -> bool:
    """Whether it is about an object that was there, and that the API server alone has."""
    return bool(change.uid) and change.action is not Action.REPLACE and not is_declared(change.id.group, change.id.kind)


def _takes(change: Change) -> bool:
    """Whether it takes fields from others; an adoption has bound itself before."""
    return change.force and change.takeover is None
