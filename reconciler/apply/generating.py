"""Making the values of a Secret that the cluster does not have yet, in the moment in which it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ClusterError, NotFound
from reconciler.generated import pending_keys, recipes_of
from reconciler.model.identity import GroupVersionKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.apply.work import Work
    from reconciler.cluster.port import Body
    from reconciler.model.resource import Resource

SECRET = GroupVersionKind("", "v1", "Secret")


async def filled(work: Work, resource: Resource) -> Body:
    """Return the object as it is to be sent, every pending value made; raises ClusterError where one cannot be.

    What it is made from was applied before (an edge of the graph sees to it) and is read now, for the plan may not know it.
    """
    if resource.id.group_kind != SECRET.group_kind or not pending_keys(resource.body):
        return resource.body
    from reconciler.generated.make import made  # keys and certificates take as long to load as all else of a run

    recipes = recipes_of(resource)
    kind = await work.kinds.find(SECRET)
    others: dict[str, Mapping[str, str]] = {}
    for name, recipe in recipes.items():
        source = recipe.source(resource.id.namespace)
        if source is not None:
            try:
                others[name] = (await work.cluster.get(kind, source.namespace, source.name)).get("data") or {}
            except NotFound as error:
                raise NotFound(f"its value {name} is made from {source}, which is not in the cluster") from error
    try:
        data = made(recipes, resource.body["data"], others, work.clock.now())
    except ValueError as error:
        raise ClusterError(str(error)) from error
    return {**resource.body, "data": data}
