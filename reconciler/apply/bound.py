"""Writes that are bound to what the plan saw: what was shown is what is written to, though minutes may go by in between.

An object that was there is written to by its uid; one of which fields are taken from others by its version as well, so that
nobody loses a field who had none of it then. A new object cannot be bound to its absence (server-side apply knows no such
precondition); after a run has waited for something it is looked for once more before it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Conflict, NotFound
from reconciler.model.applyset import ENVIRONMENT_LABEL
from reconciler.model.harbor import is_declared
from reconciler.model.managers import concerns, makers, shares
from reconciler.model.plan import Action

if TYPE_CHECKING:
    from reconciler.cluster.port import Body, Cluster
    from reconciler.errors import ClusterError
    from reconciler.model.api import ApiResource
    from reconciler.model.plan import Change

AGAIN = "run again to see what is to be done now"


def to_what_was_planned(change: Change, wanted: Body, version: str) -> Body:
    """Return an object as it is sent, with what it is bound to; `version` is "" where it is gone and may be made again."""
    if not version or not _bindable(change):
        return wanted
    metadata = {**wanted["metadata"], "uid": change.uid}
    if change.force and change.takeover is None:  # an adoption has changed the version itself
        metadata["resourceVersion"] = version
    return {**wanted, "metadata": metadata}


def outdated(change: Change, error: ClusterError) -> bool:
    """Whether an answer says that the object is not as it was when it was planned for."""
    causes = error.details.get("causes")
    fields = [item.get("field") for item in causes if isinstance(item, dict)] if isinstance(causes, list) else []
    return _bindable(change) and ("metadata.uid" in fields or (isinstance(error, Conflict) and not fields))


async def version_now(cluster: Cluster, kind: ApiResource, change: Change, wanted: Body) -> str:
    """Return the version at which a planned write may be sent again; "" where the object is gone. Raises Conflict."""
    try:
        body = await cluster.get(kind, change.id.namespace, change.id.name)
    except NotFound:
        return ""
    require_planned(change, wanted, body)
    version: str = body["metadata"]["resourceVersion"]
    return version


def require_planned(change: Change, wanted: Body, body: Body) -> None:
    """Raise Conflict where a live object is not the one that was planned for, or fields would be taken from newcomers."""
    if not _bindable(change):
        return
    if body["metadata"]["uid"] != change.uid:
        raise Conflict(f"somebody deleted it and made another of its name since the plan: {AGAIN}", status=409)
    if not change.force and change.takeover is None:
        return
    late = sorted({share[0] for share in shares(body) - change.shares if concerns(share, wanted)})
    if late:
        raise Conflict(f"{', '.join(late)} came to have fields of it since the plan: {AGAIN}", status=409)


async def require_absent(cluster: Cluster, kind: ApiResource, change: Change, environment: str) -> None:
    """Raise Conflict where an object that is to be made is there already, and is neither ours nor the control plane's."""
    if is_declared(change.id.group, change.id.kind):
        return
    try:
        body = await cluster.get(kind, change.id.namespace, change.id.name)
    except NotFound:
        return
    owner = (body["metadata"].get("labels") or {}).get(ENVIRONMENT_LABEL)
    if owner == environment:
        return
    found = f"environment {owner}" if owner else ", ".join(makers(body))
    if found:
        raise Conflict(f"{found} has made it since the plan: {AGAIN}", status=409)


def _bindable(change: Change) -> bool:
    """Whether it is about an object that was there, and that the API server alone has."""
    return bool(change.uid) and change.action is not Action.REPLACE and not is_declared(change.id.group, change.id.kind)
