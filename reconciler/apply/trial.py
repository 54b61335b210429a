"""Would the server take an object that is made anew? Asked before the old one is deleted, which cannot be undone.

A dry-run of the new object under another name, as the old one still has its own. Only what admission says counts: what is
invalid was told with the plan, and what is unique in a cluster (node ports, addresses) or counted (quotas) the old one still has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import ClusterError, Forbidden
from reconciler.model.applyset import FIELD_MANAGER

if TYPE_CHECKING:
    from reconciler.cluster.port import Cluster
    from reconciler.model.api import ApiResource
    from reconciler.model.resource import Resource

NO_DRY_RUN: Final = "does not support dry run"  # of a webhook with side effects, which says nothing of the object
SUFFIX: Final = "-anew"
LONGEST: Final = 52  # characters of a name that some kinds allow (CronJob)


async def require_accepted(cluster: Cluster, kind: ApiResource, wanted: Resource) -> None:
    """Raise ClusterError where an admission webhook or policy would refuse the new object."""
    name = wanted.id.name[: LONGEST - len(SUFFIX)].rstrip("-.") + SUFFIX
    body = {**wanted.body, "metadata": {**wanted.body["metadata"], "name": name}}
    try:
        await cluster.apply(kind, body, field_manager=FIELD_MANAGER, dry_run=True)
    except ClusterError as error:
        if error.denied and NO_DRY_RUN not in str(error):
            told = f"left as it is, since the object made anew would be refused: {error}"
            raise Forbidden(told, status=error.status, reason=error.reason, details=error.details) from error
