"""Live news of the objects of one kind: a LIST, then a watch, for as long as a run waits for any of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import ClusterError, Unavailable
from reconciler.model.identity import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.clock import Clock
    from reconciler.cluster.port import Bodies, Body, Cluster
    from reconciler.model.api import ApiResource

PAUSE = 1.0  # seconds between a broken watch and the next LIST


class Scope(NamedTuple):
    """What one feed tells about."""

    resource: ApiResource
    namespace: str = ""
    selector: str = ""


class News(NamedTuple):
    """The latest state of one object; of one that is `gone` the last that was seen of it."""

    item: ObjectId
    body: Body
    gone: bool


class Feed:
    """What is known of the objects in one scope; bodies are kept without managedFields.

    `version` is that of the last LIST, "" before the first one.
    """

    def __init__(
        self,
        cluster: Cluster,
        scope: Scope,
        clock: Clock,
        *,
        on_news: Callable[[Feed, News], None],
        on_listed: Callable[[Feed], None],
        on_error: Callable[[Feed, ClusterError], None],
    ) -> None:
        """Make a feed; `follow` starts it. `on_error` is told once where the kind cannot be read, which ends the feed."""
        self.scope = scope
        self.bodies: dict[ObjectId, Body] = {}
        self.version = ""
        self.error: ClusterError | None = None
        self._cluster, self._clock = cluster, clock
        self._on_news, self._on_listed, self._on_error = on_news, on_listed, on_error

    async def follow(self, start: tuple[Bodies, str] | None = None) -> None:
        """Read until cancelled, from a LIST that was just made where there is one."""
        while self.error is None:
            try:
                listed = start or await self._cluster.list_version(
                    self.scope.resource, namespace=self.scope.namespace, selector=self.scope.selector
                )
                start = None
                self._reset(*listed)
                await self._watch(listed[1])
            except Unavailable:
                await self._clock.sleep(PAUSE)
            except ClusterError as error:
                if error.status == 410:
                    continue
                self.error = error
                self._on_error(self, error)

    async def _watch(self, version: str) -> None:
        while True:
            begun = self._clock.monotonic()
            async for event in self._cluster.watch(
                self.scope.resource,
                namespace=self.scope.namespace,
                selector=self.scope.selector,
                resource_version=version,
            ):
                version = event.object["metadata"]["resourceVersion"]
                if event.type == "DELETED":
                    self._forget(event.object)
                elif event.type != "BOOKMARK":
                    self._learn(event.object)
            if self._clock.monotonic() - begun < PAUSE:
                await self._clock.sleep(PAUSE)

    def _reset(self, bodies: Bodies, version: str) -> None:
        self.version = version
        gone = set(self.bodies) - {ObjectId.of(body) for body in bodies}
        for body in bodies:
            self._learn(body)
        for item in gone:
            self._forget(self.bodies[item])
        self._on_listed(self)

    def _learn(self, body: Body) -> None:
        item = ObjectId.of(body)
        self.bodies[item] = slim(body)
        self._on_news(self, News(item, self.bodies[item], gone=False))

    def _forget(self, body: Body) -> None:
        item = ObjectId.of(body)
        self.bodies.pop(item, None)
        self._on_news(self, News(item, body, gone=True))


def slim(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without managedFields, which nothing that waits reads."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def older(body: Body, than: Body) -> bool:
    """Whether a body is of an earlier state than another one of the same object.

    Tells by generation, and by resourceVersion where both are numbers, as every kube-apiserver writes them (KEP-5504).
    """
    one, other = body["metadata"], than["metadata"]
    if one.get("uid") == other.get("uid") and one.get("generation", 0) < other.get("generation", 0):
        return True
    return earlier(str(one.get("resourceVersion", "")), str(other.get("resourceVersion", "")))


def earlier(version: str, than: str) -> bool:
    """Whether one resourceVersion is known to be before another one."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
