"""What an object cannot exist without: its namespace and its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.identity import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects


def edges(identity: ObjectId, _body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edges to the Namespace and to the CustomResourceDefinition; both are awaited."""
    if identity.namespace:
        namespace = ObjectId("", "Namespace", "", identity.namespace)
        yield objects.edge(identity, namespace, "is in it", at=("metadata", "namespace"), awaited=True)
    definition = objects.definitions.get(identity.group_kind)
    if definition is not None:
        yield objects.edge(identity, definition, "is of the kind that it defines", at=("kind",), awaited=True)
