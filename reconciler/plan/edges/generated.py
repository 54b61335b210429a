"""What the values of a Secret are made from: other Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.generated import sources_of
from reconciler.model.marks import GENERATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.model.identity import ObjectId
    from reconciler.plan.edges.objects import Body, Objects


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edges of a Secret to those that it copies from, or whose authority signs its certificate."""
    text = ((body.get("metadata") or {}).get("annotations") or {}).get(GENERATE)
    if text is not None and identity.group_kind == ("", "Secret"):
        for source in sources_of(text, identity.namespace):
            yield objects.edge(
                identity, source, "its values are made from it", at=("metadata", "annotations", GENERATE)
            )
